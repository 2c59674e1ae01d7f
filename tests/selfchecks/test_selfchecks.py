"""Each self-check accepts the right answers and rejects the wrong ones.

answersNN.py holds, for chapter NN, RIGHT and WRONG: {exercise: list of answers}.
"""

import importlib
import re
from pathlib import Path

import pytest

import fcn_tutorial as fcn
from fcn_tutorial.selfchecks import checks_of, hint

HERE = Path(__file__).parent
MODULES = sorted(HERE.glob("answers*.py"))
CHAPTERS = sorted(path.stem[-2:] for path in Path(fcn.selfchecks.__file__).parent.glob("chap*.py"))


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
    tested = importlib.import_module(f"answers{chapter}")
    assert set(tested.RIGHT) == set(tested.WRONG) == set(checks_of(chapter))
    assert all(len(given) >= 1 for given in tested.RIGHT.values())
    assert all(len(given) >= 2 for given in tested.WRONG.values())


@pytest.mark.parametrize("answer", [None, "nonsense", object(), []])
@pytest.mark.parametrize("chapter", CHAPTERS)
def test_nonsense_is_rejected_without_an_error(chapter, answer):
    assert all(hint(exercise, answer) for exercise in checks_of(chapter))


def test_no_answer_yet_and_no_such_exercise(capsys, refusal):
    fcn.check("7.1", ...)
    assert "in place of the three dots" in capsys.readouterr().out
    assert "99.1" in refusal(fcn.check, "99.1", 3)
