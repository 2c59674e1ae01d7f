"""Large images, tile by tile: memory grows with the tile, and the labels stay the same.

Each tile comes with a margin of all that its pixels can see, and begins on the image's own grid of
cells, so that every pixel gets the scores that it gets in the complete image.
"""

import math
from collections.abc import Callable, Sequence
from itertools import product

import keras
import numpy as np
from tqdm import tqdm

from fcn_tutorial.errors import InputError, warn
from fcn_tutorial.geometry import receptive_field

# Both count the pixels that the network looks at, after scales and enlarging.
LARGEST_WHOLE = 2**21  # pixels of an image beyond which it is labelled tile by tile
TILE = 512  # side, without the margin
CELL = 32  # the coarsest stride: tiles that begin at its multiples have the complete image's grid


def by_tiles(
    label: Callable[[np.ndarray], np.ndarray],
    images: np.ndarray,
    models: Sequence[keras.Model],
    scales: tuple[float, ...] = (1.0,),
    flip: bool = False,
    progress: bool = False,
) -> np.ndarray:
    """Label images (N, H, W, 3) at once where they are small, else tile by tile.

    label: images (N, h, w, 3) -> class ids (N, h, w), by asking `models` about the copies of the
    images that `scales` and `flip` name. progress: whether to show a bar over the tiles. There is a
    warning where `models` have no receptive field, so that a large image is labelled at once.
    """
    height, width = images.shape[1:3]
    growth = max(1, *scales) * max(map(_enlarging, models))
    if height * width * growth**2 <= LARGEST_WHOLE:
        return label(images)
    # Seen by a network that enlarges, a cell is smaller; resized copies have cells of their own.
    cell = CELL // min(map(_enlarging, models)) if scales == (1.0,) else CELL
    try:
        seen = max(map(reach, models)) / min(1, *scales)
    except InputError as error:  # a network with global pooling labels a tile in another way
        reason = str(error).partition(":")[0]
        warn(
            f"a large image is labelled at once, not in tiles, as {reason}: make it smaller if "
            "memory is short."
        )
        return label(images)
    margin = cell * math.ceil(seen / cell)
    tile = max(cell, int(TILE / growth) // cell * cell)
    labels = np.empty(images.shape[:3], np.uint8)
    tiles = list(product(range(0, height, tile), range(0, width, tile)))
    for top, left in tqdm(tiles, desc="tiles", leave=False, disable=not progress):
        above, before = min(margin, top), min(margin, left)
        rows = slice(top - above, top + tile + margin)
        right = min(width, left + tile + margin)
        # The mirror image's cells begin at its left edge: whole ones must lie to the right of it.
        right += (width - right) % cell if flip else 0
        found = label(images[:, rows, left - before : right])
        inner = found[:, above : above + tile, before : before + tile]
        labels[:, top : top + tile, left : left + tile] = inner
    return labels


def _enlarging(model: keras.Model) -> int:
    """The factor by which a network enlarges its images before it looks at them."""
    return next((layer.factor for layer in model.layers if layer.name == "enlarge"), 1)


def reach(model: keras.Model) -> float:
    """How many pixels away from a pixel, at most, its scores depend on."""
    fields = [receptive_field(model, axis=axis) for axis in (0, 1)]
    # With upsampling, neighbouring pixels see different ranges, up to a cell further.
    return max(field.size / 2 + abs(field.offset) for field in fields) + CELL / _enlarging(model)
