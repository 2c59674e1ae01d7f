"""What a training step computes: cross-entropy without void, a soft Jaccard index, mean IoU.

Source: Long, Shelhamer and Darrell 2015, section 4 ("per-pixel multinomial logistic loss"); the
soft Jaccard index as in Rahman and Wang 2016, over the batch and class by class.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from fcn_tutorial.errors import check_choice


def masked_cross_entropy(label, logits):
    """The loss of each pixel, 0 where it is void.

    Args:
        label: integer (..., H, W), class ids, 255 = void.
        logits: float (..., H, W, C).

    Returns:
        float (..., H, W).
    """
    counted = label != 255
    truth = ops.one_hot(ops.where(counted, label, 0), logits.shape[-1])
    losses = ops.logsumexp(logits, axis=-1) - ops.sum(truth * logits, axis=-1)
    return ops.where(counted, losses, 0.0)


def losses_and_overlaps(label: Any, logits: Any) -> tuple[Any, Any]:
    """The loss of each pixel, and what the soft Jaccard index is made of.

    Args:
        label: integer (N, H, W), class ids, 255 = void.
        logits: float (N, H, W, C).

    Returns:
        `masked_cross_entropy`, (N, H, W); and, summed over the pixels that are not void, float (3,
        C): probability at pixels of the class, probability anywhere, pixels of the class.
    """
    losses, classes = masked_cross_entropy(label, logits), logits.shape[-1]
    counted = ops.cast(label != 255, logits.dtype)
    ids = ops.reshape(ops.where(label != 255, label, classes), (-1,))

    def by_class(values):
        return ops.segment_sum(ops.reshape(values, (-1,)), ids, classes + 1)[:classes]

    predicted = ops.einsum("nhw,nhwc->c", counted, ops.softmax(logits))
    # A pixel's loss is minus the logarithm of the probability of its class.
    return losses, ops.stack([by_class(ops.exp(-losses)), predicted, by_class(counted)])


def soft_jaccard(overlaps: Any) -> Any:
    """Soft Jaccard index, the mean over the classes that occur; 0 where none does.

    Args:
        overlaps: float (3, C), from `losses_and_overlaps`; those of several batches may be added.
    """
    both, predicted, there = overlaps[0], overlaps[1], overlaps[2]
    present = ops.cast(there > 0, both.dtype)
    index = ops.divide_no_nan(both, predicted + there - both)
    return ops.divide_no_nan(ops.sum(present * index), ops.sum(present))


@keras.saving.register_keras_serializable("fcn_tutorial")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits (N, H, W, C) with class ids (N, H, W), void pixels left out.

    Weights (N, H, W) multiply the pixels' cross-entropy, and do not count in the divisor.

    Args:
        jaccard: times what the batch's soft Jaccard index lacks of 1 is added. The index is the
            mean, over the classes that the batch has, of intersection over union, with the
            probability of the class in place of 0 or 1: each class counts as much as any other,
            however few its pixels are.
        reduction: "sum_over_batch_size" divides the sum by the number of pixels that are not void,
            in the parts of the batch on all devices together; "sum" does not divide.
    """

    devices = 1  # that share a batch
    pixel_losses = staticmethod(masked_cross_entropy)
    losses_and_overlaps = staticmethod(losses_and_overlaps)

    def __init__(self, jaccard: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.jaccard = jaccard

    @staticmethod
    def over_devices(value: Any) -> Any:
        """The sum of a value over the devices that share a batch."""
        return value

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each pixel, not divided, float (N, H, W)."""
        return self.pixel_losses(ops.cast(y_true, "int32"), y_pred)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        label, logits = ops.cast(y_true, "int32"), ops.convert_to_tensor(y_pred, "float32")
        if self.jaccard:
            losses, overlaps = self.losses_and_overlaps(label, logits)
        else:
            losses = self.call(label, logits)
        if sample_weight is not None:
            losses *= ops.cast(sample_weight, losses.dtype)
        loss = ops.sum(losses)
        if self.reduction != "sum":
            # Keras would divide by the number of all pixels.
            counted = self.over_devices(ops.sum(ops.cast(label != 255, "float32")))
            loss = ops.divide_no_nan(loss, counted)
        if self.jaccard:
            # Each device adds all of it, and Keras adds up the devices.
            lacking = 1 - soft_jaccard(self.over_devices(overlaps))
            loss += self.jaccard / self.devices * lacking
        return loss

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "jaccard": self.jaccard}


REDUCTIONS = {"mean": "sum_over_batch_size", "sum": "sum"}  # for a recipe's key `loss`


def running_mean_iou(num_classes: int) -> keras.metrics.MeanIoU:
    """Keras's mean IoU of logits (N, H, W, C), kept over an epoch; void is left out."""
    options = {"sparse_y_pred": False, "ignore_class": 255, "name": "mean_iou"}
    return keras.metrics.MeanIoU(num_classes, **options)


def class_weights(
    dataset: Any, power: float, factors: Sequence[tuple[str, float]] = ()
) -> np.ndarray | None:
    """Weight of a pixel of each class: the class's frequency to the power of -power, and factors.

    Args:
        dataset: as `data.dataset.Dataset`.
        power: 0 weighs all the same, and no label is read.
        factors: (name of a class, what to multiply its weight by); 1 for others.

    Returns:
        float32 (C,), scaled so that, without factors, the mean over the data set's pixels is 1; a
        class without any pixel weighs 1. None for power 0 and no factors.

    Raises:
        InputError: a factor's class is unknown.
    """
    if not power and not factors:
        return None
    weights = _by_frequency(dataset, power) if power else np.ones(len(dataset.classes))
    for name, factor in factors:
        check_choice("class in class_weights", name, dataset.classes)
        weights[dataset.classes.index(name)] *= factor
    return weights.astype(np.float32)


def _by_frequency(dataset: Any, power: float) -> np.ndarray:
    """As `class_weights` without factors, for a power above 0."""
    labels = map(dataset.read_label, range(len(dataset)))
    counts = np.sum([np.bincount(label.ravel(), minlength=256) for label in labels], axis=0)
    counts = counts[: len(dataset.classes)]
    share = counts / counts.sum()
    weights = np.where(counts, np.maximum(share, 1e-12) ** -power, 0)
    return np.where(counts, weights / (weights @ share), 1)
