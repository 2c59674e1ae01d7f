"""CamVid in the layout that the SegNet tutorial published: 367 / 101 / 233 images of 480 x 360.

Folder: CamVid/{train,val,test}/*.png, CamVid/{train,val,test}annot/*.png with ids 0..10 and 11 for
void, and a list CamVid/{train,val,test}.txt. Eleven classes; none of them is a background.

Source: Brostow, Fauqueur and Cipolla 2009; split and classes of Badrinarayanan et al. 2017.
"""

import operator
from pathlib import PurePosixPath

import numpy as np

from fcn_tutorial.data.dataset import Dataset, ListError, check_lists, check_split
from fcn_tutorial.data.images import data_root, read_label, read_pair

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

    def __init__(self, split, folder):
        self.split = split
        self.folder = folder
        self.names = _names(folder / f"{split}.txt")

    def image_file(self, index):
        return self.folder / self.split / f"{self.names[operator.index(index)]}.png"

    def label_file(self, index):
        return self.folder / f"{self.split}annot" / f"{self.names[operator.index(index)]}.png"

    def read_label(self, index):
        return read_label(self.label_file(index), len(self.classes), VOID_ON_DISK)

    def __getitem__(self, index):
        files = self.image_file(index), self.label_file(index)
        return read_pair(*files, len(self.classes), VOID_ON_DISK)


def load(split, root=None):
    """Open a split of CamVid below `root`; raises InputError when it is not there."""
    check_split(split, SPLITS, "camvid")
    root = data_root(root)
    check_lists(root, [("camvid", "CamVid", f"{split}.txt")])
    return CamVid(split, root / "CamVid")


def _names(path):
    """Names of the examples; a line of the list holds the paths of an image and of its label."""
    lines = path.read_text(errors="replace").split("\n")
    names = tuple(PurePosixPath(line.split()[0]).stem for line in lines if line.strip())
    if not names:
        message = f"the list {path} is empty: restore it from the published data set."
        raise ListError(message, [path], "empty")
    return names
