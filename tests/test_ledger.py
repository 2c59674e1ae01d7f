"""The ledger: each published number has a run that answers it, or a reason and a command."""

import shlex
import sys
from pathlib import Path

import pytest

from fcn_tutorial.recipe import Recipe
from fcn_tutorial.runs import METRICS, RESULTS

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import ledger  # noqa: E402

ROWS = ledger.lines()
NAMES = [f"{row['method']}, {row['source']}" for row in ROWS]


def test_the_page_holds_the_tables_of_the_ledger():
    text = ledger.PAGE.read_text(encoding="utf-8")
    assert ledger.page(text, ROWS) == text, "run python benchmarks/ledger.py"


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_a_published_number_is_answered_by_a_run_or_by_a_reason(row):
    assert any(row[metric] for metric in METRICS) and row["note"] and row["command"]
    assert all(0 < float(row[metric]) < 100 for metric in METRICS if row[metric])
    if row["answer"]:
        assert (RESULTS / row["answer"].partition("#")[0]).is_file()
        assert all(0 < value < 100 for value in ledger.measured(row["answer"]).values())


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_commands_name_recipes_and_fields_that_are_there(row):
    for command in row["command"].split("; "):
        program, verb, *rest = shlex.split(command)
        if (program, verb) == ("fcn-tutorial", "train"):
            changes = (word for word in rest[1:] if word != "--set")
            pairs = (change.split("=") for change in changes)
            values = {key: value if key != "trunk_learning_rate" else 0 for key, value in pairs}
            Recipe.load(rest[0], **values)
        else:
            assert verb == "evaluate" or (ROOT / verb).is_file()


def test_measured_follows_a_pointer_and_reads_all_metrics_without_one():
    whole = ledger.measured("camvid/scores.json")
    assert list(whole) == list(METRICS)
    assert ledger.measured("camvid/scores.json#/mean_iou")["mean_iou"] == whole["mean_iou"]
    bounds = [
        ledger.measured(row["answer"])["mean_iou"]
        for row in ROWS
        if row["method"].startswith("Upper bound")
    ]
    assert bounds == sorted(bounds) and len(set(bounds)) == 3
