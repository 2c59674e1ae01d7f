"""Self-checks: a chapter's exercise asks for an answer, and `check` says whether it is right.

Each module `chapterNN` holds the checks of one chapter as `CHECKS`, a dict from the exercise's
number to a function. The function takes the reader's answer and returns None when it is right, or
a hint (one sentence that does not give the answer away) when it is not.
"""

from importlib import import_module

from fcn_tutorial.errors import InputError


def check(exercise, answer=...):
    """Print whether `answer` solves an exercise, with a hint where it does not.

    exercise: its number as in the chapter, for example "4.2". answer: what the exercise asks for;
    three dots (the default) mean that there is no answer yet.
    Raises InputError for a number that no chapter has.
    """
    if answer is ...:
        print(f"Exercise {exercise}: put your answer in place of the three dots.")
        return
    found = hint(exercise, answer)
    print(f"Exercise {exercise}: " + (f"not yet. {found}" if found else "right."))


def hint(exercise, answer):
    """None when `answer` solves the exercise, else a hint; an answer of a wrong kind gets one too.

    Raises InputError for a number that no chapter has.
    """
    known = checks_of(str(exercise).partition(".")[0])
    if exercise not in known:
        raise InputError(f"no exercise {exercise!r} has a self-check: use the chapter's number.")
    try:
        return known[exercise](answer)
    except Exception as error:
        # The answer may be anything at all, and a function the reader wrote may raise anything.
        return f"Checking it ended in {type(error).__name__}: {error}"


def checks_of(chapter):
    """The checks of a chapter, {number: function}; none for a chapter that has no module."""
    name = f"{__name__}.chapter{chapter:0>2}"
    try:
        return import_module(name).CHECKS
    except ModuleNotFoundError as error:
        if error.name != name:
            raise
        return {}
