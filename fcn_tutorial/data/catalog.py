"""The data sets known by name: how each is opened, its published sizes, and where it is fetched.

A new data set is a module that opens it and an entry in SOURCES, with an archive where it can be
downloaded.
"""

import os
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from fcn_tutorial.data import camvid, folder, photos, sbd, shapes, voc
from fcn_tutorial.data.dataset import Dataset, data_root
from fcn_tutorial.errors import InputError, shown, warn


@dataclass(frozen=True)
class Archive:
    """A published file that holds a data set."""

    file: str  # its name on this machine
    urls: Sequence[str]  # mirrors, tried in this order
    folder: str  # what it holds, below the data root once it is unpacked
    size: int | None = None  # of the file, in bytes; None where it is not published
    md5: str | None = None  # of the file; None where gzip's own checksum must do
    top: str = ""  # the folder of the archive that holds `folder`; nothing else of it is unpacked
    content: str | None = None  # `content_digest` of what it holds; None where md5 is enough
    ceiling: int = 2**31  # the most bytes that are downloaded


@dataclass(frozen=True)
class Source:
    """Where a data set comes from."""

    load: Callable[..., Dataset]  # opens a split, given its name and the data root
    splits: dict[str, int | None]  # disjoint, together all of it; with published sizes
    archives: tuple[str, ...] = ()  # keys of ARCHIVES; what `fetch` downloads for it


PUBLISHED = tomllib.loads(Path(__file__).with_name("archives.toml").read_text(encoding="utf-8"))
ARCHIVES = {name: Archive(**values) for name, values in PUBLISHED.items()}
BOTH = "voc2012", "sbd"
SOURCES = {
    "shapes": Source(shapes.load, {"train": None, "val": None, "test": None}),
    "photos": Source(photos.load, {"all": 4}),
    "camvid": Source(camvid.load, {"train": 367, "val": 101, "test": 233}, ("camvid",)),
    "voc2012": Source(voc.load, {"train": 1464, "val": 1449}, ("voc2012",)),
    "sbd": Source(sbd.load, {"train": 8498, "val": 2857}, ("sbd",)),
    "voc2012_trainaug": Source(sbd.load_trainaug, {"train": 10_582, "val": 1449}, BOTH),
    "voc2012_keras_fcn": Source(sbd.load_keras_fcn, {"train": 10_831, "val": 1200}, BOTH),
}


def load_dataset(
    name: str | os.PathLike, split: str = "train", root: str | os.PathLike | None = None, **options
) -> Dataset:
    """Open one split of a data set: one with a name, or a folder of your own.

    Args:
        name: "shapes" (procedural, nothing to download), "photos" (four that come with the
            package, with labels), "camvid", "voc2012" (PASCAL VOC 2012), "sbd",
            "voc2012_trainaug" (VOC's training images and SBD's, minus VOC's validation images) or
            "voc2012_keras_fcn" (that repository's split, which trains on most of VOC's validation
            images); or the path of a folder with images and masks, in one of the layouts of
            `data.layouts`.
        split: "train", "val", and whatever else the data set has: "test" of shapes and CamVid,
            "all" of photos (which has no "train"), "seg11valid" of VOC 2012 and SBD, and any list
            in VOC's ImageSets/Segmentation.
        root: the folder that holds the data sets; None means $FCN_DATA, else a cache folder.
        options: passed to the data set (for shapes: size, count, seed, objects).

    Returns:
        The split, a sequence of (image, label).

    Raises:
        InputError: unknown name or split, or the files are not there; the message names the command
            that fetches them.
    """
    if _is_folder(name):  # whose splits `source` would find out first
        return folder.load(name, split, **options)
    return source(name).load(split, data_root(root), **options)


def source(name: str | os.PathLike) -> Source:
    """What is known of a data set before it is read.

    InputError where it is neither the name of one nor a folder that can be used as one.
    """
    if name in SOURCES:
        if os.path.isdir(name):
            warn(f"{name} is the data set of that name: write {name}/ for the folder.")
        return SOURCES[str(name)]
    if _is_folder(name):
        splits = dict.fromkeys(folder.splits_of(name))
        return Source(lambda split, root=None: folder.load(name, split), splits)
    raise InputError(
        f"unknown data set {shown(name)}: use one of {', '.join(sorted(SOURCES))}, or the path of "
        "a folder with images and masks."
    )


def _is_folder(name: str | os.PathLike) -> bool:
    return name not in SOURCES and (os.path.isdir(name) or os.sep in os.fspath(name))


def name_of(name: str | os.PathLike) -> str:
    """The `name` that a data set has once it is opened: of a folder, its last part."""
    return str(name) if name in SOURCES else Path(name).resolve().name


def splits_of(name: str | os.PathLike) -> tuple[str, ...]:
    """The splits that are disjoint and together make up a data set; raises as `source` does."""
    return tuple(source(name).splits)
