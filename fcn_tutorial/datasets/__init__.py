"""The data sets, all with one face: a sequence of (image, label) pairs with classes and colours.

Image: uint8 (H, W, 3), RGB. Label: uint8 (H, W) of class ids, 255 = void (ignored everywhere).
"""

from collections.abc import Sequence
from importlib import import_module

import numpy as np

from fcn_tutorial.errors import InputError

VOID = 255
VOID_COLOR = (224, 224, 192)  # as in PASCAL VOC's own palette

# Name of a data set: its module, the function there that opens a split, and the splits that are
# disjoint and together make up the whole.
_SOURCES = {
    "shapes": ("shapes", "load", ("train", "val", "test")),
    "camvid": ("camvid", "load", ("train", "val", "test")),
    "voc2012": ("voc", "load", ("train", "val")),
    "sbd": ("voc", "load_sbd", ("train", "val")),
    "voc2012_trainaug": ("voc", "load_trainaug", ("train", "val")),
}


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

    def image_file(self, index):
        """Path of the file that holds the image of an example; None where there is no such file."""
        return None

    def __repr__(self):
        return f"<{self.name} {self.split}: {len(self)} examples, {len(self.classes)} classes>"


def load_dataset(name, split="train", root=None, **options):
    """Open one split of a data set by name.

    name: "shapes" (procedural, nothing to download), "camvid", "voc2012" (PASCAL VOC 2012), "sbd"
    or "voc2012_trainaug" (VOC's training images and SBD's, less VOC's validation images).
    split: "train", "val", and what else the data set has: "test" of shapes and CamVid, "trainval"
    and "seg11valid" of VOC 2012.
    root: folder that holds the data; None means $FCN_DATA, else a cache folder.
    options: passed on to the data set (for shapes: size, count, seed).
    Raises InputError for an unknown name or split, or when the files are not there.
    """
    module, function, _ = _source(name)
    load = getattr(import_module(f"fcn_tutorial.datasets.{module}"), function)
    return load(split, root, **options)


def splits_of(name):
    """The splits that are disjoint and together make up a data set: a tuple of their names.

    Raises InputError for an unknown name.
    """
    return _source(name)[2]


def _source(name):
    if name not in _SOURCES:
        known = ", ".join(sorted(_SOURCES))
        raise InputError(f"unknown data set {name!r}: use one of {known}.")
    return _SOURCES[name]


def check_split(split, splits, name):
    """Raise InputError unless `split` is one of the data set's `splits`."""
    if split not in splits:
        raise InputError(f"unknown split {split!r} of {name}: use one of {', '.join(splits)}.")


def overlap(names, other_names):
    """The names that occur in both collections, sorted: a list of str."""
    return sorted(set(names) & set(other_names))


def check_disjoint(training, validation):
    """Raise InputError when two data sets share an example, by its name."""
    shared = overlap(training.names, validation.names)
    if shared:
        raise InputError(
            f"{len(shared)} of the {len(validation)} examples of {validation.name} "
            f"({validation.split}) are also in {training.name} ({training.split}), such as "
            f"{', '.join(shared[:3])}: take disjoint splits, or set allow_overlap = true."
        )
