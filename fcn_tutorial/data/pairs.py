"""Any sequence of (image, label) as a data set, each example checked when it is read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fcn_tutorial.data.dataset import Dataset, color_table
from fcn_tutorial.data.images import ImageFiles, checked_pair
from fcn_tutorial.data.voc import voc_palette
from fcn_tutorial.errors import InputError, explained

GIVEN = "given in Python"  # the name of a data set that has none


class Pairs(Dataset):
    """A sequence of (image, label) that has nothing but classes, or a data set of the reader's own.

    A sequence without `split` and `classes` takes those given; its own name, names, palette and
    files are taken over. `source` is what a recipe names it by.
    """

    def __init__(self, pairs: Any, split: str, classes: Sequence[str] | None = None):
        classes = getattr(pairs, "classes", classes)
        if classes is None or isinstance(classes, str) or not 1 <= len(classes) <= 255:
            raise InputError(
                f"the {split} data have no classes: pass classes=[...], 1 to 255 names."
            )
        if not hasattr(pairs, "__len__") or not hasattr(pairs, "__getitem__"):
            raise InputError(
                f"the {split} data are a {type(pairs).__name__}: pass a list of pairs."
            )
        self.pairs, self.classes = pairs, tuple(map(str, classes))
        self.name, self.split = getattr(pairs, "name", GIVEN), getattr(pairs, "split", split)
        self.source = str(getattr(pairs, "source", self.name))
        self.names_are_published = getattr(pairs, "names_are_published", True)
        names = getattr(pairs, "names", None)
        names = [f"{split} {i}" for i in range(len(pairs))] if names is None else names
        palette = getattr(pairs, "palette", voc_palette(len(classes)))
        self.names, colors = tuple(map(str, names)), color_table(palette)
        for field, found, of in (("names", names, pairs), ("palette", palette, classes)):
            if len(found) != len(of):
                raise InputError(
                    f"the {split} data have {len(found)} in {field!r}, not {len(of)}: give one for "
                    f"each {'example' if of is pairs else 'class'}."
                )
        self.palette = colors[: len(classes)]

    def image_file(self, index: int) -> Path | None:
        return self.pairs.image_file(index) if isinstance(self.pairs, Dataset) else None

    def label_file(self, index: int) -> Path | None:
        return self.pairs.label_file(index) if isinstance(self.pairs, Dataset) else None

    def stamp(self, index: int) -> str:
        return self.pairs.stamp(index) if isinstance(self.pairs, Dataset) else super().stamp(index)

    def read_label(self, index: int) -> np.ndarray:
        files = isinstance(self.pairs, ImageFiles)
        return self.pairs.read_label(index) if files else super().read_label(index)

    def __getitem__(self, index):
        index = range(len(self))[index]
        where = f"{self.names[index]!r} of {self.name} ({self.split})"
        with explained(f"example {where} cannot be read", "give a pair (image, label) of arrays"):
            image, label = self.pairs[index]
        return checked_pair(image, label, where, len(self.classes))


def given(training: Any, validation: Any, classes: Sequence[str] | None) -> tuple[Pairs, Pairs]:
    """What was passed to train and to validate on, as data sets; one object is one data set."""
    if training is None or validation is None:
        missing = "training" if training is None else "validation"
        raise InputError(f"{missing}= is missing: pass both training= and validation=.")
    train = Pairs(training, "train", classes)
    val = train if validation is training else Pairs(validation, "val", train.classes)
    if val.classes != train.classes:
        raise InputError(
            f"{train.name} ({train.split}) and {val.name} ({val.split}) need the same classes."
        )
    return train, val
