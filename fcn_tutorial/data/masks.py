"""Label masks as people have them, read as class ids by a table of classes.

A mask holds ids (greyscale of 1, 8 or 16 bits, three equal channels, or the indices of a palette)
or colours. The table says which class an id or a colour stands for; a value without a row is an
error. Rows that are called void, ignore or unlabelled are void, and so are id 255 and PASCAL VOC's
void colour where no row names them.
"""

import csv
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from fcn_tutorial.data.dataset import VOID, VOID_COLOR, lines_of
from fcn_tutorial.data.images import read_as
from fcn_tutorial.data.voc import voc_palette
from fcn_tutorial.errors import InputError, explained, shown
from fcn_tutorial.tables import counted

VOID_NAMES = {"void", "ignore", "ignored", "__ignore__", "unlabeled", "unlabelled"}
MOST_CLASSES = 255
LOSSY = "JPEG changes the values of pixels, so save masks as PNG"
BINARY = {0, VOID}
COLORS = 2**24  # in a set of values, a colour is this plus its code 0xrrggbb
VOID_CODE = int.from_bytes(bytes(VOID_COLOR))


@dataclass(frozen=True)
class Row:
    """A row of a table: the name of a class; the ids, and codes of colours, that stand for it."""

    name: str
    ids: tuple[int, ...] = ()
    colors: tuple[int, ...] = ()


class Table:
    """The classes of a folder, and what stands for them in its masks.

    rows: in the order of the class ids; equal names are one class. where: the file that holds them,
    for messages. void: ids that are void, whatever the rows say. numbered: whether the ids are the
    file's own, not just the numbers of its rows. InputError for no class, more than 255, or two
    classes for one value.

    classes: the names, without void. palette: uint8 (C, 3), PASCAL VOC's colour where a class has
    none. ids, colors: the class id, or 255, of each id and each colour's code. named: the ids
    that rows or `void` name.
    """

    def __init__(self, rows: Iterable[Row], where: Any, void: Iterable[int] = (), numbered=True):
        rows = list(rows)
        self.where, self.numbered = where, numbered
        names = dict.fromkeys(row.name for row in rows)
        self.classes = tuple(name for name in names if name.casefold() not in VOID_NAMES)
        if not 1 <= len(self.classes) <= MOST_CLASSES:
            raise InputError(
                f"{where} has {len(self.classes)} classes: list 1 to {MOST_CLASSES} of them."
            )
        self.palette = voc_palette(len(self.classes))
        self.ids: dict[int, int] = {VOID: VOID}
        self.colors: dict[int, int] = {VOID_CODE: VOID}
        self.named, seen = set(void), dict[str, str]()
        for row in rows:
            label = self.classes.index(row.name) if row.name in self.classes else VOID
            named = [f"id {value}" for value in row.ids]
            for value in (*named, *(f"colour #{code:06x}" for code in row.colors)):
                if seen.setdefault(value, row.name) != row.name:
                    raise InputError(
                        f"{where} gives {value} to both {shown(seen[value])} and "
                        f"{shown(row.name)}: correct one of the two."
                    )
            self.named.update(row.ids)
            self.ids.update(dict.fromkeys(row.ids, label))
            self.colors.update(dict.fromkeys(row.colors, label))
            if row.colors and label != VOID:
                self.palette[label] = list(row.colors[0].to_bytes(3))
        self.ids.update(dict.fromkeys(void, VOID))


def read_mask(path: str | os.PathLike, table: Table) -> np.ndarray:
    """Read a mask of any kind, by a table, as class ids uint8 (H, W), 255 = void."""

    def read(image):
        pixels, ids, colors = _readings(image, path)
        labels = _labels(pixels, ids, colors, image.mode == "P", table, path)
        keys = np.array(sorted(labels))
        values = np.array([labels[key] for key in keys], np.uint8)
        if pixels.dtype == np.uint8:
            lookup = np.zeros(256, np.uint8)
            lookup[keys] = values
            return lookup[pixels]
        return values[np.searchsorted(keys, pixels)]

    return read_as(path, read)


def _readings(image, where):
    """The pixels of a mask, whole numbers (H, W); the id of each value; and its colour's code.

    None in place of ids where they are colours, and in place of colours where they are ids.
    """
    pixels = np.asarray(image.getchannel(0) if image.mode == "LA" else image)
    if image.mode in ("RGB", "RGBA"):
        channels = pixels[..., :3].astype(np.int32)
        pixels = channels[..., 0] << 16 | channels[..., 1] << 8 | channels[..., 2]
        values = _distinct(pixels)
        grey = (channels == channels[..., :1]).all()
        ids = {code: code & 255 for code in values} if grey else None
        return pixels, ids, {code: code for code in values}
    if image.mode not in ("1", "L", "LA", "P") and not image.mode.startswith("I"):
        raise InputError(f"mask {where} has mode {image.mode}: save it as a PNG of ids or colours.")
    pixels = pixels.astype(np.int32 if image.mode.startswith("I") else np.uint8)
    values, colors = _distinct(pixels), None
    if image.mode == "P":
        known = bytes(image.getpalette("RGB")).ljust(3 * 256, b"\0")
        colors = {v: int.from_bytes(known[3 * v : 3 * v + 3]) for v in values}
    return pixels, {id_: id_ for id_ in values}, colors


def _distinct(pixels: np.ndarray) -> list[int]:
    # Sorting every pixel of a large mask takes longer than all else; most repeat the one before.
    flat = pixels.ravel()
    differs = np.concatenate([[True], flat[1:] != flat[:-1]])
    return np.unique(flat[differs]).tolist()


def _labels(pixels, ids, colors, is_palette, table, where):
    """The class id of each value of a mask; InputError, which names it, if the table lacks one."""
    readings = [(colors, table.colors), (ids, table.ids)]
    if is_palette and table.numbered:  # its colours are only how a viewer shows the ids
        readings.reverse()
    for values, known in [each for each in readings if each[0] is not None]:
        if known.keys() >= set(values.values()):
            return {value: known[each] for value, each in values.items()}
    wrong = [value for value, each in values.items() if each not in known]
    code, *rest = dict.fromkeys(values[value] for value in wrong)
    first = f"id {code}" if known is table.ids else f"colour #{code:06x}"
    others = f" (and {counted(len(rest), 'other value')})" if rest else ""
    count = counted(int(np.isin(pixels, wrong).sum()), "pixel")
    raise InputError(
        f"mask {where} has {first}{others} in {count}, which is not a class in {table.where}: "
        f"{_advice(where, table, known is table.ids)}."
    )


def _advice(where, table, by_ids):
    if is_lossy(where):
        return LOSSY
    of_names = Path(table.where).name == "classes.txt"
    if of_names and not by_ids:
        return "list colours in classes.csv, with the columns id, name and color, instead"
    return f"correct the mask, or name it in {table.where}{', whose first line is id 0' * of_names}"


def is_lossy(path: str | os.PathLike) -> bool:
    """Whether a mask is a JPEG file, by its name."""
    return Path(path).suffix.lower() in (".jpg", ".jpeg")


@lru_cache(2**16)
def values_of(path: str | os.PathLike, stamp: Any) -> set[int]:
    """The ids in a mask or, plus COLORS each, the codes of its colours; as `read_mask` raises.

    They are kept as long as the `stamp` is the same.
    """
    _, ids, colors = read_as(path, lambda image: _readings(image, path))
    return {COLORS + code for code in colors} if ids is None else set(ids.values())


def table_of_values(values: set[int], where: Any, names: Sequence[str] = ()) -> Table:
    """A table for masks in the folder `where` that have none, from all values that they hold.

    Classes are named by their ids or colours; where masks hold only 0 and 255, `names` are those of
    the two classes, or of the one beside background.
    """
    advice = "write classes.csv with the columns id, name and color beside the masks"
    colors = sorted(value - COLORS for value in values if value >= COLORS)
    ids = sorted(value for value in values if value < COLORS)
    if colors and ids:
        raise InputError(f"the masks in {where} hold both ids and colours: {advice}.")
    if len(values) > MOST_CLASSES + 1:
        raise InputError(f"the masks in {where} hold {len(values):,} values or more: {advice}.")
    if VOID in values and values <= BINARY:
        first, second = ["background", *(names or ["foreground"])][-2:]
        return Table([Row(first, (0,)), Row(second, (VOID,))], where)
    rows = [Row(str(value), (value,)) for value in ids if value != VOID]
    rows += [Row(f"#{code:06x}", (), (code,)) for code in colors if code != VOID_CODE]
    return Table(rows, where)


def _rows_of_labelmap(lines: list[str]) -> list[Row]:
    """`name:r,g,b:parts:actions`, as CVAT's "Segmentation mask 1.1" has them."""
    parts = [line.split(":") for line in lines if not line.startswith("#")]
    return [Row(part[0], (i,), (color_of(part[1]),)) for i, part in enumerate(parts)]


def _rows_of_label_colors(lines: list[str]) -> list[Row]:
    """`r g b name`, as CamVid has them."""
    parts = [line.split(None, 3) for line in lines if not line.startswith("#")]
    return [Row(part[3], (i,), (color_of(" ".join(part[:3])),)) for i, part in enumerate(parts)]


def _rows_of_names(lines: list[str]) -> list[Row]:
    """A name a line; the first has id 0."""
    return [Row(line, (i,)) for i, line in enumerate(lines)]


def _rows_of_csv(lines: list[str]) -> list[Row]:
    """Columns id (Roboflow's "pixel value"), name (or "class") and, perhaps, color or r, g, b."""
    read = [[cell.strip() for cell in row] for row in csv.reader(lines)]
    header = [cell.casefold() for cell in read[0]]
    if header[0].isdigit():  # no header
        header, read = ["id", "name", "color"], [[], *read]
    renamed = {"pixel value": "id", "value": "id", "class": "name", "colour": "color"}
    header = [renamed.get(cell, cell) for cell in header]
    if "name" not in header:
        raise ValueError("it has no column 'name'")
    rows = []
    for number, cells in enumerate(read[1:]):
        row = dict(zip(header, cells, strict=False))
        text = row.get("color") or " ".join(row[c] for c in "rgb" if c in row)
        colors = (color_of(text),) if text else ()
        rows.append(Row(row["name"], (int(row.get("id", number)),), colors))
    return sorted(rows, key=lambda row: row.ids)


def color_of(text: str) -> int:
    """The code of a colour, "#rrggbb" or three numbers of 0..255; ValueError for other text."""
    if re.fullmatch("#[0-9a-fA-F]{6}", text.strip()):
        return int(text.strip()[1:], 16)
    numbers = [int(number) for number in re.findall(r"\d+", text)]
    if len(numbers) != 3 or max(numbers) > 255:
        raise ValueError(f"{shown(text)} is not a colour")
    return int.from_bytes(bytes(numbers))


# The files that hold tables: how each is read, and whether its ids are its own.
TABLES: dict[str, tuple[Callable[[list[str]], list[Row]], bool]] = {
    "labelmap.txt": (_rows_of_labelmap, False),
    "label_colors.txt": (_rows_of_label_colors, False),
    "_classes.csv": (_rows_of_csv, True),
    "classes.csv": (_rows_of_csv, True),
    "classes.txt": (_rows_of_names, True),
}


def read_table(path: Path, void: Iterable[int] = ()) -> Table:
    """Read a table of classes from a file whose name is in TABLES; InputError if it is broken."""
    parse, numbered = TABLES[path.name]
    with explained(f"the table of classes {path} cannot be read", "correct it"):
        return Table(parse(lines_of(path, errors="strict")), path, void, numbered)
