"""Answers to the exercises of chapter 0."""

import numpy as np


def correct(label, prediction):
    return np.mean((label != prediction)[label != 255])


RIGHT = {"0.1": [3_496_500, 333 * 500 * 21], "0.2": [correct]}
WRONG = {
    "0.1": [333 * 500, 333 * 500 * 20, 333 * 500 * 3],
    "0.2": [
        lambda label, prediction: np.mean(label != prediction),
        lambda label, prediction: np.sum((label != prediction) & (label != 255)) / label.size,
        lambda label, prediction: 1 - correct(label, prediction),
    ],
}
