"""`fcn-tutorial data fetch`, `data check` and `data records`."""

from unittest.mock import Mock

import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data import download as module


def test_a_complete_data_set_passes(call, camvid_root):
    code, out, _ = call("data", "check", "camvid", "--root", camvid_root)
    assert code == 0 and "complete for the listed files" in out.splitlines()[-1]
    assert "367 are published" in out


@pytest.mark.parametrize("name", ["camvid", "voc2012", "sbd", "voc2012_trainaug"])
def test_with_no_data_at_all_it_says_how_to_get_it(call, tmp_path, monkeypatch, name):
    archives = {"voc2012_trainaug": "voc2012 sbd"}.get(name, name)
    monkeypatch.setenv("FCN_DATA", str(tmp_path / "empty"))
    code, out, error = call("data", "check", name)
    assert code == 2 and out == "" and str(tmp_path / "empty") in error
    assert f'"fcn-tutorial data fetch {archives}"' in error
    _, _, error = call("data", "check", name, "--root", tmp_path / "my data")
    assert f"--root '{tmp_path}/my data'\"" in error


@pytest.fixture
def fetched(monkeypatch):
    """What stands in for `fetch`."""
    fetch = Mock(side_effect=lambda name, root: root / module.ARCHIVES[name].folder)
    monkeypatch.setattr(module, "fetch", fetch)
    return fetch


def test_fetch_takes_the_names_of_data_sets_and_says_where_they_are(call, fetched, tmp_path):
    (tmp_path / "CamVid").mkdir()
    code, out, _ = call("data", "fetch", "camvid", "voc2012_trainaug", "--root", tmp_path)
    assert code == 0
    wanted = [(name, tmp_path) for name in ("camvid", "voc2012", "sbd")]
    assert [each.args for each in fetched.mock_calls] == wanted
    camvid, voc, sbd = out.splitlines()
    assert "already" in camvid and str(tmp_path / "CamVid") in camvid
    assert str(tmp_path / "VOCdevkit/VOC2012") in voc and str(tmp_path / "benchmark") in sbd


def test_fetch_of_what_is_drawn_or_unknown_fetches_nothing(call, fetched, tmp_path):
    for name in ("shapes", "photos"):
        code, out, _ = call("data", "fetch", name, "--root", tmp_path)
        assert code == 0 and f"{name} is on this machine already" in out
    for command in (("fetch", "--root", tmp_path), ("check",)):
        code, _, error = call("data", *command, "voc2013")
        assert code == 2 and "'voc2013'" in error and "camvid, photos, sbd" in error
    assert not fetched.called


def test_records_are_written_where_it_says(call, camvid_root, tmp_path):
    written = ("data", "records", "camvid", "--root", camvid_root, "--output", tmp_path / "out")
    code, out, _ = call(*written, "--split", "val", "--shards", 2)
    assert code == 0 and "3 examples" in out and "2 shards" in out and str(tmp_path / "out") in out
    assert fcn.open_records(tmp_path / "out").names == ("val0", "val1", "val2")
    code, _, error = call(*written, "--split", "train", "--shards", 2)
    assert code == 2 and str(tmp_path / "out") in error and "camvid val" in error
