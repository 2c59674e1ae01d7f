"""Self-checks of chapter 2."""

from typing import Any

import numpy as np


def colors_of_ids(answer: Any) -> str | None:
    """Exercise 2.1: a function (class_id) that returns three whole numbers, a colour."""
    from fcn_tutorial.data.voc import voc_palette

    for class_id, color in enumerate(voc_palette(256).tolist()):
        given = tuple(int(value) for value in answer(class_id))
        if len(given) != 3:
            return f"A colour has three numbers, red, green and blue: yours has {len(given)}."
        wrong = [name for name, a, b in zip("RGB", given, color, strict=True) if a != b]
        if wrong and class_id < 8:
            return (
                "Each of the bits 0, 1 and 2 has a channel of its own: "
                f"{wrong[0]} is wrong for id {class_id}."
            )
        if wrong:
            return (
                f"Ids below 8 are right: in id {class_id} a bit above bit 2 adds to {wrong[0]}; "
                "how much is it worth, and does it replace what lower bits gave?"
            )
    return None


def stray_ids(answer: Any) -> str | None:
    """Exercise 2.2: a function (label, num_classes) that returns a list of ids."""
    clean = np.array([[0, 2, 255], [1, 1, 2]], np.uint8)
    if list(answer(clean, 3)):
        return "A label of ids 0 to 2 and void is clean with three classes: return an empty list."
    if sorted({int(each) for each in answer(clean, 2)}) != [2]:
        return "With two classes, id 2 is a stray: ids start at 0, so which is the last good one?"
    blended = np.array([[7, 0, 254], [7, 5, 255], [6, 7, 1]], np.uint8)
    given = [int(each) for each in answer(blended, 6)]
    if len(given) != len(set(given)):
        return "It lists a stray id once for each of its pixels: list each id only once."
    if given != [6, 7, 254]:
        return "It is wrong where there are several stray ids: are they sorted?"
    return None
