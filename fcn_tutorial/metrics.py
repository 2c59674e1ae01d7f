"""Confusion matrix -> pixel accuracy, mean accuracy, mean IoU, frequency-weighted IoU.

Source: Long, Shelhamer and Darrell 2015, section 5 ("Metrics").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import ndimage

from fcn_tutorial.errors import InputError, as_array, check_number, check_whole

VOID = 255  # the label of pixels that do not count
MOST_CLASSES = 4096  # whose matrix of counts takes 134 MB


def confusion_matrix(
    label: ArrayLike, prediction: ArrayLike, num_classes: int, void: int = VOID
) -> np.ndarray:
    """Count how often each true class (row) was predicted as each class (column).

    Args:
        label, prediction: class ids, integers of one shape.
        num_classes: the number of classes, C.
        void: pixels with this label are left out.

    Returns:
        int64 (C, C); matrices of several images may be added.

    Raises:
        InputError: the shapes differ, an id outside 0..C-1 occurs or is not a whole number, or C is
            not from 1 to MOST_CLASSES.
    """
    check_whole("num_classes", num_classes, 1, MOST_CLASSES)
    label, prediction = as_array("label", label, "bui"), as_array("prediction", prediction, "bui")
    if label.shape != prediction.shape:
        raise InputError(
            f"label {label.shape} and prediction {prediction.shape} differ in shape: compare maps "
            "of the same size."
        )
    labelled = label != void
    truth, guess = label[labelled].astype(np.int64), prediction[labelled].astype(np.int64)
    for what, ids in (("label", truth), ("prediction", guess)):
        if ids.size and not 0 <= ids.min() <= ids.max() < num_classes:
            worst = ids.max() if ids.max() >= num_classes else ids.min()
            raise InputError(
                f"{what} has class id {worst}, but num_classes is {num_classes}: ids must be "
                f"0..{num_classes - 1}, or {void} for void."
            )
    return count_pairs(truth, guess, num_classes)


def count_pairs(truth: np.ndarray, guess: np.ndarray, num_classes: int) -> np.ndarray:
    """Count the pairs of class ids.

    Args:
        truth, guess: integers (N,), ids 0..num_classes-1 in a type that holds num_classes**2.
        num_classes: the number of classes, C.

    Returns:
        int64 (C, C): how many pixels of each true class (row) got each class (column).
    """
    pairs = np.bincount(num_classes * truth + guess, minlength=num_classes**2)
    return pairs.reshape(num_classes, num_classes)


@dataclass(frozen=True, eq=False)
class Scores:
    """The four metrics of the paper, and what they come from; fractions in 0..1.

    A mean over no class at all is NaN.

    Attributes:
        iou: float64 (C,), NaN for a class that occurs in neither label nor prediction.
        confusion: int64 (C, C).
    """

    pixel_accuracy: float
    mean_accuracy: float
    mean_iou: float
    frequency_weighted_iou: float
    iou: np.ndarray
    confusion: np.ndarray


def scores(confusion: ArrayLike) -> Scores:
    """Turn a confusion matrix (C, C) of pixel counts into `Scores`.

    A class that occurs in neither label nor prediction is left out of the mean IoU, one without a
    labelled pixel is left out of the mean accuracy.

    Raises:
        InputError: the matrix is not square or has a negative count.
    """
    confusion = as_array("a confusion matrix", confusion)
    square = confusion.ndim == 2 and confusion.shape[0] == confusion.shape[1]
    if not square or not (confusion >= 0).all():
        raise InputError(
            f"a confusion matrix must be square with counts >= 0, got shape {confusion.shape}."
        )
    with np.errstate(invalid="ignore"):
        pixels, mean, mean_iou, weighted, iou = four_scores(confusion)
    counts = confusion.astype(np.int64)
    return Scores(float(pixels), float(mean), float(mean_iou), float(weighted), iou, counts)


def four_scores(n: np.ndarray) -> tuple:
    """Compute the paper's four metrics (section 5) from a confusion matrix.

    Args:
        n: counts (C, C), rows true classes.

    Returns:
        Pixel accuracy, mean accuracy, mean IoU, frequency-weighted IoU, and the IoUs (C,).
    """
    correct, t, predicted = np.diag(n), n.sum(axis=1), n.sum(axis=0)
    iou = correct / (t + predicted - correct)
    labelled, seen = t > 0, t + predicted > 0
    pixel_accuracy = correct.sum() / t.sum()
    mean_accuracy = (correct / t)[labelled].sum() / labelled.sum()
    mean_iou = iou[seen].sum() / seen.sum()
    frequency_weighted_iou = (t * iou)[labelled].sum() / t.sum()
    return pixel_accuracy, mean_accuracy, mean_iou, frequency_weighted_iou, iou


def constant_baseline(confusion: ArrayLike) -> tuple[int, Scores]:
    """The constant baseline: the most frequent class everywhere, on the counted labels.

    On a data set with a background that is the all-background baseline.

    Args:
        confusion: counts (C, C), of any prediction.

    Returns:
        The class id, and the scores.
    """
    confusion = scores(confusion).confusion
    labelled = confusion.sum(axis=1)
    baseline = np.zeros_like(confusion)
    baseline[:, labelled.argmax()] = labelled
    return int(labelled.argmax()), scores(baseline)


def beat_baseline(result: Scores) -> None:
    """Print the mean IoU beside that of predicting the most frequent class everywhere.

    Args:
        result: of a trained model.

    Raises:
        RuntimeError: the model is not better, so it has learned nothing.
    """
    _, baseline = constant_baseline(result.confusion)
    print(f"mean IoU {result.mean_iou:.1%}, constant baseline {baseline.mean_iou:.1%}")
    if not result.mean_iou > baseline.mean_iou:
        raise RuntimeError("the trained model is no better than the constant baseline.")


def trimap(label: ArrayLike, width: float) -> np.ndarray:
    """The band along the borders between regions.

    Args:
        label: integer (H, W); void counts as a region.
        width: in pixels. 1 marks the pixels on both sides of a border, 2 one more on each side, and
            so on, by Euclidean distance between pixel centres.

    Returns:
        bool (H, W), True in the band.

    Raises:
        InputError: the label is not a map of whole numbers, or the width is below 0.

    Source: Kohli, Ladický and Torr 2009.
    """
    label, width = as_array("label", label, "bui"), check_number("width", width, 0)
    if label.ndim != 2:
        raise InputError(f"label must be (height, width), got shape {label.shape}.")
    if label.size == 0 or (label == label.flat[0]).all():
        return np.zeros(label.shape, bool)
    return border_band(label, width)


def border_band(label: np.ndarray, width: float) -> np.ndarray:
    """Mark the pixels nearer than `width` to a pixel at a border.

    Args:
        label: integer (H, W) with two or more regions.
        width: in pixels.

    Returns:
        bool (H, W).
    """
    edge = np.zeros(label.shape, bool)
    down, across = label[1:] != label[:-1], label[:, 1:] != label[:, :-1]
    edge[1:] |= down
    edge[:-1] |= down
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    return ndimage.distance_transform_edt(~edge) < width
