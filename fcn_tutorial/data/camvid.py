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

    classes, void = CLASSES, 11
    palette = np.array(PALETTE, np.uint8)


def load(split: str, root: Path) -> CamVid:
    """Open the split "train", "val" or "test"; `root` holds CamVid/.

    InputError for another split, or where its list is not there.
    """
    check_choice("split of camvid", split, SPLITS)
    check_lists(root, [("camvid", "CamVid", f"{split}.txt")])
    folder = root / "CamVid"
    # A line of the list holds the paths of an image and of its label.
    names = [PurePosixPath(line.split()[0]).stem for line in read_lines(folder / f"{split}.txt")]
    images, labels = folder / split, folder / f"{split}annot"
    files = {name: (images / f"{name}.png", labels / f"{name}.png") for name in names}
    return CamVid("camvid", split, files)
