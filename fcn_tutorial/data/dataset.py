"""What every data set is: a sequence of (image, label) pairs with classes and colours.

Image: uint8 (H, W, 3), RGB. Label: uint8 (H, W) of class ids, 255 = void (ignored everywhere).
"""

import filecmp
import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np

from fcn_tutorial.errors import InputError, explained
from fcn_tutorial.metrics import VOID as VOID

VOID_COLOR = (224, 224, 192)  # as in PASCAL VOC's own palette

Files = dict[str, tuple[Path, Path]]  # image and label, by the name of the example


def color_table(palette: Any) -> np.ndarray:
    """The colours of ids 0..255, uint8 (256, 3): those of a palette, and void's for all others.

    InputError unless the palette is whole numbers 0..255, (C, 3) with C at most 255.
    """
    with explained("a palette must be (classes, 3)", "give whole numbers from 0 to 255"):
        colors = np.asarray(palette)
        whole = colors.dtype.kind in "iu" and (colors.astype(np.uint8) == colors).all()
        if not whole or colors.shape[1:] != (3,) or len(colors) > VOID:
            raise ValueError(f"it is {colors.dtype} {colors.shape}")
    table = np.full((256, 3), VOID_COLOR, np.uint8)
    table[: len(colors)] = colors
    return table


def legend_of(facts: dict[str, Any]) -> tuple[tuple[str, ...], np.ndarray]:
    """The classes and the palette, uint8 (C, 3), in what a JSON file holds; any error if broken."""
    classes = tuple(map(str, facts["classes"]))
    return classes, np.array(facts["palette"], np.uint8).reshape(len(classes), 3)


def data_root(root: str | os.PathLike | None = None) -> Path:
    """The folder that holds the data sets: `root`, else $FCN_DATA, else the user's cache folder."""
    return Path(root or os.environ.get("FCN_DATA") or Path.home() / ".cache" / "fcn_tutorial")


class Dataset(Sequence):
    """A split of a data set; `dataset[i]` is (image uint8 (H, W, 3), label uint8 (H, W)).

    Attributes:
        name: what it is.
        split: which part of it.
        classes: their names; the index is the class id.
        palette: uint8 (C, 3), an RGB colour for each class.
        names: one for each example.

    A data set of your own, for `fcn.train(..., training=..., validation=...)`::

        class Leaves(fcn.Dataset):
            name, classes = "leaves", ("ground", "leaf")
            palette = np.array([(0, 0, 0), (0, 200, 0)], np.uint8)

            def __init__(self, split, names):
                self.split, self.names = split, names

            def __getitem__(self, index):
                array = np.load(f"{self.names[index]}.npz")
                return array["image"], array["label"]
    """

    name: str
    split: str
    classes: tuple[str, ...]
    palette: np.ndarray
    names: tuple[str, ...]
    names_are_published = True  # so that a name means one picture, wherever its file comes from

    def __len__(self) -> int:
        return len(self.names)

    def image_file(self, index: int) -> Path | None:
        """Path of the file that holds the image of an example; None where there is no such file."""
        return None

    def label_file(self, index: int) -> Path | None:
        """Path of the file that holds the label of an example; None where there is no such file."""
        return None

    def read_label(self, index: int) -> np.ndarray:
        """The label uint8 (H, W) of an example; of files, without reading the image."""
        return self[index][1]

    def stamp(self, index: int) -> str:
        """Text that changes when an example's files do: their sizes in bytes."""
        files = self.image_file(index), self.label_file(index)
        sizes = [os.path.getsize(file) if file and os.path.isfile(file) else None for file in files]
        return str(sizes)

    def __repr__(self) -> str:
        examples = f"{len(self)} example" + "s" * (len(self) != 1)
        return f"<{self.name} {self.split}: {examples}, {len(self.classes)} classes>"


def remedy(root: Path, folders: Mapping[str, str]) -> str:
    """What to do where files of archives, {name: folder}, are missing or damaged: half a sentence.

    A folder that is there already would not be fetched again.
    """
    there = [str(root / folder) for folder in folders.values() if (root / folder).is_dir()]
    where = [] if root == data_root() else ["--root", str(root)]
    fetch = f'run "{shlex.join(["fcn-tutorial", "data", "fetch", *folders, *where])}"'
    if there:
        return f"restore the published files, or move {' and '.join(there)} away and {fetch}"
    return f"set FCN_DATA to the folder that holds {' and '.join(folders.values())}, or {fetch}"


def check_lists(root: Path, lists: Iterable[tuple[str, str, str]]) -> None:
    """Raise InputError, which says what to do, unless the lists of a data set's examples are there.

    Each list is named by the archive that holds it, that archive's folder below `root`, and the
    path of the list in there.
    """
    missing = [entry for entry in lists if not root.joinpath(*entry[1:]).is_file()]
    if missing:
        paths = ", ".join(str(root.joinpath(*entry[1:])) for entry in missing)
        what = f"the list {paths} is" if len(missing) == 1 else f"the lists {paths} are"
        folders = {archive: folder for archive, folder, _ in missing}
        raise InputError(f"{what} missing: {remedy(root, folders)}.")


def lines_of(path: Path, errors: str = "replace") -> list[str]:
    """The lines of a text file that are not empty; `errors` as for `open`."""
    text = path.read_text(encoding="utf-8-sig", errors=errors)
    return [line.strip() for line in text.splitlines() if line.strip()]


def read_lines(path: Path) -> list[str]:
    """The lines of a list of examples, without empty ones; InputError where there are none."""
    # A list that is not text names images that are missing, which says what is wrong.
    lines = lines_of(path)
    if not lines:
        raise InputError(f"the list {path} is empty: restore it from the published data set.")
    return lines


def overlap(names: Iterable[str], other_names: Iterable[str]) -> list[str]:
    """The names that occur in both collections, sorted."""
    return sorted(set(names) & set(other_names))


def shared_examples(one: Dataset, other: Dataset) -> list[str]:
    """The names that occur in both, sorted; of a folder's, those whose files are the same."""
    shared = overlap(one.names, other.names)
    if one.names_are_published and other.names_are_published:
        return shared
    files = [{name: of.image_file(i) for i, name in enumerate(of.names)} for of in (one, other)]
    return [name for name in shared if _same_picture(*(each[name] for each in files))]


def _same_picture(file: Path | None, other: Path | None) -> bool:
    if file and other:
        with suppress(OSError):  # which reading them explains
            return os.path.samefile(file, other) or filecmp.cmp(file, other, shallow=False)
    return True  # the name is all there is to go by


def check_disjoint(training: Dataset, validation: Dataset) -> None:
    """Check that two data sets share no example.

    A name in both counts as one, unless it is the name of a file of one's own and the files differ.

    Raises:
        InputError: they do share some; the message says how many, and names a few.
    """
    shared = shared_examples(training, validation)
    if shared:
        raise InputError(
            f"{len(shared)} of the {len(validation)} examples of {validation.name} "
            f"({validation.split}) are also in {training.name} ({training.split}), such as "
            f"{', '.join(shared[:3])}: take disjoint splits, or set allow_overlap = true."
        )


def check_examples(dataset: Dataset) -> None:
    """Raise InputError for a data set without examples."""
    if len(dataset) == 0:
        raise InputError(f"data set {dataset.name!r} ({dataset.split}) has no examples.")


def check_classes(dataset: Dataset) -> None:
    """Raise InputError unless the labels of a data set show two classes or more, beside void."""
    seen: set[int] = set()
    for index in range(len(dataset)):
        seen.update(np.unique(dataset.read_label(index)).tolist())
        if len(seen - {VOID}) > 1:
            return
    shown = " and ".join(dataset.classes[each] for each in seen - {VOID}) or "nothing"
    raise InputError(
        f"the labels of {dataset.name} ({dataset.split}) show {shown} besides void (255), so there "
        "is nothing to learn: check their class ids, and that no class has the id 255."
    )


def limited(dataset: Dataset, limit: int) -> Dataset:
    """A data set, or a copy that reads only its first `limit` examples, for quick runs; 0 = all."""
    if not limit:
        return dataset
    short = copy(dataset)
    short.names = dataset.names[:limit]
    return short
