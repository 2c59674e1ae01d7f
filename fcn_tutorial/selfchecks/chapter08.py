"""Self-checks of chapter 8."""

from typing import Any

import numpy as np


def rate_of_the_release(answer: Any) -> str | None:
    """Exercise 8.1: a number, the learning rate."""
    same_momentum = 1e-10 * 500 * 375
    if np.isclose(answer, same_momentum * 10, rtol=0.02):
        return None
    if np.isclose(answer, same_momentum, rtol=0.02):
        return "It is right for equal momentum: how much longer are steps at 0.99 than at 0.9?"
    if np.isclose(answer, same_momentum / 10, rtol=0.02):
        return "A lower momentum adds up less: does the rate have to be higher or lower?"
    return "The sum is the mean times the number of pixels: what does that do to the gradient?"


def poly_with_warm_up(answer: Any) -> str | None:
    """Exercise 8.2: a function (step, total, warmup, highest) that returns a number, the rate."""
    total, warmup, highest = 1100, 100, 0.02
    if not np.isclose(answer(50, total, warmup, highest), 0.01):
        return "Half-way through the warm-up the rate should be half of the highest."
    if not np.isclose(answer(warmup, total, warmup, highest), highest):
        return "Right after the warm-up the rate should be the highest one."
    if not np.isclose(answer(600, total, warmup, highest), highest * 0.5**0.9):
        return "It is wrong in the middle: t is 0 when the warm-up ends, and 1 at the end."
    if abs(answer(total, total, warmup, highest)) > 1e-12:
        return "At the last step the rate should be zero."
    return None


def joined_gradients(answer: Any) -> str | None:
    """Exercise 8.3: a function (gradients, counted) that returns an array, one gradient."""
    gradients = [np.array([1.0, 2.0]), np.array([3.0, -1.0]), np.array([0.0, 0.0])]
    if not np.allclose(answer(gradients, [100, 300, 0]), [2.5, -0.25]):
        return "Each gradient is a mean over its own pixels: weight it by how many there were."
    if not np.allclose(answer(gradients[:2], [50, 50]), [2.0, 0.5]):
        return "It is wrong where devices count equally many pixels and a plain mean is right."
    return None
