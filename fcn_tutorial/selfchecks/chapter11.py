"""Self-checks of chapter 11."""

from typing import Any

import numpy as np


def group_of_fields(answer: Any) -> str | None:
    """Exercise 11.1: a regular expression for what names have in common."""
    from fcn_tutorial.data.folder import hashed

    for fields in (("north_2", "north_3", "south"), ("a", "a_1", "a_1_1"), ("9_9", "9_8", "8_9")):
        names = [f"{field}_{number:04}" for field in fields for number in (1, 7, 412)]
        for part in hashed(names, group=answer).values():
            kept = {name.rpartition("_")[0] for name in part}
            if len(kept) != 1 or len(part) != 3:
                return f"Of {', '.join(names)} it puts {', '.join(part)} into one split."
    return None


def label_of_stretched(answer: Any) -> str | None:
    """Exercise 11.2: a function (mask) that returns a label: ids 0 to 2, and 255 for void."""
    for values in ([[0, 85], [170, 255]], [[85]], [[255, 255, 0]]):
        mask = np.array(values, np.uint8)
        given = np.asarray(answer(mask.copy()))
        right = [[{0: 0, 85: 1, 170: 2, 255: 255}[value] for value in row] for row in values]
        if given.tolist() != right:
            return f"For {values} it gives {given.tolist()}."
        if given.dtype != np.uint8:
            return f"It returns {given.dtype}, not uint8."
    return None


def near_duplicates(answer: Any) -> str | None:
    """Exercise 11.3: a function (first, second, limit) that returns pairs of indices."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (4, 8, 8, 3), np.uint8)
    second = rng.integers(0, 256, (3, 8, 8, 3), np.uint8)
    second[1] = np.clip(first[2].astype(int) + rng.integers(-5, 6, first[2].shape), 0, 255)
    second[0] = first[3]
    second[0, 0, 0] ^= 128  # far off, but in one pixel only
    for limit in (3.5, 13, 80):
        apart = first[:, None].astype(float) - second
        right = np.argwhere(np.sqrt((apart**2).mean((2, 3, 4))) < limit).tolist()
        given = [[int(each) for each in pair] for pair in answer(first, second, limit)]
        if given != right:
            return f"With limit {limit} it finds {given}: recall what uint8 does below zero."
    return None
