"""The audit of record: what it says, and that the lists at hand give the same again."""

import json
import os
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
RECORD = json.loads((ROOT / "results" / "splits" / "audit.json").read_text())
LISTS = Path(os.environ.get("FCN_DATA", "nowhere")) / "splits"
SCRIPT = runpy.run_path(str(ROOT / "benchmarks" / "audit_splits.py"))


def shared(*titles):
    (pair,) = (pair for pair in RECORD["pairs"] if set(pair["lists"]) == set(titles))
    return pair["shared"]


def test_the_copied_training_list_holds_most_of_the_validation_images():
    assert RECORD["lists"]["Keras-FCN train"]["size"] == 10_831
    assert shared("Keras-FCN train", "seg11valid") == 610
    assert shared("Keras-FCN train", "VOC 2012 val") == 1_252


def test_lists_that_should_be_disjoint_are():
    assert shared("VOC 2012 trainaug", "VOC 2012 val") == 0
    assert shared("VOC 2012 trainaug", "seg11valid") == 0
    assert shared("Keras-FCN train", "Keras-FCN val") == 0


def test_the_list_that_the_package_carries_is_the_audited_one():
    import hashlib

    path = ROOT / "fcn_tutorial" / "datasets" / "seg11valid.txt"
    digest = RECORD["lists"]["seg11valid"]["sha256"]["seg11valid.txt"]
    assert hashlib.sha256(path.read_bytes()).hexdigest() == digest


@pytest.mark.skipif(not LISTS.is_dir(), reason="needs splits/ in the folder that FCN_DATA names")
def test_the_lists_at_hand_give_the_record():
    assert SCRIPT["audit"](LISTS) == RECORD


def test_a_missing_list_is_named(tmp_path, refusal):
    assert "voc2012_train.txt is missing" in refusal(SCRIPT["audit"], tmp_path)
