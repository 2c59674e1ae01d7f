"""A small copy of VOC 2012 and SBD, as published."""

import numpy as np
from PIL import Image
from scipy import io

from fcn_tutorial.data import VOID, voc
from fcn_tutorial.data.images import write_label

# VOC labels a to f, SBD c to i: b and e, of VOC's validation set, differ in whether SBD has them.
VOC_LISTS = {"train": "acd", "val": "bef", "trainval": "abcdef"}
SBD_LISTS = {"train": "cegh", "val": "di"}


def label_of(name, labels):
    """A label that says which example of which data set it is of: 6 x 5 pixels."""
    value = {"voc": 1, "sbd": 11}[labels] + "abcdefghi".index(name)
    return np.full((6, 5), value, np.uint8)


def write_mat(path, ids):
    structure = {"Boundaries": 0, "Segmentation": ids, "CategoriesPresent": np.unique(ids)}
    io.savemat(path, {"GTcls": structure}, do_compression=True)
    return path


def write_lists(root, voc_lists, sbd_lists):
    for folder, lists in (
        ("VOCdevkit/VOC2012/ImageSets/Segmentation", voc_lists),
        ("benchmark_RELEASE/dataset", sbd_lists),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        for split, names in lists.items():
            (root / folder / f"{split}.txt").write_text("\n".join(names) + "\n")


def make_devkit(tmp_path):
    """Both data sets below a folder, with void at the first pixel of each of VOC's labels."""
    devkit, sbd = tmp_path / "VOCdevkit/VOC2012", tmp_path / "benchmark_RELEASE/dataset"
    for folder in (devkit / "JPEGImages", devkit / "SegmentationClass", sbd / "img", sbd / "cls"):
        folder.mkdir(parents=True)
    write_lists(tmp_path, VOC_LISTS, SBD_LISTS)
    for name in "abcdef":
        Image.new("RGB", (5, 6), (90, 90, 90)).save(devkit / f"JPEGImages/{name}.jpg")
        label = label_of(name, "voc")
        label[0, 0] = VOID
        write_label(devkit / f"SegmentationClass/{name}.png", label, voc.VOC.palette)
    for name in "cdeghi":
        Image.new("RGB", (5, 6), (90, 90, 90)).save(sbd / f"img/{name}.jpg")
        write_mat(sbd / f"cls/{name}.mat", label_of(name, "sbd"))
    return tmp_path
