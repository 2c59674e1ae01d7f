"""Segment an image of any size, and evaluate a model at native resolution.

Source: Long, Shelhamer and Darrell 2015, section 5: one confusion matrix over all images, at their
own sizes, void left out.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import product
from typing import Any

import keras
import numpy as np
from tqdm import tqdm

from fcn_tutorial.data.dataset import check_examples
from fcn_tutorial.data.images import checked_pair
from fcn_tutorial.errors import InputError, as_array, check_scales, shown, warn
from fcn_tutorial.metrics import Scores, confusion_matrix, scores
from fcn_tutorial.tiling import by_tiles

PIXELS_AT_ONCE = 2**17
Scales = float | Sequence[float] | np.ndarray


def segment(
    model: Any,
    image: np.ndarray,
    scales: Scales = (1.0,),
    flip: bool = False,
    progress: bool = False,
) -> np.ndarray:
    """The class of each pixel of an image.

    A large image is labelled in overlapping tiles, so that memory does not grow with it. The labels
    are those of the complete image, up to rounding where two classes score the same (and up to how
    copies of other scales fall on the grid). A network with global pooling, whose pixels each see
    the complete image, labels it at once, with a warning.

    Args:
        model: one, or several, whose probabilities are averaged (an ensemble).
        image: (H, W, 3), RGB in 0..255.
        scales, flip: test-time augmentation, see `probabilities`.
        progress: whether to show a bar over the tiles.

    Returns:
        Class ids, uint8 (H, W).

    Raises:
        InputError: the image has no pixel, another shape or a value outside 0..255; and as
            `probabilities` does.
    """
    image = as_array("image", image)
    fits = image.ndim == 3 and image.shape[2] == 3 and image.size and image.dtype.kind in "uif"
    if not fits or not 0 <= image.min() <= image.max() <= 255:  # nor NaN
        raise InputError(
            f"image must be RGB in 0..255, (height, width, 3), got {image.dtype} {image.shape}."
        )
    if image.dtype.kind == "f" and 0 < image.max() <= 1:
        warn("no value of the image is above 1, but white is 255: multiply the image by 255.")
    return _labels(model, image[None], scales, flip, progress)[0].astype(np.uint8)


def probabilities(
    model: Any, images: np.ndarray, scales: Scales = (1.0,), flip: bool = False
) -> np.ndarray:
    """Class probabilities, averaged over models and over resized and mirrored copies of the images.

    Args:
        model: one, or several with the same classes.
        images: (N, H, W, 3) in 0..255.
        scales: factors from 1/16 to 4 by which the images are resized; scores go back to (H, W)
            bilinearly.
        flip: whether to average with the mirrored prediction for the mirror image.

    Returns:
        float32 (N, H, W, C).

    Raises:
        InputError: there is no scale, or one that is not from 1/16 to 4; there is no model,
            one does not give scores for each pixel, or their numbers of classes differ.
    """
    factors = check_scales(f"scales {shown(scales)}", scales)
    images = as_array("images", images).astype(np.float32)
    if images.ndim != 4 or images.shape[3] != 3 or not images.size:
        raise InputError(f"images must be (number, height, width, 3), got {images.shape}.")
    copies = list(product(factors, _members(model), (False, True) if flip else (False,)))
    # A running sum, since the probabilities of all copies together may not fit into memory.
    return sum(_of_copy(images, *copy) for copy in copies) / len(copies)


def _of_copy(images: np.ndarray, scale: float, model: Any, mirrored: bool) -> Any:
    """One model's probabilities (N, H, W, C) for the images, by way of a copy of them."""
    copy = images if scale == 1 else _resized(images, scale)
    scores = _scores(model, _mirror(copy) if mirrored else copy)
    scores = _mirror(scores) if mirrored else scores
    if scale != 1:
        scores = keras.ops.image.resize(scores, images.shape[1:3])
    return keras.ops.convert_to_numpy(keras.ops.softmax(scores))


def _scores(model: Any, images: np.ndarray) -> np.ndarray:
    """Logits (N, H, W, C) of images float32 (N, H, W, 3)."""
    taken = tuple(model.inputs[0].shape[1:])
    if any(side not in (None, given) for side, given in zip(taken, images.shape[1:], strict=True)):
        raise InputError(f"{shown(model)} takes images of {taken}, got {images.shape[1:]}.")
    scores = np.asarray(model.predict_on_batch(images))
    if scores.shape[:3] != images.shape[:3]:
        raise InputError(
            f"{shown(model)} gives {scores.shape[1]} x {scores.shape[2]} scores for an image of "
            f"{images.shape[1]} x {images.shape[2]}: upsample them to the image's size."
        )
    return scores


def _members(model: Any) -> Sequence[Any]:
    """The models of an ensemble: [model] for a single one."""
    members = model if isinstance(model, (list, tuple)) else [model]
    for member in members:
        shape = getattr(member, "output_shape", None)
        if not isinstance(shape, tuple) or len(shape) != 4 or len(member.inputs) != 1:
            raise InputError(
                f"a model must give scores (N, height, width, classes) for images, but "
                f"{shown(member)} gives {shape}: build one with build_fcn."
            )
    counts = sorted({member.output_shape[-1] for member in members})
    if len(counts) != 1:
        found = f"models of {' and '.join(map(str, counts))} classes" if counts else "no model"
        raise InputError(
            f"models can be averaged only with the same number of classes, got {found}."
        )
    return members


def _mirror(images: np.ndarray) -> np.ndarray:
    # Not every backend takes an array that is only viewed from right to left.
    return np.ascontiguousarray(images[:, :, ::-1])


def _resized(images: np.ndarray, scale: float) -> np.ndarray:
    size = [max(1, round(scale * side)) for side in images.shape[1:3]]
    return keras.ops.convert_to_numpy(keras.ops.image.resize(images, size, antialias=scale < 1))


def _labels(model, images, scales, flip, progress=False):
    """Class ids (N, H, W) of images (N, H, W, 3), large ones by way of tiles."""
    members, factors = _members(model), check_scales(f"scales {shown(scales)}", scales)
    label = partial(_labels_at_once, members, factors, flip)
    return by_tiles(label, images, members, factors, flip, progress)


def _labels_at_once(members, scales, flip, images):
    """Class ids (N, H, W); without augmentation the logits need no softmax to be compared."""
    if len(members) == 1 and scales == (1.0,) and not flip:
        return _scores(members[0], images.astype(np.float32)).argmax(axis=-1)
    return probabilities(members, images, scales, flip).argmax(axis=-1)


def evaluate(
    model: Any,
    dataset: Any,
    scales: Scales = (1.0,),
    flip: bool = False,
    progress: bool = False,
    keep: Callable[[str, np.ndarray], object] | None = None,
) -> Scores:
    """Scores of a model on a data set, from one confusion matrix over all its images.

    Args:
        model: gives logits (N, H, W, C) with C = number of the data set's classes; or several such
            models (an ensemble).
        dataset: sequence of (image, label) with `classes`, `names`, `name` and `split`.
        scales, flip: test-time augmentation, see `probabilities`.
        progress: whether to show a bar over the examples.
        keep: called with the name of each example and its predicted label map, uint8 (H, W).

    Raises:
        InputError: the data set is empty, has another number of classes than the model, or has an
            example that is not an image and a label of one size.
    """
    _check_classes(model, dataset)
    confusion = np.zeros((len(dataset.classes),) * 2, np.int64)
    examples = tqdm(dataset, desc=f"evaluate {dataset.split}", disable=not progress)
    pairs = (
        checked_pair(image, label, repr(name), len(dataset.classes))
        for name, (image, label) in zip(dataset.names, examples, strict=True)
    )
    names = iter(dataset.names)
    for images, labels in _runs_of_one_size(pairs):
        predictions = _labels(model, images, scales, flip)
        confusion += confusion_matrix(labels, predictions, len(dataset.classes))
        if keep is not None:
            for prediction in predictions.astype(np.uint8):
                keep(next(names), prediction)
    if np.count_nonzero(confusion.sum(axis=1)) < 2:
        warn(
            f"the labels of {dataset.name} ({dataset.split}) show fewer than two classes besides "
            "void, so the scores say little: check the labels' class ids."
        )
    return scores(confusion)


def _check_classes(model: Any, dataset: Any) -> None:
    for field in ("name", "split", "names", "classes"):
        if not hasattr(dataset, field):
            raise InputError(f"{shown(dataset)} is not a data set: it has no {field!r}.")
    check_examples(dataset)
    count = _members(model)[0].output_shape[-1]
    if count != len(dataset.classes):
        raise InputError(
            f"the model has {count} classes, but {dataset.name!r} has {len(dataset.classes)}: "
            "evaluate it on the data set it was trained for."
        )


def _runs_of_one_size(examples: Iterable) -> Iterator[tuple[np.ndarray, ...]]:
    """Stack consecutive examples of one size, as long as they are small: that is faster."""
    run: list[tuple[np.ndarray, np.ndarray]] = []
    for image, label in examples:
        full = len(run) * label.size >= PIXELS_AT_ONCE
        if run and (full or label.shape != run[0][1].shape):
            yield tuple(map(np.stack, zip(*run, strict=True)))
            run = []
        run.append((image, label))
    yield tuple(map(np.stack, zip(*run, strict=True)))
