"""What a check finds in a small CamVid that is damaged in known ways."""

import pytest
from PIL import Image

from fcn_tutorial.data import shapes
from fcn_tutorial.data.inspect import (
    Fault,
    check_files,
    check_presence,
    count_faults,
    remedy,
)


@pytest.fixture
def folder(camvid_root):
    return camvid_root / "CamVid"


def found(report):
    """{(file, whether it is missing)} of a report's faults."""
    return {
        (f"{fault.path.parent.name}/{fault.path.name}", fault.missing) for fault in report.faults
    }


def test_missing_and_damaged_files_are_told_apart_and_named(folder, camvid_root, capsys):
    (folder / "train" / "train0.png").unlink()
    (folder / "trainannot" / "train1.png").unlink()
    (folder / "train" / "train2.png").write_bytes(b"no image")
    (folder / "trainannot" / "train2.png").unlink()  # so that both files of an example are named
    Image.new("L", (64, 48), 200).save(folder / "trainannot" / "train3.png")
    Image.new("L", (9, 5)).save(folder / "trainannot" / "train4.png")
    report = check_files("camvid", "train", camvid_root)
    assert (report.count, report.good) == (6, 1)
    assert found(report) == {
        ("train/train0.png", True),
        ("trainannot/train1.png", True),
        ("train/train2.png", False),
        ("trainannot/train2.png", True),
        ("trainannot/train3.png", False),
        ("trainannot/train4.png", False),
    }
    assert not report.is_published
    said = str(report)
    assert all(each in said for each in ("1 of 6", "367", "3 files missing", "3 files damaged"))
    out = capsys.readouterr().out
    assert f"{folder}/train/train0.png is missing\n" in out
    assert "train3.png has class id 200" in out and "train4.png is 9 x 5" in out
    assert len(out.splitlines()) == 6


def test_a_list_that_is_missing_or_empty_is_a_fault_of_the_split(folder, camvid_root, capsys):
    (folder / "val.txt").unlink()
    (folder / "test.txt").write_text("\n")
    for split, missing in (("val", True), ("test", False)):
        report = check_files("camvid", split, camvid_root)
        assert (report.count, report.good) == (0, 0)
        assert found(report) == {(f"CamVid/{split}.txt", missing)}
    out = capsys.readouterr().out
    assert "val.txt is missing\n" in out and "test.txt is empty\n" in out
    assert check_files("camvid", "train", camvid_root).good == 6


def test_an_unknown_name_or_split_is_refused(camvid_root, refusal):
    assert "'dev'" in refusal(check_files, "camvid", "dev", camvid_root)
    assert "'cityscapes'" in refusal(check_presence, "cityscapes", camvid_root)


def test_what_is_drawn_is_always_there(tmp_path, monkeypatch):
    check_presence("shapes", tmp_path)
    monkeypatch.setitem(shapes.DEFAULT_COUNTS, "val", 3)
    report = check_files("shapes", "val", tmp_path)
    assert report.is_published and (report.good, report.faults) == (3, ())


def test_half_of_a_data_set_is_not_nothing(tmp_path):
    (tmp_path / "benchmark_RELEASE").mkdir()
    check_presence("voc2012_trainaug", tmp_path)


def test_a_file_that_two_splits_need_counts_once(tmp_path):
    gone, broken = tmp_path / "val.txt", tmp_path / "a.png"
    faults = [Fault(gone, "", True), Fault(gone, "", True), Fault(broken, "", False)]
    assert count_faults(faults) == "1 file missing, 1 file damaged"
    assert count_faults([]) == ""


def test_the_remedy_is_about_the_archive_that_is_hurt(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(tmp_path))
    voc = tmp_path / "VOCdevkit" / "VOC2012"
    lacks = Fault(tmp_path / "benchmark_RELEASE" / "dataset" / "val.txt", "", True)
    assert remedy("voc2012_trainaug", [lacks]) == 'run "fcn-tutorial data fetch sbd"'
    voc.mkdir(parents=True)
    both = [lacks, Fault(voc / "JPEGImages" / "a.jpg", "", False)]
    assert remedy("voc2012_trainaug", both) == (
        f"restore the published files, or move {voc} away and run "
        '"fcn-tutorial data fetch voc2012 sbd"'
    )
