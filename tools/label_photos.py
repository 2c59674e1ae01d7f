"""Rasterise the polygons of the photographs that we labelled, and compare the labellings.

python tools/label_photos.py     # after a change to one of fcn_tutorial/photos/*.json
"""

import json
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from fcn_tutorial.data.convert import convert
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.data.images import read_label, write_label
from fcn_tutorial.data.photos import FOLDER, load
from fcn_tutorial.data.shapes import void_band
from fcn_tutorial.data.voc import CLASSES, voc_palette
from fcn_tutorial.metrics import confusion_matrix, scores


def rasterised(folder):
    """VOC's class ids (H, W) of the polygons in each JSON file, by the file's name."""
    with TemporaryDirectory() as output:
        _, names, _ = convert(folder, output)
        ids = np.full(256, VOID, np.uint8)
        ids[: len(names)] = [CLASSES.index(name) for name in names]
        masks = (Path(output) / "masks").iterdir()
        return {mask.stem: ids[read_label(mask, len(names))] for mask in sorted(masks)}


def label(ids):
    """The ids with two pixels of void on each side of a border."""
    return void_band(void_band(ids))


def compared(pairs):
    """The scores of second labels (H, W) against first ones; void of either is left out."""
    confusion = 0
    for first, second in pairs:
        unknown = (first == VOID) | (second == VOID)
        first, second = np.where(unknown, VOID, first), np.where(unknown, 0, second)
        confusion = confusion + confusion_matrix(first, second, len(CLASSES))
    return scores(confusion)


def agreement(maps):
    """IoU of each class that the two labellings show, their mean, and that without the borders."""
    pairs = [(maps[name], maps[f"{name}.second"]) for name in load().names]
    result, inside = compared(pairs), compared((label(one), other) for one, other in pairs)
    iou = zip(CLASSES, result.iou.tolist(), strict=True)
    found = {"mean_iou": result.mean_iou, "mean_iou_without_borders": inside.mean_iou}
    return found | {name: each for name, each in iou if each == each}


if __name__ == "__main__":
    maps = rasterised(FOLDER)
    for name in load().names:
        write_label(FOLDER / f"{name}.png", label(maps[name]), voc_palette(len(CLASSES)))
    found = {name: round(value, 4) for name, value in agreement(maps).items()}
    (FOLDER / "agreement.json").write_text(json.dumps(found, indent=1) + "\n")
    print(f"Wrote the labels in {FOLDER}; the two labellings agree to {found}.")
