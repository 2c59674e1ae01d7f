"""Self-checks of chapter 2."""

from typing import Any


def colors_of_ids(answer: Any) -> str | None:
    """Exercise 2.1: VOC's colour of a class id, as a function."""
    from fcn_tutorial.data.voc import voc_palette

    for class_id, color in enumerate(voc_palette(256).tolist()):
        given = tuple(int(value) for value in answer(class_id))
        if given != tuple(color):
            return f"For id {class_id} ({class_id:08b} in bits) it gives {given}."
    return None


def names_in_both(answer: Any) -> str | None:
    """Exercise 2.2: the names that two lists of paths share, as a function."""
    cases = [
        (["img/b.jpg", "img/a.jpg", "c.png"], ["/x/y/a.png", "cls/b.mat"], ["a", "b"]),
        (["img/a.b.jpg"], ["a.png", "deep/er/a.b.png"], ["a.b"]),
        (["a.jpg", "img/a.jpg"], ["a.png"], ["a"]),
        (["a/b.jpg"], ["a.jpg"], []),
    ]
    for paths, other_paths, shared in cases:
        given = answer(list(paths), list(other_paths))
        if list(given) != shared:
            return f"For {paths} and {other_paths} it gives {given}."
    return None


def offsets_of_records(answer: Any) -> str | None:
    """Exercise 2.3: where records start in a shard, as a function of their payloads' sizes."""
    import itertools

    for sizes in ([100, 250, 40], [7], [0, 0, 12, 5000]):
        ends = list(itertools.accumulate(8 + 4 + size + 4 for size in sizes))
        given = [int(offset) for offset in answer(list(sizes))]
        if given != [0, *ends[:-1]]:
            return f"For payloads of {sizes} bytes it gives {given}: recall the parts of a record."
    return None


CHECKS = {"2.1": colors_of_ids, "2.2": names_in_both, "2.3": offsets_of_records}
