"""The layouts of folders of pictures and masks that labelling tools write: which one is this?

1. VOC, and CVAT's "Segmentation mask 1.1": JPEGImages/, SegmentationClass/, labelmap.txt, and lists
   of names in ImageSets/Segmentation/.
2. CamVid, and CVAT's "CamVid 1.0": lists of pairs (train.txt: "train/a.png trainannot/a.png") and
   label_colors.txt.
3. Roboflow's "Semantic segmentation masks": train/, valid/ and test/ with NAME.jpg, NAME_mask.png
   and _classes.csv.
4. Plain: images/ and masks/ (or labels/, annotations/) with equal names; folders of splits inside
   or around them, or lists of names in train.txt, val.txt, ...; classes.csv or classes.txt.

The table of another layout does as well.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from fcn_tutorial.data.dataset import Files, lines_of
from fcn_tutorial.data.masks import TABLES
from fcn_tutorial.errors import InputError, shown
from fcn_tutorial.tables import counted

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp"}
MASKS = ("masks", "labels", "annotations")
# The tables that a layout's own tools write; where they are missing, any other does.
OWN = {"VOC": ("labelmap.txt",), "CamVid": ("label_colors.txt",)}
ENDINGS = re.compile(r"[_-](masks?|labels?|l|gt|seg)$", re.IGNORECASE)  # of a mask's name
SPLITS = ("train", "val", "test")
SPLIT_NAMES = {"training": "train", "valid": "val", "validation": "val", "testing": "test"}
NEEDS = (
    "JPEGImages/ and SegmentationClass/ (VOC), lists of pairs beside label_colors.txt (CamVid), "
    "train/_classes.csv (Roboflow), or images/ and masks/"
)

Pictures = dict[str, tuple[str, Path]]  # name and file, by what names are compared by


@dataclass
class Layout:
    """What was found in a folder.

    kind: the layout's name. pairs: image and mask by name. splits: names by split, as lists or
    folders give them. table: the file with the classes. notes: what to tell the reader.
    """

    kind: str
    pairs: Files
    splits: dict[str, list[str]] = field(default_factory=dict)
    table: Path | None = None
    notes: list[str] = field(default_factory=list)


def find(folder: Path) -> Layout:
    """Recognise the layout of a folder.

    InputError where there is no such folder, no layout fits or more than one does, or its lists and
    names contradict each other.
    """
    if folder.is_file():
        raise InputError(f"{folder} is a file: name its folder, or convert JSON by data convert.")
    if not folder.is_dir():
        raise InputError(f"folder {folder} is missing: check the path.")
    found = [layout for each in (_voc, _camvid, _roboflow, _plain) if (layout := each(folder))]
    if len(found) > 1:
        kinds = " and ".join(layout.kind for layout in found)
        raise InputError(f"{folder} fits two layouts, {kinds}: move the files of one of them away.")
    if not found:
        inside = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
        listed = f"{', '.join(inside[:6])}{', ...' * (len(inside) > 6)}" or "nothing"
        polygons = any(folder.glob("*.json")) or any(folder.glob("*/*.json"))
        convert = f', or run "fcn-tutorial data convert {folder}"' * polygons
        raise InputError(
            f"{folder} is not a data set: it holds {listed}; a folder needs {NEEDS}{convert}."
        )
    if not found[0].pairs:
        raise InputError(
            f"{folder} ({found[0].kind}) has no image with a mask of the same name: name them "
            "alike, such as a.jpg and a.png or a_mask.png."
        )
    own = OWN.get(found[0].kind, ("classes.csv", "classes.txt"))
    tables = [folder / name for name in (*own, *TABLES) if (folder / name).is_file()]
    found[0].table = found[0].table or next(iter(tables), None)
    return found[0]


def _voc(folder: Path) -> Layout | None:
    images, masks = folder / "JPEGImages", folder / "SegmentationClass"
    if not (images.is_dir() and masks.is_dir()):
        return None
    layout = _matched("VOC", _pictures(images), _pictures(masks))
    return _listed(layout, folder, folder.glob("ImageSets/Segmentation/*.txt"))


def _camvid(folder: Path) -> Layout | None:
    lists = [path for path in sorted(folder.glob("*.txt")) if path.name not in TABLES]
    both = [path for path in lists if (folder / f"{path.stem}annot").is_dir()]
    named = lists and (folder / "label_colors.txt").is_file() and not _halves(folder)
    if not both and not named:
        return None
    layout = Layout("CamVid", {})
    files = {_key(path.relative_to(folder).as_posix()): path for path in folder.rglob("*.*")}
    for path in both or lists:
        names = layout.splits.setdefault(split_name(path.stem), [])
        for line in lines_of(path):
            image, mask = _pair_of(line, files, path)
            name = image.relative_to(folder).with_suffix("").as_posix()
            layout.pairs[name] = image, mask
            names.append(name)
    return layout


def _pair_of(line: str, files: dict[str, Path], where: Path) -> tuple[Path, Path]:
    """The two files that a line names; names may hold spaces, and start with other folders."""
    words = re.findall(r'"[^"]+"|\S+', line)
    for cut in range(1, len(words)):
        paths = " ".join(words[:cut]).strip('"'), " ".join(words[cut:]).strip('"')
        found = [next((files[key] for key in _ends(path) if key in files), None) for path in paths]
        if found[0] and found[1]:
            return found[0], found[1]
    raise InputError(
        f"list {where} names {shown(line)}, which is not a pair of files here: correct the list."
    )


def _roboflow(folder: Path) -> Layout | None:
    tables = sorted(folder.glob("*/_classes.csv"))
    if not tables:
        return None
    other = [path for path in tables if path.read_bytes() != tables[0].read_bytes()]
    if other:
        raise InputError(f"{tables[0]} and {other[0]} differ: make them the same.")
    whole = Layout("Roboflow", {}, table=tables[0])
    for table in tables:
        pictures = _pictures(table.parent)
        masks = {key: each for key, each in pictures.items() if key.endswith("_mask")}
        images = {key: each for key, each in pictures.items() if key not in masks}
        _add(whole, table.parent.name, images, masks)
    return whole


def _plain(folder: Path) -> Layout | None:
    parts = [(path.name, _halves(path)) for path in sorted(folder.iterdir()) if _is_split(path)]
    halves, inside = _halves(folder), list[str]()
    if halves:
        inside = [path.name for path in sorted(halves[0].glob("*/")) if _is_split(path)]
        parts += [(name, (halves[0] / name, halves[1] / name)) for name in inside]
    whole = Layout("plain", {})
    for name, part in parts:
        if part:
            _add(whole, name, *map(_pictures, part))
    if not halves:
        return whole if whole.splits else None
    images, masks = (
        {k: each for k, each in _pictures(half).items() if each[0].partition("/")[0] not in inside}
        for half in halves
    )
    if not whole.splits:
        lists = [path for path in folder.glob("*.txt") if _is_split(path)]
        return _listed(_matched("plain", images, masks), folder, lists)
    if whole.splits.keys() & {"train", "trainval"}:
        loose = [path for _, path in images.values()]
        whole.notes += _left_out(loose, "image", "in no folder of a split")
    elif images:
        _add(whole, "train", images, masks)
    return whole


def _halves(folder: Path) -> tuple[Path, Path] | None:
    """The folders of images and of masks in a folder; None where it has none."""
    masks = [folder / name for name in MASKS if (folder / name).is_dir()]
    if not (folder / "images").is_dir() or not masks:
        return None
    if len(masks) > 1:
        raise InputError(
            f"{folder} has masks in both {masks[0].name}/ and {masks[1].name}/: move one away."
        )
    return folder / "images", masks[0]


def _is_split(path: Path) -> bool:
    """Whether a folder or a list has the name of a split."""
    named = split_name(path.stem) in (*SPLITS, "trainval")
    return named and (path.suffix == ".txt" or path.is_dir())


def split_name(name: str) -> str:
    """What a split is called here: "valid" and "Validation" are "val"."""
    lower = name.casefold()
    return SPLIT_NAMES.get(lower, lower if lower in SPLITS else name)


def _key(name: str) -> str:
    """What names are compared by: accents may be written in two ways, and in any case."""
    return unicodedata.normalize("NFC", name).casefold()


def _pictures(folder: Path) -> Pictures:
    """The pictures below a folder: name (the path below it, without suffix) and file by key."""
    found: Pictures = {}
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith((".", "__MACOSX")) for part in path.relative_to(folder).parts)
        if path.suffix.lower() not in SUFFIXES or hidden or not path.is_file():
            continue
        name = path.relative_to(folder).with_suffix("").as_posix()
        name = unicodedata.normalize("NFC", name)
        _, other = found.setdefault(_key(name), (name, path))
        if other != path:
            raise InputError(f"{other} and {path} have the same name: rename or remove one.")
    return found


def _matched(kind: str, images: Pictures, masks: Pictures, before: str = "") -> Layout:
    """Images with the masks of the same name, which may have an ending such as `_mask`."""
    of: dict[str, Path] = {}
    for key, (_, path) in masks.items():
        key = key if key in images else ENDINGS.sub("", key)
        if of.setdefault(key, path) != path:
            raise InputError(f"{of[key]} and {path} are masks of the same image: remove one.")
    pairs = {before + name: (path, of[key]) for key, (name, path) in images.items() if key in of}
    without_mask = [path for key, (_, path) in images.items() if key not in of]
    without_image = [path for key, path in of.items() if key not in images]
    notes = _left_out(without_mask, "image", "without mask")
    notes += _left_out(without_image, "mask", "without image")
    return Layout(kind, pairs, notes=notes)


def _left_out(paths: list[Path], what: str, why: str) -> list[str]:
    """What to tell the reader of pictures that are not used; [] where there are none."""
    if not paths:
        return []
    return [f"Left out: {counted(len(paths), what)} {why}, such as {paths[0]}."]


def _add(whole: Layout, name: str, images: Pictures, masks: Pictures) -> None:
    """Add the pairs of a split, which is named as its folder is."""
    part = _matched(whole.kind, images, masks, f"{name}/")
    for both in whole.pairs.keys() & part.pairs.keys():
        one, other = whole.pairs[both][0], part.pairs[both][0]
        raise InputError(f"{one} and {other} have the same name: rename or remove one.")
    whole.pairs |= part.pairs
    whole.splits.setdefault(split_name(name), []).extend(part.pairs)
    whole.notes += part.notes


def _listed(layout: Layout, folder: Path, lists: Iterable[Path]) -> Layout:
    """Split by lists of names; each line may have a folder before the name, or a suffix."""
    keys = {_key(name): name for name in layout.pairs}
    for path in sorted(lists):
        names = layout.splits.setdefault(split_name(path.stem), [])
        for line in lines_of(path):
            name = next((keys[key] for key in _keys_of(line) if key in keys), None)
            if name is None:
                raise InputError(
                    f"list {path} names {shown(line)}, which has no image with a mask in {folder}: "
                    "add them, or correct the list."
                )
            names.append(name)
    return layout


def _keys_of(line: str) -> Iterator[str]:
    for text in (line, line.split()[0]):
        path = PurePosixPath(text.replace("\\", "/"))
        yield from _ends(str(path.with_suffix("") if path.suffix.lower() in SUFFIXES else path))


def _ends(path: str) -> Iterator[str]:
    """What a path is compared by; its first folders may be those of another machine."""
    parts = PurePosixPath(path.replace("\\", "/")).parts
    return (_key("/".join(parts[start:])) for start in range(len(parts)))
