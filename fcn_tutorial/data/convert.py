"""Convert what labelling tools export into images/, masks/ and classes.csv.

LabelMe's and COCO's polygons become masks. Where two overlap, the smaller lies on top, whatever
their order in the file: what is small usually lies in front, or is a part.
"""

import base64
import json
import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from fcn_tutorial.data import folder
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.data.images import read_image, write_label
from fcn_tutorial.data.layouts import SUFFIXES, find
from fcn_tutorial.data.masks import MOST_CLASSES, VOID_NAMES, read_mask
from fcn_tutorial.data.voc import voc_palette
from fcn_tutorial.errors import InputError, check_file, explained
from fcn_tutorial.files import make_folder, write_text, write_whole

BACKGROUND = "background"
DRAWN = {"polygon": 3, "rectangle": 2, "circle": 2, "mask": 2}  # fewest points

Example = tuple[str, str, bytes, np.ndarray]  # name, suffix, the image's file, label
Shape = tuple[str, str, list[tuple[float, float]], Any]  # name of the class, kind, points, mask
Converted = tuple[tuple[str, ...], np.ndarray, Iterator[Example], dict[str, list[str]], list[str]]


def convert(
    source: str | os.PathLike, output: str | os.PathLike
) -> tuple[int, tuple[str, ...], list[str]]:
    """Write a folder in the plain layout into `output`, a new or empty folder.

    source: a folder of LabelMe's JSON files and their images; a JSON file of COCO, or a folder with
    some; or a folder of images and masks in any layout. Returns how many examples were written, the
    classes, and sentences on what was left out. InputError where there is nothing to convert, a
    file is broken, or `output` holds something.
    """
    source, output = Path(source), Path(output)
    if output.is_dir() and any(output.iterdir()):
        raise InputError(f"{output} holds files: choose a new or empty folder.")
    classes, palette, examples, lists, notes = _reader(source)(source)
    make_folder(output)
    count = 0
    for name, suffix, content, label in examples:
        image, mask = output / "images" / f"{name}{suffix}", output / "masks" / f"{name}.png"
        if mask.exists():
            raise InputError(
                f"{source} has two labels for {name}: rename an image, or merge the two files."
            )
        make_folder(image.parent)
        make_folder(mask.parent)
        write_whole(image, partial(Path.write_bytes, data=content))
        write_label(mask, label, palette)
        count += 1
    quoted = [name.replace('"', '""') for name in classes]
    rows = [f'{i},"{name}",#{bytes(palette[i]).hex()}' for i, name in enumerate(quoted)]
    write_text(output / "classes.csv", "\n".join(["id,name,color", *rows, f"{VOID},void,", ""]))
    for split, names in lists.items():
        write_text(output / f"{split}.txt", "\n".join(names) + "\n")
    return count, classes, notes


def _reader(source: Path) -> Callable[[Path], Converted]:
    if source.is_file():
        return _from_coco
    kinds = {kind for path in source.rglob("*.json") if (kind := _kind(path))}
    if len(kinds) > 1:
        raise InputError(f"{source} holds files of both LabelMe and COCO: convert one at a time.")
    readers = {"LabelMe": _from_labelme, "COCO": _from_coco}
    return readers[kinds.pop()] if kinds else _from_masks


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
    settings = folder.read_settings(source)
    lists = folder.all_splits(layout, settings, source) if settings else layout.splits

    def examples() -> Iterator[Example]:
        for name, (image, mask) in layout.pairs.items():
            label = read_mask(mask, first.table)
            yield name, image.suffix.lower(), image.read_bytes(), label

    return first.classes, first.palette, examples(), lists, list(first.notes)


def _legend(names: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...], np.ndarray]:
    """Class ids by name, with a background before all others and 255 for void."""
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


def _from_labelme(source: Path) -> Converted:
    files = [path for path in sorted(source.rglob("*.json")) if _kind(path) == "LabelMe"]
    shapes = {path: [_shape(each, path) for each in _json(path)["shapes"]] for path in files}
    names = sorted({label for each in shapes.values() for label, *_ in each})
    ids, classes, palette = _legend(names)
    lines = [kind for each in shapes.values() for _, kind, *_ in each if kind not in DRAWN]
    notes = [f"{len(lines)} points and lines were left out."] if lines else []

    def examples() -> Iterator[Example]:
        for path in files:
            suffix, content = _labelme_image(path)
            size = read_image(content, path).shape[1::-1]
            kept = [shape for shape in shapes[path] if shape[1] in DRAWN]
            kept.sort(key=lambda shape: -np.count_nonzero(_painted(shape, size)))
            painted = np.zeros(size[::-1], np.uint8)
            for shape in kept:
                painted[_painted(shape, size)] = ids[shape[0]]
            name = path.relative_to(source).with_suffix("").as_posix()
            yield name, suffix, content, painted

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


def _from_coco(source: Path) -> Converted:
    files = [source] if source.is_file() else sorted(source.rglob("*.json"))
    contents = {path: _json(path) for path in files if _kind(path) == "COCO"}
    if not contents:
        raise InputError(f"{source} holds no COCO JSON: give a file with images and annotations.")
    advice = 'run pip install "fcn-tutorial[coco]" first'
    with explained("COCO needs pycocotools", advice, (ImportError,)):
        from pycocotools import mask as tools
    top = (source.parent if source.is_file() else source).resolve()
    with explained(f"the categories of {source} cannot be read", "export it again"):
        of = {
            path: {category["id"]: str(category["name"]) for category in content["categories"]}
            for path, content in contents.items()
        }
    names = dict.fromkeys(name for each in of.values() for name in each.values())
    ids, classes, palette = _legend(list(names))

    def examples() -> Iterator[Example]:
        for path, content in contents.items():
            with explained(f"{path} cannot be read as COCO", "export it again"):
                shapes: dict[Any, list] = {}
                for each in content["annotations"]:
                    shape = ids[of[path][each["category_id"]]], each["segmentation"]
                    shapes.setdefault(each["image_id"], []).append(shape)
                for entry in content["images"]:
                    image = _coco_image(path, str(entry["file_name"]))
                    size = read_image(image).shape[:2]
                    label = _coco_label(tools, shapes.get(entry["id"], []), size)
                    inside = image.is_relative_to(top)
                    name = image.relative_to(top) if inside else Path(image.name)
                    bare = name.with_suffix("").as_posix()
                    yield bare, image.suffix.lower(), image.read_bytes(), label

    return classes, palette, examples(), {}, []


def _coco_image(path: Path, name: str) -> Path:
    here, above = path.parent, path.parent.parent
    places = [here, here / "images", above, above / "images"]
    found = [place / name for place in places if (place / name).is_file()]
    if not found:
        check_file(places[0] / name, "image", f"{path} names it, so put it there or into images/")
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
