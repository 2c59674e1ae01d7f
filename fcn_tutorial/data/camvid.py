"""CamVid in the layout that the SegNet tutorial published: 367 / 101 / 233 images of 480 x 360.

Folder: CamVid/{train,val,test}/*.png, CamVid/{train,val,test}annot/*.png with ids 0..10 and 11 for
void, and a list CamVid/{train,val,test}.txt. Eleven classes; none of them is a background.

Source: Brostow, Fauqueur and Cipolla 2009; split and classes of Badrinarayanan et al. 2017.
"""

import tomllib
from pathlib import Path, PurePosixPath

import numpy as np

from fcn_tutorial.data.dataset import check_lists, read_lines
from fcn_tutorial.data.images import ImageFiles
from fcn_tutorial.errors import check_choice

SPLITS = ("train", "val", "test")
COLORS = tomllib.loads(Path(__file__).with_name("camvid.toml").read_text(encoding="utf-8"))
CLASSES, PALETTE = tuple(COLORS), list(COLORS.values())


class CamVid(ImageFiles):
    """One split of CamVid."""

    name, void = "camvid", 11
    classes = CLASSES
    palette = np.array(PALETTE, np.uint8)

    def __init__(self, split: str, folder: Path):
        self.split, self.folder = split, folder
        # A line of the list holds the paths of an image and of its label.
        lines = read_lines(folder / f"{split}.txt")
        self.names = tuple(PurePosixPath(line.split()[0]).stem for line in lines)
        images, labels = folder / split, folder / f"{split}annot"
        self.files = {n: (images / f"{n}.png", labels / f"{n}.png") for n in self.names}


def load(split: str, root: Path) -> CamVid:
    """Open the split "train", "val" or "test"; `root` holds CamVid/.

    InputError for another split, or where its list is not there.
    """
    check_choice("split of camvid", split, SPLITS)
    check_lists(root, [("camvid", "CamVid", f"{split}.txt")])
    return CamVid(split, root / "CamVid")
