"""Self-checks: a chapter's exercise asks for an answer, and `check` says whether it is right.

Each module `chapterNN` or `appendix_x` holds the checks of one chapter. A check is a function that
takes the reader's answer and returns None if it is right, else a hint: one sentence that does not
give the answer away. Its docstring starts with the exercise's number and says what it asks for; a
reader whose answer is of another kind is told so in these words.
"""

import re
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from fcn_tutorial.errors import InputError


def check(exercise: str, answer: Any = ...) -> None:
    """Print whether an answer solves an exercise, with a hint if it does not.

    Args:
        exercise: its number as in the chapter, for example "6.2".
        answer: what the exercise asks for; three dots (the default) mean no answer yet.

    Raises:
        InputError: no chapter has this exercise.
    """
    if answer is ...:
        print(f"Exercise {exercise}: put your answer in place of the three dots.")
        return
    found = hint(exercise, answer)
    print(f"Exercise {exercise}: " + (f"not yet. {found}" if found else "right."))


def hint(exercise: str, answer: Any) -> str | None:
    """None if the answer solves the exercise, else a hint; raises as `check` does."""
    exercise = str(exercise)
    known = checks_of(exercise.partition(".")[0])
    if exercise not in known:
        there = f"use one of {', '.join(known)}" if known else "they are numbered like 6.2"
        raise InputError(f"no exercise {exercise!r} has a self-check: {there}.")
    raised = []

    def watched(*arguments, **named):
        try:
            return answer(*arguments, **named)
        except Exception as error:
            raised.append(f"{type(error).__name__}: {error}")
            raise

    try:
        return known[exercise](watched if callable(answer) else answer)
    except Exception:
        # The answer may be anything, and a function that the reader wrote may raise anything.
        if raised:
            return f"Calling it raised {raised[-1]}"
        asked = str(known[exercise].__doc__).partition(": ")[2].rstrip(".")
        given = "what yours returns" if callable(answer) else f"of type {type(answer).__name__}"
        return f"The answer should be {asked}, not {given}."


def checks_of(chapter: str | int) -> dict[str, Callable[[Any], str | None]]:
    """The checks of a chapter, {number: function}; none if it has no module."""
    chapter = str(chapter)
    name = f"chapter{chapter:0>2}" if chapter.isdigit() else f"appendix_{chapter.lower()}"
    if find_spec(f"{__name__}.{name}") is None:
        return {}
    checks = vars(import_module(f"{__name__}.{name}")).values()
    numbered = ((re.match(r"Exercise (\S+):", str(f.__doc__)), f) for f in checks)
    return {found[1]: function for found, function in numbered if found}
