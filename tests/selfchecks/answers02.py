"""Answers to the exercises of chapter 2."""

from itertools import accumulate
from pathlib import Path

import numpy as np


def color(class_id):
    channels = [0, 0, 0]
    for k in range(8):
        channels[k % 3] |= (class_id >> k & 1) << (7 - k // 3)
    return tuple(channels)


def first_bits_only(class_id):
    return tuple(128 * (class_id >> k & 1) for k in range(3))


def stems(paths):
    return {Path(path).stem for path in paths}


def until_the_first_dot(paths, others):
    first, second = ({Path(p).name.split(".")[0] for p in each} for each in (paths, others))
    return sorted(first & second)


def starts(sizes, extra):
    return [0, *accumulate(size + extra for size in sizes[:-1])]


RIGHT = {
    "2.1": [color, lambda class_id: np.array(color(class_id))],
    "2.2": [lambda one, other: sorted(stems(one) & stems(other))],
    "2.3": [lambda sizes: starts(sizes, 16), lambda sizes: np.array(starts(sizes, 16))],
}
WRONG = {
    "2.1": [first_bits_only, lambda class_id: color(class_id)[::-1], (128, 0, 0)],
    "2.2": [
        lambda one, other: sorted(set(one) & set(other)),
        lambda one, other: [Path(p).stem for p in one if Path(p).stem in stems(other)],
        until_the_first_dot,
    ],
    "2.3": [
        lambda sizes: starts(sizes, 0),
        lambda sizes: starts(sizes, 12),
        lambda sizes: list(accumulate(size + 16 for size in sizes)),
        [0, 116, 382],
    ],
}
