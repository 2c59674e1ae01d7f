"""Look at a data set before training on it: what it holds, and what looks wrong.

Near duplicates: two images of different splits whose thumbnails hardly differ, as neighbouring
frames of a video do. A network that has seen one scores too well on the other.
"""

import math
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist
from tqdm import tqdm

from fcn_tutorial.data.catalog import load_dataset, splits_of
from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import in_threads
from fcn_tutorial.tables import counted, percent

THUMBNAIL = 16  # pixels
SAME = 4.0  # two thumbnails closer than this, in levels of 0..255, are near duplicates
BLOCK = 512  # images that are compared at a time
TINY, FEW, NEARLY_ALL = 1e-3, 3, 0.98


@dataclass
class Survey:
    """What a data set holds.

    splits: the data set's, by name. sizes: (width, height) of its images. pixels, images: of each
    class, int64 (C,). void: pixels. largest: for each class that occurs, the split and the index of
    the example with most of its pixels. warnings: sentences on what looks wrong.
    """

    splits: dict[str, Dataset]
    sizes: Counter[tuple[int, ...]]
    pixels: np.ndarray
    images: np.ndarray
    void: int
    largest: dict[int, tuple[str, int]]
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Glance:
    """What is kept of an example: where it is, (width, height), pixels of each id, a thumbnail."""

    split: str
    index: int
    name: str
    size: tuple[int, ...]
    counts: np.ndarray
    thumbnail: np.ndarray


def survey(name: str | os.PathLike, root: str | os.PathLike | None = None) -> Survey:
    """Read every image and label of a data set, and note what looks wrong or is unreadable."""
    splits = {split: load_dataset(name, split, root) for split in splits_of(name)}
    looked_at = [each for dataset in splits.values() for each in _glances(dataset)]
    good = [each for each in looked_at if isinstance(each, _Glance)]
    faults = [each for each in looked_at if isinstance(each, str)]
    if not good:
        raise InputError(faults[0])
    counts = np.stack([each.counts for each in good])
    classes = next(iter(splits.values())).classes
    count, sizes = len(classes), Counter(each.size for each in good)
    images, pixels = (counts > 0).sum(axis=0), counts.sum(axis=0)
    most = {c: good[int(counts[:, c].argmax())] for c in range(count) if images[c]}
    largest = {c: (each.split, each.index) for c, each in most.items()}
    found = Survey(splits, sizes, pixels[:count], images[:count], int(pixels[VOID]), largest)
    found.warnings += [*faults, *_odd_masks(good, classes), *_odd_classes(found, good)]
    parts = [[each for each in good if each.split == split] for split in splits]
    for one, other in combinations(filter(None, parts), 2):
        found.warnings += _duplicates(one, other)
    return found


def _glances(dataset: Dataset) -> list[_Glance | str]:
    """What is kept of each example, or why it cannot be used."""

    def glance(index: int) -> _Glance | str:
        try:
            image, label = dataset[index]
        except InputError as error:
            return str(error)
        counts = np.array(Image.fromarray(label).histogram())
        small = Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL), Image.Resampling.BOX)
        thumbnail = np.asarray(small, np.float32).ravel()
        where = dataset.split, index, dataset.names[index]
        return _Glance(*where, label.shape[::-1], counts, thumbnail)

    found = in_threads(glance, range(len(dataset)))
    return list(tqdm(found, f"inspect {dataset.split}", len(dataset)))


def _odd_masks(good: Sequence[_Glance], classes: Sequence[str]) -> list[str]:
    """Masks with void only, or with the first class only; and more than one size of images."""
    found = []
    odd = {VOID: "void"} | ({0: classes[0]} if len(classes) > 1 else {})
    for value, name in odd.items():
        alone = [each.name for each in good if each.counts[value] == each.counts.sum()]
        if alone:
            verb = "holds" if len(alone) == 1 else "hold"
            count = f"{len(alone)} of {counted(len(good), 'mask')}"
            found.append(f"{count} {verb} nothing but {name}, such as {alone[0]}.")
    sizes = sorted({each.size for each in good}, key=math.prod)
    if len(sizes) > 1:
        ends = " to ".join(f"{width} x {height}" for width, height in (sizes[0], sizes[-1]))
        found.append(f"Images have {len(sizes)} sizes, from {ends}.")
    return found


def _odd_classes(found: Survey, good: Sequence[_Glance]) -> list[str]:
    """Classes that are everywhere, tiny, rare or absent, and those that training never sees."""
    classes, total = next(iter(found.splits.values())).classes, max(1, found.pixels.sum())
    trained = sum((each.counts for each in good if each.split == "train"), np.zeros(256, np.int64))
    absent, untrained, warnings = [], [], []
    for c, name in enumerate(classes):
        share, count = found.pixels[c] / total, found.images[c]
        if not count:
            absent.append(name)
        elif "train" in found.splits and not trained[c]:
            untrained.append(name)
        elif share < TINY or count < FEW:
            where = f"{100 * share:.2f} % of the pixels, in {counted(count, 'image')}"
            warnings.append(f"Class {name} is {'tiny' if share < TINY else 'rare'}: {where}.")
        elif share > NEARLY_ALL and len(classes) > 1:
            warnings.append(f"Class {name} is nearly everywhere: {percent(share)} of the pixels.")
    for names, where in ((absent, "image"), (untrained, "image of train")):
        if names:
            warnings.append(f"No {where} shows {', '.join(names)}.")
    return warnings


def _duplicates(one: Sequence[_Glance], other: Sequence[_Glance]) -> list[str]:
    """A sentence on the near duplicates between two splits; [] where there are none."""
    left, right = (np.stack([each.thumbnail for each in part]) for part in (one, other))
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(left), BLOCK):
        distances = cdist(left[start : start + BLOCK], right) / left.shape[1] ** 0.5
        pairs += [(start + i, j) for i, j in np.argwhere(distances < SAME).tolist()]
    if not pairs:
        return []
    mine, theirs = one[pairs[0][0]], other[pairs[0][1]]
    alike = len({j for _, j in pairs})
    verb = "looks" if alike == 1 else "look"
    return [
        f"{counted(alike, 'image')} of {theirs.split} {verb} like one of {mine.split}, such as "
        f"{theirs.name} and {mine.name}: keep them in one split (group in dataset.toml)."
    ]
