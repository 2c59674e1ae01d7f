"""Run folders: read back, refused when broken, and what they record of their surroundings."""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pytest
import quick
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import runs
from fcn_tutorial.data.dataset import limited
from fcn_tutorial.data.records import write_records

QUICK = replace(quick.QUICK, limit=2, epochs=1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fcn.train(QUICK, tmp_path_factory.mktemp("run") / "run", verbose=0).folder


def test_versions_data_and_revision_are_recorded(run):
    around = json.loads((run / "environment.json").read_text())
    assert around["keras"] == keras.__version__ and around["numpy"] == np.__version__
    assert around["python"] == ".".join(map(str, sys.version_info[:3]))
    assert around["data"].keys() == {"shapes train", "shapes val"}
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in around["data"].values())
    assert around["usable_cpus"] == len(os.sched_getaffinity(0))
    assert around["precision"] == "float32"
    assert around["settings"]["OMP_NUM_THREADS"] == os.environ.get("OMP_NUM_THREADS")
    assert around["threads"] == 2 * [0] and around["computes_on"] in ("cpu", "gpu")
    checkout = Path(__file__).parents[1]
    if (checkout / ".git").exists():
        commit = around["git"].partition("+")[0]
        git = ["git", "-C", checkout, "cat-file", "-e", f"{commit}^{{commit}}"]
        assert len(commit) >= 12 and subprocess.run(git, check=False).returncode == 0


def test_a_fingerprint_follows_names_sizes_and_the_first_example(camvid_root):
    def fingerprint():
        return runs.fingerprint(fcn.load_dataset("camvid", "train", camvid_root))

    folder, before = camvid_root / "CamVid", fingerprint()
    assert fingerprint() == before
    first = folder / "train" / "train0.png"
    Image.fromarray(255 - fcn.read_image(first)).save(first)
    changed = fingerprint()
    with (folder / "train" / "train3.png").open("ab") as file:
        file.write(b"more")
    longer = fingerprint()
    lines = (folder / "train.txt").read_text().splitlines()
    (folder / "train.txt").write_text("\n".join(lines[:-1]))
    assert len({before, changed, longer, fingerprint()}) == 4


def test_a_fingerprint_of_records_covers_all_their_bytes(camvid_root, tmp_path):
    def fingerprint(name):
        dataset = fcn.load_dataset("camvid", "train", camvid_root)
        return runs.fingerprint(write_records(dataset, tmp_path / name, shards=2))

    before = fingerprint("before")
    assert fingerprint("again") == before
    last = camvid_root / "CamVid" / "train" / "train3.png"
    Image.fromarray(255 - fcn.read_image(last)).save(last)
    assert fingerprint("changed") != before


def test_evaluate_says_what_was_otherwise_in_training(run, tmp_path, command_line):
    def out_of_evaluate():
        (folder / "environment.json").write_text(json.dumps(around))
        code, out, _ = command_line("evaluate", folder, "--limit", 1)
        assert code == 0
        return out

    folder = shutil.copytree(run, tmp_path / "run")
    around = json.loads((folder / "environment.json").read_text())
    around["git"] = runs.environment()["git"]  # which may have changed during the tests
    assert str(folder) + " was trained" not in out_of_evaluate()
    around |= {"keras": "3.0.1", "data": {**around["data"], "shapes train": "f" * 64}}
    around["settings"] |= {"TF_ENABLE_ONEDNN_OPTS": "none"}
    around["usable_cpus"] += 3
    said = out_of_evaluate()
    assert "TF_ENABLE_ONEDNN_OPTS was none" in said and "usable_cpus was" in said
    assert "3.0.1" in said and "shapes train" in said and "shapes val" not in said


def test_resuming_elsewhere_keeps_the_earlier_surroundings(run, tmp_path):
    folder = shutil.copytree(run, tmp_path / "run")
    now = {**json.loads((folder / "environment.json").read_text()), "keras": "99"}
    now.pop("from_epoch", None)
    dataset = limited(fcn.load_dataset("shapes"), QUICK.limit)
    runs.describe(folder, replace(QUICK, epochs=2), dataset, now, done=1)
    after = runs.read_surroundings(folder)
    assert (after["keras"], after["from_epoch"]) == ("99", 2)
    assert [each["keras"] for each in after["earlier"]] == [keras.__version__]


def test_a_folder_without_a_run_is_refused(run, tmp_path, refusal):
    assert "recipe.toml is missing" in refusal(fcn.load_run, tmp_path)
    shutil.copy(run / "recipe.toml", tmp_path)
    assert "classes.json is missing" in refusal(fcn.load_run, tmp_path)


def test_a_history_has_its_columns_in_the_order_of_the_first_epoch(tmp_path):
    rows = [{"epoch": 1, "loss": 0.5, "val_mean_iou": 0.1}, {"epoch": 2, "val_mean_iou": 0.2}]
    runs.write_history(tmp_path, [*rows, {"val_mean_iou": 0.3, "loss": 0.4, "epoch": 3}])
    found = runs.read_history(tmp_path)
    assert [row["val_mean_iou"] for row in found] == [0.1, 0.2, 0.3]
    assert np.isnan(found[1]["loss"]) and found[2]["loss"] == 0.4


def test_scores_of_nothing_are_null_in_json(tmp_path):
    dataset = fcn.load_dataset("shapes", "val", count=1)
    result = fcn.scores(np.zeros((6, 6), int))
    runs.write_scores(tmp_path / "scores.json", result, dataset)
    content = json.loads((tmp_path / "scores.json").read_text(), parse_constant=pytest.fail)
    assert content["mean_iou"] is content["baseline"]["mean_iou"] is None


@pytest.mark.parametrize(
    "name", ["recipe.toml", "classes.json", "history.csv", "checkpoints/best.keras"]
)
def test_a_broken_file_of_a_run_is_named(run, tmp_path, refusal, name):
    path = shutil.copytree(run, tmp_path / "run") / name
    path.write_text("epoch,loss\n1,two\n")
    assert str(path) in refusal(fcn.load_run, tmp_path / "run")


def test_a_finished_run_without_its_history_or_checkpoint_is_refused(run, tmp_path, refusal):
    folder = shutil.copytree(run, tmp_path / "run")
    history, checkpoint = folder / "history.csv", folder / "checkpoints" / "last.weights.h5"
    for spoil in (lambda: history.write_text("epoch,loss,val_mean_iou\n"), history.unlink):
        spoil()
        message = refusal(fcn.train, QUICK, folder, verbose=0)
        assert str(history) in message and "another folder" in message
    checkpoint.write_bytes(b"no weights")
    message = refusal(fcn.train, QUICK, folder, verbose=0)
    assert f"{checkpoint} cannot be loaded" in message and "delete it" in message


def test_an_unknown_run_of_record_is_answered_with_the_known_ones(refusal):
    assert "camvid_enlarged" in refusal(fcn.run_of_record, "camvid_enlarge")
