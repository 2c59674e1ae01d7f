"""Segment an image of any size, and evaluate a model at native resolution.

Source: Long, Shelhamer and Darrell 2015, section 5: one confusion matrix over the whole set, at the
images' own sizes, void left out.
"""

import math
from itertools import product

import keras
import numpy as np
from tqdm import tqdm

from fcn_tutorial.errors import InputError
from fcn_tutorial.geometry import receptive_field
from fcn_tutorial.metrics import confusion_matrix, scores

PIXELS_AT_ONCE = 2**17
# Both count the pixels that the network looks at, after scales and enlarging.
LARGEST_WHOLE = 2**21  # pixels of an image beyond which it is labelled tile by tile
TILE = 512  # side, without the margin
CELL = 32  # the coarsest stride: tiles that begin at its multiples have the whole image's grid


def segment(model, image, scales=(1.0,), flip=False, progress=False):
    """Class id of each pixel: image (H, W, 3) in 0..255 -> uint8 (H, W).

    model: one, or a list of them, whose probabilities are averaged (an ensemble).
    scales, flip: test-time augmentation, see `probabilities`.
    An image of more than LARGEST_WHOLE pixels is labelled in overlapping tiles, so that memory does
    not grow with it; progress shows a bar then. Since each tile comes with all that its pixels can
    see, the labels are those of the whole image, up to rounding where two classes score the same
    (and up to how copies of other scales fall on the grid).
    Raises InputError when the image has no pixel or is not (H, W, 3), and as `probabilities` does.
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"image must be (height, width, 3), RGB, got shape {image.shape}.")
    return _labels(model, image[None], scales, flip, progress)[0].astype(np.uint8)


def probabilities(model, images, scales=(1.0,), flip=False):
    """Class probabilities, averaged over models and over resized and mirrored copies of the images.

    model: one, or a list of models with the same classes. images: (N, H, W, 3) in 0..255.
    scales: factors by which the images are resized; the scores go back to (H, W) bilinearly.
    flip: also ask about the mirror image, and mirror the answer.
    Returns float32 (N, H, W, C). Raises InputError for no scale at all, or one that is not above 0,
    and for no model at all, or models whose numbers of classes differ.
    """
    scales = _checked(scales)
    images = np.asarray(images, np.float32)
    copies = list(product(scales, _members(model), (False, True) if flip else (False,)))
    # A running sum, since the answers of all copies together may not fit into memory.
    return sum(_answer(images, *copy) for copy in copies) / len(copies)


def _checked(scales):
    """The scales, one or several, as a tuple of numbers."""
    factors = tuple(np.ravel(scales).tolist())
    if not (factors and all(0 < factor < np.inf for factor in factors)):
        raise InputError(f"scales must be numbers above 0, got {factors}.")
    return factors


def _answer(images, scale, model, mirrored):
    """One model's probabilities (N, H, W, C) for the images, by way of a copy of them."""
    copy = images if scale == 1 else _resized(images, scale)
    scores = np.asarray(model.predict_on_batch(_mirror(copy) if mirrored else copy))
    scores = _mirror(scores) if mirrored else scores
    if scale != 1:
        scores = keras.ops.image.resize(scores, images.shape[1:3])
    return keras.ops.convert_to_numpy(keras.ops.softmax(scores))


def _members(model):
    """The models of an ensemble: [model] for a single one."""
    if not isinstance(model, (list, tuple)):
        return [model]
    counts = sorted({member.output_shape[-1] for member in model})
    if len(counts) != 1:
        found = f"models of {' and '.join(map(str, counts))} classes" if counts else "no model"
        raise InputError(
            f"models can be averaged only with the same number of classes, got {found}."
        )
    return model


def _mirror(images):
    # Not every backend takes an array that is only viewed from right to left.
    return np.ascontiguousarray(images[:, :, ::-1])


def _resized(images, scale):
    size = [max(1, round(scale * side)) for side in images.shape[1:3]]
    return keras.ops.convert_to_numpy(keras.ops.image.resize(images, size, antialias=scale < 1))


def _labels(model, images, scales, flip, progress=False):
    """Class ids (N, H, W) of images (N, H, W, 3), large ones by way of tiles."""
    scales = _checked(scales)
    height, width = images.shape[1:3]
    growth = max(1, *scales) * max(_enlarging(member) for member in _members(model))
    if height * width * growth**2 <= LARGEST_WHOLE:
        return _labels_at_once(model, images, scales, flip)
    # Seen by a network that enlarges, a cell is smaller; resized copies have cells of their own.
    cell = CELL
    if tuple(scales) == (1.0,):
        cell //= min(_enlarging(member) for member in _members(model))
    tile = max(cell, int(TILE / growth) // cell * cell)
    margin = max(_reach(member) for member in _members(model)) / min(1, *scales)
    margin = cell * math.ceil(margin / cell)
    labels = np.empty(images.shape[:3], np.uint8)
    tiles = list(product(range(0, height, tile), range(0, width, tile)))
    for top, left in tqdm(tiles, desc="tiles", leave=False, disable=not progress):
        above, before = min(margin, top), min(margin, left)
        rows = slice(top - above, top + tile + margin)
        right = min(width, left + tile + margin)
        # The mirror image's cells begin at its left edge: whole ones must lie to the right of it.
        right += (width - right) % cell if flip else 0
        columns = slice(left - before, right)
        found = _labels_at_once(model, images[:, rows, columns], scales, flip)
        inner = found[:, above : above + tile, before : before + tile]
        labels[:, top : top + tile, left : left + tile] = inner
    return labels


def _enlarging(model):
    """The factor by which a network enlarges its images before it looks at them."""
    return next((layer.factor for layer in model.layers if layer.name == "enlarge"), 1)


def _reach(model):
    """How many pixels away from a pixel, at most, its scores depend on."""
    fields = [receptive_field(model, model.layers[-1], axis) for axis in (0, 1)]
    # With upsampling, neighbouring pixels see different ranges, up to a cell further.
    return max(field.size / 2 + abs(field.offset) for field in fields) + CELL / _enlarging(model)


def _labels_at_once(model, images, scales, flip):
    """Class ids (N, H, W); without augmentation the logits need no softmax to be compared."""
    members = _members(model)
    if len(members) == 1 and tuple(scales) == (1.0,) and not flip:
        scores = members[0].predict_on_batch(images.astype(np.float32))
        return np.asarray(scores).argmax(axis=-1)
    return probabilities(members, images, scales, flip).argmax(axis=-1)


def evaluate(model, dataset, scales=(1.0,), flip=False, progress=False, keep=None):
    """Scores of a model on a data set, image by image, from one pooled confusion matrix.

    model: gives logits (N, H, W, C) with C = number of the data set's classes; or a list of such
    models (an ensemble). scales, flip: test-time augmentation, see `probabilities`. keep: called
    with the name of each example and its predicted label map, uint8 (H, W). Returns `Scores`.
    Raises InputError when the data set is empty or the class counts differ.
    """
    _check_classes(model, dataset)
    confusion = np.zeros((len(dataset.classes),) * 2, np.int64)
    examples = tqdm(dataset, desc=f"evaluate {dataset.split}", disable=not progress)
    names = iter(dataset.names)
    for images, labels in _runs_of_one_size(examples):
        predictions = _labels(model, images, scales, flip)
        confusion += confusion_matrix(labels, predictions, len(dataset.classes))
        for prediction in predictions.astype(np.uint8) if keep else ():
            keep(next(names), prediction)
    return scores(confusion)


def _check_classes(model, dataset):
    """Raise InputError when the data set is empty or does not have the model's classes."""
    if len(dataset) == 0:
        raise InputError(f"data set {dataset.name!r} ({dataset.split}) has no examples.")
    count = _members(model)[0].output_shape[-1]
    if count != len(dataset.classes):
        raise InputError(
            f"the model has {count} classes, but {dataset.name!r} has {len(dataset.classes)}: "
            "evaluate it on the data set it was trained for."
        )


def _runs_of_one_size(examples):
    """Stack consecutive examples of one size, for as long as they are small: that is faster."""
    run = []
    for image, label in examples:
        full = len(run) * label.size >= PIXELS_AT_ONCE
        if run and (full or label.shape != run[0][1].shape):
            yield tuple(map(np.stack, zip(*run, strict=True)))
            run = []
        run.append((image, label))
    yield tuple(map(np.stack, zip(*run, strict=True)))
