"""Self-checks of chapter 6."""

from typing import Any

import numpy as np


def field_with_dilation(answer: Any) -> str | None:
    """Exercise 6.1: a function (layers) that returns two numbers, size and stride."""
    if tuple(answer([(3, 1, 1), (2, 2, 1), (3, 1, 1)])) != (8, 2):
        return "Without dilation it should agree with field_of."
    if tuple(answer([(3, 1, 2)])) != (5, 1):
        return "Try a single layer: with kernel 3 and dilation 2, which cells does it span?"
    if tuple(answer([(5, 2, 1), (3, 1, 4), (2, 2, 3), (3, 2, 2)])) != (43, 8):
        return "One layer is right; in a stack, dilation counts in steps of the stride so far."
    return None


def sampled(answer: Any) -> str | None:
    """Exercise 6.2: a function (label, stride) that returns a label of the same shape."""
    label = np.arange(24 * 36, dtype=np.int64).reshape(24, 36) % 251
    for stride in (1, 2, 3, 4, 12):
        result = np.asarray(answer(label, stride))
        if result.shape != label.shape:
            return f"At stride {stride} the result differs in size from the label."
        rows, columns = (np.arange(side) // stride * stride + stride // 2 for side in label.shape)
        if not np.array_equal(result, label[np.ix_(rows, columns)]):
            return f"At stride {stride} some cells have the label of the wrong pixel."
    return None
