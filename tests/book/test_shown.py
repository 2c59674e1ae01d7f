"""Code that chapters show and the library holds is the same code."""

import ast

import pytest
import shown
from rules import NOTEBOOKS, ROOT, Chapter

MARKS = [mark for path in NOTEBOOKS for mark in shown.marks(Chapter.load(path))]
CONSTRUCTS = shown.constructs((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
# What Keras's own layers compute quicker; elsewhere the tests alone call these.
REFERENCES = {"dilated_kernel", "transposed_by_loop"}


def function(source):
    return ast.parse(source).body[0]


@pytest.mark.parametrize(("name", "library", "tree"), MARKS, ids=[mark[0] for mark in MARKS])
def test_marked_code_is_the_librarys(name, library, tree):
    complaint = shown.complaint(tree, library)
    assert complaint is None, f"{name} {complaint}"


def test_marks_are_of_the_listed_constructs():
    assert len(CONSTRUCTS) >= 15
    assert {mark[1] for mark in MARKS} == set(CONSTRUCTS.values())


def test_the_library_computes_with_every_construct():
    used = REFERENCES.copy()
    for path in (ROOT / "fcn_tutorial").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            used.add(getattr(node, "id", getattr(node, "attr", None)))
    assert {library.rpartition(".")[2] for library in CONSTRUCTS.values()} <= used


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark[1])
def test_another_operator_in_the_library_is_noticed(mark):
    mutants = list(shown.mutants(shown.library()[mark[1]]))
    assert mutants
    assert all(shown.bare(mutant) != shown.bare(mark[2]) for mutant in mutants)


def test_docstrings_annotations_and_names_are_put_aside():
    here = function("def f(x):\n    # why\n    return fcn.g(x)")
    there = function('def h(x: int) -> int:\n    """Says what."""\n    return g(x)')
    assert shown.bare(here) == shown.bare(there)
    assert shown.bare(here) != shown.bare(function("def f(x): return g(-x)"))
    assert shown.bare(here) != shown.bare(function("def f(x, y=1): return g(x)"))


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ("fcn_tutorial.metrics.trimap", "leaves the work to"),
        ("fcn_tutorial.metrics.no_such_function", "does not define"),
        ("fcn_tutorial.data.shapes._disc", "private"),
        ("fcn_tutorial.metrics.border_band", "differs"),
    ],
)
def test_wrong_marks_are_reported(library, reason):
    assert reason in shown.complaint(function("def f(x): return x"), library)


def test_a_mark_without_a_definition_is_reported():
    assert "does not define it" in shown.complaint(None, "fcn_tutorial.metrics.border_band")
