"""Four photographs that come with the package, labelled with VOC's classes.

Each was labelled twice, each time from scratch: NAME.json and NAME.second.json hold the polygons,
NAME.png the label made of the first. photos/CREDITS.md says how.
"""

import json
import os
from pathlib import Path

from fcn_tutorial.data.voc import VOC
from fcn_tutorial.errors import InputError, shown

FOLDER = Path(__file__).parent.parent / "photos"
SPLITS = ("all", "val")


def load(split: str = "all", root: str | os.PathLike | None = None) -> VOC:
    """Open the photographs: "all" and "val" are the same four. They need no `root`.

    Raises InputError for any other split.
    """
    if split not in SPLITS:
        raise InputError(
            f"unknown split of photos {shown(split)}: use one of {', '.join(SPLITS)}; a folder of "
            'your own with this name is "photos/".'
        )
    images = sorted(FOLDER.glob("*.jpg"))
    return VOC("photos", split, {each.stem: (each, each.with_suffix(".png")) for each in images})


def agreement() -> dict[str, float]:
    """How far the two labellings agree: IoU of each class (0..1), and "mean_iou" of all of them.

    Borders count here. A label calls them void, so compare a network's score with
    "mean_iou_without_borders".
    """
    return json.loads((FOLDER / "agreement.json").read_text(encoding="utf-8"))
