"""The comparison of chapter 10: its networks are the benchmark's, and its runs are complete."""

import csv
import importlib.util
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests" / "book"))
sys.path.insert(0, str(ROOT / "tools"))

from rules import definitions  # noqa: E402

SPECIFICATION = importlib.util.spec_from_file_location("beyond", ROOT / "benchmarks" / "beyond.py")
beyond = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(beyond)
TABLE = ROOT / "results" / "beyond" / "shapes.csv"


def test_the_networks_of_the_chapter_are_those_of_the_benchmark():
    notebook = nbformat.read(ROOT / "book" / "chapters" / "10-beyond-fcn.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    shown = dict(definitions(code))
    measured = dict(definitions((ROOT / "benchmarks" / "beyond.py").read_text()))
    for name in ("trunk", "mixed", "u_net", "deep_lab"):
        assert shown[name] == measured[name]


@pytest.mark.parametrize("name", beyond.NETWORKS)
def test_each_network_has_three_runs_that_beat_the_baseline(name):
    rows = list(csv.DictReader(TABLE.read_text().splitlines()))
    rows = [row for row in rows if row["network"] == name]
    assert [int(row["seed"]) for row in rows] == [0, 1, 2]
    assert all(float(row["mean_iou"]) > 3 * float(row["baseline_mean_iou"]) for row in rows)
    assert {int(row["weights"]) for row in rows} == {beyond.NETWORKS[name]().count_params()}
