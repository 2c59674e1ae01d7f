"""Mutation testing: what is counted as a mutant, and the result of record."""

import ast
import json
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
import mutants  # noqa: E402

PARTS = json.loads(mutants.RESULT.read_text())["parts"]
SOURCE = '''
"""A docstring stays."""
CLASSES = ("sky", "tree")
KINDS = ("one", "two")

def f(x: "int | None", y=1) -> "int | None":
    if x[y:] and not x:
        raise ValueError(f"{x + 1} is wrong")
    x.flag = abs(x, key=True)
    return x < 0
'''


def test_each_part_has_its_row():
    assert [row["part"] for row in PARTS] == list(mutants.PARTS)


@pytest.mark.parametrize("row", PARTS, ids=list(mutants.PARTS))
def test_the_tests_kill_nine_of_ten_mutants(row):
    equivalent = sum("equivalent" in mutant for mutant in row["survivors"])
    assert row["killed"] == row["mutants"] - len(row["survivors"])
    assert row["share"] == pytest.approx(row["killed"] / row["mutants"], abs=1e-4)
    assert row["equivalent"] == equivalent <= 0.05 * row["mutants"]
    others = row["mutants"] - equivalent
    assert row["share_of_the_others"] == pytest.approx(row["killed"] / others, abs=1e-4)
    assert row["share"] >= 0.9


@pytest.mark.parametrize("row", PARTS, ids=list(mutants.PARTS))
def test_the_record_is_of_the_modules_and_tests_that_are_there(row):
    part = mutants.PARTS[row["part"]]
    assert (tuple(row["modules"]), row["tests"]) == (part.modules, " ".join(part.tests))
    assert {mutant["module"] for mutant in row["survivors"]} <= set(part.modules)
    assert all((ROOT / test).is_file() for test in part.tests if test.startswith("tests/"))


@pytest.mark.parametrize("name", mutants.PARTS)
def test_mutants_compile_and_differ_from_the_source(name):
    for module in mutants.PARTS[name].modules:
        source = (mutants.PACKAGE / module).read_text()
        found = mutants.mutants(source)
        same = ast.unparse(ast.parse(source))
        assert len(found) > 30
        for mutant in found[::7]:
            compile(mutant.source, module, "exec")
            assert mutant.source != same
            assert source.splitlines()[mutant.line - 1].strip() == mutant.code


def test_mutants_of_a_few_lines():
    found = [(mutant.line, mutant.change) for mutant in mutants.mutants(SOURCE)]
    assert found == [
        (4, "('one', 'two') -> ('two',)"),
        (4, "('one', 'two') -> ('one',)"),
        (4, "'one' -> 'XoneX'"),
        (4, "'two' -> 'XtwoX'"),
        (6, "1 -> 2"),
        (7, "if x[y:] and (not x): -> if not (x[y:] and (not x)):"),
        (7, "x[y:] and (not x) -> x[y:] or not x"),
        (7, "y: -> :"),
        (7, "not x -> x"),
        (8, "raise ValueError(f'{x + 1} is wrong') -> pass"),
        (9, "x.flag = abs(x, key=True) -> pass"),
        (9, "abs(x, key=True) -> abs(x)"),
        (9, "abs(x, key=True) -> x"),
        (9, "True -> False"),
        (10, "return x < 0 -> return None"),
        (10, "x < 0 -> x <= 0"),
        (10, "x < 0 -> x >= 0"),
        (10, "0 -> 1"),
    ]


def test_a_process_that_says_nothing_about_the_tests_is_no_kill():
    assert mutants.passes(0)
    assert not mutants.passes(1 << 8)
    assert not mutants.passes(signal.SIGXCPU) and not mutants.passes(signal.SIGSEGV)
    for status in (5 << 8, signal.SIGKILL):  # no test was found; ended from outside
        with pytest.raises(RuntimeError, match="says nothing"):
            mutants.passes(status)
