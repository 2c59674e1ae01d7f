"""The data sets, all with one face: a sequence of (image, label) pairs with classes and colours.

Image: uint8 (H, W, 3), RGB. Label: uint8 (H, W) of class ids, 255 = void (ignored everywhere).
"""

import os
import shlex
from collections.abc import Sequence
from importlib import import_module
from typing import NamedTuple

import numpy as np

from fcn_tutorial.errors import InputError

VOID = 255
VOID_COLOR = (224, 224, 192)  # as in PASCAL VOC's own palette


class _Source(NamedTuple):
    """Where a data set comes from."""

    module: str
    function: str  # of the module; opens a split
    splits: dict[str, int | None]  # disjoint, together the whole, with their published sizes
    archives: tuple[str, ...]  # what `fetch` downloads for it


_SOURCES = {
    "shapes": _Source("shapes", "load", {"train": None, "val": None, "test": None}, ()),
    "camvid": _Source("camvid", "load", {"train": 367, "val": 101, "test": 233}, ("camvid",)),
    "voc2012": _Source("voc", "load", {"train": 1464, "val": 1449}, ("voc2012",)),
    "sbd": _Source("voc", "load_sbd", {"train": 8498, "val": 2857}, ("sbd",)),
    "voc2012_trainaug": _Source(
        "voc", "load_trainaug", {"train": 10_582, "val": 1449}, ("voc2012", "sbd")
    ),
    "voc2012_keras_fcn": _Source(
        "voc", "load_keras_fcn", {"train": 10_831, "val": 1200}, ("voc2012", "sbd")
    ),
}


class ListError(InputError):
    """Lists of a data set are missing or empty. paths: the lists; state: "missing" or "empty"."""

    def __init__(self, message, paths, state):
        super().__init__(message)
        self.paths, self.state = paths, state


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

    def label_file(self, index):
        """Path of the file that holds the label of an example; None where there is no such file."""
        return None

    def stamp(self, index):
        """Text that tells whether an example's files are others now: their sizes in bytes."""
        files = self.image_file(index), self.label_file(index)
        sizes = [os.path.getsize(file) if file and os.path.isfile(file) else None for file in files]
        return str(sizes)

    def __repr__(self):
        return f"<{self.name} {self.split}: {len(self)} examples, {len(self.classes)} classes>"


def load_dataset(name, split="train", root=None, **options):
    """Open one split of a data set by name.

    name: "shapes" (procedural, nothing to download), "camvid", "voc2012" (PASCAL VOC 2012), "sbd",
    "voc2012_trainaug" (VOC's training images and SBD's, less VOC's validation images) or
    "voc2012_keras_fcn" (that repository's split, which trains on most of VOC's validation images).
    split: "train", "val", and what else the data set has: "test" of shapes and CamVid, "trainval"
    and "seg11valid" of VOC 2012 and SBD.
    root: folder that holds the data; None means $FCN_DATA, else a cache folder.
    options: passed on to the data set (for shapes: size, count, seed).
    Raises InputError for an unknown name or split, or when the files are not there; it names the
    command that fetches them.
    """
    source = _source(name)
    load = getattr(import_module(f"fcn_tutorial.data.{source.module}"), source.function)
    return load(split, root, **options)


def splits_of(name):
    """The splits that are disjoint and together make up a data set: a tuple of their names.

    Raises InputError for an unknown name.
    """
    return tuple(_source(name).splits)


def published_size(name, split):
    """How many examples a split of a data set has as published; None where no number is fixed."""
    return _source(name).splits.get(split)


def archives_of(name):
    """What `fetch` downloads for a data set: a tuple of names, empty where nothing is to download.

    Raises InputError for an unknown name.
    """
    return _source(name).archives


def fetch_command(names, root):
    """What to type to fetch archives into the folder `root`, in quotation marks."""
    from fcn_tutorial.data.images import data_root

    # Without --root the command writes to the very folder that data_root() gives.
    where = [] if root == data_root() else ["--root", str(root)]
    return f'"{shlex.join(["fcn-tutorial", "data", "fetch", *names, *where])}"'


def check_lists(root, lists):
    """Raise ListError, with how to get them, when lists of a data set are not there.

    root: folder of the data sets. lists: of each, the archive that holds it, the archive's folder
    below root, and the list's path in there.
    """
    missing = [entry for entry in lists if not root.joinpath(*entry[1:]).is_file()]
    if not missing:
        return
    paths = [root.joinpath(*entry[1:]) for entry in missing]
    folders = dict.fromkeys(folder for _, folder, _ in missing)
    partial = [str(root / folder) for folder in folders if (root / folder).is_dir()]
    remedy = f"set FCN_DATA to the folder that holds {' and '.join(folders)}, or"
    if partial:
        remedy = f"restore the published files, or move {' and '.join(partial)} away and"
    command = fetch_command(dict.fromkeys(archive for archive, *_ in missing), root)
    what = "the list {} is" if len(paths) == 1 else "the lists {} are"
    what = what.format(", ".join(map(str, paths)))
    raise ListError(f"{what} missing: {remedy} run {command}.", paths, "missing")


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


class _Limited(Dataset):
    """The first examples of a data set, for quick runs."""

    def __init__(self, dataset, limit):
        self.dataset = dataset
        self.name, self.split = dataset.name, dataset.split
        self.classes, self.palette = dataset.classes, dataset.palette
        self.names = dataset.names[:limit]

    def image_file(self, index):
        return self.dataset.image_file(range(len(self))[index])

    def label_file(self, index):
        return self.dataset.label_file(range(len(self))[index])

    def stamp(self, index):
        return self.dataset.stamp(range(len(self))[index])

    def __getitem__(self, index):
        return self.dataset[range(len(self))[index]]


def limited(dataset, limit):
    """The data set, or only its first `limit` examples where limit is not 0."""
    return _Limited(dataset, limit) if limit else dataset
