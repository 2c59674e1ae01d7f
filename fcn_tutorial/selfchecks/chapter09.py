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


def paired_difference(answer: Any) -> str | None:
    """Exercise 9.2: a function (a, b) of two lists of scores that returns two numbers."""
    one, other = [0.71, 0.75, 0.70, 0.74], [0.68, 0.73, 0.69, 0.70]
    differences = np.array(one) - np.array(other)
    error = differences.std(ddof=1) / 2
    mean, given = answer(one, other)
    if not np.isclose(mean, differences.mean()):
        return "The first number should be the mean of a - b, seed by seed."
    if np.isclose(given, differences.std(ddof=1)):
        return "That is the spread of one difference: how far may the mean of several be off?"
    if np.isclose(given, differences.std() / 2):
        return "The spread of a few runs divides by one less than their number: ddof=1."
    if not np.isclose(given, error):
        return "Subtract first; then take the spread of the differences."
    return None
