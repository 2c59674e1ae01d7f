"""The commands `data fetch` and `data check`: what they print, and their exit codes."""

import re
import shutil

import numpy as np
import pytest
from PIL import Image
from scipy import io

from fcn_tutorial.data import dataset as datasets
from fcn_tutorial.data import download as module


@pytest.fixture
def call(command_line):
    """Run `fcn-tutorial data ...`; returns exit code, standard output and the complaint."""

    def run(*arguments):
        code, out, err = command_line("data", *arguments)
        lines = [line for line in err.splitlines() if line.startswith("fcn-tutorial: ")]
        assert len(lines) == (code == 2)
        return code, out, "".join(lines)

    return run


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
def test_a_whole_data_set_is_said_to_be_whole(call, voc_root, name, train):
    code, out, _ = call("check", name, "--root", voc_root)
    assert code == 0
    assert out.splitlines()[-1] == f"{name} is whole, as far as its lists go."
    assert counts(out) == {
        "train": f"{train} of {train} examples are good",
        "val": "1 of 1 examples are good",
    }


def test_lists_of_the_published_sizes_are_told_from_others(call, voc_root, monkeypatch):
    _, out, _ = call("check", "voc2012", "--root", voc_root)
    assert "train: 2 of 2 examples are good (1464 are published)" in out
    monkeypatch.setitem(datasets._SOURCES["voc2012"].splits, "train", 2)
    monkeypatch.setitem(datasets._SOURCES["voc2012"].splits, "val", 1)
    _, out, _ = call("check", "voc2012", "--root", voc_root)
    assert "published" not in out and out.endswith("voc2012 is whole.\n")


def test_missing_and_damaged_files_are_named_and_counted(call, voc_root):
    (voc_root / "benchmark_RELEASE/dataset/cls/d.mat").unlink()
    (voc_root / "benchmark_RELEASE/dataset/cls/b.mat").write_bytes(b"MATLAB 5.0")
    (voc_root / "VOCdevkit/VOC2012/JPEGImages/c.jpg").unlink()
    code, out, error = call("check", "voc2012_trainaug", "--root", voc_root)
    assert code == 2 and "whole" not in out
    assert "d.mat is missing" in out and "b.mat cannot be read" in out and "c.jpg is missing" in out
    assert counts(out) == {
        "train": "2 of 4 examples are good; 1 file missing, 1 file damaged",
        "val": "0 of 1 examples are good; 1 file missing",
    }
    assert error == (
        "fcn-tutorial: voc2012_trainaug has 2 files missing, 1 file damaged, named above: restore "
        f"the published files, or move {voc_root}/VOCdevkit/VOC2012 and "
        f'{voc_root}/benchmark_RELEASE away and run "fcn-tutorial data fetch voc2012 sbd --root '
        f'{voc_root}".'
    )


LISTS = {
    "voc2012": "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt",
    "sbd": "benchmark_RELEASE/dataset/val.txt",
    "voc2012_trainaug": "benchmark_RELEASE/dataset/train.txt",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_missing_list_does_not_keep_the_other_split_from_being_checked(call, voc_root, name):
    (voc_root / LISTS[name]).unlink()
    code, out, error = call("check", name, "--root", voc_root)
    assert code == 2 and f"{voc_root}/{LISTS[name]} is missing" in out
    lost, kept = ("train", "val") if name == "voc2012_trainaug" else ("val", "train")
    assert counts(out)[lost] == "nothing is known without its list; 1 file missing"
    assert counts(out)[kept].endswith("examples are good")
    archive = "sbd" if LISTS[name].startswith("benchmark") else "voc2012"
    assert "has 1 file missing" in error and f"data fetch {archive} " in error


def test_a_list_that_both_splits_need_counts_once(call, voc_root):
    (voc_root / LISTS["voc2012"]).unlink()
    code, _, error = call("check", "voc2012_trainaug", "--root", voc_root)
    assert code == 2 and "has 1 file missing, named above" in error


def test_a_data_set_of_which_half_is_absent_names_the_half_to_fetch(call, voc_root):
    shutil.rmtree(voc_root / "benchmark_RELEASE")
    code, out, error = call("check", "voc2012_trainaug", "--root", voc_root)
    assert code == 2 and counts(out)["val"] == "1 of 1 examples are good"
    assert error.endswith(f'named above: run "fcn-tutorial data fetch sbd --root {voc_root}".')


def test_camvid_is_checked_split_by_split(call, camvid_root):
    folder = camvid_root / "CamVid"
    (folder / "train.txt").unlink()
    (folder / "val" / "val1.png").write_bytes(b"")
    code, out, error = call("check", "--root", camvid_root)
    assert code == 2 and "train.txt is missing" in out and "val1.png cannot be read" in out
    assert counts(out) == {
        "train": "nothing is known without its list; 1 file missing",
        "val": "2 of 3 examples are good; 1 file damaged",
        "test": "3 of 3 examples are good",
    }
    assert "camvid has 1 file missing, 1 file damaged" in error
    assert f"move {folder} away" in error and "data fetch camvid" in error


@pytest.mark.parametrize("name", ["camvid", "voc2012", "sbd", "voc2012_trainaug"])
def test_with_no_data_at_all_it_says_how_to_get_it(call, tmp_path, monkeypatch, name):
    monkeypatch.setenv("FCN_DATA", str(tmp_path / "empty"))
    code, out, error = call("check", name)
    assert code == 2 and out == ""
    assert f'{name} is not in {tmp_path}/empty: run "fcn-tutorial data fetch {name}"' in error


def test_a_root_with_a_space_can_be_typed_as_printed(call, tmp_path):
    _, _, error = call("check", "sbd", "--root", tmp_path / "my data")
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
    names = ("camvid", "voc2012_trainaug")
    code, out, _ = call("fetch", *names, "--root", tmp_path)
    assert code == 0
    assert fetched == [(name, tmp_path) for name in ("camvid", "voc2012", "sbd")]
    assert out.splitlines() == [
        f"camvid was already in {tmp_path}/CamVid.",
        f"voc2012 is in {tmp_path}/VOCdevkit/VOC2012.",
        f"sbd is in {tmp_path}/benchmark_RELEASE.",
    ]


def test_fetch_of_what_is_drawn_or_unknown_fetches_nothing(call, fetched, tmp_path):
    code, out, _ = call("fetch", "shapes", "--root", tmp_path)
    assert code == 0 and "nothing to fetch" in out
    code, _, error = call("fetch", "voc2013", "--root", tmp_path)
    assert code == 2 and "'voc2013'" in error and "camvid, sbd" in error
    assert fetched == []
