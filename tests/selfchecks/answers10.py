"""Answers to the exercises of chapter 10."""

import numpy as np


def dilated_row(row, kernel, rate, mode="constant"):
    places = np.arange(len(row)) + rate * (len(kernel) // 2)
    padded = np.pad(row, rate * (len(kernel) // 2), mode)
    offsets = rate * (np.arange(len(kernel)) - len(kernel) // 2)
    return padded[places[:, None] + offsets] @ kernel


def by(scale, weights):
    return np.round(weights / scale).astype("int8"), scale


def quantize(weights):
    return by(np.abs(weights).max() / 127 or 1.0, weights)


def scale_of_zero(weights):
    return quantize(weights)[0], np.abs(weights).max() / 127


RIGHT = {"10.1": [dilated_row], "10.2": [(15, 7)], "10.3": [quantize]}
WRONG = {
    "10.1": [
        lambda row, kernel, rate: dilated_row(row, kernel, 1),
        lambda row, kernel, rate: dilated_row(row, kernel[::-1], rate),
        lambda row, kernel, rate: dilated_row(row, kernel, rate, "edge"),
        lambda row, kernel, rate: dilated_row(row, kernel, rate)[rate:-rate],
    ],
    "10.2": [(7, 15), (15, 9), (13, 7)],
    "10.3": [
        lambda weights: by(np.abs(weights).max() / 127, weights),  # divides by zero
        scale_of_zero,
        lambda weights: by(np.abs(weights).max() / 128 or 1.0, weights),  # overflows
        lambda weights: by(0.5, weights),
        lambda weights: (weights, 1.0),
    ],
}
