"""A folder of the reader's own pictures and masks as a data set.

What its layout leaves open stands in a file dataset.toml in it. All keys are optional:

    group = "^(.*)_[0-9]+$"         # what the names of one video have in common: never split it
    split = [80, 10, 10]            # shares of train, val and test, where no list or folder says
    void = [0]                      # ids that are void in the masks
    [classes]                       # the table: what stands for each class in the masks
    background = 0
    leaf = [7, 24, "#00ff00"]

Source of the split by a hash: Warden 2018, the Speech Commands data set, section 7: an example
stays where it is when others are added.
"""

import hashlib
import os
import re
import tomllib
from collections.abc import Sequence
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import Any

import numpy as np

from fcn_tutorial.data import masks
from fcn_tutorial.data.dataset import VOID, Files
from fcn_tutorial.data.images import ImageFiles
from fcn_tutorial.data.layouts import SPLITS, Layout, find
from fcn_tutorial.data.masks import Row, Table
from fcn_tutorial.errors import InputError, check_choice, explained, shown
from fcn_tutorial.files import in_threads
from fcn_tutorial.tables import counted

SETTINGS = "dataset.toml"
SHARES = (80, 10, 10)
MOST_VALUES = 2**12  # of masks; where there are more, photos lie in their place
DEFAULTS: dict[str, Any] = {"group": "", "split": SHARES, "void": [], "classes": {}}


class Folder(ImageFiles):
    """One split of a folder.

    `source` is the folder, as `load_dataset` takes it; `notes` say how the folder was read.
    """

    names_are_published = False

    def __init__(self, folder: str, split: str, files: Files, table: Table, notes: Sequence[str]):
        super().__init__(Path(folder).resolve().name, split, files)
        self.source, self.notes = folder, tuple(notes)
        self.classes, self.palette, self.table = table.classes, table.palette, table

    def read_label(self, index: int) -> np.ndarray:
        return masks.read_mask(self.label_file(index), self.table)


def load(folder: str | os.PathLike, split: str) -> Folder:
    """Open a split: "train", "val", "test", or another that a list or a folder is named after.

    InputError where the folder, its table or its settings cannot be used, or has no such split.
    """
    layout, settings = find(Path(folder)), read_settings(Path(folder))
    splits = all_splits(layout, settings, folder)
    check_choice(f"split of {folder}", split, splits)
    table, notes = _table(layout, settings, folder)
    files = {name: layout.pairs[name] for name in splits[split]}
    return Folder(os.fspath(folder), split, files, table, [*layout.notes, *notes])


def splits_of(folder: str | os.PathLike) -> tuple[str, ...]:
    """The disjoint splits of a folder, in the order train, val, test; raises as `load` does."""
    found = all_splits(find(Path(folder)), read_settings(Path(folder)), folder)
    splits = tuple(split for split in SPLITS if found.get(split))
    if not splits:
        raise InputError(f"the lists of {folder} name no images: fill them in, or remove them.")
    return splits


def read_settings(folder: Path) -> dict[str, Any]:
    """What dataset.toml of a folder says, or leaves open; InputError if it is unusable."""
    path, settings = folder / SETTINGS, DEFAULTS
    with explained(f"{path} cannot be used", "correct it"):
        if path.is_file():
            settings = DEFAULTS | tomllib.loads(path.read_text(encoding="utf-8"))
        if unknown := settings.keys() - DEFAULTS.keys():
            raise ValueError(f"{shown(min(unknown))} is none of {', '.join(DEFAULTS)}")
        group, shares, void, classes = (settings[key] for key in DEFAULTS)
        finite = all(0 <= share < np.inf for share in shares)  # nor NaN
        if len(shares) != 3 or not finite or 0 in shares[:2]:
            raise ValueError("split needs shares of train, val and test, such as [80, 10, 10]")
        re.compile(group)
        ids = list(map(index, void if isinstance(void, list) else [void]))
        return settings | {"void": ids, "classes": [_row(*item) for item in classes.items()]}


def _row(name: str, values: Any) -> Row:
    values = values if isinstance(values, list) else [values]
    colors = [masks.color_of(value) for value in values if isinstance(value, str)]
    return Row(name, tuple(index(v) for v in values if not isinstance(v, str)), tuple(colors))


def all_splits(layout: Layout, settings: dict, where: Any) -> dict[str, list[str]]:
    """The names in each split: as lists or folders say, and what they leave open by a hash."""
    given, shares, group = dict(layout.splits), settings["split"], settings["group"]
    if given.keys().isdisjoint(SPLITS):  # such as the list "default" of an export without splits
        named = [name for names in given.values() for name in names]
        return given | hashed(named or list(layout.pairs), shares, group, where)
    others = {name for split in ("val", "test") for name in given.get(split, [])}
    given.setdefault("train", [name for name in layout.pairs if name not in others])
    if "val" not in given and given["train"]:
        given |= hashed(given["train"], (*shares[:2], 0), group, where)
    return given


def hashed(
    names: Sequence[str], shares: Sequence[float] = SHARES, group: str = "", where: Any = "it"
) -> dict[str, list[str]]:
    """Split names by a hash of each, so that a name keeps its split when others are added.

    shares: of train, val and test; 0 = no such split. Where a split would be empty, it takes the
    name that comes closest to it. group: a regular expression: names with the same match (of its
    first group, if it has one) are in the same split. InputError, which names `where`, if there are
    fewer names, or groups, than splits.
    """
    key_of = {name: _group_of(name, group) for name in names}
    digests = {key: hashlib.sha256(key.encode()).digest() for key in key_of.values()}
    splits = [split for split, share in zip(SPLITS, shares, strict=True) if share]
    if len(digests) < len(splits):
        raise InputError(
            f"{where} has {counted(len(digests), 'group' if group else 'example')}, too few for "
            f"the splits {', '.join(splits)}: add some, or write lists train.txt and val.txt."
        )
    limits = np.cumsum([share for share in shares if share]) / sum(shares)
    parts: list[list[str]] = [[] for _ in splits]
    for key in sorted(digests, key=digests.__getitem__):
        place = int.from_bytes(digests[key][:8]) / 2**64
        parts[min(int(np.searchsorted(limits, place, "right")), len(splits) - 1)].append(key)
    for number, part in enumerate(parts):
        if not part:
            donor = max(range(len(parts)), key=lambda each: len(parts[each]))
            part.append(parts[donor].pop(-1 if donor < number else 0))
    of = {key: split for split, part in zip(splits, parts, strict=True) for key in part}
    return {split: [name for name in names if of[key_of[name]] == split] for split in splits}


def _group_of(name: str, group: str) -> str:
    match = re.search(group, name) if group else None
    return name if match is None else match.group(min(1, match.re.groups)) or ""


def _values(mask: Path) -> set[int]:
    with suppress(InputError, OSError):  # which comes when the example is read
        status = mask.stat()
        return masks.values_of(mask, (status.st_mtime_ns, status.st_size))
    return set()


def _table(layout: Layout, settings: dict, folder: Any) -> tuple[Table, list[str]]:
    """The table of a folder's classes, and what to say about it."""
    void, files = settings["void"], [mask for _, mask in layout.pairs.values()]
    if settings["classes"]:
        return Table(settings["classes"], Path(folder) / SETTINGS, void), []
    table = masks.read_table(layout.table, void) if layout.table else None
    if table and (len(table.classes) > 2 or VOID in table.named or not table.numbered):
        return table, []
    values: set[int] = set()
    for each in in_threads(_values, files):
        values |= each
        if len(values) > MOST_VALUES or (table and not values <= masks.BINARY):
            break
    if table and (VOID not in values or not values <= masks.BINARY):
        return table, []
    lossy = next(filter(masks.is_lossy, files), None)
    if lossy and not values <= masks.BINARY:
        raise InputError(f"mask {lossy} is a JPEG file without a table of classes: {masks.LOSSY}.")
    found = masks.table_of_values(values - set(void), folder, table.classes if table else ())
    found.ids.update(dict.fromkeys(void, VOID))
    if VOID in found.named:
        note = f"The masks hold only 0 and 255, read as {' and '.join(found.classes)}."
    else:
        note = f"No table of classes: they are named by their values, {', '.join(found.classes)}."
    return found, [note]
