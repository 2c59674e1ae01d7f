"""Look at a data set before training on it: what it holds, and what looks wrong.

Near duplicates: two images of different splits whose thumbnails hardly differ, as neighbouring
frames of a video do. A network that has seen one scores too well on the other.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from scipy.spatial.distance import cdist
from tqdm import tqdm

from fcn_tutorial.data.catalog import load_dataset, splits_of
from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.data.folder import Folder
from fcn_tutorial.data.images import shrunk
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
    sizes: Counter[tuple[int, int]]
    pixels: np.ndarray
    images: np.ndarray
    void: int
    largest: dict[int, tuple[str, int]]
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Glance:
    """What is kept of an example: pixels of each id (256,), a thumbnail, or why it is unusable."""

    size: tuple[int, int] = (0, 0)
    counts: np.ndarray = field(default_factory=lambda: np.zeros(256, np.int64))
    thumbnail: np.ndarray = field(default_factory=lambda: np.zeros(3 * THUMBNAIL**2, np.float32))
    fault: str = ""


def survey(name: str | os.PathLike, root: str | os.PathLike | None = None) -> Survey:
    """Read every image and label of a data set, and note what looks wrong or is unreadable."""
    splits = {split: load_dataset(name, split, root) for split in splits_of(name)}
    seen = {split: _glances(dataset) for split, dataset in splits.items()}
    first = next(iter(splits.values()))
    good = [
        (split, i, each) for split in seen for i, each in enumerate(seen[split]) if each.size[0]
    ]
    if not good:
        raise InputError(next(each.fault for glances in seen.values() for each in glances))
    counts = np.stack([each.counts for *_, each in good])
    classes = len(first.classes)
    largest = {
        c: good[int(counts[:, c].argmax())][:2] for c in range(classes) if counts[:, c].any()
    }
    found = Survey(
        splits,
        Counter(each.size for *_, each in good),
        counts.sum(axis=0)[:classes],
        (counts > 0).sum(axis=0)[:classes],
        int(counts[:, VOID].sum()),
        largest,
    )
    faults = [each.fault for glances in seen.values() for each in glances if each.fault]
    found.warnings += [*faults, *_odd_masks(splits, good), *_odd_classes(found, seen)]
    for one, other in combinations(splits, 2):
        found.warnings += _duplicates(splits[one], seen[one], splits[other], seen[other])
    return found


def _glances(dataset: Dataset) -> list[_Glance]:
    def glance(index: int) -> _Glance:
        try:
            if isinstance(dataset, Folder):
                shape, counts, thumbnail = dataset.glance(index, THUMBNAIL)
            else:
                image, label = dataset[index]
                shape, counts = label.shape, np.bincount(label.ravel(), minlength=256)
                thumbnail = shrunk(image, THUMBNAIL)
        except InputError as error:
            return _Glance(fault=str(error))
        return _Glance((shape[1], shape[0]), counts, thumbnail.ravel().astype(np.float32))

    found = in_threads(glance, range(len(dataset)))
    return list(tqdm(found, f"inspect {dataset.split}", len(dataset)))


def _odd_masks(splits: dict[str, Dataset], good: Sequence[tuple[str, int, _Glance]]) -> list[str]:
    """Masks with void only, or with the first class only; and more than one size of images."""
    names = (*next(iter(splits.values())).classes, *[""] * 256)
    found = []
    for value, what in ((VOID, "nothing but void"), (0, f"nothing but {names[0]}")):
        alone = [(split, i) for split, i, e in good if e.counts[value] == e.counts.sum()]
        if alone and (value == VOID or names[1]):
            example = splits[alone[0][0]].names[alone[0][1]]
            verb = "holds" if len(alone) == 1 else "hold"
            found.append(f"{len(alone)} of {len(good)} masks {verb} {what}, such as {example}.")
    sizes = sorted({each.size for *_, each in good}, key=lambda size: size[0] * size[1])
    if len(sizes) > 1:
        ends = " to ".join(f"{width} x {height}" for width, height in (sizes[0], sizes[-1]))
        found.append(f"Images have {len(sizes)} sizes, from {ends}.")
    return found


def _odd_classes(found: Survey, seen: dict[str, list[_Glance]]) -> list[str]:
    """Classes that are everywhere, tiny, rare or absent, and those that training never sees."""
    classes, total = next(iter(found.splits.values())).classes, max(1, found.pixels.sum())
    trained = sum((each.counts for each in seen.get("train", [])), np.zeros(256, np.int64))
    warnings = []
    for c, name in enumerate(classes):
        share, count = found.pixels[c] / total, found.images[c]
        if not count:
            warnings.append(f"Class {name} does not occur.")
        elif "train" in seen and not trained[c]:
            warnings.append(f"Class {name} does not occur in train.")
        elif share < TINY or count < FEW:
            where = f"{100 * share:.2f} % of the pixels, in {counted(count, 'image')}"
            warnings.append(f"Class {name} is {'tiny' if share < TINY else 'rare'}: {where}.")
        elif share > NEARLY_ALL and len(classes) > 1:
            warnings.append(f"Class {name} is nearly everywhere: {percent(share)} of the pixels.")
    return warnings


def _duplicates(
    one: Dataset, glances: list[_Glance], other: Dataset, others: list[_Glance]
) -> list[str]:
    """A sentence on the near duplicates between two splits; [] where there are none."""
    left, right = (np.stack([e.thumbnail for e in each]) for each in (glances, others))
    usable = [[bool(e.size[0]) for e in each] for each in (glances, others)]
    pairs: list[tuple[int, int]] = []
    for start in range(0, len(left), BLOCK):
        distances = cdist(left[start : start + BLOCK], right) / left.shape[1] ** 0.5
        alike = (distances < SAME) & np.outer(usable[0][start : start + BLOCK], usable[1])
        pairs += [(start + int(i), int(j)) for i, j in np.argwhere(alike)]
    if not pairs:
        return []
    i, j = pairs[0]
    alike = len({j for _, j in pairs})
    verb = "looks" if alike == 1 else "look"
    return [
        f"{counted(alike, 'image')} of {other.split} {verb} like one of {one.split}, such "
        f"as {other.names[j]} and {one.names[i]}: keep them in one split (group in dataset.toml)."
    ]
