"""PASCAL VOC 2012 and the Semantic Boundaries Dataset (SBD), alone and together, as published.

VOCdevkit/VOC2012/{JPEGImages,SegmentationClass,ImageSets/Segmentation}: labels are palette PNGs.
benchmark_RELEASE/dataset/{img,cls} with train.txt and val.txt: labels are MATLAB files. SBD labels
more images, draws no void along borders, and has images of VOC's validation set among its own.

Source: Everingham et al. 2010; Hariharan et al. 2011; the split seg11valid of Long, Shelhamer and
Darrell 2015, section 5: VOC 2011's validation images that are not in SBD's training set.
"""

from pathlib import Path

import numpy as np
from scipy import io

from fcn_tutorial.datasets import Dataset, check_split
from fcn_tutorial.datasets.files import check_ids, check_sizes, data_root, read_image, read_label
from fcn_tutorial.errors import InputError

VOC_SPLITS = ("train", "val", "trainval", "seg11valid")
SBD_SPLITS = ("train", "val")
TRAINAUG_SPLITS = ("train", "val", "seg11valid")
SEG11VALID = Path(__file__).with_name("seg11valid.txt")
CLASSES = (
    "background",
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "dining_table",
    "dog",
    "horse",
    "motorbike",
    "person",
    "potted_plant",
    "sheep",
    "sofa",
    "train",
    "tv_monitor",
)


def voc_palette(count):
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


class VOC(Dataset):
    """Images with labels of VOC's 21 classes; reads both from disk on access.

    name, split: str. files: dict from an example's name to the paths of its image and its label.
    """

    classes = CLASSES
    palette = voc_palette(len(CLASSES))

    def __init__(self, name, split, files):
        self.name, self.split = name, split
        self.names = tuple(files)
        self.files = files

    def image_file(self, index):
        return self.files[self.names[index]][0]

    def __getitem__(self, index):
        image_path, label_path = self.files[self.names[index]]
        image = read_image(image_path)
        read = read_mat if label_path.suffix == ".mat" else read_label
        label = read(label_path, len(self.classes))
        check_sizes(image, label, label_path)
        return image, label


def load(split, root=None):
    """Open a split of VOC 2012 below `root`; raises InputError when it is not there."""
    check_split(split, VOC_SPLITS, "voc2012")
    return VOC("voc2012", split, _voc_files(split, data_root(root)))


def load_sbd(split, root=None):
    """Open a split of SBD below `root`; raises InputError when it is not there."""
    check_split(split, SBD_SPLITS, "sbd")
    return VOC("sbd", split, _sbd_files(split, data_root(root)))


def load_trainaug(split, root=None):
    """Open "train": the images of VOC's train and of all of SBD that are not in VOC's val.

    10,582 examples when both data sets are whole. An image that SBD has carries SBD's label, even
    where VOC labels it too; the others carry VOC's. "val" and "seg11valid" are VOC's own.
    Raises InputError when a list is not there.
    """
    check_split(split, TRAINAUG_SPLITS, "voc2012_trainaug")
    root = data_root(root)
    if split != "train":
        return VOC("voc2012_trainaug", split, _voc_files(split, root))
    files = _voc_files("train", root) | _sbd_files("train", root) | _sbd_files("val", root)
    kept = sorted(set(files) - set(_voc_files("val", root)))
    return VOC("voc2012_trainaug", split, {name: files[name] for name in kept})


def read_mat(path, num_classes):
    """Read the label map of an SBD file, GTcls.Segmentation, as uint8 (H, W).

    Raises InputError, naming the file, when it is missing, broken, or holds no map of class ids.
    """
    if not Path(path).is_file():
        raise InputError(f"label {path} is missing: check the path.")
    try:
        ids = np.array(io.loadmat(path)["GTcls"]["Segmentation"][0, 0])
    except Exception as error:
        # Broken files make SciPy raise ValueError, TypeError, KeyError, MemoryError and more.
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise InputError(f"label {path} cannot be read ({reason}): replace it.") from error
    if ids.dtype != np.uint8 or ids.ndim != 2:
        raise InputError(f"label {path} holds no map of 8-bit class ids: replace it.")
    return check_ids(ids, path, num_classes)


def _voc_files(split, root):
    """{name: (image, label)} of a split of VOC 2012."""
    folder = root / "VOCdevkit" / "VOC2012"
    names = _read_list(folder / "ImageSets" / "Segmentation" / f"{split}.txt", split)
    images, labels = folder / "JPEGImages", folder / "SegmentationClass"
    return {name: (images / f"{name}.jpg", labels / f"{name}.png") for name in names}


def _sbd_files(split, root):
    """{name: (image, label)} of a split of SBD."""
    folder = root / "benchmark_RELEASE" / "dataset"
    names = _read_list(folder / f"{split}.txt", split)
    return {
        name: (folder / "img" / f"{name}.jpg", folder / "cls" / f"{name}.mat") for name in names
    }


def _read_list(path, split):
    """The names in a list of a split; seg11valid's comes with the package."""
    if split == "seg11valid":
        path = SEG11VALID
    if not path.is_file():
        raise InputError(
            f"the list {path} is missing: set FCN_DATA to the folder that holds VOCdevkit (and, "
            "for SBD, benchmark_RELEASE) as they were published."
        )
    names = path.read_text(errors="replace").split()
    if not names:
        raise InputError(f"the list {path} is empty: restore it from the published data set.")
    return names
