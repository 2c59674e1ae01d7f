"""Self-checks of chapter 9."""

from typing import Any

import numpy as np


def dice(answer: Any) -> str | None:
    """Exercise 9.1: a function (confusion) that returns an array with a number for each class."""
    confusion = np.array([[50, 3, 1], [10, 20, 0], [0, 4, 12]])
    found, pixels = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    given = np.asarray(answer(confusion), float)
    if given.shape == (3,) and np.allclose(given, 2 * found / pixels):
        return None
    if given.shape != (3,):
        return f"For three classes it should return three numbers, not the shape {given.shape}."
    return "Both areas hold the correct pixels: they add up to the union plus the correct pixels."


def unpaired_difference(answer: Any) -> str | None:
    """Exercise 9.2: a function (a, b) of two lists of scores that returns two numbers."""
    a, b = [0.71, 0.75, 0.70, 0.74], [0.68, 0.73, 0.69]
    squares = np.array([np.var(each, ddof=1) / len(each) for each in (a, b)])
    mean, given = answer(a, b)
    if not np.isclose(mean, np.mean(a) - np.mean(b)):
        return "The first number should be the mean of a less the mean of b."
    if np.isclose(given, np.sum(squares**0.5)):
        return "Errors that have nothing to do with each other add up less: add their squares."
    if np.isclose(given, sum(np.var(each) / len(each) for each in (a, b)) ** 0.5):
        return "The spread of a few runs divides by one less than their number: ddof=1."
    if not np.isclose(given, np.sum(squares) ** 0.5):
        return "Each mean has a standard error: the spread over the root of the number of runs."
    return None
