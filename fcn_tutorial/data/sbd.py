"""The Semantic Boundaries Dataset (SBD), alone and together with PASCAL VOC 2012.

benchmark_RELEASE/dataset/{img,cls} with train.txt and val.txt: labels are MATLAB files. SBD labels
more images than VOC, draws no void along borders, and has images of VOC's validation set among its
own.

Source: Hariharan et al. 2011; https://github.com/kevinddchen/Keras-FCN.
"""

import os
from pathlib import Path

import numpy as np

from fcn_tutorial.data import voc
from fcn_tutorial.data.dataset import check_lists, read_lines
from fcn_tutorial.data.images import check_ids
from fcn_tutorial.data.matlab import LARGEST, read_field
from fcn_tutorial.data.voc import VOC, voc_files, voc_list, voc_names
from fcn_tutorial.errors import check_choice, check_file, explained

FOLDER = "benchmark_RELEASE"
AUG_LABELS = "SegmentationClassAug"  # SBD's labels as PNGs, in VOC's folder
SPLITS = ("train", "val")
KERAS_FCN_VAL = 1200  # images


class SBD(VOC):
    """Images with SBD's labels, or with VOC's, by the kind of the file."""

    def read_label(self, index: int) -> np.ndarray:
        path = self.label_file(index)
        if path.suffix == ".mat":
            return read_mat(path, len(self.classes))
        return super().read_label(index)


def load(split: str, root: Path) -> SBD:
    """Open the split "train" or "val"; `root` holds benchmark_RELEASE/.

    "seg11valid" are the images that are not in SBD's train and on which the paper scores, with
    VOC's labels. InputError for another split, or where a list is not there.
    """
    check_choice("split of sbd", split, (*SPLITS, "seg11valid"))
    if split == "seg11valid":
        return SBD("sbd", split, voc_files(voc_names(split, root, "sbd"), root))
    return SBD("sbd", split, _sbd_files(root, split))


def load_trainaug(split: str, root: Path) -> SBD:
    """Open a split of VOC 2012 with SBD's labels of its training images; `root` as for `load`.

    Images of VOC's val carry VOC's labels; of the others, those that SBD has carry SBD's, even
    where VOC labels them too. Where benchmark_RELEASE is missing, SBD's labels are the PNGs in
    VOC's folder SegmentationClassAug.

    "train" has the images of VOC's train and of all of SBD that are not in VOC's val, 10,582 when
    both are complete (with SegmentationClassAug, those that the list trainaug.txt names, if it is
    there); "val" and "seg11valid" are as VOC has them; others are lists in ImageSets/Segmentation.
    """
    name = "voc2012_trainaug"
    if split in ("val", "seg11valid"):
        return SBD(name, split, voc_files(voc_names(split, root, name), root))
    listed = [] if split == "train" else voc_names(split, root, name)
    pngs = {} if (root / FOLDER).exists() else _pngs(root)
    if pngs and split == "train" and root.joinpath(*voc_list("trainaug")[1:]).is_file():
        listed = voc_names("trainaug", root, name)
    if not pngs:
        _check_all_lists(root)
    train, val = (voc_files(voc_names(part, root, name), root) for part in SPLITS)
    files = {**voc_files(listed, root), **train, **(pngs or _sbd_files(root, *SPLITS)), **val}
    return SBD(name, split, {each: files[each] for each in listed or sorted({*files} - {*val})})


def load_keras_fcn(split: str, root: Path) -> SBD:
    """Keras-FCN's split: trains on 1,252 of VOC 2012 val's 1,449 images, 610 of seg11valid's 736.

    Scores on VOC 2012 val or seg11valid of a model that was trained on it say nothing about new
    images. That repository reads void as background; here void stays. Source: its files
    data/train_mat.txt, data/train_png.txt and data/val_mat.txt.

    "val" has the first 1,200 names, sorted, of SBD's val, with SBD's labels; "train" the other
    10,831 images of SBD and of VOC's train and val: an image that SBD has carries SBD's label, the
    other 676 carry VOC's. `root` as for `load`.
    """
    name = "voc2012_keras_fcn"
    check_choice(f"split of {name}", split, SPLITS)
    _check_all_lists(root)
    train, val = (voc_files(voc_names(part, root, name), root) for part in SPLITS)
    files = {**train, **val, **_sbd_files(root, *SPLITS)}
    kept = sorted(_sbd_files(root, "val"))[:KERAS_FCN_VAL]
    if split == "train":
        kept = sorted(set(files) - set(kept))
    return SBD(name, split, {each: files[each] for each in kept})


def read_mat(path: str | os.PathLike, num_classes: int) -> np.ndarray:
    """Read the label map of an SBD file, GTcls.Segmentation: uint8 (H, W), below `num_classes`."""
    check_file(path, "label", "check the path")
    with explained(f"label {path} cannot be read", "replace it"), Path(path).open("rb") as file:
        ids = read_field(file.read(LARGEST), "GTcls", "Segmentation")
    return check_ids(ids, path, num_classes)


def _sbd_list(split):
    return "sbd", FOLDER, f"dataset/{split}.txt"


def _sbd_files(root, *splits):
    """{name: (image, label)} of splits of SBD."""
    check_lists(root, map(_sbd_list, splits))
    folder = root / FOLDER / "dataset"
    return {
        name: (folder / "img" / f"{name}.jpg", folder / "cls" / f"{name}.mat")
        for split in splits
        for name in read_lines(root.joinpath(*_sbd_list(split)[1:]))
    }


def _check_all_lists(root):
    check_lists(root, [entry(part) for entry in (voc_list, _sbd_list) for part in SPLITS])


def _pngs(root):
    """{name: (image, label)} of SBD's labels as PNGs; empty where there are none."""
    names = sorted(path.stem for path in (root / voc.FOLDER / AUG_LABELS).glob("*.png"))
    return voc_files(names, root, AUG_LABELS)
