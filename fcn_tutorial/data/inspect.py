"""Say what of a data set is on this machine: what is there, what is missing, what is damaged."""

import os
from collections.abc import Iterable
from dataclasses import dataclass

from tqdm import tqdm

from fcn_tutorial.data.catalog import ARCHIVES, load_dataset, source
from fcn_tutorial.data.dataset import data_root, remedy
from fcn_tutorial.data.images import read_image
from fcn_tutorial.errors import InputError
from fcn_tutorial.tables import counted


@dataclass(frozen=True)
class Report:
    """What a check found in a split: how many examples its list names, how many are good.

    published: how many it has as published. faults: a sentence for each, with the file.
    """

    split: str
    published: int | None
    count: int
    good: int
    faults: tuple[str, ...]

    @property
    def is_published(self) -> bool:
        return self.published in (None, self.count)

    def __str__(self) -> str:
        text = f"{counted(self.count, 'example')}, {self.good:,} good"
        if not self.count:
            text = "nothing is known without its list"
        elif not self.is_published:
            text += f" ({self.published:,} are published)"
        return f"{self.split}: {text}"


def check_presence(name: str, root: str | os.PathLike | None = None) -> None:
    """Raise InputError, with how to get it, when nothing of a data set is below the data root."""
    root, folders = data_root(root), _folders(name)
    if folders and not any((root / folder).is_dir() for folder in folders.values()):
        raise InputError(f"{name} is not in {root}: {remedy(root, folders)}.")


def _folders(name):
    """{archive: its folder below the data root} of a data set; {} where nothing is fetched."""
    return {archive: ARCHIVES[archive].folder for archive in source(name).archives}


def check_files(name: str, split: str, root: str | os.PathLike | None = None) -> Report:
    """Read every image and label of a split, and print what is wrong as it is found.

    A split that cannot be opened is a fault; InputError only where the data set is unknown.
    """
    published = source(name).splits.get(split)
    try:
        examples = load_dataset(name, split, root)
    except InputError as error:
        tqdm.write(str(error))
        return Report(split, published, 0, 0, (str(error),))
    faults, good = [], 0
    for index in tqdm(range(len(examples)), desc=f"{name} {split}"):
        found = _faults(examples, index)
        good += not found
        faults += found
        for fault in found:
            tqdm.write(fault)
    return Report(split, published, len(examples), good, tuple(faults))


def _faults(examples, index):
    """What is wrong with an example: a sentence for each file, none when it can be read."""
    try:
        examples[index]
        return []
    except InputError as error:
        together = str(error)
    image, label = examples.image_file(index), examples.label_file(index)
    faults = []
    readers = [(image, lambda: read_image(image)), (label, lambda: examples.read_label(index))]
    for path, read in readers:
        try:
            read()
        except InputError as error:
            faults.append(str(error) if path.is_file() else f"{path} is missing.")
    # Where each can be read alone, it is the label that does not fit the image.
    return faults or [together]


def advice(name: str, faults: Iterable[str], root: str | os.PathLike | None = None) -> str:
    """What to do about the faults of a data set or of a folder: half a sentence."""
    root, text = data_root(root), "\n".join(faults)
    hurt = {each: folder for each, folder in _folders(name).items() if str(root / folder) in text}
    return remedy(root, hurt) if hurt else "replace them, or take the images and their masks out"
