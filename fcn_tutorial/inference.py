"""Segment an image of any size, and evaluate a model at native resolution.

Source: Long, Shelhamer and Darrell 2015, section 5: one confusion matrix over the whole set, at the
images' own sizes, void left out.
"""

from itertools import product

import keras
import numpy as np
from tqdm import tqdm

from fcn_tutorial.errors import InputError
from fcn_tutorial.metrics import confusion_matrix, scores

PIXELS_AT_ONCE = 2**17


def segment(model, image, scales=(1.0,), flip=False):
    """Class id of each pixel: image (H, W, 3) in 0..255 -> uint8 (H, W).

    model: one, or a list of them, whose probabilities are averaged (an ensemble).
    scales, flip: test-time augmentation, see `probabilities`.
    Raises InputError when the image has no pixel or is not (H, W, 3).
    """
    image = np.asarray(image)
    if image.ndim != 3 or image.shape[2] != 3 or image.size == 0:
        raise InputError(f"image must be (height, width, 3), RGB, got shape {image.shape}.")
    return _labels(model, image[None], scales, flip)[0].astype(np.uint8)


def probabilities(model, images, scales=(1.0,), flip=False):
    """Class probabilities, averaged over models and over resized and mirrored copies of the images.

    model: one, or a list of models with the same classes. images: (N, H, W, 3) in 0..255.
    scales: factors by which the images are resized; the scores go back to (H, W) bilinearly.
    flip: also ask about the mirror image, and mirror the answer.
    Returns float32 (N, H, W, C). Raises InputError for no scale at all, or one that is not above 0.
    """
    if not (scales and all(0 < scale < np.inf for scale in scales)):
        raise InputError(f"scales must be numbers above 0, got {tuple(scales)}.")
    images = np.asarray(images, np.float32)
    answers = []
    for scale in scales:
        resized = images if scale == 1 else _resized(images, scale)
        for member, step in product(_members(model), (1, -1) if flip else (1,)):
            scores = np.asarray(member.predict_on_batch(resized[:, :, ::step]))[:, :, ::step]
            if scale != 1:
                scores = keras.ops.image.resize(scores, images.shape[1:3])
            answers.append(keras.ops.convert_to_numpy(keras.ops.softmax(scores)))
    return np.mean(answers, axis=0)


def _members(model):
    return model if isinstance(model, (list, tuple)) else [model]


def _resized(images, scale):
    size = [max(1, round(scale * side)) for side in images.shape[1:3]]
    return keras.ops.convert_to_numpy(keras.ops.image.resize(images, size, antialias=scale < 1))


def _labels(model, images, scales, flip):
    """Class ids (N, H, W); without augmentation the logits need no softmax to be compared."""
    alone = len(_members(model)) == 1
    if alone and tuple(scales) == (1.0,) and not flip:
        scores = _members(model)[0].predict_on_batch(images.astype(np.float32))
        return np.asarray(scores).argmax(axis=-1)
    return probabilities(model, images, scales, flip).argmax(axis=-1)


def evaluate(model, dataset, scales=(1.0,), flip=False, progress=False, keep=None):
    """Scores of a model on a data set, image by image, from one pooled confusion matrix.

    model: gives logits (N, H, W, C) with C = number of the data set's classes; or a list of such
    models (an ensemble). scales, flip: test-time augmentation, see `probabilities`. keep: called
    with the name of each example and its predicted label map, uint8 (H, W). Returns `Scores`.
    Raises InputError when the data set is empty or the class counts differ.
    """
    num_classes = len(dataset.classes)
    if len(dataset) == 0:
        raise InputError(f"data set {dataset.name!r} ({dataset.split}) has no examples.")
    for member in _members(model):
        if member.output_shape[-1] != num_classes:
            raise InputError(
                f"the model has {member.output_shape[-1]} classes, but {dataset.name!r} has "
                f"{num_classes}: evaluate it on the data set it was trained for."
            )
    confusion = np.zeros((num_classes, num_classes), np.int64)
    examples = tqdm(dataset, desc=f"evaluate {dataset.split}", disable=not progress)
    names = iter(dataset.names)
    for images, labels in _runs_of_one_size(examples):
        predictions = _labels(model, images, scales, flip)
        confusion += confusion_matrix(labels, predictions, num_classes)
        for prediction, name in zip(predictions.astype(np.uint8), names, strict=False):
            if keep is not None:
                keep(name, prediction)
    return scores(confusion)


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
