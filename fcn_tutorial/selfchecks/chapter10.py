"""Self-checks of chapter 10."""

from typing import Any

import numpy as np


def dilated_kernel(answer: Any) -> str | None:
    """Exercise 10.1: a function (kernel, rate) that returns an array, the longer kernel."""
    kernel = np.array([1.0, -3.0, 2.0, 5.0])
    for rate in (1, 2, 3):
        given = np.asarray(answer(kernel, rate), float)
        if given.shape != (3 * rate + 1,):
            return (
                f"For 4 cells and rate {rate} the longer kernel should have {3 * rate + 1} cells."
            )
        if not (given[::rate] == kernel).all() or np.count_nonzero(given) != 4:
            return f"For rate {rate} the weights should stand {rate} apart, with zeros between."
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
    numbers, scale = answer(weights)
    if np.asarray(numbers).dtype != np.int8:
        return "The numbers should be of type int8."
    if np.abs(numbers * scale - weights).max() > 0.51 * np.abs(weights).max() / 127:
        return "A weight is off by more than half a step: the largest should become 127 or -127."
    try:
        with np.errstate(divide="raise", invalid="raise"):
            zeros, scale = answer(np.zeros(3))
    except FloatingPointError:
        return "For weights that are all zero it divides zero by zero: choose another scale then."
    if np.any(zeros) or not (np.isfinite(scale) and scale > 0):
        return "For weights that are all zero the numbers should be zero and the scale above zero."
    return None
