"""SBD, alone and with VOC 2012: a small copy as published, and the published files at hand."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from devkit import SBD_LISTS, VOC_LISTS, label_of, make_devkit, write_lists, write_mat
from PIL import Image
from published import DATA, needs
from scipy import io

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID, check_disjoint, overlap, sbd
from fcn_tutorial.data.catalog import source
from fcn_tutorial.data.sbd import read_mat


@pytest.fixture
def root(tmp_path):
    return make_devkit(tmp_path)


def both(name, root):
    return (fcn.load_dataset(name, split, root) for split in ("train", "val"))


def assert_labels(dataset, of_voc):
    """Each example has VOC's label, with void, where it is named in `of_voc`, else SBD's."""
    for name, (_, label) in zip(dataset.names, dataset, strict=True):
        expected = label_of(name, "voc" if name in of_voc else "sbd")
        assert label[3, 3] == expected[3, 3]
        assert label[0, 0] == (VOID if name in of_voc else expected[0, 0])


def test_sbd_is_its_lists_and_matlab_files(root):
    for split, names in SBD_LISTS.items():
        dataset = fcn.load_dataset("sbd", split, root)
        assert (dataset.name, dataset.split, dataset.names) == ("sbd", split, tuple(names))
    folder = root / "benchmark_RELEASE/dataset"
    assert dataset.image_file(0) == folder / "img/d.jpg"
    assert dataset.label_file(0) == folder / "cls/d.mat"
    np.testing.assert_array_equal(dataset[0][1], label_of("d", "sbd"))
    np.testing.assert_array_equal(dataset.read_label(0), label_of("d", "sbd"))


@pytest.mark.parametrize("name", ["sbd", "voc2012_trainaug"])
def test_seg11valid_and_the_validation_images_are_vocs(root, name):
    for split in ("val", "seg11valid")[name == "sbd" :]:
        ours = fcn.load_dataset("voc2012", split, root)
        theirs = fcn.load_dataset(name, split, root)
        assert (theirs.name, theirs.split) == (name, split)
        assert theirs.files == ours.files


def test_trainaug_joins_both_less_the_validation_images(root):
    train, val = both("voc2012_trainaug", root)
    assert (train.name, train.split, train.names) == ("voc2012_trainaug", "train", tuple("acdghi"))
    check_disjoint(train, val)
    assert_labels(train, of_voc="a")
    assert train.image_file(0).parent.name == "JPEGImages"
    assert train.image_file(1).parent.name == "img"


def as_pngs(root, names="acdeghi"):
    """Put SBD's labels where most people have them: as PNGs in the devkit."""
    devkit, theirs = root / "VOCdevkit/VOC2012", root / "benchmark_RELEASE/dataset"
    (devkit / "SegmentationClassAug").mkdir()
    for name in names:
        label = label_of(name, "sbd")
        Image.fromarray(label).save(devkit / f"SegmentationClassAug/{name}.png")
        if name in "ghi":
            shutil.move(theirs / f"img/{name}.jpg", devkit / f"JPEGImages/{name}.jpg")
    shutil.rmtree(root / "benchmark_RELEASE")
    return devkit


def test_trainaug_reads_sbds_labels_as_pngs_where_its_own_files_are_missing(root):
    as_pngs(root)
    train, val = both("voc2012_trainaug", root)
    assert train.names == tuple("acdghi")
    assert_labels(train, of_voc="")
    assert_labels(val, of_voc="bef")


def test_the_list_trainaug_says_which_pngs_are_trained_on(root, refusal):
    devkit = as_pngs(root, "cdghi")
    write_lists(root, {"trainaug": "igca"}, {})
    shutil.rmtree(root / "benchmark_RELEASE")
    train = fcn.load_dataset("voc2012_trainaug", "train", root)
    assert train.names == tuple("igca")
    assert_labels(train, of_voc="a")
    (devkit / "SegmentationClassAug/g.png").unlink()
    train = fcn.load_dataset("voc2012_trainaug", "train", root)
    assert "g.png is missing" in refusal(train.__getitem__, 1)


@pytest.mark.parametrize("pngs", [False, True])
def test_any_list_of_voc_is_a_split_of_trainaug(root, refusal, pngs):
    write_lists(root, {"mine": "ebcga"}, {})
    if pngs:
        as_pngs(root, "cdeghi")
    mine = fcn.load_dataset("voc2012_trainaug", "mine", root)
    assert (mine.split, mine.names) == ("mine", tuple("ebcga"))
    assert_labels(mine, of_voc="aeb")  # e and b are of VOC's val, and SBD lacks a
    assert "unknown split" in refusal(fcn.load_dataset, "voc2012_trainaug", "dev", root)


def test_keras_fcn_validates_on_the_first_of_sbds_val_and_trains_on_all_else(root, monkeypatch):
    monkeypatch.setattr(sbd, "KERAS_FCN_VAL", 1)
    write_lists(root, {}, {"val": "id"})  # whatever the order of the list
    train, val = both("voc2012_keras_fcn", root)
    assert (train.name, train.split, val.split) == ("voc2012_keras_fcn", "train", "val")
    assert (train.names, val.names) == (tuple("abcefghi"), ("d",))
    assert_labels(train, of_voc="abf")
    assert_labels(val, of_voc="")
    assert overlap(train.names, VOC_LISTS["val"])
    first = sbd.load_keras_fcn.__doc__.splitlines()[0]  # says so
    assert "1,252 of VOC 2012 val's 1,449" in first and "610 of seg11valid's 736" in first


@needs("splits")
def test_the_published_lists_of_keras_fcn_are_those_of_its_rule(tmp_path):
    """Its lists name all of SBD (.mat) and what only VOC has (.png); SBD's own may not be at hand.

    So SBD's val is made of Keras-FCN's validation names and 1,657 that come after them.
    """
    lists = {path.stem: path.read_text().split() for path in (DATA / "splits").glob("*.txt")}
    kept, held_out = lists["keras_fcn_train_mat"], lists["keras_fcn_val_mat"]
    later = [name for name in kept if name > max(held_out)][:1657]
    voc_lists = {"train": lists["voc2012_train"], "val": lists["voc2012_val"]}
    sbd_lists = {"train": sorted(set(kept) - set(later)), "val": held_out + later}
    write_lists(tmp_path, voc_lists, sbd_lists)
    train, val = both("voc2012_keras_fcn", tmp_path)
    sizes = [source("voc2012_keras_fcn").splits[split] for split in ("train", "val")]
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


@pytest.mark.parametrize("name", ["sbd", "voc2012_keras_fcn"])
def test_an_unknown_split_is_answered_with_the_known_ones(root, refusal, name):
    message = refusal(fcn.load_dataset, name, "dev", root)
    assert name in message and "'dev'" in message and "train, val" in message


def test_a_data_set_that_is_half_there_names_what_to_fetch(root, refusal):
    (root / "benchmark_RELEASE").rename(root / "elsewhere")
    message = refusal(fcn.load_dataset, "voc2012_trainaug", "train", root)
    assert "data fetch sbd" in message and "VOCdevkit" not in message
    assert len(fcn.load_dataset("voc2012_trainaug", "val", root)) == 3


MAT_DAMAGE = {
    "g.mat is missing": lambda path: path.unlink(),
    "g.mat cannot be read (it is cut off": lambda path: path.write_bytes(path.read_bytes()[:-9]),
    "it is not a MATLAB file": lambda path: path.write_bytes(b"\x89PNG" * 99),
    "it has no structure GTcls": lambda path: io.savemat(path, {"GTcls": 1, "other": {"a": 1}}),
    "no field Segmentation": lambda path: io.savemat(path, {"GTcls": {"Boundaries": 1}}),
    "g.mat has class id 21": lambda path: write_mat(path, np.full((6, 5), 21, np.uint8)),
    "it holds no map": lambda path: write_mat(path, np.full((6, 5), 2.5)),
    "g.mat is 6 x 5": lambda path: write_mat(path, np.ones((5, 6), np.uint8)),
}


@pytest.mark.parametrize("sentence", MAT_DAMAGE)
def test_a_damaged_matlab_file_is_named(root, refusal, sentence):
    MAT_DAMAGE[sentence](root / "benchmark_RELEASE/dataset/cls/g.mat")
    message = refusal(fcn.load_dataset("sbd", "train", root).__getitem__, 2)
    assert sentence in message and "g.mat" in message


@needs("benchmark_RELEASE")
def test_published_labels_are_maps_of_class_ids():
    files = sorted((DATA / "benchmark_RELEASE/dataset/cls").glob("*.mat"))[:20]
    assert files
    for path in files:
        expected = io.loadmat(path)["GTcls"]["Segmentation"][0, 0]
        np.testing.assert_array_equal(read_mat(path, 21), expected)


@needs("benchmark_RELEASE/dataset/val.txt")
def test_the_first_1200_of_sbds_own_list_are_keras_fcns_validation_names():
    audit = Path(__file__).resolve().parents[2] / "studies" / "splits" / "audit.json"
    digest = json.loads(audit.read_text())["lists"]["Keras-FCN val"]["sha256"]
    names = sorted((DATA / "benchmark_RELEASE/dataset/val.txt").read_text().split())[:1200]
    content = "".join(f"{name}\n" for name in names).encode()
    assert digest == {"keras_fcn_val_mat.txt": hashlib.sha256(content).hexdigest()}
