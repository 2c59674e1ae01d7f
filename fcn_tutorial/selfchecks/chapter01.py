"""Self-checks of chapter 1."""

from typing import Any

import numpy as np


def shifted_square(answer: Any) -> str | None:
    """Exercise 1.1: a number, the IoU of the two squares."""
    if abs(answer - 6 / 26) < 0.006:
        return None
    return "Count the pixels in both squares, and those in either of them; then divide."


def mean_iou_with_a_void_column(answer: Any) -> str | None:
    """Exercise 1.2: a number, the mean IoU without the void column."""
    if abs(answer - (10 / 12 + 3 / 5 + 4 / 6) / 3) < 0.006:
        return None
    return "The four void pixels drop out of all counts: write down the new matrix first."


def mean_dice(answer):
    """Exercise 1.3: a function (matrix) that returns a number, the mean Dice index."""
    matrix = np.array([[5, 1, 2], [0, 6, 3], [1, 0, 2]])
    if not np.isclose(answer(matrix), (10 / 14 + 12 / 16 + 4 / 10) / 3):
        return "It is wrong even where every class occurs: check both areas of each class."
    if not np.isclose(answer(np.pad(matrix, (0, 1))), answer(matrix)):
        return "It fails where a class does not occur: leave such a class out before you divide."
    only_predicted = np.array([[4, 4], [0, 0]])
    if not np.isclose(answer(only_predicted), 8 / 12 / 2):
        return "A class that is only predicted counts too: its index is zero."
    return None
