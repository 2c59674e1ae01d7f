"""Procedural scenes: textured shapes that lie over one another on a textured background.

Nothing to download, and every label is exact. Colour and texture say nothing about the class, so a
network must look at form. Walls, arms and corners are narrow, so the network's stride matters: of
the label itself, cells of 8 x 8 pixels keep nearly everything, cells of 32 x 32 less than half.
"""

import operator
import os

import numpy as np
from scipy import ndimage

from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.data.textures import contrasting_color, random_colors, texture
from fcn_tutorial.errors import InputError, check_choice, check_whole, shown

SPLITS = ("train", "val", "test")
DEFAULT_COUNTS = {"train": 1000, "val": 200, "test": 200}
CROPS = len(SPLITS)  # takes the place of a split's number in the seed of single-shape crops
CLASSES = ("background", "disc", "square", "triangle", "ring", "cross")
# Okabe and Ito's colours, told apart by colour-blind readers too; black for the background.
PALETTE = [(0, 0, 0), (230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167), (213, 94, 0)]
RADII = (12, 28)  # in pixels, whatever the size of the scene
REACH = 1.25  # no part of a shape is further from its centre than this many radii
MAX_ROTATION = np.radians(25)  # a square that turns further looks like a diamond


class Shapes(Dataset):
    """One split of procedural scenes; each is drawn on access, and always comes out the same."""

    name = "shapes"
    classes = CLASSES
    palette = np.array(PALETTE, np.uint8)

    def __init__(self, split, size, count, seed, objects):
        self.split, self.size, self.seed, self.objects = split, size, seed, objects
        self.names = tuple(f"shapes-{split}-{index:05d}" for index in range(count))

    def __getitem__(self, index):
        index = range(len(self))[operator.index(index)]
        rng = np.random.default_rng((self.seed, SPLITS.index(self.split), index))
        return _draw_scene(rng, self.size, self.objects)


def load(
    split: str,
    root: str | os.PathLike | None = None,
    *,
    size: int | tuple[int, int] = 96,
    count: int | None = None,
    seed: int = 0,
    objects: tuple[int, int] = (1, 5),
) -> Shapes:
    """Open a split of procedural scenes.

    Args:
        split: "train", "val" or "test".
        root: not used, as there are no files.
        size: side of the scenes, or (height, width), in pixels. Objects stay about 24 to 56 pixels
            across whatever the size, so a larger scene shows more background, or has room for more
            objects.
        count: number of scenes; None means 1000 for train, 200 for val and test.
        seed: scene i depends on seed, split, i, size and objects alone, never on count.
        objects: (fewest, most) objects in a scene, from 0 up; later ones cover earlier ones.

    Returns:
        The split.

    Raises:
        InputError: unknown split or an option out of its range.
    """
    check_choice("split of shapes", split, SPLITS)
    count = check_whole("count", DEFAULT_COUNTS[split] if count is None else count, 1)
    few, most = _pair("objects", objects, 0)
    if few > most:
        raise InputError(f"objects must be (fewest, most), got {objects!r}.")
    return Shapes(split, _size(size), count, check_whole("seed", seed, 0), (few, most))


def single_shapes(
    count: int, size: int | tuple[int, int] = 96, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Draw crops that show one shape each, or none, to train a classifier on.

    Crop i has class i % 6, so classes are balanced; the shape sits near the centre, and class 0 is
    background alone. Colours, textures and sizes are those of the scenes.

    Args:
        count: number of crops.
        size: as for `load`; below 80 pixels the largest shapes are cut off at the edge.
        seed: as for `load`.

    Returns:
        Images uint8 (count, height, width, 3) and classes int64 (count,).

    Raises:
        InputError: a count or size below 1 or a seed below 0.
    """
    count, seed, sides = check_whole("count", count, 1), check_whole("seed", seed, 0), _size(size)
    class_ids = np.arange(count) % len(CLASSES)
    images = np.empty((count, *sides, 3), np.uint8)
    for index, class_id in enumerate(class_ids):
        rng = np.random.default_rng((seed, CROPS, index))
        image, ids = _draw_background(rng, sides)
        if class_id:
            center = [side * rng.uniform(0.42, 0.58) for side in sides]
            _draw_object(rng, image, ids, class_id, center, rng.uniform(*RADII))
        images[index] = _to_uint8(image)
    return images, class_ids


def _draw_scene(rng, size, objects):
    """Image uint8 (H, W, 3) and label uint8 (H, W) of one scene."""
    image, ids = _draw_background(rng, size)
    for _ in range(rng.integers(*objects, endpoint=True)):
        radius = rng.uniform(*RADII)
        # Part of an object may lie outside the scene, as in a photograph, but never most of it.
        margins = [min(0.7 * radius, side / 2) for side in size]
        center = [rng.uniform(m, side - m) for m, side in zip(margins, size, strict=True)]
        _draw_object(rng, image, ids, rng.integers(1, len(CLASSES)), center, radius)
    return _to_uint8(image), void_band(ids)


def _draw_background(rng, size):
    """A textured image, float32 (H, W, 3), and class ids, uint8 (H, W), all 0 as yet."""
    rows, columns = np.ogrid[: size[0], : size[1]]
    image = texture(rng, random_colors(rng, 1)[0], rows, columns)
    return image, np.zeros(size, np.uint8)


def _draw_object(rng, image, ids, class_id, center, radius):
    """Paint one object into the image (float32, changed in place) and into its class ids."""
    # Only the box around the object is touched, so a scene costs little more than its background.
    low = [max(0, int(c - REACH * radius)) for c in center]
    high = [int(c + REACH * radius) + 2 for c in center]
    box = slice(low[0], high[0]), slice(low[1], high[1])
    height, width = ids[box].shape
    rows, columns = np.ogrid[low[0] : low[0] + height, low[1] : low[1] + width]
    # A pixel's centre lies half a pixel from its corner.
    y, x = rows + 0.5 - center[0], columns + 0.5 - center[1]
    angle = rng.uniform(-MAX_ROTATION, MAX_ROTATION)
    cos, sin = np.cos(angle), np.sin(angle)
    inside = SHAPES[class_id](cos * x + sin * y, cos * y - sin * x, radius)
    if inside.any():
        color = contrasting_color(rng, image[box][inside])
        image[box][inside] = texture(rng, color, rows, columns)[inside]
        ids[box][inside] = class_id


# Which pixels belong to a shape: x, y are float arrays of offsets from its centre (y points down).


def _disc(x, y, radius):
    return np.hypot(x, y) <= radius


def _square(x, y, radius):
    return np.maximum(abs(x), abs(y)) <= 0.85 * radius


def _triangle(x, y, radius):
    """Equilateral: its half width grows from nothing at the tip to 1.04 radius at the base."""
    below_tip = y + 1.2 * radius
    return (abs(x) <= below_tip / np.sqrt(3)) & (below_tip <= 1.8 * radius)


def _ring(x, y, radius):
    wall = 6 + 0.25 * radius
    distance = np.hypot(x, y)
    return (radius - wall <= distance) & (distance <= radius)


def _cross(x, y, radius):
    arm = 7 + 0.25 * radius
    x, y = abs(x), abs(y)
    return (np.minimum(x, y) <= arm / 2) & (np.maximum(x, y) <= radius)


SHAPES = {1: _disc, 2: _square, 3: _triangle, 4: _ring, 5: _cross}


def _to_uint8(image):
    return np.clip(np.round(image), 0, 255).astype(np.uint8)


def void_band(ids: np.ndarray) -> np.ndarray:
    """Mark as void each pixel with a pixel of another class among its eight neighbours.

    Args:
        ids: class ids (H, W).

    Returns:
        uint8 (H, W), the ids with void along the borders.
    """
    highest = ndimage.maximum_filter(ids, size=3, mode="nearest")
    lowest = ndimage.minimum_filter(ids, size=3, mode="nearest")
    return np.where(highest == lowest, ids, VOID).astype(np.uint8)


def _size(size):
    return _pair("size", size if isinstance(size, tuple | list) else (size, size), 1)


def _pair(field, values, least):
    if not isinstance(values, tuple | list) or len(values) != 2:
        raise InputError(f"{field} must be two whole numbers, got {shown(values)}.")
    return tuple(check_whole(field, value, least) for value in values)
