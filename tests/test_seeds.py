"""The runs with several seeds: complete, better than nothing, and as chapter 9 says."""

import csv
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from fcn_tutorial.runs import RESULTS

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "seeds.py"


@pytest.fixture(scope="module")
def seeds():
    spec = importlib.util.spec_from_file_location("seeds", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def rows():
    with (RESULTS / "seeds" / "shapes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def runs(rows):
    """{run: mean IoUs in the order of their seeds}."""
    ordered = sorted(rows, key=lambda row: int(row["seed"]))
    names = dict.fromkeys(row["run"] for row in rows)
    return {n: np.array([float(r["mean_iou"]) for r in ordered if r["run"] == n]) for n in names}


def t_value(differences):
    return differences.mean() / (differences.std(ddof=1) / len(differences) ** 0.5)


def test_every_planned_run_stands_in_the_table_once(seeds, rows):
    assert tuple(rows[0]) == seeds.COLUMNS
    assert sorted((r["run"], int(r["seed"])) for r in rows) == sorted(seeds.PLAN)
    assert seeds.finished() == set(seeds.PLAN)


def test_every_run_beats_one_class_everywhere(rows):
    for row in rows:
        assert float(row["mean_iou"]) > 1.5 * float(row["baseline_mean_iou"])
        assert 0 < float(row["pixel_accuracy"]) < 1 and float(row["seconds"]) > 0


def test_each_skip_helps_by_more_than_the_spread(runs):
    assert t_value(runs["fcn16s"] - runs["fcn32s"]) > 4
    assert t_value(runs["fcn8s"] - runs["fcn16s"]) > 2
    assert (runs["fcn16s"] - runs["fcn32s"]).mean() > 2 * (runs["fcn8s"] - runs["fcn16s"]).mean()


def test_the_other_claims_of_the_chapter(runs):
    fixed, no_flip = runs["fcn32s-fixed"], runs["fcn8s-no-flip"]
    assert t_value(runs["fcn32s"][: len(fixed)] - fixed) > 2
    assert t_value(runs["fcn8s"][: len(no_flip)] - no_flip) < 2
    assert runs["fcn32s"].std(ddof=1) > runs["fcn8s"].std(ddof=1)


def test_a_line_is_added_under_one_header(seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(seeds, "TABLE", tmp_path / "new" / "table.csv")
    assert seeds.finished() == set()
    seeds.add(("fcn8s", 0, 0.7, 0.9, 0.1, 60))
    seeds.add(("fcn8s", 1, 0.7, 0.9, 0.1, 60))
    assert seeds.finished() == {("fcn8s", 0), ("fcn8s", 1)}
    assert seeds.TABLE.read_text().splitlines()[0] == ",".join(seeds.COLUMNS)
