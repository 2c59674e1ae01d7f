"""`fcn-tutorial data fetch`, `data check` and `data records`."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import io

import fcn_tutorial as fcn
from fcn_tutorial.data import dataset as datasets
from fcn_tutorial.data import download as module


@pytest.fixture
def voc_root(tmp_path):
    """VOC 2012 (a, b; validation c) and SBD (b, d; validation e), of 5 x 6 pixels."""
    voc, sbd = tmp_path / "VOCdevkit/VOC2012", tmp_path / "benchmark_RELEASE/dataset"
    for folder, lists in (
        (voc / "ImageSets/Segmentation", {"train": "ab", "val": "c"}),
        (sbd, {"train": "bd", "val": "e"}),
    ):
        folder.mkdir(parents=True)
        for split, names in lists.items():
            (folder / f"{split}.txt").write_text("\n".join(names))
    for images, labels, names in (
        (voc / "JPEGImages", voc / "SegmentationClass", "abc"),
        (sbd / "img", sbd / "cls", "bde"),
    ):
        images.mkdir()
        labels.mkdir()
        for name in names:
            Image.new("RGB", (5, 6)).save(images / f"{name}.jpg")
            if images.name == "img":
                ids = {"Segmentation": np.ones((6, 5), np.uint8)}
                io.savemat(labels / f"{name}.mat", {"GTcls": ids})
            else:
                Image.new("L", (5, 6), 255).save(labels / f"{name}.png")
    return tmp_path


def counts(out):
    """The lines of the summary: {split: what it says}, less the published sizes."""
    lines = [line.partition(": ") for line in re.sub(r" .\d+ are published.", "", out).splitlines()]
    return {split: text for split, colon, text in lines if colon and "/" not in split}


@pytest.mark.parametrize(
    "name, train", [("voc2012", 2), ("sbd", 2), ("voc2012_trainaug", 4), ("voc2012_keras_fcn", 4)]
)
def test_complete_data_sets_pass(call, voc_root, name, train):
    code, out, _ = call("data", "check", name, "--root", voc_root)
    assert code == 0 and "complete for the listed files" in out.splitlines()[-1]
    assert counts(out)["train"].startswith(f"{train} of {train} ")
    assert counts(out)["val"].startswith("1 of 1 ")


def test_lists_of_the_published_sizes_are_told_from_others(call, voc_root, monkeypatch):
    assert "1464 are published" in call("data", "check", "voc2012", "--root", voc_root)[1]
    monkeypatch.setitem(datasets._SOURCES["voc2012"].splits, "train", 2)
    monkeypatch.setitem(datasets._SOURCES["voc2012"].splits, "val", 1)
    _, out, _ = call("data", "check", "voc2012", "--root", voc_root)
    assert "published" not in out and "listed" not in out.splitlines()[-1]


def test_missing_and_damaged_files_are_named_and_counted(call, voc_root):
    (voc_root / "benchmark_RELEASE/dataset/cls/d.mat").unlink()
    (voc_root / "benchmark_RELEASE/dataset/cls/b.mat").write_bytes(b"MATLAB 5.0")
    (voc_root / "VOCdevkit/VOC2012/JPEGImages/c.jpg").unlink()
    code, out, error = call("data", "check", "voc2012_trainaug", "--root", voc_root)
    assert code == 2 and "complete" not in out
    assert "d.mat is missing" in out and "b.mat cannot be read" in out and "c.jpg is missing" in out
    assert counts(out)["train"].startswith("2 of 4 ") and counts(out)["val"].startswith("0 of 1 ")
    assert "2 files missing, 1 file damaged" in error
    for folder in ("VOCdevkit/VOC2012", "benchmark_RELEASE"):
        assert str(voc_root / folder) in error
    assert f"fcn-tutorial data fetch voc2012 sbd --root {voc_root}" in error


LISTS = {
    "voc2012": "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt",
    "sbd": "benchmark_RELEASE/dataset/val.txt",
    "voc2012_trainaug": "benchmark_RELEASE/dataset/train.txt",
}


@pytest.mark.parametrize("name", LISTS)
def test_the_other_split_is_checked_where_a_list_is_missing(call, voc_root, name):
    (voc_root / LISTS[name]).unlink()
    code, out, error = call("data", "check", name, "--root", voc_root)
    assert code == 2 and f"{voc_root}/{LISTS[name]} is missing" in out
    lost, kept = ("train", "val") if name == "voc2012_trainaug" else ("val", "train")
    assert "1 file missing" in counts(out)[lost] and "missing" not in counts(out)[kept]
    archive = "sbd" if LISTS[name].startswith("benchmark") else "voc2012"
    assert "1 file missing" in error and f"data fetch {archive} " in error


def test_a_list_that_both_splits_need_counts_once(call, voc_root):
    (voc_root / LISTS["voc2012"]).unlink()
    code, _, error = call("data", "check", "voc2012_trainaug", "--root", voc_root)
    assert code == 2 and "has 1 file missing" in error


def test_of_two_archives_the_absent_one_is_to_be_fetched(call, voc_root):
    shutil.rmtree(voc_root / "benchmark_RELEASE")
    code, out, error = call("data", "check", "voc2012_trainaug", "--root", voc_root)
    assert code == 2 and counts(out)["val"].startswith("1 of 1 ")
    assert f'"fcn-tutorial data fetch sbd --root {voc_root}"' in error


def test_camvid_is_checked_split_by_split(call, camvid_root):
    folder = camvid_root / "CamVid"
    (folder / "train.txt").unlink()
    Image.new("L", (64, 48), 200).save(folder / "valannot" / "val2.png")
    code, out, error = call("data", "check", "--root", camvid_root)
    assert code == 2 and "train.txt is missing" in out and "val2.png has class id 200" in out
    found = counts(out)
    assert found["val"].startswith("2 of 3 ") and found["test"].startswith("3 of 3 ")
    assert "1 file missing, 1 file damaged" in error and str(folder) in error


@pytest.mark.parametrize("name", ["camvid", "voc2012", "sbd", "voc2012_trainaug"])
def test_with_no_data_at_all_it_says_how_to_get_it(call, tmp_path, monkeypatch, name):
    monkeypatch.setenv("FCN_DATA", str(tmp_path / "empty"))
    code, out, error = call("data", "check", name)
    assert code == 2 and out == "" and str(tmp_path / "empty") in error
    assert f'"fcn-tutorial data fetch {name}"' in error
    _, _, error = call("data", "check", name, "--root", tmp_path / "my data")
    assert f"--root '{tmp_path}/my data'\"" in error


@pytest.fixture
def fetched(monkeypatch):
    """Stand in for `fetch`; returns the list of what was fetched and where to."""
    calls = []

    def pretend(name, root):
        calls.append((name, root))
        return root / module.ARCHIVES[name].folder

    monkeypatch.setattr(module, "fetch", pretend)
    return calls


def test_fetch_takes_the_names_of_data_sets_and_says_where_they_are(call, fetched, tmp_path):
    (tmp_path / "CamVid").mkdir()
    code, out, _ = call("data", "fetch", "camvid", "voc2012_trainaug", "--root", tmp_path)
    assert code == 0
    assert fetched == [(name, tmp_path) for name in ("camvid", "voc2012", "sbd")]
    camvid, voc, sbd = out.splitlines()
    assert "already" in camvid and str(tmp_path / "CamVid") in camvid
    assert str(tmp_path / "VOCdevkit/VOC2012") in voc and str(tmp_path / "benchmark") in sbd


def test_fetch_of_what_is_drawn_or_unknown_fetches_nothing(call, fetched, tmp_path):
    assert call("data", "fetch", "shapes", "--root", tmp_path)[0] == 0
    for command in (("fetch", "--root", tmp_path), ("check",)):
        code, _, error = call("data", *command, "voc2013")
        assert code == 2 and "'voc2013'" in error and "camvid, sbd" in error
    assert fetched == []


def test_records_are_written_where_it_says(call, camvid_root, tmp_path):
    written = ("data", "records", "camvid", "--root", camvid_root, "--output", tmp_path / "out")
    code, out, _ = call(*written, "--split", "val", "--shards", 2)
    assert code == 0 and "3 examples" in out and "2 shards" in out and str(tmp_path / "out") in out
    assert fcn.open_records(tmp_path / "out").names == ("val0", "val1", "val2")
    code, _, error = call(*written, "--split", "train", "--shards", 2)
    assert code == 2 and str(tmp_path / "out") in error and "camvid val" in error
