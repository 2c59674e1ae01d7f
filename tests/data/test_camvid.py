"""CamVid: the published data set where $FCN_DATA holds it, and a small one in its layout."""

import os

import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import VOID, ListError

SIZES = {"train": 367, "val": 101, "test": 233}
published = pytest.mark.skipif(
    not os.path.isdir(os.path.join(os.environ.get("FCN_DATA", ""), "CamVid")),
    reason="needs CamVid in the folder that FCN_DATA names",
)


@pytest.fixture
def folder(camvid_root, monkeypatch):
    """CamVid's folder, below $FCN_DATA, for a test to damage."""
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    return camvid_root / "CamVid"


def test_only_one_example_is_given_at_a_time(folder):
    train = fcn.load_dataset("camvid", "train")
    assert train.image_file(np.int64(1)) == train.image_file(1)
    with pytest.raises(TypeError):
        train[:2]


@published
@pytest.mark.parametrize("split", SIZES)
def test_published_camvid_has_its_examples_sizes_and_classes(split):
    dataset = fcn.load_dataset("camvid", split)
    assert len(dataset) == SIZES[split] and len(dataset.classes) == 11
    seen = set()
    for index in range(0, len(dataset), 5):
        image, label = dataset[index]
        assert image.shape == (360, 480, 3) and label.shape == (360, 480)
        seen.update(np.unique(label).tolist())
    assert seen == {*range(11), VOID}


@published
def test_published_labels_stand_in_the_order_of_a_street_scene():
    """An image's sky lies above its buildings, these above its cars, these above its road."""
    dataset = fcn.load_dataset("camvid", "val")
    _, label = dataset[0]
    heights = {
        name: np.argwhere(label == index)[:, 0].mean() for index, name in enumerate(dataset.classes)
    }
    order = ("sky", "building", "car", "road")
    assert sorted(order, key=heights.get) == list(order)


@published
def test_published_splits_share_no_image():
    names = [name for split in SIZES for name in fcn.load_dataset("camvid", split).names]
    assert len(set(names)) == sum(SIZES.values())


def test_an_example_is_its_image_and_its_label_with_void_as_255(folder):
    dataset = fcn.load_dataset("camvid", "val")
    assert (dataset.name, dataset.split, len(dataset)) == ("camvid", "val", 3)
    image, label = dataset[2]
    assert dataset.image_file(2) == folder / "val" / "val2.png"
    on_disk = np.array(Image.open(dataset.label_file(2)))
    assert image.dtype == label.dtype == np.uint8
    np.testing.assert_array_equal(image, Image.open(folder / "val" / "val2.png"))
    assert (on_disk == 11).any()
    np.testing.assert_array_equal(label, np.where(on_disk == 11, VOID, on_disk))


def test_classes_have_colours_of_their_own(folder):
    dataset = fcn.load_dataset("camvid")
    assert dataset.palette.dtype == np.uint8 and dataset.palette.shape == (11, 3)
    assert len(np.unique(dataset.palette, axis=0)) == len(set(dataset.classes)) == 11


def test_root_goes_before_the_environment(camvid_root, monkeypatch):
    monkeypatch.setenv("FCN_DATA", "/nowhere")
    assert len(fcn.load_dataset("camvid", "test", root=camvid_root)) == 3


def test_a_list_may_have_blank_lines_and_the_line_ends_of_windows(folder):
    path = folder / "val.txt"
    path.write_bytes(b" \r\n" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n")
    assert fcn.load_dataset("camvid", "val").names == ("val0", "val1", "val2")


def truncate(folder):
    path = folder / "val" / "val0.png"
    path.write_bytes(path.read_bytes()[:60])


def write_label_of(size, mode, color):
    return lambda folder: Image.new(mode, size, color).save(folder / "valannot" / "val0.png")


DAMAGE = {
    "missing image": (lambda f: (f / "val" / "val0.png").unlink(), "val/val0.png is missing"),
    "missing label": (
        lambda f: (f / "valannot" / "val0.png").unlink(),
        "valannot/val0.png is missing",
    ),
    "truncated image": (truncate, "val/val0.png cannot be read"),
    "label of another size": (write_label_of((9, 5), "L", 0), "valannot/val0.png is 9 x 5"),
    "id out of range": (write_label_of((64, 48), "L", 12), "valannot/val0.png has class id 12"),
    "coloured label": (write_label_of((64, 48), "RGB", 0), "valannot/val0.png has mode RGB"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_example_is_named_and_the_others_can_be_read(folder, refusal, damage):
    spoil, sentence = DAMAGE[damage]
    spoil(folder)
    dataset = fcn.load_dataset("camvid", "val")
    assert sentence in refusal(dataset.__getitem__, 0)
    assert dataset[1][0].shape == (48, 64, 3)


def test_an_empty_list_is_named(folder):
    (folder / "val.txt").write_text("\n")
    with pytest.raises(ListError, match=r"val.txt is empty") as caught:
        fcn.load_dataset("camvid", "val")
    assert (caught.value.paths, caught.value.state) == ([folder / "val.txt"], "empty")


def test_a_list_that_is_no_text_leads_to_images_that_are_missing(folder, refusal):
    (folder / "val.txt").write_bytes(b"\x89PNG\xff\xfe")
    assert "is missing" in refusal(fcn.load_dataset("camvid", "val").__getitem__, 0)


def test_a_missing_folder_is_answered_with_what_to_set_or_to_type(tmp_path, refusal, monkeypatch):
    message = refusal(fcn.load_dataset, "camvid", root=tmp_path)
    assert "train.txt is missing" in message and "FCN_DATA" in message
    assert f'"fcn-tutorial data fetch camvid --root {tmp_path}"' in message
    monkeypatch.setenv("FCN_DATA", str(tmp_path))
    assert '"fcn-tutorial data fetch camvid"' in refusal(fcn.load_dataset, "camvid")


def test_a_list_missing_from_a_folder_that_is_there_cannot_just_be_fetched(folder, refusal):
    (folder / "val.txt").unlink()
    message = refusal(fcn.load_dataset, "camvid", "val")
    assert f"move {folder} away and run" in message and "data fetch camvid" in message
