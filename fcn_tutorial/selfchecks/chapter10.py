"""Self-checks of chapter 10."""

from typing import Any

import numpy as np


def dilated_row(answer: Any) -> str | None:
    """Exercise 10.1: a function (row, kernel, rate) that returns an array as long as the row."""
    from scipy.ndimage import correlate1d

    rng = np.random.default_rng(10)
    for size, rate in ((3, 1), (3, 2), (5, 2), (5, 3)):
        row, kernel = rng.normal(size=16), rng.normal(size=size)
        given, case = np.asarray(answer(row, kernel, rate), float), f"{size} weights, rate {rate}"
        if given.shape != row.shape:
            return f"With {case}, a row of 16 cells should give 16, not the shape {given.shape}."
        holes = np.zeros(rate * (size - 1) + 1)
        holes[::rate] = kernel
        right = np.isclose(given, correlate1d(row, holes, mode="constant"))
        inside = right[len(holes) // 2 : -(len(holes) // 2)]
        if not inside.all():
            return f"With {case}, cells in the middle differ from what `dilated` gives for them."
        if not right.all():
            return f"With {case}, the middle is right; beyond the ends there should be zeros."
    return None


def fields(answer: Any) -> str | None:
    """Exercise 10.2: two numbers of cells, with dilation and without."""
    dilated, plain = answer
    if plain != 7:
        return "Start with the second number: each 3 x 3 convolution at stride 1 adds two cells."
    if dilated != 15:
        return "A kernel of three cells with rate r reaches 2 r cells further than one cell does."
    return None


def quantized(answer: Any) -> str | None:
    """Exercise 10.3: a function (weights) that returns an int8 array and a number, the scale."""
    weights = np.random.default_rng(10).normal(size=(5, 4))
    for each in (weights, -weights):  # int8 holds -128, but not 128
        numbers, scale = answer(each)
        if np.asarray(numbers).dtype != np.int8:
            return "The numbers should be of type int8."
        if np.abs(numbers * scale - each).max() > 0.51 * np.abs(each).max() / 127:
            return "A weight is off by over half a step: the largest should become 127 or -127."
    try:
        with np.errstate(divide="raise", invalid="raise"):
            zeros, scale = answer(np.zeros(3))
    except FloatingPointError:
        return "For weights that are all zero it divides zero by zero: choose another scale then."
    if np.any(zeros) or not (np.isfinite(scale) and scale > 0):
        return "For weights that are all zero the numbers should be zero and the scale above zero."
    return None
