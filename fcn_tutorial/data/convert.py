"""Convert what labelling tools export into images/, masks/ and classes.csv.

LabelMe's and COCO's polygons become masks. Where two overlap, the smaller lies on top, whatever
their order in the file: what is small usually lies in front, or is a part.
"""

import base64
import json
import math
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fcn_tutorial.data import folder
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.data.images import read_image, read_image_of, write_label
from fcn_tutorial.data.layouts import SUFFIXES, find
from fcn_tutorial.data.masks import MOST_CLASSES, VOID_NAMES, read_mask
from fcn_tutorial.data.voc import voc_palette
from fcn_tutorial.errors import InputError, check_file, explained
from fcn_tutorial.files import write_text, write_whole
from fcn_tutorial.tables import counted

BACKGROUND = "background"
DRAWN = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}  # fewest points

Example = tuple[str, bytes, np.ndarray]  # name of the image's file, what it holds, label
Shape = tuple[str, str, list[tuple[float, float]], Any]  # name of the class, kind, points, mask
Converted = tuple[tuple[str, ...], np.ndarray, Iterator[Example], dict[str, list[str]], list[str]]


def convert(
    source: str | os.PathLike, output: str | os.PathLike
) -> tuple[int, tuple[str, ...], list[str]]:
    """Write a folder in the plain layout into `output`, a new or empty folder.

    source: a JSON file of LabelMe or COCO, or a folder with some (and their images); or a folder of
    images and masks in any layout. Returns how many examples were written, the classes, and
    sentences on what was left out. InputError where there is nothing to convert, a file is broken,
    or `output` holds something.
    """
    source, output = Path(source), Path(output)
    if output.is_dir() and any(output.iterdir()):
        raise InputError(f"{output} holds files: choose a new or empty folder.")
    classes, palette, examples, lists, notes = _read(source)
    try:
        count = _write(examples, palette, source, output)
    except BaseException:  # without its classes, half a folder would be opened as a complete one
        for part in ("images", "masks"):
            shutil.rmtree(output / part, ignore_errors=True)
        raise
    if not count:
        raise InputError(f"{source} names no images: export it again.")
    quoted = [name.replace('"', '""') for name in classes]
    rows = [f'{i},"{name}",#{bytes(palette[i]).hex()}' for i, name in enumerate(quoted)]
    write_text(output / "classes.csv", "\n".join(["id,name,color", *rows, f"{VOID},void,", ""]))
    for split, names in lists.items():
        write_text(output / f"{split}.txt", "\n".join(names) + "\n")
    return count, classes, notes


def _write(examples: Iterator[Example], palette: np.ndarray, source: Path, output: Path) -> int:
    """Write images and masks into `output`; returns how many of each."""
    count = 0
    for name, content, label in examples:
        image, mask = output / "images" / name, (output / "masks" / name).with_suffix(".png")
        if mask.exists():
            raise InputError(
                f"{source} has two labels for {name}: rename an image, or merge the two files."
            )
        write_whole(image, partial(Path.write_bytes, data=content))
        write_label(mask, label, palette)
        count += 1
    return count


def _read(source: Path) -> Converted:
    files = [source] if source.is_file() else sorted(source.rglob("*.json"))
    files = [path for path in files if path.suffix.lower() == ".json"]
    kinds = {path: kind for path in files if (kind := _kind(path))}
    if source.is_file() and not kinds:
        raise InputError(
            f"{source} is not a JSON file of LabelMe or COCO: give one, or a folder with images."
        )
    if not kinds:
        return _from_masks(source)
    if len(set(kinds.values())) > 1:
        raise InputError(f"{source} holds files of both LabelMe and COCO: convert one at a time.")
    read = _from_coco if "COCO" in kinds.values() else _from_labelme
    return read(source.parent if source.is_file() else source, list(kinds))


def _kind(path: Path) -> str | None:
    content = _json(path)
    if isinstance(content, dict) and isinstance(content.get("shapes"), list):
        return "LabelMe"
    return "COCO" if isinstance(content, dict) and "annotations" in content else None


def _json(path: Path) -> Any:
    with explained(f"{path} is not valid JSON", "export it again"):
        return json.loads(path.read_text(encoding="utf-8-sig"))


def _from_masks(source: Path) -> Converted:
    layout, first = find(source), folder.load(source, folder.splits_of(source)[0])
    lists = layout.splits
    if (source / folder.SETTINGS).is_file():
        lists = folder.all_splits(layout, folder.read_settings(source), source)

    def examples() -> Iterator[Example]:
        for name, (image, mask) in layout.pairs.items():
            label = read_mask(mask, first.table)
            read_image_of(label.shape, image, mask)  # which may be damaged or of another size
            yield name + image.suffix.lower(), image.read_bytes(), label

    return first.classes, first.palette, examples(), lists, list(first.notes)


def _legend(names: Iterable[str]) -> tuple[dict[str, int], tuple[str, ...], np.ndarray]:
    """Class ids by name, with a background before all others and 255 for void."""
    names = dict.fromkeys(names)
    classes = [name for name in names if name.casefold() not in VOID_NAMES]
    backgrounds = [name for name in classes if name.strip("_").casefold() == BACKGROUND]
    rest = [name for name in classes if name not in backgrounds]
    ordered = tuple([*(backgrounds[:1] or [BACKGROUND]), *rest])
    if len(ordered) > MOST_CLASSES:
        raise InputError(
            f"{len(ordered)} classes with the background are more than {MOST_CLASSES}: leave some "
            "out, or give several one name."
        )
    ids = {name: ordered.index(name) if name in ordered else VOID for name in names}
    return ids | dict.fromkeys(backgrounds, 0), ordered, voc_palette(len(ordered))


def _from_labelme(top: Path, files: Sequence[Path]) -> Converted:
    shapes = {path: [_shape(each, path) for each in _json(path)["shapes"]] for path in files}
    ids, classes, palette = _legend(sorted(each[0] for path in files for each in shapes[path]))
    lines = [each for path in files for each in shapes[path] if each[1] not in DRAWN]
    notes = [f"Left out: {counted(len(lines), 'shape')} without an area."] if lines else []

    def examples() -> Iterator[Example]:
        for path in files:
            suffix, content = _labelme_image(path)
            size = read_image(content, path).shape[1::-1]
            kept = [shape for shape in shapes[path] if shape[1] in DRAWN]
            kept.sort(key=lambda shape: -np.count_nonzero(_painted(shape, size)))
            painted = np.zeros(size[::-1], np.uint8)
            for shape in kept:
                painted[_painted(shape, size)] = ids[shape[0]]
            yield path.relative_to(top).with_suffix(suffix).as_posix(), content, painted

    return classes, palette, examples(), {}, notes


def _shape(shape: Any, where: Path) -> Shape:
    with explained(f"{where} has a shape that cannot be read", "export it again"):
        kind = str(shape.get("shape_type") or "polygon")
        points = [(float(x), float(y)) for x, y in shape["points"]]
        if not all(map(math.isfinite, (value for point in points for value in point))):
            raise ValueError("a coordinate is not a number")
        if len(points) < DRAWN.get(kind, 0):
            raise ValueError(f"a {kind} of {len(points)} points")
        mask = None
        if kind == "mask":
            mask = read_image(base64.b64decode(shape["mask"]), f"of a shape in {where}")[..., 0]
        return str(shape["label"]), kind, points, mask


def _painted(shape: Shape, size: tuple[int, int]) -> np.ndarray:
    """Where a shape lies on an image of `size` (W, H), as bool (H, W)."""
    _, kind, points, mask = shape
    canvas = Image.new("1", size)
    draw = ImageDraw.Draw(canvas)
    if kind == "circle":
        (x, y), radius = points[0], math.dist(points[0], points[1])
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1)
    elif kind == "rectangle":
        across, down = (sorted(values) for values in zip(*points[:2], strict=True))
        draw.rectangle((across[0], down[0], across[1], down[1]), fill=1)
    elif kind == "mask":
        canvas.paste(Image.fromarray(mask > 0), (round(points[0][0]), round(points[0][1])))
    else:
        draw.polygon(points, fill=1, outline=1)
    return np.asarray(canvas)


def _labelme_image(path: Path) -> tuple[str, bytes]:
    """Suffix and content of the image that a file of LabelMe belongs to, or that it contains."""
    content = _json(path)
    named = Path(str(content.get("imagePath") or "").replace("\\", "/"))
    beside = [path.parent / named, path.parent / named.name]
    beside += [path.with_suffix(suffix) for suffix in sorted(SUFFIXES)]
    for file in beside:
        if file.is_file():
            return file.suffix.lower(), file.read_bytes()
    if content.get("imageData"):
        with explained(f"the image in {path} cannot be read", "export it again"):
            suffix = named.suffix.lower() if named.suffix.lower() in SUFFIXES else ".png"
            return suffix, base64.b64decode(content["imageData"])
    raise InputError(f"the image {named} of {path} is missing: put it beside that file.")


def _from_coco(top: Path, files: Sequence[Path]) -> Converted:
    advice = 'run pip install "fcn-tutorial[coco]" first'
    with explained("COCO needs pycocotools", advice, (ImportError,)):
        from pycocotools import mask as tools
    top, contents, names = top.resolve(), {path: _json(path) for path in files}, {}
    for path, content in contents.items():
        with explained(f"the categories of {path} cannot be read", "export it again"):
            names[path] = {each["id"]: str(each["name"]) for each in content["categories"]}
    ids, classes, palette = _legend(name for each in names.values() for name in each.values())

    def examples() -> Iterator[Example]:
        for path, content in contents.items():
            with explained(f"{path} cannot be read as COCO", "export it again"):
                shapes: defaultdict[Any, list] = defaultdict(list)
                for each in content["annotations"]:
                    shape = ids[names[path][each["category_id"]]], each["segmentation"]
                    shapes[each["image_id"]].append(shape)
                for entry in content["images"]:
                    image = _coco_image(path, str(entry["file_name"]))
                    label = _coco_label(tools, shapes[entry["id"]], read_image(image).shape[:2])
                    inside = image.is_relative_to(top)
                    name = image.relative_to(top) if inside else Path(image.name)
                    name = name.with_suffix(name.suffix.lower())
                    yield name.as_posix(), image.read_bytes(), label

    return classes, palette, examples(), {}, []


def _coco_image(path: Path, name: str) -> Path:
    here, above = path.parent, path.parent.parent
    places = [here, here / "images", above, above / "images"]
    found = [place / name for place in places if (place / name).is_file()] or [here / name]
    check_file(found[0], "image", f"{path} names it, so put it there or into images/")
    return found[0].resolve()


def _coco_label(tools: Any, shapes: list[tuple[int, Any]], size: tuple[int, ...]) -> np.ndarray:
    """The label of an image of `size` (H, W), the smallest shape painted last."""
    height, width = size
    encoded = []
    for label, shape in shapes:
        if isinstance(shape, list) or isinstance(shape["counts"], list):
            shape = tools.frPyObjects(shape, height, width)
        shape = tools.merge(shape) if isinstance(shape, list) else shape
        if list(shape["size"]) != [height, width]:
            raise ValueError(f"a mask of size {shape['size']} on an image of {[height, width]}")
        encoded.append((label, shape))
    painted = np.zeros((height, width), np.uint8)
    for label, shape in sorted(encoded, key=lambda each: -int(tools.area(each[1]))):
        painted[tools.decode(shape) > 0] = label
    return painted
