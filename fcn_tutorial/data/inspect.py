"""Say what of a data set is on this machine: what is there, what is missing, what is damaged."""

import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from fcn_tutorial.data.catalog import ARCHIVES, load_dataset, source
from fcn_tutorial.data.dataset import ListError, data_root, fetch_command
from fcn_tutorial.data.images import read_image
from fcn_tutorial.errors import InputError


@dataclass(frozen=True)
class Fault:
    """What is wrong with a file, in a few words; missing is False for a file that is damaged."""

    path: Path
    message: str
    missing: bool


@dataclass(frozen=True)
class Report:
    """What a check found in a split: how many examples its list names, how many are good."""

    split: str
    published: int | None  # how many it has as published
    count: int
    good: int
    faults: tuple[Fault, ...]

    @property
    def is_published(self) -> bool:
        return self.published in (None, self.count)

    def __str__(self) -> str:
        text = f"{self.good} of {self.count} examples are good"
        if not self.count:
            text = "nothing is known without its list"
        elif not self.is_published:
            text += f" ({self.published} are published)"
        return f"{self.split}: {'; '.join(filter(None, (text, count_faults(self.faults))))}"


def check_presence(name: str, root: str | os.PathLike | None = None) -> None:
    """Raise InputError, with how to get it, when nothing of a data set is below the data root."""
    root, archives = data_root(root), source(name).archives
    if archives and not any((root / ARCHIVES[archive].folder).is_dir() for archive in archives):
        folders = " and ".join(ARCHIVES[archive].folder for archive in archives)
        raise InputError(
            f"{name} is not in {root}: run {fetch_command([name], root)}, or set FCN_DATA to the "
            f"folder that holds {folders}."
        )


def check_files(name: str, split: str, root: str | os.PathLike | None = None) -> Report:
    """Read every image and label of a split, and print what is wrong as it is found.

    InputError where the name or the split is unknown.
    """
    published = source(name).splits.get(split)
    try:
        examples = load_dataset(name, split, root)
    except ListError as error:
        missing = error.state == "missing"
        faults = [Fault(path, f"the list {path} is {error.state}", missing) for path in error.paths]
        _print(faults)
        return Report(split, published, 0, 0, tuple(faults))
    faults, good = [], 0
    for index in tqdm(range(len(examples)), desc=f"{name} {split}"):
        found = _faults(examples, index)
        good += not found
        faults += found
        _print(found)
    return Report(split, published, len(examples), good, tuple(faults))


def _print(faults):
    for fault in faults:
        tqdm.write(fault.message)


def _faults(examples, index):
    """What is wrong with an example: a list of Faults, empty when it can be read."""
    try:
        examples[index]
        return []
    except InputError as error:
        together = str(error)
    readers = {
        examples.image_file(index): lambda: read_image(examples.image_file(index)),
        examples.label_file(index): lambda: examples.read_label(index),
    }
    faults = []
    for path, read in readers.items():
        if not path.is_file():
            faults.append(Fault(path, f"{path} is missing", True))
            continue
        try:
            read()
        except InputError as error:
            faults.append(Fault(path, str(error), False))
    # Where each can be read alone, it is the label that does not fit the image.
    return faults or [Fault(examples.label_file(index), together, False)]


def count_faults(faults: Collection[Fault]) -> str:
    """How many files are missing and how many damaged, in words; an empty string where none is.

    A list that two splits need counts once.
    """
    states = {fault.path: "missing" if fault.missing else "damaged" for fault in faults}
    counts = [(list(states.values()).count(state), state) for state in ("missing", "damaged")]
    return ", ".join(f"{count} file{'s' * (count > 1)} {state}" for count, state in counts if count)


def remedy(name: str, faults: Collection[Fault], root: str | os.PathLike | None = None) -> str:
    """What to do about faults of a data set or of a folder: half a sentence."""
    archives = source(name).archives
    if not archives:
        return "replace them, or take the images and their masks out"
    root = data_root(root)
    folders = {archive: root / ARCHIVES[archive].folder for archive in archives}
    hurt = {
        archive: folder
        for archive, folder in folders.items()
        if any(fault.path.is_relative_to(folder) for fault in faults)
    }
    there = [str(folder) for folder in hurt.values() if folder.is_dir()]
    # What is there already is not fetched again.
    move = f"restore the published files, or move {' and '.join(there)} away and " if there else ""
    return f"{move}run {fetch_command(hurt, root)}"
