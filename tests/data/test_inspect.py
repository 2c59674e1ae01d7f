"""What a check finds in a small CamVid that is damaged in known ways."""

import pytest
from PIL import Image

from fcn_tutorial.data import shapes
from fcn_tutorial.data.inspect import advice, check_files, check_presence


@pytest.fixture
def folder(camvid_root):
    return camvid_root / "CamVid"


def test_missing_and_damaged_files_are_named(folder, camvid_root, capsys):
    (folder / "train" / "train0.png").unlink()
    (folder / "trainannot" / "train1.png").unlink()
    (folder / "train" / "train2.png").write_bytes(b"no image")
    (folder / "trainannot" / "train2.png").unlink()  # so that both files of an example are named
    Image.new("L", (64, 48), 200).save(folder / "trainannot" / "train3.png")
    Image.new("L", (9, 5)).save(folder / "trainannot" / "train4.png")
    report = check_files("camvid", "train", camvid_root)
    assert (report.count, report.good, len(report.faults)) == (6, 1, 6)
    assert not report.is_published
    assert "6 examples, 1 good" in str(report) and "367" in str(report)
    said = capsys.readouterr().out.splitlines()
    assert said == list(report.faults)
    faults = [
        "train/train0.png is missing",
        "trainannot/train1.png is missing",
        "train/train2.png cannot be read",
        "trainannot/train2.png is missing",
        "trainannot/train3.png has class id 200",
        "trainannot/train4.png is 9 x 5",
    ]
    assert all(f"{folder}/{fault}" in line for line, fault in zip(said, faults, strict=True))


def test_a_list_that_is_missing_or_empty_is_a_fault_of_the_split(folder, camvid_root, capsys):
    (folder / "val.txt").unlink()
    (folder / "test.txt").write_text("\n")
    for split, state in (("val", "missing"), ("test", "empty")):
        report = check_files("camvid", split, camvid_root)
        assert (report.count, report.good, len(report.faults)) == (0, 0, 1)
        assert "0 good" not in str(report)
        assert f"{folder}/{split}.txt is {state}" in capsys.readouterr().out
    assert check_files("camvid", "train", camvid_root).good == 6


def test_what_is_drawn_is_always_there(tmp_path, monkeypatch):
    check_presence("shapes", tmp_path)
    monkeypatch.setitem(shapes.DEFAULT_COUNTS, "val", 3)
    report = check_files("shapes", "val", tmp_path)
    assert report.is_published and (report.good, report.faults) == (3, ())


def test_half_of_a_data_set_is_not_nothing(tmp_path):
    (tmp_path / "benchmark_RELEASE").mkdir()
    check_presence("voc2012_trainaug", tmp_path)


def test_the_advice_is_about_the_archive_that_is_hurt(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(tmp_path))
    voc = tmp_path / "VOCdevkit" / "VOC2012"
    lacks = f"{tmp_path / 'benchmark_RELEASE' / 'dataset' / 'val.txt'} is missing."
    found = advice("voc2012_trainaug", [lacks])
    assert 'run "fcn-tutorial data fetch sbd"' in found and str(voc) not in found
    voc.mkdir(parents=True)
    both = [lacks, f"image {voc / 'JPEGImages' / 'a.jpg'} cannot be read."]
    assert advice("voc2012_trainaug", both) == (
        f"restore the published files, or move {voc} away and run "
        '"fcn-tutorial data fetch voc2012 sbd"'
    )
