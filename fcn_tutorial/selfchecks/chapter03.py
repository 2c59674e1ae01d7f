"""Self-checks of chapter 3."""

from typing import Any


def kernel_shapes(answer: Any) -> str | None:
    """Exercise 3.1: kernels of Dense(100) on 4 x 5 cells of 64 channels, and of Dense(10)."""
    first, second = (tuple(shape) for shape in answer)
    if first != (4, 5, 64, 100):
        return "The first kernel covers the whole map: height, width, channels in, channels out."
    if second != (1, 1, 100, 10):
        return "After the first kernel one cell is left: how large is a kernel that covers it?"
    return None


def answers_on_a_photograph(answer: Any) -> str | None:
    """Exercise 3.2: how many cells a 500 x 375 image has with valid and with same padding."""
    valid, same = answer
    if same != 15 * 11:
        return "For the second number halve both sides five times, rounding down each time."
    if valid != 13 * 9:
        return "For the first number count the places where three by three cells fit completely."
    return None


def receptive_field_of_fc6(answer: Any) -> str | None:
    """Exercise 3.4: 1 + 155 + 64 pixels."""
    if answer == 220:
        return None
    return (
        "Go block by block: each adds five times its stride; then fc6 adds twice the last stride."
    )


CHECKS = {
    "3.1": kernel_shapes,
    "3.2": answers_on_a_photograph,
    "3.4": receptive_field_of_fc6,
}
