"""The data sets, all with one face: a sequence of (image, label) pairs with classes and colours.

Image: uint8 (H, W, 3), RGB. Label: uint8 (H, W) of class ids, 255 = void (ignored everywhere).
"""

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from fcn_tutorial.errors import InputError

VOID = 255
VOID_COLOR = (224, 224, 192)  # as in PASCAL VOC's own palette

_MODULES = {"shapes": "shapes", "camvid": "camvid"}


class Dataset(Sequence):
    """A split of a data set; `dataset[i]` is (image uint8 (H, W, 3), label uint8 (H, W)).

    Attributes: name, split (str); classes (tuple of str, its index is the class id);
    palette (uint8 (C, 3), one RGB colour for each class); names (tuple of str, one an example).
    """

    name: str
    split: str
    classes: tuple[str, ...]
    palette: np.ndarray
    names: tuple[str, ...]

    def __len__(self):
        return len(self.names)

    def __repr__(self):
        return f"<{self.name} {self.split}: {len(self)} examples, {len(self.classes)} classes>"


def load_dataset(name, split="train", root=None, **options):
    """Open one split of a data set by name.

    name: "shapes" (procedural, nothing to download) or "camvid".
    split: "train", "val" or "test".
    root: folder that holds the data; None means $FCN_DATA, else a cache folder.
    options: passed on to the data set (for shapes: size, count, seed).
    Raises InputError for an unknown name or split, or when the files are not there.
    """
    if name not in _MODULES:
        known = ", ".join(sorted(_MODULES))
        raise InputError(f"unknown data set {name!r}: use one of {known}.")
    module = import_module(f"fcn_tutorial.datasets.{_MODULES[name]}")
    return module.load(split, root, **options)


def check_split(split, splits, name):
    """Raise InputError unless `split` is one of the data set's `splits`."""
    if split not in splits:
        raise InputError(f"unknown split {split!r} of {name}: use one of {', '.join(splits)}.")
