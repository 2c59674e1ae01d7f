"""Self-checks of chapter 5."""

from typing import Any

import numpy as np


def first_loss(answer: Any) -> str | None:
    """Exercise 5.1: a number, the loss of the first step."""
    if abs(answer - np.log(21)) < 0.01:
        return None
    return "With equal scores each class has the same probability: which, and what is its loss?"


def _example():
    rng = np.random.default_rng(6)
    label = rng.integers(0, 4, (5, 7))
    label[rng.random((5, 7)) < 0.3] = 255
    return rng.normal(0, 2, (5, 7, 4)), label


def _loss_and_gradient(logits, label):
    from scipy.special import log_softmax

    counted = label != 255
    truth = label[..., None] == np.arange(logits.shape[-1])
    logarithms = log_softmax(logits, axis=-1)
    loss = -(logarithms * truth).sum() / counted.sum()
    return loss, (np.exp(logarithms) - truth) * counted[..., None] / counted.sum()


def masked_loss(answer: Any) -> str | None:
    """Exercise 5.2: a function (logits, label) that returns a number, the loss."""
    logits, label = _example()
    right = _loss_and_gradient(logits, label)[0]
    given = answer(logits, label)
    if np.isclose(given * label.size, right * np.sum(label != 255)):
        return "The sum is right: divide it by the number of pixels that are not void."
    if not np.isclose(given, right):
        return "It is wrong on a small map with void: leave void out, and check one pixel by hand."
    if not np.isclose(answer(1000 * logits, label), _loss_and_gradient(1000 * logits, label)[0]):
        return "It breaks for large scores: subtract the largest score before the exponential."
    return None


def gradient_of_the_loss(answer: Any) -> str | None:
    """Exercise 5.3: a function (logits, label) that returns an array of the shape of the logits."""
    logits, label = _example()
    right = _loss_and_gradient(logits, label)[1]
    given = np.asarray(answer(logits, label), float)
    if given.shape != right.shape:
        return f"It should have the shape of the logits, {right.shape}; yours has {given.shape}."
    if given[label == 255].any():
        return "Nothing is learned at void: the gradient must be zero there."
    if not np.allclose(given, right, atol=1e-6):
        return "The values are wrong: probabilities, minus one at the true class, divided by what?"
    return None
