"""PASCAL VOC 2012 and the Semantic Boundaries Dataset (SBD), alone and together, as published.

VOCdevkit/VOC2012/{JPEGImages,SegmentationClass,ImageSets/Segmentation}: labels are palette PNGs.
benchmark_RELEASE/dataset/{img,cls} with train.txt and val.txt: labels are MATLAB files. SBD labels
more images, draws no void along borders, and has images of VOC's validation set among its own.

Source: Everingham et al. 2010; Hariharan et al. 2011; the split seg11valid of Long, Shelhamer and
Darrell 2015, section 5: VOC 2011's validation images that are not in SBD's training set; the split
of https://github.com/kevinddchen/Keras-FCN.
"""

import operator
import struct
import zlib
from pathlib import Path

import numpy as np

from fcn_tutorial.data.dataset import Dataset, ListError, check_lists, check_split
from fcn_tutorial.data.images import check_ids, check_sizes, data_root, read_image, read_label
from fcn_tutorial.data.matlab import read_map
from fcn_tutorial.errors import InputError, reason_of

VOC_SPLITS = ("train", "val", "trainval", "seg11valid")
SPLITS = ("train", "val")  # of SBD, and of what is made of both data sets
SBD_SPLITS = (*SPLITS, "seg11valid")  # the last with VOC's own images
KERAS_FCN_VAL = 1200  # images
VOC_FOLDER, SBD_FOLDER = "VOCdevkit/VOC2012", "benchmark_RELEASE"
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
        return self.files[self.names[operator.index(index)]][0]

    def label_file(self, index):
        return self.files[self.names[operator.index(index)]][1]

    def read_label(self, index):
        path = self.label_file(index)
        read = read_mat if path.suffix == ".mat" else read_label
        return read(path, len(self.classes))

    def __getitem__(self, index):
        image, label = read_image(self.image_file(index)), self.read_label(index)
        check_sizes(image, label, self.label_file(index))
        return image, label


def load(split, root=None):
    """Open a split of VOC 2012 below `root`; raises InputError when it is not there."""
    if split == "test":
        raise InputError(
            "the labels of voc2012's split 'test' are not public: label its images with "
            '"fcn-tutorial segment RUN IMAGES --voc-list FILE" for the evaluation server, or use '
            "train, val or trainval."
        )
    check_split(split, VOC_SPLITS, "voc2012")
    return VOC("voc2012", split, _voc_files(split, data_root(root)))


def load_sbd(split, root=None):
    """Open a split of SBD below `root`: "train", "val", or "seg11valid", on which the paper scores.

    seg11valid: VOC's images, with VOC's labels, that are not in SBD's train.
    Raises InputError when it is not there.
    """
    check_split(split, SBD_SPLITS, "sbd")
    read = _voc_files if split == "seg11valid" else _sbd_files
    return VOC("sbd", split, read(split, data_root(root)))


def load_trainaug(split, root=None):
    """Open "train": the images of VOC's train and of all of SBD that are not in VOC's val.

    10,582 examples when both data sets are whole. An image that SBD has carries SBD's label, even
    where VOC labels it too; the others carry VOC's. "val" and "seg11valid" are VOC's own.
    Raises InputError when a list is not there.
    """
    check_split(split, SBD_SPLITS, "voc2012_trainaug")
    root = data_root(root)
    if split != "train":
        return VOC("voc2012_trainaug", split, _voc_files(split, root))
    files = _all_files(root)
    kept = sorted(set(files) - set(_voc_files("val", root)))
    return VOC("voc2012_trainaug", split, {name: files[name] for name in kept})


def load_keras_fcn(split, root=None):
    """Keras-FCN's split: trains on 1,252 of VOC 2012 val's 1,449 images, 610 of seg11valid's 736.

    Scores on VOC 2012 val or seg11valid of a model that was trained on it say nothing about new
    images. "val": the first 1,200 names, sorted, of SBD's val, with SBD's labels. "train": the
    other 10,831 images of SBD and of VOC's train and val; an image that SBD has carries SBD's
    label, the other 676 carry VOC's. That repository reads void as background; here void stays.
    Raises InputError when a list is not there. Source: https://github.com/kevinddchen/Keras-FCN,
    data/train_mat.txt, data/train_png.txt and data/val_mat.txt.
    """
    check_split(split, SPLITS, "voc2012_keras_fcn")
    root = data_root(root)
    files = _all_files(root)
    kept = sorted(_sbd_files("val", root))[:KERAS_FCN_VAL]
    if split == "train":
        kept = sorted(set(files) - set(kept))
    return VOC("voc2012_keras_fcn", split, {name: files[name] for name in kept})


def read_mat(path, num_classes):
    """Read the label map of an SBD file, GTcls.Segmentation, as uint8 (H, W).

    Raises InputError, naming the file, when it is missing, broken, or holds no map of class ids.
    """
    if not Path(path).is_file():
        raise InputError(f"label {path} is missing: check the path.")
    try:
        ids = read_map(Path(path).read_bytes(), "GTcls", "Segmentation")
    except (OSError, LookupError, ValueError, struct.error, zlib.error) as error:
        raise InputError(
            f"label {path} cannot be read ({reason_of(error)}): replace it."
        ) from error
    if ids is None:
        raise InputError(f"label {path} holds no map of 8-bit class ids: replace it.")
    return check_ids(ids, path, num_classes)


def _all_files(root):
    """{name: (image, label)} of VOC's train and val and all of SBD; SBD's where both have it."""
    check_lists(root, [entry(split) for entry in (_voc_list, _sbd_list) for split in SPLITS])
    parts = [read(split, root) for read in (_voc_files, _sbd_files) for split in SPLITS]
    return {name: paths for part in parts for name, paths in part.items()}


def _voc_list(split):
    return "voc2012", VOC_FOLDER, f"ImageSets/Segmentation/{split}.txt"


def _sbd_list(split):
    return "sbd", SBD_FOLDER, f"dataset/{split}.txt"


def _voc_files(split, root):
    """{name: (image, label)} of a split of VOC 2012; seg11valid's list comes with the package."""
    if split == "seg11valid":
        names = SEG11VALID.read_text().split()
    else:
        names = _read_list(root, _voc_list(split))
    images, labels = root / VOC_FOLDER / "JPEGImages", root / VOC_FOLDER / "SegmentationClass"
    return {name: (images / f"{name}.jpg", labels / f"{name}.png") for name in names}


def _sbd_files(split, root):
    """{name: (image, label)} of a split of SBD."""
    names = _read_list(root, _sbd_list(split))
    folder = root / SBD_FOLDER / "dataset"
    return {
        name: (folder / "img" / f"{name}.jpg", folder / "cls" / f"{name}.mat") for name in names
    }


def _read_list(root, entry):
    """The names in a list of a split; `entry` as for `check_lists`."""
    check_lists(root, [entry])
    path = root.joinpath(*entry[1:])
    names = path.read_text(errors="replace").split()
    if not names:
        message = f"the list {path} is empty: restore it from the published data set."
        raise ListError(message, [path], "empty")
    return names
