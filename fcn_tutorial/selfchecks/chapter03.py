"""Self-checks of chapter 3."""

from typing import Any


def kernel_shapes(answer: Any) -> str | None:
    """Exercise 3.1: two tuples of four numbers, the shapes of the kernels."""
    first, second = (tuple(shape) for shape in answer)
    if first != (4, 5, 64, 100):
        return "The first kernel covers the whole map: height, width, channels in, channels out."
    if second != (1, 1, 100, 10):
        return "After the first kernel one cell is left: how large is a kernel that covers it?"
    return None


def answers_on_a_photograph(answer: Any) -> str | None:
    """Exercise 3.2: two numbers of predictions, with valid and with same padding."""
    valid, same = answer
    if same != 15 * 11:
        return "For the second number halve both sides five times, rounding down each time."
    if valid != 13 * 9:
        return "For the first number count the positions where 3 x 3 cells fit completely."
    return None


def receptive_field_of_fc6(answer: Any) -> str | None:
    """Exercise 3.4: a number of pixels, with three convolutions in each block."""
    if answer == 282:
        return None
    if answer == 220:
        return "That is the field with two convolutions in each block: how wide is it with three?"
    return (
        "Go block by block: what do its convolutions and its pooling add, in steps of its stride? "
        "Then comes fc6, at the last stride."
    )
