"""Self-checks of appendix A."""

from typing import Any


def offsets_of_records(answer: Any) -> str | None:
    """Exercise A.1: a function (sizes) that returns a list of whole numbers, the offsets."""
    import itertools

    for sizes in ([100, 250, 40], [7], [0, 0, 12, 5000]):
        ends = list(itertools.accumulate(8 + 4 + size + 4 for size in sizes))
        given = [int(offset) for offset in answer(list(sizes))]
        if given != [0, *ends[:-1]]:
            return f"For payloads of {sizes} bytes it gives {given}: recall the parts of a record."
    return None


def names_in_both(answer: Any) -> str | None:
    """Exercise A.2: a function (paths, other_paths) that returns a sorted list of names."""
    cases = {
        "Folders and suffixes differ between the lists, and only the names count.": (
            ["img/b.jpg", "img/a.jpg", "c.png"],
            ["/x/y/a.png", "cls/b.mat"],
            ["a", "b"],
        ),
        "A name may hold dots of its own: only what follows the last one is the suffix.": (
            ["img/a.b.jpg"],
            ["a.png", "deep/er/a.b.png"],
            ["a.b"],
        ),
        "A name that a list has twice is still one name.": (
            ["a.jpg", "img/a.jpg"],
            ["a.png"],
            ["a"],
        ),
        "The name of a folder is not the name of an image.": (["a/b.jpg"], ["a.jpg"], []),
    }
    for reason, (paths, other_paths, shared) in cases.items():
        if list(answer(list(paths), list(other_paths))) != shared:
            return reason
    return None
