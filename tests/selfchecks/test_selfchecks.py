"""Each self-check accepts the right answers and rejects the wrong ones.

answersNN.py, or answers_x.py for an appendix, holds RIGHT and WRONG: {exercise: list of answers}.
"""

import importlib
import re
from pathlib import Path

import pytest

import fcn_tutorial as fcn
from fcn_tutorial.selfchecks import checks_of, hint

HERE = Path(__file__).parent
MODULES = sorted(HERE.glob("answers*.py"))
CHECKS = Path(fcn.selfchecks.__file__).parent.glob("[!_]*.py")
CHAPTERS = sorted(path.stem[-2:].strip("_") for path in CHECKS)
NONSENSE = [None, "nonsense", -1, object(), []]


def answers(path):
    return importlib.import_module(path.stem)


def cases(kind):
    for path in MODULES:
        for exercise, given in getattr(answers(path), kind).items():
            for number, each in enumerate(given):
                # Not by the answer: the name of a function differs from process to process.
                yield pytest.param(exercise, each, id=f"{exercise}-{number}")


@pytest.mark.parametrize(("exercise", "answer"), cases("RIGHT"))
def test_the_right_answer_is_accepted(exercise, answer, capsys):
    assert hint(exercise, answer) is None
    fcn.check(exercise, answer)
    assert capsys.readouterr().out == f"Exercise {exercise}: right.\n"


@pytest.mark.parametrize(("exercise", "answer"), cases("WRONG"))
def test_a_wrong_answer_gets_a_hint(exercise, answer, capsys):
    found = hint(exercise, answer)
    assert re.fullmatch(r"[A-Z].*[.?:)\]'\w]", found) and "\n" not in found
    fcn.check(exercise, answer)
    assert capsys.readouterr().out.startswith(f"Exercise {exercise}: not yet. ")


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_self_check_is_tested_with_a_right_and_two_wrong_answers(chapter):
    tested = answers(next(path for path in MODULES if path.stem.endswith(chapter)))
    assert set(tested.RIGHT) == set(tested.WRONG) == set(checks_of(chapter))
    assert all(len(given) >= 1 for given in tested.RIGHT.values())
    assert all(len(given) >= 2 for given in tested.WRONG.values())


@pytest.mark.parametrize("wrap", [lambda each: each, lambda each: lambda *_: each])
@pytest.mark.parametrize("answer", NONSENSE, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nonsense_gets_a_hint_that_names_no_error(chapter, answer, wrap):
    for exercise in checks_of(chapter):
        found = hint(exercise, wrap(answer))
        assert found and "Error" not in found, f"{exercise}: {found}"


def broken(*arguments):
    raise KeyError("mine")


@pytest.mark.parametrize(
    ("exercise", "answer", "said"),
    [
        ("7.2", "a string", "should be a function (coarse, features, weights)"),
        ("5.2", 7, "not of type int"),
        ("5.3", lambda logits, label: "a string", "not what yours returns"),
        ("5.3", broken, "Calling it raised KeyError: 'mine'"),
    ],
)
def test_an_answer_of_another_kind_is_told_what_is_asked_for(exercise, answer, said):
    assert said in hint(exercise, answer)


def test_no_answer_yet_no_such_exercise_and_a_number_for_its_name(capsys, refusal):
    fcn.check("7.1", ...)
    assert "in place of the three dots" in capsys.readouterr().out
    assert "99.1" in refusal(fcn.check, "99.1", 3)
    fcn.check(7.1, None)
    assert "Exercise 7.1: not yet" in capsys.readouterr().out
