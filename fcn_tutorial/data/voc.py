"""PASCAL VOC 2012 as published.

VOCdevkit/VOC2012/{JPEGImages,SegmentationClass,ImageSets/Segmentation}: labels are palette PNGs.

Source: Everingham et al. 2010; the split seg11valid of Long, Shelhamer and Darrell 2015, section 5:
VOC 2011's validation images that are not in SBD's training set.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fcn_tutorial.data.dataset import Files, check_lists, read_lines
from fcn_tutorial.data.images import ImageFiles
from fcn_tutorial.errors import InputError, shown

FOLDER = "VOCdevkit/VOC2012"
LISTS = "ImageSets/Segmentation"
SPLITS = ("train", "val", "trainval", "seg11valid")
SEG11VALID = Path(__file__).with_name("seg11valid.txt")
CLASSES = (
    *("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair"),
    *("cow", "dining_table", "dog", "horse", "motorbike", "person", "potted_plant", "sheep"),
    *("sofa", "train", "tv_monitor"),
)


def voc_palette(count: int) -> np.ndarray:
    """VOC's colours of the class ids below `count`: uint8 (count, 3).

    Bit 0 of the id becomes the highest bit of red, bit 1 of green, bit 2 of blue; bits 3, 4 and 5
    become the next lower ones, and so on. Id 255 is void's colour.
    """
    ids = np.arange(count)
    colors = np.zeros((count, 3), int)
    for bit in range(8):
        channel, place = bit % 3, 7 - bit // 3
        colors[:, channel] |= (ids >> bit & 1) << place
    return colors.astype(np.uint8)


class VOC(ImageFiles):
    """Images with labels of VOC's 21 classes, given the files of each example."""

    classes = CLASSES
    palette = voc_palette(len(CLASSES))


def load(split: str, root: Path) -> VOC:
    """Open "train", "val", "trainval", "seg11valid", or another list in ImageSets/Segmentation.

    `root` holds VOCdevkit/. InputError where the list is not there.
    """
    if split == "test":
        raise InputError(
            "the labels of voc2012's split 'test' are not public: label its images with "
            '"fcn-tutorial segment RUN IMAGES --voc-list FILE" for the evaluation server, or use '
            "train, val or trainval."
        )
    return VOC("voc2012", split, voc_files(voc_names(split, root, "voc2012"), root))


def voc_list(split: str) -> tuple[str, str, str]:
    """Where the list of a split is, as for `check_lists`."""
    return "voc2012", FOLDER, f"{LISTS}/{split}.txt"


def voc_names(split: str, root: Path, name: str) -> list[str]:
    """The names in a list of VOC 2012, in its order; seg11valid's comes with the package.

    InputError as of `load`, about the data set called `name`.
    """
    if split == "seg11valid":
        return SEG11VALID.read_text().split()
    path = root.joinpath(*voc_list(split)[1:])
    if split not in SPLITS and not (Path(split).name == split and path.is_file()):
        raise InputError(
            f"unknown split of {name} {shown(split)}: use one of {', '.join(SPLITS)}, or the name "
            f"of a list in {root / FOLDER / LISTS}."
        )
    check_lists(root, [voc_list(split)])
    return [line.split()[0] for line in read_lines(path)]


def voc_files(names: Iterable[str], root: Path, labels: str = "SegmentationClass") -> Files:
    """The paths of images of VOC 2012 and of their labels, in the folder `labels`."""
    folder = root / FOLDER
    return {
        name: (folder / "JPEGImages" / f"{name}.jpg", folder / labels / f"{name}.png")
        for name in names
    }
