"""Folders of twelve tiny images and masks, in each layout that labelling tools write."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

COLORS = {"background": (0, 0, 0), "leaf": (10, 200, 30), "stem": (200, 100, 0)}
CLASSES = tuple(COLORS)
NAMES = [f"Blatt {number:02d} é" for number in range(12)]  # spaces and accents


def example(number: int) -> tuple[np.ndarray, np.ndarray]:
    """An image (40, 48, 3) and its label of the ids 0, 1 and 2."""
    label = np.zeros((40, 48), np.uint8)
    label[5 + number : 20 + number, 4:30] = 1
    label[12:18, 20 + number : 34 + number] = 2
    image = np.array(list(COLORS.values()), np.uint8)[label]
    image[0, :, 0] = 20 * number
    return image, label


def save(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)


def colored(label: np.ndarray) -> np.ndarray:
    return np.array(list(COLORS.values()), np.uint8)[label]


def voc(folder: Path) -> None:
    """As CVAT writes "Segmentation mask 1.1"."""
    for number, name in enumerate(NAMES):
        image, label = example(number)
        save(folder / "JPEGImages" / f"{name}.png", image)
        save(folder / "SegmentationClass" / f"{name}.png", colored(label))
    rows = [f"{name}:{','.join(map(str, color))}::" for name, color in COLORS.items()]
    (folder / "labelmap.txt").write_text("# label:color_rgb:parts:actions\n" + "\n".join(rows))
    lists = folder / "ImageSets" / "Segmentation"
    lists.mkdir(parents=True)
    (lists / "train.txt").write_text("\n".join(NAMES[:8]), encoding="utf-8")
    (lists / "val.txt").write_text("\n".join(NAMES[8:]), encoding="utf-8")


def camvid(folder: Path) -> None:
    """As CVAT writes "CamVid 1.0" without splits: one list, `default`."""
    lines = []
    for number, name in enumerate(NAMES):
        image, label = example(number)
        save(folder / "default" / f"{name}.png", image)
        save(folder / "defaultannot" / f"{name}.png", colored(label))
        lines.append(f'"/default/{name}.png" "defaultannot/{name}.png"')
    (folder / "default.txt").write_text("\n".join(lines), encoding="utf-8")
    rows = [f"{' '.join(map(str, color))} {name}" for name, color in COLORS.items()]
    (folder / "label_colors.txt").write_text("\n".join(rows))


def roboflow(folder: Path) -> None:
    for number, name in enumerate(NAMES):
        split = "train" if number < 8 else "valid" if number < 10 else "test"
        image, label = example(number)
        save(folder / split / f"{name}.jpg", image)
        save(folder / split / f"{name}_mask.png", label)
        rows = [f"{i}, {each}" for i, each in enumerate(CLASSES)]
        (folder / split / "_classes.csv").write_text("Pixel Value, Class\n" + "\n".join(rows))


def plain(folder: Path) -> None:
    """images/ and masks/ with ids that have gaps, and classes.csv."""
    for number, name in enumerate(NAMES):
        image, label = example(number)
        save(folder / "images" / f"{name}.JPG", image)
        save(folder / "masks" / f"{name}.PNG", np.array([0, 7, 24], np.uint8)[label])
    rows = [
        f"{value},{name},#{''.join(f'{c:02x}' for c in color)}"
        for value, (name, color) in zip((0, 7, 24), COLORS.items(), strict=True)
    ]
    (folder / "classes.csv").write_text("id,name,color\n" + "\n".join(rows))


LAYOUTS = {"voc": voc, "camvid": camvid, "roboflow": roboflow, "plain": plain}


def labelme(folder: Path) -> None:
    """Three images with polygons; of two that overlap, the smaller is listed first."""
    leaf = [[4, 5], [29, 5], [29, 29], [4, 29]]
    shapes = [
        {"label": "stem", "shape_type": "rectangle", "points": [[10, 10], [19, 14]]},
        {"label": "leaf", "shape_type": "polygon", "points": leaf},
    ]
    for number in range(3):
        save(folder / f"{number}.jpg", example(number)[0])
        content = {"imagePath": f"..\\{number}.jpg", "imageData": None, "shapes": shapes}
        (folder / f"{number}.json").write_text(json.dumps(content))
