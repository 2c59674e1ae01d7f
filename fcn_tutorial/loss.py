"""What each training step computes from logits and labels: the loss, and a running mean IoU.

Both equal Keras's own with `ignore_class=255`, in less time: they are compiled, so that the logits,
the largest array of a step, are read once and no other of their size is written.

Source: Long, Shelhamer and Darrell 2015, section 4 ("per-pixel multinomial logistic loss").
"""

from functools import cache

import keras
from keras import ops

from fcn_tutorial.datasets import VOID


@keras.saving.register_keras_serializable("fcn_tutorial")
class CrossEntropy(keras.losses.Loss):
    """Cross-entropy of logits (N, H, W, C) with class ids (N, H, W), void pixels left out.

    reduction: "sum_over_batch_size" divides the sum by the number of pixels that are not void, in
    the batches of all devices together; "sum" does not divide. Weights (N, H, W) multiply the
    pixels' losses, and do not count in the divisor.
    """

    def __init__(self, reduction="sum_over_batch_size", name="cross_entropy", **kwargs):
        super().__init__(name=name, reduction=reduction, **kwargs)

    def call(self, y_true, y_pred):
        losses, number = compiled(_losses)(y_true, y_pred)
        if self.reduction == "sum":
            return losses
        # Keras will divide by the number of all pixels.
        total = ops.cast(ops.size(losses), losses.dtype)
        return losses * ops.divide_no_nan(total, _mean_over_devices(number))


def _losses(y_true, y_pred):
    """(the loss of each pixel (N, H, W), 0 where it is void; how many are not void)."""
    truth, counted = _one_hot(y_true, y_pred)
    losses = ops.logsumexp(y_pred, axis=-1) - ops.sum(truth * y_pred, axis=-1)
    return ops.where(counted, losses, 0.0), ops.sum(ops.cast(counted, losses.dtype))


@keras.saving.register_keras_serializable("fcn_tutorial")
class MeanIoU(keras.metrics.MeanIoU):
    """Running mean IoU of logits (N, H, W, C) against class ids (N, H, W), void left out."""

    def __init__(self, num_classes, name="mean_iou", **kwargs):
        super().__init__(num_classes, name=name, **kwargs)

    def update_state(self, y_true, y_pred, sample_weight=None):
        confusion = compiled(_confusion)(y_true, y_pred)
        self.total_cm.assign_add(ops.cast(confusion, self.total_cm.dtype))


def _confusion(y_true, y_pred):
    """How many pixels of each class (row) got each class (column), float (C, C)."""
    truth, _ = _one_hot(y_true, y_pred)
    classes = y_pred.shape[-1]
    guess = ops.one_hot(ops.argmax(y_pred, axis=-1), classes, dtype=truth.dtype)
    return ops.einsum("nc,nd->cd", *(ops.reshape(each, (-1, classes)) for each in (truth, guess)))


@cache
def compiled(function):
    """The function, which TensorFlow then compiles with XLA; JAX compiles the whole step anyway."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def _one_hot(labels, logits):
    """(1 where a pixel has the class, float (N, H, W, C); whether it counts, bool (N, H, W))."""
    labels = ops.cast(labels, "int32")
    counted = ops.not_equal(labels, VOID)
    # All zeros at -1.
    truth = ops.one_hot(ops.where(counted, labels, -1), logits.shape[-1], dtype=logits.dtype)
    return truth, counted


def _mean_over_devices(value):
    """The mean of a number over the devices that share a batch, where TensorFlow splits it.

    On JAX a step is one program over the whole batch, which needs no such care.
    """
    if keras.backend.backend() != "tensorflow":
        return value
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    if replica is None or replica.num_replicas_in_sync == 1:
        return value
    return replica.all_reduce(tf.distribute.ReduceOp.MEAN, value)
