"""Answers to the exercises of appendix A."""

from itertools import accumulate
from pathlib import Path

import numpy as np


def stems(paths):
    return {Path(path).stem for path in paths}


def until_the_first_dot(paths, others):
    first, second = ({Path(p).name.split(".")[0] for p in each} for each in (paths, others))
    return sorted(first & second)


def starts(sizes, extra):
    return [0, *accumulate(size + extra for size in sizes[:-1])]


RIGHT = {
    "A.1": [lambda sizes: starts(sizes, 16), lambda sizes: np.array(starts(sizes, 16))],
    "A.2": [lambda one, other: sorted(stems(one) & stems(other))],
}
WRONG = {
    "A.1": [
        lambda sizes: starts(sizes, 0),
        lambda sizes: starts(sizes, 12),
        lambda sizes: list(accumulate(size + 16 for size in sizes)),
        [0, 116, 382],
    ],
    "A.2": [
        lambda one, other: sorted(set(one) & set(other)),
        lambda one, other: [Path(p).stem for p in one if Path(p).stem in stems(other)],
        until_the_first_dot,
    ],
}
