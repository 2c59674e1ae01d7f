"""VOC 2012 and SBD: a small devkit in the published layout, and the published images at hand."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import io

import fcn_tutorial as fcn
from fcn_tutorial.data import voc
from fcn_tutorial.data.dataset import VOID, ListError, check_disjoint, overlap, published_size
from fcn_tutorial.data.images import write_label
from fcn_tutorial.data.voc import read_mat

DATA = Path(os.environ.get("FCN_DATA", "nowhere"))
published_voc = pytest.mark.skipif(
    not (DATA / "VOCdevkit").is_dir(), reason="needs VOCdevkit in the folder that FCN_DATA names"
)
published_lists = pytest.mark.skipif(
    not (DATA / "splits").is_dir(), reason="needs splits/ in the folder that FCN_DATA names"
)
whole_sbd = pytest.mark.skipif(
    not (DATA / "benchmark_RELEASE/dataset/val.txt").is_file(),
    reason="needs SBD's lists in the folder that FCN_DATA names",
)
published_sbd = pytest.mark.skipif(
    not (DATA / "benchmark_RELEASE").is_dir(),
    reason="needs benchmark_RELEASE in the folder that FCN_DATA names",
)

# VOC labels a to f, SBD c to i: b and e, of VOC's validation set, differ in whether SBD has them.
VOC_LISTS = {"train": "acd", "val": "bef"}
SBD_LISTS = {"train": "cegh", "val": "di"}


def label_of(name, labels):
    """A label that says which example of which data set it is of: 6 x 5 pixels."""
    value = {"voc": 1, "sbd": 11}[labels] + "abcdefghi".index(name)
    return np.full((6, 5), value, np.uint8)


def write_mat(path, ids):
    structure = {"Boundaries": 0, "Segmentation": ids, "CategoriesPresent": np.unique(ids)}
    io.savemat(path, {"GTcls": structure}, do_compression=True)
    return path


@pytest.fixture
def root(tmp_path):
    """A folder with both data sets; void is the first pixel of each of VOC's labels."""
    devkit, sbd = tmp_path / "VOCdevkit/VOC2012", tmp_path / "benchmark_RELEASE/dataset"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (devkit / folder).mkdir(parents=True)
    for folder in ("img", "cls"):
        (sbd / folder).mkdir(parents=True)
    for split, names in (*VOC_LISTS.items(), ("trainval", "abcdef")):
        (devkit / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
    for split, names in SBD_LISTS.items():
        (sbd / f"{split}.txt").write_text("\n".join(names) + "\n")
    for name in "abcdef":
        Image.new("RGB", (5, 6), (90, 90, 90)).save(devkit / f"JPEGImages/{name}.jpg")
        label = label_of(name, "voc")
        label[0, 0] = VOID
        write_label(devkit / f"SegmentationClass/{name}.png", label, voc.VOC.palette)
    for name in "cdeghi":
        Image.new("RGB", (5, 6), (90, 90, 90)).save(sbd / f"img/{name}.jpg")
        write_mat(sbd / f"cls/{name}.mat", label_of(name, "sbd"))
    return tmp_path


def test_splits_are_as_the_lists_say(root):
    for split, names in (*VOC_LISTS.items(), ("trainval", "abcdef")):
        dataset = fcn.load_dataset("voc2012", split, root)
        assert (dataset.name, dataset.split, dataset.names) == ("voc2012", split, tuple(names))
    for split, names in SBD_LISTS.items():
        assert fcn.load_dataset("sbd", split, root).names == tuple(names)


def test_an_example_of_voc_keeps_void(root):
    image, label = fcn.load_dataset("voc2012", "val", root)[1]
    assert image.shape == (6, 5, 3) and image.dtype == label.dtype == np.uint8
    assert label[0, 0] == VOID
    assert set(label.flat) == {VOID, 5}  # e


def test_an_example_of_sbd_has_the_ids_of_its_matlab_file(root):
    _, label = fcn.load_dataset("sbd", "train", root)[1]
    np.testing.assert_array_equal(label, label_of("e", "sbd"))


def test_trainaug_joins_both_less_the_validation_images(root):
    dataset = fcn.load_dataset("voc2012_trainaug", "train", root)
    assert (dataset.name, dataset.split) == ("voc2012_trainaug", "train")
    assert dataset.names == tuple("acdghi")
    check_disjoint(dataset, fcn.load_dataset("voc2012_trainaug", "val", root))
    sources = dict(zip(dataset.names, ("voc", *5 * ["sbd"]), strict=True))
    for index, (name, labels) in enumerate(sources.items()):
        assert dataset[index][1][3, 3] == label_of(name, labels)[3, 3]
        folder = "JPEGImages" if labels == "voc" else "img"
        assert dataset.image_file(index).parent.name == folder


def test_trainaug_is_validated_on_vocs_images(root):
    for split in ("val", "seg11valid"):
        names = fcn.load_dataset("voc2012", split, root).names
        dataset = fcn.load_dataset("voc2012_trainaug", split, root)
        assert (dataset.name, dataset.split, dataset.names) == ("voc2012_trainaug", split, names)


def test_sbd_is_scored_on_vocs_images_that_its_train_lacks(root):
    theirs = fcn.load_dataset("sbd", "seg11valid", root)
    ours = fcn.load_dataset("voc2012", "seg11valid", root)
    assert (theirs.name, theirs.split) == ("sbd", "seg11valid")
    assert (theirs.names, theirs.files) == (ours.names, ours.files)


def test_seg11valid_comes_with_the_package(root):
    names = fcn.load_dataset("voc2012", "seg11valid", root).names
    assert len(names) == len(set(names)) == 736
    assert names[:2] == ("2007_000033", "2007_000042")


def test_keras_fcn_validates_on_the_first_of_sbds_val_and_trains_on_all_else(root, monkeypatch):
    monkeypatch.setattr(voc, "KERAS_FCN_VAL", 1)
    train, val = (fcn.load_dataset("voc2012_keras_fcn", split, root) for split in ("train", "val"))
    assert (train.name, train.split, val.split) == ("voc2012_keras_fcn", "train", "val")
    assert val.names == ("d",)  # SBD's val is d and i
    assert train.names == tuple("abcefghi")  # b, e and f are VOC's validation images
    check_disjoint(train, val)
    assert val[0][1][3, 3] == label_of("d", "sbd")[3, 3]
    for name, (_, label) in zip(train.names, train, strict=True):
        labels = "voc" if name in "abf" else "sbd"
        assert label[3, 3] == label_of(name, labels)[3, 3]
        assert label[0, 0] == (VOID if labels == "voc" else label[3, 3])


def test_keras_fcn_takes_the_names_in_order_whatever_the_order_of_the_list(root, monkeypatch):
    monkeypatch.setattr(voc, "KERAS_FCN_VAL", 1)
    (root / "benchmark_RELEASE/dataset/val.txt").write_text("i\nd\n")
    assert fcn.load_dataset("voc2012_keras_fcn", "val", root).names == ("d",)


def test_keras_fcn_holds_out_1200_images(tmp_path):
    numbered = [f"{index:04}" for index in range(1300)]
    write_lists(tmp_path, ["a"], ["b"], ["c"], numbered[::-1])
    train, val = (
        fcn.load_dataset("voc2012_keras_fcn", split, tmp_path) for split in ("train", "val")
    )
    assert val.names == tuple(numbered[:1200])
    assert train.names == (*numbered[1200:], "a", "b", "c")


def test_an_example_says_where_its_files_are(root):
    devkit, sbd = root / "VOCdevkit/VOC2012", root / "benchmark_RELEASE/dataset"
    train = fcn.load_dataset("voc2012", "train", root)
    assert train.image_file(2) == devkit / "JPEGImages/d.jpg"
    assert train.label_file(2) == devkit / "SegmentationClass/d.png"
    np.testing.assert_array_equal(train.read_label(2), train[2][1])
    val = fcn.load_dataset("sbd", "val", root)
    assert (val.name, val.split, len(val)) == ("sbd", "val", 2)
    assert val.image_file(0) == sbd / "img/d.jpg"
    assert val.label_file(0) == sbd / "cls/d.mat"


@pytest.mark.parametrize(
    ("name", "splits"),
    [
        ("voc2012", "train, val, trainval, seg11valid"),
        ("sbd", "train, val, seg11valid"),
        ("voc2012_trainaug", "train, val, seg11valid"),
        ("voc2012_keras_fcn", "train, val"),
    ],
)
def test_an_unknown_split_is_answered_with_the_known_ones(root, refusal, name, splits):
    message = refusal(fcn.load_dataset, name, "dev", root)
    assert message == f"unknown split 'dev' of {name}: use one of {splits}."


@pytest.mark.parametrize(
    ("name", "split", "path"),
    [
        ("voc2012", "trainval", "VOCdevkit/VOC2012/ImageSets/Segmentation/trainval.txt"),
        ("sbd", "val", "benchmark_RELEASE/dataset/val.txt"),
        ("voc2012_trainaug", "val", "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"),
        ("voc2012_keras_fcn", "val", "benchmark_RELEASE/dataset/val.txt"),
    ],
)
def test_an_empty_list_is_told_from_one_that_is_missing(root, name, split, path):
    for state in ("empty", "missing"):
        if state == "empty":
            (root / path).write_text(" \n")
        else:
            (root / path).unlink()
        with pytest.raises(ListError, match=f"{path} is {state}") as caught:
            fcn.load_dataset(name, split, root)
        assert (caught.value.paths, caught.value.state) == ([root / path], state)


def test_keras_fcn_says_first_of_all_that_it_trains_on_vocs_validation_images(root):
    first = voc.load_keras_fcn.__doc__.splitlines()[0]
    assert "1,252 of VOC 2012 val's 1,449" in first and "610 of seg11valid's 736" in first
    train = fcn.load_dataset("voc2012_keras_fcn", "train", root)
    assert overlap(train.names, VOC_LISTS["val"])


def write_lists(root, train, val, sbd_train, sbd_val):
    for folder, lists in (
        ("VOCdevkit/VOC2012/ImageSets/Segmentation", {"train": train, "val": val}),
        ("benchmark_RELEASE/dataset", {"train": sbd_train, "val": sbd_val}),
    ):
        (root / folder).mkdir(parents=True)
        for split, names in lists.items():
            (root / folder / f"{split}.txt").write_text("\n".join(names) + "\n")


@published_lists
def test_the_published_lists_of_keras_fcn_are_those_of_its_rule(tmp_path):
    """Its lists name all of SBD (.mat) and what only VOC has (.png); SBD's own may not be at hand.

    So SBD's val is taken to be Keras-FCN's validation names and 1,657 that come after them.
    """
    lists = {path.stem: path.read_text().split() for path in (DATA / "splits").glob("*.txt")}
    kept, held_out = lists["keras_fcn_train_mat"], lists["keras_fcn_val_mat"]
    later = [name for name in kept if name > max(held_out)][:1657]
    voc_lists = lists["voc2012_train"], lists["voc2012_val"]
    write_lists(tmp_path, *voc_lists, sorted(set(kept) - set(later)), held_out + later)
    train, val = (
        fcn.load_dataset("voc2012_keras_fcn", split, tmp_path) for split in ("train", "val")
    )
    sizes = [published_size("voc2012_keras_fcn", split) for split in ("train", "val")]
    assert [len(train), len(val)] == sizes == [10_831, 1_200]
    assert list(val.names) == held_out
    suffixes = {suffix: [] for suffix in (".mat", ".png")}
    for index, name in enumerate(train.names):
        suffixes[train.label_file(index).suffix].append(name)
    assert suffixes == {".mat": kept, ".png": lists["keras_fcn_train_png"]}
    assert len(overlap(train.names, lists["voc2012_val"])) == 1_252
    assert len(overlap(train.names, lists["seg11valid"])) == 610
    trainaug = fcn.load_dataset("voc2012_trainaug", "train", tmp_path)
    assert set(trainaug.names) == set(lists["voc2012_trainaug"])


@whole_sbd
def test_the_first_1200_of_sbds_own_list_are_keras_fcns_validation_names():
    audit = Path(__file__).resolve().parents[2] / "studies" / "splits" / "audit.json"
    digest = json.loads(audit.read_text())["lists"]["Keras-FCN val"]["sha256"]
    names = sorted((DATA / "benchmark_RELEASE/dataset/val.txt").read_text().split())[:1200]
    content = "".join(f"{name}\n" for name in names).encode()
    assert digest == {"keras_fcn_val_mat.txt": hashlib.sha256(content).hexdigest()}


def test_the_palette_is_vocs_own():
    known = {0: (0, 0, 0), 1: (128, 0, 0), 6: (0, 128, 128), 15: (192, 128, 128), 20: (0, 64, 128)}
    for class_id, color in known.items():
        assert tuple(voc.VOC.palette[class_id]) == color
    assert tuple(voc.voc_palette(256)[VOID]) == (224, 224, 192)
    assert len(np.unique(voc.voc_palette(256), axis=0)) == 256
    assert voc.voc_palette(256).dtype == voc.VOC.palette.dtype == np.uint8


def test_missing_lists_are_named_with_what_to_set_or_to_type(tmp_path, refusal, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(tmp_path))
    cases = {
        "voc2012": ("Segmentation/val.txt is missing", "voc2012"),
        "sbd": ("dataset/val.txt is missing", "sbd"),
        "voc2012_trainaug": ("val.txt is missing", "voc2012"),
        "voc2012_keras_fcn": ("are missing", "voc2012 sbd"),
    }
    for name, (sentence, archives) in cases.items():
        message = refusal(fcn.load_dataset, name, "val")
        assert sentence in message and "FCN_DATA" in message
        assert f'run "fcn-tutorial data fetch {archives}".' in message


@pytest.mark.parametrize("name", ["voc2012_trainaug", "voc2012_keras_fcn"])
def test_all_lists_that_are_missing_are_named_at_once(root, refusal, name):
    gone = [
        root / "VOCdevkit/VOC2012/ImageSets/Segmentation/train.txt",
        root / "benchmark_RELEASE/dataset/val.txt",
    ]
    for path in gone:
        path.unlink()
    message = refusal(fcn.load_dataset, name, "train", root)
    assert f"the lists {gone[0]}, {gone[1]} are missing" in message
    assert f"move {root}/VOCdevkit/VOC2012 and {root}/benchmark_RELEASE away" in message
    assert f'"fcn-tutorial data fetch voc2012 sbd --root {root}"' in message


def test_a_data_set_that_is_half_there_names_what_to_fetch(root, refusal):
    (root / "benchmark_RELEASE").rename(root / "elsewhere")
    message = refusal(fcn.load_dataset, "voc2012_trainaug", "train", root)
    assert "data fetch sbd" in message and "VOCdevkit" not in message
    assert len(fcn.load_dataset("voc2012_trainaug", "val", root)) == 3


def test_an_empty_list_and_an_unknown_split_are_named(root, refusal):
    (root / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt").write_text(" \n")
    assert "val.txt is empty" in refusal(fcn.load_dataset, "voc2012", "val", root)
    assert "trainval, seg11valid" in refusal(fcn.load_dataset, "voc2012", "minival", root)


def test_a_list_that_is_no_text_leads_to_images_that_are_missing(root, refusal):
    (root / "benchmark_RELEASE/dataset/val.txt").write_bytes(b"\x89PNG\xff\xfe")
    assert "is missing" in refusal(fcn.load_dataset("sbd", "val", root).__getitem__, 0)


def test_a_partial_copy_names_the_image_it_lacks(root, refusal):
    dataset = fcn.load_dataset("voc2012", "seg11valid", root)
    assert "2007_000033.jpg is missing" in refusal(dataset.__getitem__, 0)


MAT_DAMAGE = {
    "g.mat is missing": lambda path: path.unlink(),
    "g.mat cannot be read": lambda path: path.write_bytes(path.read_bytes()[:150]),
    "g.mat cannot be read ('GTcls')": lambda path: io.savemat(path, {"other": 1}),
    "g.mat has class id 21": lambda path: write_mat(path, np.full((6, 5), 21, np.uint8)),
    "g.mat holds no map": lambda path: write_mat(path, np.full((6, 5), 2.5)),
    "g.mat is 6 x 5": lambda path: write_mat(path, np.ones((5, 6), np.uint8)),
}


@pytest.mark.parametrize("sentence", MAT_DAMAGE)
def test_a_damaged_matlab_file_is_named(root, refusal, sentence):
    MAT_DAMAGE[sentence](root / "benchmark_RELEASE/dataset/cls/g.mat")
    assert sentence in refusal(fcn.load_dataset("sbd", "train", root).__getitem__, 2)


@settings(max_examples=20, deadline=None)
@given(height=st.integers(1, 5), width=st.integers(1, 5), value=st.integers(0, 20))
def test_a_map_of_any_size_survives_its_matlab_file(tmp_path_factory, height, width, value):
    ids = np.full((height, width), value, np.uint8)
    path = write_mat(tmp_path_factory.mktemp("mat") / "a.mat", ids)
    np.testing.assert_array_equal(read_mat(str(path), 21), ids)


@settings(max_examples=100, deadline=None)
@given(
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4)
)
def test_a_matlab_file_with_changed_bytes_gives_a_map_or_a_refusal(tmp_path_factory, changes):
    path = write_mat(tmp_path_factory.mktemp("mat") / "a.mat", label_of("a", "sbd"))
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    try:
        assert read_mat(path, 21).dtype == np.uint8
    except fcn.InputError as error:
        assert "a.mat" in str(error) and "\n" not in str(error)


@published_voc
@pytest.mark.parametrize("split", ["train", "val"])
def test_published_voc_images_have_labels_of_their_size_with_void(split):
    dataset = fcn.load_dataset("voc2012", split)
    assert len(dataset) >= 300
    seen = set()
    for index in range(0, len(dataset), 5):
        _, label = dataset[index]
        seen.update(np.unique(label).tolist())
    assert seen == {*range(21), VOID}


@published_voc
def test_published_voc_splits_are_disjoint_and_seg11valid_lies_in_val():
    train, val = (fcn.load_dataset("voc2012", split) for split in ("train", "val"))
    check_disjoint(train, val)
    valid = fcn.load_dataset("voc2012", "seg11valid")
    assert not overlap(train.names, valid.names)
    if len(val) == 1449:
        assert set(valid.names) < set(val.names)
    else:
        assert len(overlap(val.names, valid.names)) > 300


@published_voc
def test_published_labels_carry_the_computed_palette():
    dataset = fcn.load_dataset("voc2012", "val")
    with Image.open(dataset.files[dataset.names[0]][1]) as label:
        colors = np.array(label.getpalette(), np.uint8).reshape(-1, 3)
    np.testing.assert_array_equal(colors[:21], dataset.palette)


@published_sbd
def test_published_sbd_labels_are_maps_of_class_ids():
    files = sorted((DATA / "benchmark_RELEASE/dataset/cls").glob("*.mat"))[:20]
    assert files
    for path in files:
        assert 0 < read_mat(path, 21).max() <= 20


def test_the_labels_of_the_test_split_are_not_public(tmp_path):
    with pytest.raises(fcn.InputError, match=r"^the labels of.*not public.*--voc-list"):
        fcn.load_dataset("voc2012", "test", tmp_path)
