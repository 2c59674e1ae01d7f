"""Self-checks of appendix B."""

from typing import Any


def crop_with_border_97(answer: Any) -> str | None:
    """Exercise B.1: a whole number of pixels."""
    if float(answer) == 16:
        return None
    return "By how many pixels does a smaller border move the first cell, and in which direction?"


def crops_of_fcn8s(answer: Any) -> str | None:
    """Exercise B.2: three whole numbers, the crops of pool4, pool3 and the output."""
    pool4, pool3, output = (float(crop) for crop in answer)
    if (pool4, pool3) != (5, 9):
        return "The border moves all maps of the network: what does that do to their difference?"
    return None if output == 28 else "The border moves the maps, but not the image."
