"""What each training step computes from logits and labels: the loss, and a running mean IoU.

Cross-entropy and mean IoU equal Keras's own with `ignore_class=255`, in less time: they are
compiled, so that the logits, the largest array of a step, are read once and no other of their size
is written.

Source: Long, Shelhamer and Darrell 2015, section 4 ("per-pixel multinomial logistic loss"); the
soft Jaccard index as in Rahman and Wang 2016, over the batch and class by class.
"""

from functools import cache

import keras
from keras import ops

from fcn_tutorial.data.dataset import VOID


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
        return losses * ops.divide_no_nan(total, _over_devices("MEAN", number))


@keras.saving.register_keras_serializable("fcn_tutorial")
class CrossEntropyAndJaccard(CrossEntropy):
    """CrossEntropy, plus `jaccard` times what the batch's soft Jaccard index lacks of 1.

    The index is the mean, over the classes that the batch has, of intersection over union, with
    the probability of the class in place of an answer of 0 or 1: each class counts as much as any
    other, however few its pixels are. Weights of pixels are for the cross-entropy only.
    """

    def __init__(self, jaccard=1.0, **kwargs):
        super().__init__(**kwargs)
        self.jaccard = jaccard

    def __call__(self, y_true, y_pred, sample_weight=None):
        cross_entropy = super().__call__(y_true, y_pred, sample_weight)
        y_pred = ops.convert_to_tensor(y_pred, "float32")
        sums = _over_devices("SUM", compiled(_overlaps)(y_true, y_pred))
        both, predicted, there = ops.unstack(sums, 3)
        present = ops.cast(there > 0, both.dtype)
        index = ops.divide_no_nan(both, predicted + there - both)
        lacking = 1 - ops.divide_no_nan(ops.sum(present * index), ops.sum(present))
        # Each device adds all of it, and Keras adds up the devices.
        return cross_entropy + self.jaccard / _number_of_devices() * lacking

    def get_config(self):
        return {**super().get_config(), "jaccard": self.jaccard}


def _losses(y_true, y_pred):
    """(the loss of each pixel (N, H, W), 0 where it is void; how many are not void)."""
    truth, counted = _one_hot(y_true, y_pred)
    losses = ops.logsumexp(y_pred, axis=-1) - ops.sum(truth * y_pred, axis=-1)
    return ops.where(counted, losses, 0.0), ops.sum(ops.cast(counted, losses.dtype))


def _overlaps(y_true, y_pred):
    """Sums over the pixels that count, of each class (C,): correct, predicted and true share."""
    truth, counted = _one_hot(y_true, y_pred)
    shares = ops.where(counted[..., None], ops.softmax(y_pred), 0.0)
    return ops.stack([ops.sum(each, (0, 1, 2)) for each in (truth * shares, shares, truth)])


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


def _over_devices(how, value):
    """The "MEAN" or "SUM" of a value over the devices that share a batch, if TensorFlow splits it.

    On JAX a step is one program over the whole batch, which needs no such care.
    """
    if _number_of_devices() == 1:
        return value
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    return replica.all_reduce(getattr(tf.distribute.ReduceOp, how), value)


def _number_of_devices():
    """Among how many devices TensorFlow splits the batch; 1 where it does not."""
    if keras.backend.backend() != "tensorflow":
        return 1
    import tensorflow as tf

    replica = tf.distribute.get_replica_context()
    return replica.num_replicas_in_sync if replica else 1
