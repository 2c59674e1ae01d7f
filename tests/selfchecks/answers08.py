"""Answers to the exercises of chapter 8."""

import numpy as np


def right_schedule(step, total, warmup, highest):
    if step < warmup:
        return highest * step / warmup
    return highest * (1 - (step - warmup) / (total - warmup)) ** 0.9


def without_warm_up(step, total, warmup, highest):
    return highest * (1 - step / total) ** 0.9


def counted_from_the_start(step, total, warmup, highest):
    return highest * (step / warmup if step < warmup else (1 - step / total) ** 0.9)


def linear(step, total, warmup, highest):
    return highest * min(step / warmup, 1 - (step - warmup) / (total - warmup))


RIGHT = {
    "8.1": [1.875e-4, 1.9e-4],
    "8.2": [right_schedule],
    "8.3": [lambda gradients, counted: np.average(gradients, axis=0, weights=counted)],
}
WRONG = {
    "8.1": [1.875e-5, 1.875e-6, 2.5e-4, 1e-10 / (500 * 375), 1e-9],
    "8.2": [without_warm_up, counted_from_the_start, linear],
    "8.3": [
        lambda gradients, counted: np.mean(gradients, axis=0),
        lambda gradients, counted: np.sum(gradients, axis=0),
        lambda gradients, counted: np.array([2.5, -0.25]),
    ],
}
