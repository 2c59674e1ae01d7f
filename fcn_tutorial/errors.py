"""The exception for input the library cannot use, and the checks that many modules share."""

import math
import os
import re
import warnings
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager, suppress
from numbers import Integral, Real
from typing import Any

import numpy as np

LONGEST = 40  # characters of a value that a message shows
MOST = 2000  # characters of a message; somebody may have pasted a value or a path of megabytes
# Of an image's copies: beyond them, a copy or the tiles of a photo exceed most memories.
SMALLEST_SCALE, LARGEST_SCALE = 1 / 16, 4


class InputError(ValueError):
    """Something the user gave is unusable; the message is one sentence: what, where, what to do.

    The command line prints it without a traceback and exits with code 2. What is longer than 2,000
    characters loses its middle, and a path's control characters are written as in Python.
    """

    def __init__(self, sentence: str) -> None:
        if len(sentence) > MOST:
            sentence = f"{sentence[: MOST // 2]} ... {sentence[-MOST // 4 :]}"
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence))


class InputWarning(UserWarning):
    """Something that can be used but is probably not as meant; the message is as InputError's.

    The command line prints it once and continues.
    """


def warn(sentence: str) -> None:
    """Give an InputWarning; Python shows the same sentence once."""
    warnings.warn(sentence, InputWarning, stacklevel=3)


def shown(value: Any) -> str:
    """A value as messages show it: its `repr`, or the first 40 characters of a longer one."""
    with suppress(ValueError):  # Python writes integers of up to 4,300 digits
        text = repr(value).replace("\n", "")  # as of arrays
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
    return f"{type(value).__name__} of too many digits"


def check_choice(field: str, value: Any, known: Iterable[object]) -> None:
    """Raise InputError unless `value` is one of `known`; the message lists them in their order."""
    known = list(known)
    if not isinstance(value, Hashable) or value not in known:
        choices = ", ".join(map(str, known))
        raise InputError(f"unknown {field} {shown(value)}: use one of {choices}.")


def check_whole(field: str, value: Any, low: int, high: float = math.inf) -> int:
    """A value as an int; InputError, with `field`, unless it is whole and in `low`..`high`."""
    return int(_in_range("a whole number", Integral, field, value, low, high))


def check_number(field: str, value: Any, low: float, high: float = math.inf) -> float:
    """As `check_whole`, for any finite number from `low` to `high`; returns it as a float."""
    return float(_in_range("a number", Real, field, value, low, high))


def _in_range(what: str, kind: type, field: str, value: Any, low: float, high: float) -> Any:
    right = isinstance(value, kind) and not isinstance(value, bool)
    if not right or not low <= value <= high or value == math.inf:
        allowed = f"of at least {low}" if high == math.inf else f"from {low} to {high}"
        raise InputError(f"{field} must be {what} {allowed}, got {shown(value)}.")
    return value


def check_scales(what: str, values: Any) -> tuple[float, ...]:
    """Factors, one or several, by which images are resized; InputError, with `what`, for others."""
    with suppress(TypeError, ValueError):
        factors = np.ravel(np.asarray(values, float)).tolist()
        if factors and all(SMALLEST_SCALE <= each <= LARGEST_SCALE for each in factors):
            return tuple(factors)
    raise InputError(
        f"{what} must be numbers from {SMALLEST_SCALE} to {LARGEST_SCALE}, such as 0.75,1."
    )


def as_array(what: str, values: Any, kinds: str = "buif") -> np.ndarray:
    """An array of numbers of NumPy's `kinds`, or InputError, which says `what` it should be."""
    with explained(f"{what} must be an array of numbers", "check it"):
        array = np.asarray(values)
        if array.dtype.kind in kinds:
            return array
        if array.size:
            raise ValueError(f"got {array.dtype}")
    return array.astype(np.uint8)  # of nothing, NumPy makes numbers of any kind


def check_file(path: str | os.PathLike, what: str, advice: str) -> None:
    """Raise InputError unless there is a file; the message is "WHAT PATH is missing: ADVICE."."""
    if not os.path.isfile(path):
        raise InputError(f"{what} {os.fspath(path)} is missing: {advice}.")


@contextmanager
def explained(
    what: str, advice: str, errors: tuple[type[Exception], ...] = (Exception,)
) -> Iterator[None]:
    """Turn the `errors` of other libraries into InputError, "WHAT (reason): ADVICE.".

    An InputError that is raised inside passes unchanged, and so does a MemoryError.
    """
    try:
        yield
    except (InputError, MemoryError):
        raise
    except errors as error:
        raise InputError(f"{what} ({reason_of(error)}): {advice}.") from error


def reason_of(error: BaseException) -> str:
    """Why something failed, in one line, from whatever exception a library raised.

    HDF5 hides the system's error number in a line about its own calls.
    """
    if isinstance(error, UnicodeDecodeError):
        return "it is not text in UTF-8"
    text = str(error).strip() or type(error).__name__
    if number := re.search(r"errno = (\d+)", text):
        return os.strerror(int(number.group(1)))
    if isinstance(error, OSError) and error.strerror and error.errno:
        return error.strerror.splitlines()[0]
    return text.splitlines()[0]
