"""The yardstick of chapter 4: the table in results/, and the functions that make it."""

import ast
import importlib.util
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "benchmarks" / "upper_bound.py"
CHAPTER = ROOT / "book" / "chapters" / "04-stride-and-alignment.ipynb"


@pytest.fixture(scope="module")
def upper_bound():
    spec = importlib.util.spec_from_file_location("upper_bound", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def table(upper_bound):
    return json.loads(upper_bound.OUTPUT.read_text())


@pytest.mark.parametrize("metric", ["mean_iou", "pixel_accuracy"])
def test_a_coarser_grid_carries_less(table, metric):
    assert table["images"] > 0 and table["strides"] == sorted(table["strides"])
    for values in table[metric].values():
        assert len(values) == len(table["strides"])
        assert (np.diff(values) < 0).all() and 0 < values[-1] < values[0] <= 1


def test_stride_32_is_near_the_papers(table):
    """Long et al. 2015, Appendix A: 86.1 %."""
    at_32 = [values[table["strides"].index(32)] for values in table["mean_iou"].values()]
    assert at_32 == pytest.approx([0.861] * len(at_32), abs=0.05)


TOY = np.array(
    [
        [0, 0, 1, 255, 2],
        [0, 1, 1, 255, 2],
        [0, 0, 0, 0, 255],
    ],
    np.uint8,
)


def test_shares_leave_out_void_and_what_is_filled_up(upper_bound):
    shares = upper_bound.class_shares(TOY, 2, 3)
    assert shares.tolist() == [
        [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [1, 0, 0], [0, 0, 0]],
    ]


def test_a_vote_gives_each_cell_its_most_frequent_class(upper_bound):
    answer = upper_bound.through_a_vote(TOY, 2, 3)
    assert answer.tolist() == [[0, 0, 1, 1, 2], [0, 0, 1, 1, 2], [0, 0, 0, 0, 0]]


def test_scores_of_one_stride_on_a_toy(upper_bound):
    """One of twelve labelled pixels is wrong: class 1 has 2 of 3, class 0 7 of 8."""
    result = upper_bound.measure([TOY, TOY], 3, strides=[1, 2])
    assert result["mean_iou"]["majority"] == [1, pytest.approx((7 / 8 + 2 / 3 + 1) / 3, abs=1e-4)]
    assert result["pixel_accuracy"]["majority"] == [1, pytest.approx(11 / 12, abs=1e-4)]
    assert result["mean_iou"]["shares"][0] == 1


def test_shares_move_an_outline_less_than_votes(upper_bound):
    label = np.tri(64, dtype=np.uint8)  # a diagonal outline
    results = upper_bound.measure([label], 2, strides=[8])["mean_iou"]
    assert results["shares"][0] > results["majority"][0] > 0.8


def functions(source):
    """{name: syntax tree without its docstring} of the functions at the top level."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            node.body = node.body[ast.get_docstring(node) is not None :]
            found[node.name] = ast.dump(node)
    return found


def test_the_chapter_shows_the_very_functions():
    cells = nbformat.read(CHAPTER, as_version=4).cells
    shown = functions("\n".join(cell.source for cell in cells if cell.cell_type == "code"))
    used = functions(SCRIPT.read_text())
    for name in ("class_shares", "through_a_grid", "through_a_vote", "scores_through"):
        assert shown[name] == used[name]
