"""Self-checks of chapter 0."""

from typing import Any

import numpy as np


def scores_of_a_photograph(answer: Any) -> str | None:
    """Exercise 0.1: how many scores the network computes for 333 x 500 pixels and 21 classes."""
    if answer == 333 * 500 * 21:
        return None
    if answer == 333 * 500 * 20:
        return "Background is a class too."
    return "Each of the 333 x 500 pixels gets a score for every class."


def share_of_errors(answer: Any) -> str | None:
    """Exercise 0.2: a function (label, prediction) that returns the share of wrong pixels."""
    label = np.array([[0, 0, 8, 8], [8, 0, 255, 255]], np.uint8)
    prediction = np.array([[0, 8, 8, 8], [0, 0, 0, 8]], np.uint8)
    found = answer(label, prediction)
    if np.isclose(found, 2 / 6):
        return None
    if np.isclose(found, 4 / 6):
        return "Is that the share of right pixels? Count the wrong ones, and leave void out."
    if np.isclose(found, 4 / 8):
        return "A void pixel is neither right nor wrong: leave it out of the errors."
    if np.isclose(found, 2 / 8):
        return "Divide by the number of pixels that are not void."
    return "Count the pixels where the two differ, and divide by the number that are not void."
