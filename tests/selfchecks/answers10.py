"""Answers to the exercises of chapter 10."""

import numpy as np


def dilated_row(row, kernel, rate, mode="constant"):
    places = np.arange(len(row)) + rate * (len(kernel) // 2)
    padded = np.pad(row, rate * (len(kernel) // 2), mode)
    offsets = rate * (np.arange(len(kernel)) - len(kernel) // 2)
    return padded[places[:, None] + offsets] @ kernel


def quantize(weights):
    scale = np.abs(weights).max() / 127 or 1.0
    return np.round(weights / scale).astype("int8"), scale


def dividing_by_zero(weights):
    scale = np.abs(weights).max() / 127
    return np.round(weights / scale).astype("int8"), scale


def scale_of_zero(weights):
    scale = np.abs(weights).max() / 127
    return np.round(weights / (scale or 1)).astype("int8"), scale


def overflowing(weights):
    scale = np.abs(weights).max() / 128 or 1.0
    return np.round(weights / scale).astype("int8"), scale


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
        dividing_by_zero,
        scale_of_zero,
        overflowing,
        lambda weights: (np.round(weights / 0.5).astype("int8"), 0.5),
        lambda weights: (weights, 1.0),
    ],
}
