"""Self-checks of chapter 4."""

from typing import Any

import numpy as np


def output_length(answer: Any) -> str | None:
    """Exercise 4.1: a function (cells, kernel_size, stride) that returns a whole number."""
    for cells, kernel_size, stride in ((4, 4, 2), (1, 7, 3), (6, 2, 5)):
        if answer(cells, kernel_size, stride) != (cells - 1) * stride + kernel_size:
            return (
                f"It is wrong for {cells} cells, kernel size {kernel_size} and stride {stride}: "
                "where does the last stamp begin?"
            )
    return None


def linear_upsampling(answer: Any) -> str | None:
    """Exercise 4.2: a function (cells, factor) that returns an array, the upsampled row."""
    rng = np.random.default_rng(5)
    for factor in (2, 3, 4):
        cells = rng.normal(size=5)
        given = np.asarray(answer(cells, factor), float)
        if given.shape != (5 * factor,):
            return f"For 5 cells and factor {factor} the result should have {5 * factor} values."
        centres = (np.arange(5) + 0.5) * factor - 0.5
        right = np.isclose(given, np.interp(np.arange(5 * factor), centres, cells))
        if not right[factor:-factor].all():
            return f"Values in the middle are wrong for factor {factor}: where do the centres lie?"
        if not right.all():
            return f"The middle is right for factor {factor}, the ends are not: repeat the edges."
    return None


def checkerboards(answer: Any) -> str | None:
    """Exercise 4.3: a list of pairs (kernel size, stride)."""
    given = {tuple(pair) for pair in answer}
    if given == {(5, 2), (7, 3)}:
        return None
    return "Divide each kernel size by its stride: what does the remainder mean for the stamps?"
