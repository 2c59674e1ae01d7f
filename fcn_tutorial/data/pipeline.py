"""From a data set to augmented batches, in NumPy and Pillow, for every backend of Keras.

Everything random is a function of (seed, position in the stream): any number of threads, and a run
that resumes at step k, see the very batches that an uninterrupted run sees.

Source: random crop and flip as in Long, Shelhamer and Darrell 2015, section 4.3.
"""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache, partial

import keras
import numpy as np
from PIL import Image

from fcn_tutorial.data.dataset import VOID, Dataset, check_examples
from fcn_tutorial.data.images import checked_pair
from fcn_tutorial.errors import InputError, check_whole, shown

PAD_COLOR = (124, 117, 104)  # ImageNet's mean, which preprocessing turns into about zero
ORDER, CHANGES = 0, 1  # keep the random numbers of the two apart

Pair = tuple[np.ndarray, np.ndarray]


def crop_pair(image: np.ndarray, label: np.ndarray, top: int, left: int, side: int) -> Pair:
    """Cut the same square window out of an image and its label; beyond the image, all is void.

    Args:
        image: uint8 (H, W, 3). Pixels of the window beyond it are PAD_COLOR.
        label: uint8 (H, W) of class ids.
        top, left, side: the window's first row and column, from 0, and its side, in pixels.

    Returns:
        Image uint8 (side, side, 3) and label uint8 (side, side).
    """
    row = np.full((side, 3), PAD_COLOR, np.uint8)
    window = np.full((side, side, 3), row)  # fifty times as fast as pixel by pixel
    ids = np.full((side, side), VOID, np.uint8)
    inside = label[top : top + side, left : left + side]
    height, width = inside.shape
    window[:height, :width] = image[top : top + side, left : left + side]
    ids[:height, :width] = inside
    return window, ids


def resize_pair(image: np.ndarray, label: np.ndarray, side: int) -> Pair:
    """Make an image (H, W, 3), bilinearly, and its label (H, W), by nearest neighbour, a square."""
    resized = Image.fromarray(image).resize((side, side), Image.Resampling.BILINEAR)
    ids = Image.fromarray(label).resize((side, side), Image.Resampling.NEAREST)
    return np.asarray(resized), np.asarray(ids)


def mirror_pair(image: np.ndarray, label: np.ndarray) -> Pair:
    """Mirror an image (H, W, 3) and its label (H, W) from left to right; returns both."""
    return image[:, ::-1], label[:, ::-1]


def jitter(image: np.ndarray, contrast: float, brightness: float) -> np.ndarray:
    """Change an image uint8 (H, W, 3); what leaves 0..255 is clipped.

    Args:
        contrast: factor of each value's distance from the middle, 127.5; 1 changes nothing.
        brightness: added to each value; 0 changes nothing.
    """
    values = (np.arange(256) - 127.5) * contrast + 127.5 + brightness
    return np.take(np.clip(np.round(values), 0, 255).astype(np.uint8), image)


def augment(
    image: np.ndarray,
    label: np.ndarray,
    random: np.random.Generator,
    crop_size: int,
    scale: Sequence[float] = (1, 1),
    flip: bool = False,
    color: float = 0.0,
) -> Pair:
    """A random crop of an image and its label, scaled, mirrored and recoloured.

    A window of crop_size / factor pixels is cut out and then resized, which gives the pixels of
    resizing the example by the factor and then cropping it, for less work.

    Args:
        image, label: uint8 (H, W, 3) and (H, W).
        random: draws the six numbers of one example; a change that is off draws its numbers too.
        crop_size: side of the result, in pixels.
        scale: smallest and largest factor; its logarithm is uniform.
        flip: mirror half of the examples.
        color: largest relative change of contrast and brightness.
    """
    growth, down, across, mirrored, contrast, brightness = random.random(6)
    side = max(1, round(crop_size / (scale[0] * (scale[1] / scale[0]) ** growth)))
    height, width = (max(length - side, 0) + 1 for length in label.shape)
    image, label = crop_pair(image, label, int(down * height), int(across * width), side)
    if side != crop_size:
        image, label = resize_pair(image, label, crop_size)
    if flip and mirrored < 0.5:
        image, label = mirror_pair(image, label)
    if color:
        contrast, brightness = (color * (2 * number - 1) for number in (contrast, brightness))
        image = jitter(image, 1 + contrast, 255 * brightness)
    return image, label


class Batches(keras.utils.PyDataset):
    """An endless stream for `fit`: batch i is `make(i)`; threads make the next ones ahead.

    Keras's own workers are not used: what they have read when `fit` builds a model, or at the end
    of an epoch, counts as seen, so that batches would depend on how often that happens.

    Args:
        make: returns batch number i, from 0: a tuple of arrays. Called from several threads.
        workers: how many threads; None takes one for each processor, up to eight.
    """

    num_batches = None

    def __init__(self, make: Callable[[int], tuple], workers: int | None = None):
        super().__init__()
        self.make = make
        self.error: InputError | None = None  # what stopped it, which TensorFlow wraps in its own
        self.cause: BaseException | None = None  # of that error, which Keras drops
        self._threads = workers or min(8, os.cpu_count() or 1)
        self._pool = ThreadPoolExecutor(self._threads)
        self._made: dict[int, Future] = {}

    def __getitem__(self, index: int) -> tuple:
        wanted = range(index, index + 2 * self._threads + 1)
        made = {i: self._made.get(i) or self._pool.submit(self.make, i) for i in wanted}
        self._made = made
        try:
            return made[index].result()
        except InputError as error:
            self.error, self.cause = error, error.__cause__
            raise


def batches(
    dataset: Dataset,
    batch_size: int,
    crop_size: int,
    scale: Sequence[float] = (1, 1),
    flip: bool = False,
    color: float = 0.0,
    seed: int = 0,
    class_weights: np.ndarray | None = None,
    first_batch: int = 0,
    part: tuple[int, int] = (0, 1),
    workers: int | None = None,
) -> Batches:
    """Endless batches of random crops, each pass over the data set in a new random order.

    Args:
        dataset: any sequence of (image, label) pairs with name, split, classes and names.
        batch_size: how many crops are in a batch.
        crop_size: their side in pixels.
        scale, flip, color: as for `augment`.
        seed: from 0; with the position in the stream it determines all that is random.
        class_weights: (C,); adds to each batch the weight of each pixel's class; void weighs 0.
        first_batch: start at this batch of the stream.
        part: (number, of how many): the part of each batch that this process makes.
        workers: how many threads make batches; None takes one for each processor.

    Returns:
        Images uint8 (N, crop, crop, 3), labels uint8 and, with class_weights, weights float32.

    Raises:
        InputError: the data set is empty or a setting makes no sense; later, an example is broken.
    """
    check_examples(dataset)
    check_whole("batch_size", batch_size, 1)
    check_whole("crop_size", crop_size, 1)
    check_whole("seed", seed, 0)
    two = np.shape(scale) == (2,) and np.asarray(scale).dtype.kind in "iuf"
    if not two or not 0 < scale[0] <= scale[1] < np.inf:
        raise InputError(f"scale must be [smallest, largest], both above 0, got {shown(scale)}.")
    share = batch_size // part[1]
    changes = partial(augment, crop_size=crop_size, scale=scale, flip=flip, color=color)

    def make(number: int) -> tuple:
        first = (first_batch + number) * batch_size + part[0] * share
        return _batch(dataset, range(first, first + share), seed, changes, class_weights)

    return Batches(make, workers)


def _batch(dataset, positions, seed, changes, class_weights):
    pairs = []
    for position in positions:
        index = _index(position, len(dataset), seed)
        pair = checked_pair(*dataset[index], repr(dataset.names[index]), len(dataset.classes))
        pairs.append(changes(*pair, np.random.default_rng((seed, CHANGES, position))))
    images, labels = (np.stack(each) for each in zip(*pairs, strict=True))
    if class_weights is None:
        return images, labels
    weights = np.pad(class_weights, (0, 256 - len(class_weights))).astype(np.float32)
    return images, labels, weights[labels]


def names_in_batch(dataset: Dataset, batch_size: int, seed: int, number: int) -> list[str]:
    """Names of the examples in one batch of the stream that `batches` gives; the first is 0."""
    positions = range(number * batch_size, (number + 1) * batch_size)
    return [dataset.names[_index(position, len(dataset), seed)] for position in positions]


def _index(position: int, length: int, seed: int) -> int:
    """Index of the example at `position`: pass after pass, each a permutation of the data set."""
    return int(_order(length, seed, position // length)[position % length])


@lru_cache(maxsize=4)
def _order(length: int, seed: int, number: int) -> np.ndarray:
    return np.random.default_rng((seed, ORDER, number)).permutation(length)
