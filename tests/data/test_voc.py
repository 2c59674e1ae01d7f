"""VOC 2012: a small devkit in the published layout, and the published images at hand."""

import numpy as np
import pytest
from devkit import VOC_LISTS, make_devkit
from PIL import Image
from published import needs

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID, check_disjoint, overlap, voc

published = needs("VOCdevkit")
LISTS = "VOCdevkit/VOC2012/ImageSets/Segmentation"


@pytest.fixture
def root(tmp_path):
    return make_devkit(tmp_path)


def test_splits_are_as_the_lists_say(root):
    for split, names in VOC_LISTS.items():
        dataset = fcn.load_dataset("voc2012", split, root)
        assert (dataset.name, dataset.split, dataset.names) == ("voc2012", split, tuple(names))


def test_any_list_beside_the_published_ones_is_a_split(root, refusal):
    (root / LISTS / "mine_2008.txt").write_text("e\n\na\n")
    dataset = fcn.load_dataset("voc2012", "mine_2008", root)
    assert (dataset.split, dataset.names) == ("mine_2008", ("e", "a"))
    (root / "secret.txt").write_text("a\n")
    for split in ("dev", "../../../../secret", str(root / "secret"), ""):
        message = refusal(fcn.load_dataset, "voc2012", split, root)
        assert all(word in message for word in ("trainval, seg11valid", str(root / LISTS)))


def test_an_example_is_its_files_and_keeps_void(root):
    devkit, val = root / "VOCdevkit/VOC2012", fcn.load_dataset("voc2012", "val", root)
    image, label = val[1]
    assert image.shape == (6, 5, 3) and image.dtype == label.dtype == np.uint8
    assert label[0, 0] == VOID and set(label.flat) == {VOID, 5}  # e
    assert val.image_file(1) == devkit / "JPEGImages/e.jpg"
    assert val.label_file(1) == devkit / "SegmentationClass/e.png"
    np.testing.assert_array_equal(val.read_label(1), label)


def test_seg11valid_comes_with_the_package(root, refusal):
    dataset = fcn.load_dataset("voc2012", "seg11valid", root)
    assert len(dataset) == len(set(dataset.names)) == 736
    assert dataset.names[:2] == ("2007_000033", "2007_000042")
    assert "2007_000033.png is missing" in refusal(dataset.__getitem__, 0)


def test_the_palette_is_vocs_own():
    known = {0: (0, 0, 0), 1: (128, 0, 0), 6: (0, 128, 128), 15: (192, 128, 128), 20: (0, 64, 128)}
    for class_id, color in known.items():
        assert tuple(voc.VOC.palette[class_id]) == color
    assert tuple(voc.voc_palette(256)[VOID]) == (224, 224, 192)
    assert len(np.unique(voc.voc_palette(256), axis=0)) == 256
    assert voc.voc_palette(256).dtype == voc.VOC.palette.dtype == np.uint8


@published
@pytest.mark.parametrize("split", ["train", "val"])
def test_published_images_have_labels_of_their_size_with_void(split):
    dataset = fcn.load_dataset("voc2012", split)
    assert len(dataset) >= 300
    seen = set()
    for index in range(0, len(dataset), 5):
        seen.update(np.unique(dataset[index][1]).tolist())
    assert seen == {*range(21), VOID}


@published
def test_published_splits_are_disjoint_and_seg11valid_lies_in_val_with_the_computed_palette():
    splits = ("train", "val", "seg11valid")
    train, val, valid = (fcn.load_dataset("voc2012", split) for split in splits)
    check_disjoint(train, val)
    assert not overlap(train.names, valid.names)
    assert len(overlap(val.names, valid.names)) > 300
    colors = np.reshape(Image.open(val.label_file(0)).getpalette(), (-1, 3))
    np.testing.assert_array_equal(colors[:21], val.palette)
