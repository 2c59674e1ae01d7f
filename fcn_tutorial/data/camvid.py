"""CamVid in the layout that the SegNet tutorial published: 367 / 101 / 233 images of 480 x 360.

Folder: CamVid/{train,val,test}/*.png, CamVid/{train,val,test}annot/*.png with ids 0..10 and 11 for
void, and a list CamVid/{train,val,test}.txt. Eleven classes; none of them is a background.

Source: Brostow, Fauqueur and Cipolla 2009; split and classes of Badrinarayanan et al. 2017.
"""

import operator
import os
from pathlib import Path, PurePosixPath

import numpy as np

from fcn_tutorial.data.dataset import Dataset, check_lists, data_root, read_lines
from fcn_tutorial.data.images import read_label, read_pair
from fcn_tutorial.errors import check_choice

SPLITS = ("train", "val", "test")
VOID_ON_DISK = 11
CLASSES = (
    "sky",
    "building",
    "pole",
    "road",
    "pavement",
    "tree",
    "sign_symbol",
    "fence",
    "car",
    "pedestrian",
    "bicyclist",
)
PALETTE = [
    (128, 128, 128),
    (128, 0, 0),
    (192, 192, 128),
    (128, 64, 128),
    (60, 40, 222),
    (128, 128, 0),
    (192, 128, 128),
    (64, 64, 128),
    (64, 0, 128),
    (64, 64, 0),
    (0, 128, 192),
]


class CamVid(Dataset):
    """One split of CamVid; reads image and label from disk on access."""

    name = "camvid"
    classes = CLASSES
    palette = np.array(PALETTE, np.uint8)

    def __init__(self, split: str, folder: Path):
        self.split = split
        self.folder = folder
        # A line of the list holds the paths of an image and of its label.
        lines = read_lines(folder / f"{split}.txt")
        self.names = tuple(PurePosixPath(line.split()[0]).stem for line in lines)

    def image_file(self, index: int) -> Path:
        return self.folder / self.split / f"{self.names[operator.index(index)]}.png"

    def label_file(self, index: int) -> Path:
        return self.folder / f"{self.split}annot" / f"{self.names[operator.index(index)]}.png"

    def read_label(self, index: int) -> np.ndarray:
        """The label uint8 (H, W) of an example; InputError where it is missing or damaged."""
        return read_label(self.label_file(index), len(self.classes), VOID_ON_DISK)

    def __getitem__(self, index):
        files = self.image_file(index), self.label_file(index)
        return read_pair(*files, len(self.classes), VOID_ON_DISK)


def load(split: str, root: str | os.PathLike | None = None) -> CamVid:
    """Open the split "train", "val" or "test"; `root` holds CamVid/, None as for `data_root`.

    InputError for another split, or where its list is not there.
    """
    check_choice("split of camvid", split, SPLITS)
    root = data_root(root)
    check_lists(root, [("camvid", "CamVid", f"{split}.txt")])
    return CamVid(split, root / "CamVid")
