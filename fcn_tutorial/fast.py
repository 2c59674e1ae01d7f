"""The same results, quicker: other ways to compute what a finished model computes.

`speed_up(model)` replaces `call` in some layers of a model, and the matching methods of its loss,
metric and optimizer. Configuration and weights, and so checkpoints and exports, stay those of the
plain model. No chapter needs this module.

Source: Vasudevan, Anderson and Gregg 2017, "Parallel multi channel convolution using general matrix
multiplication" (`_sum_of_products`); Ioffe and Szegedy 2015, Algorithm 1 (`_normalize`).
"""

import ctypes
import math
import platform
from functools import partial

import keras
import numpy as np
from keras import ops

LARGE_KERNEL = 2**20  # numbers; with fewer, one operation is as fast as many
LARGE_WEIGHT = 2**20  # numbers; the update of a smaller one takes no time
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of mallopt(3)


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, where its C library is glibc.

    glibc returns large blocks to the system, so that each training step on a processor waits while
    the system clears the same memory again. What is once kept is kept as long as the process runs.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


def speed_up(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer | None = None,
    loss: keras.losses.Loss | None = None,
    metric: keras.Metric | None = None,
) -> None:
    """Let a model, and what trains it, compute the same results in less time.

    On TensorFlow, batch normalization becomes one operation in training; on processors, a
    convolution whose kernel is wider and higher than half its map skips the zeros around it. Loss
    and metric read the logits once, and a large weight is updated in one pass. On JAX, a depthwise
    convolution becomes a sum of shifted maps. On other backends only the metric changes.

    model: before its first training step, as a compiled step stays as it is. optimizer: one whose
    `update_step` treats each weight for itself, as all of Keras's do. loss: `losses.CrossEntropy`.
    metric: a `keras.metrics.MeanIoU` of logits, with `ignore_class`.
    """
    if metric is not None:
        metric.update_state = partial(_count_in_one_pass, metric, _compiled(_confusion))
    if keras.backend.backend() == "jax":
        for layer in model.layers:
            if type(layer) is keras.layers.DepthwiseConv2D and _is_single(layer):
                layer.call = partial(_convolve_depthwise, layer)
    if keras.backend.backend() != "tensorflow":
        return
    if optimizer is not None:
        optimizer.update_step = partial(_update_in_one_pass, optimizer.update_step)
    if loss is not None:
        loss.pixel_losses = _compiled(loss.pixel_losses)
        loss.losses_and_overlaps = _compiled(loss.losses_and_overlaps)
    import tensorflow as tf

    on_processors = not tf.config.list_physical_devices("GPU")
    for layer in model.layers:
        if type(layer) is keras.layers.Conv2D and on_processors and _is_plain(layer):
            layer.call = partial(_convolve, layer)
        elif type(layer) is keras.layers.BatchNormalization and layer.scale and layer.center:
            layer.call = partial(_normalize, layer)


# Convolution. A 7 x 7 kernel on 8 x 8 cells, as fc6's where training crops are 256 x 256, lies
# beyond the map with 38 % of its cells, taken over all places, and a convolution multiplies the
# zeros there, too. One matrix product for each cell of the kernel takes only what lies on the map.


def _is_plain(layer):
    dense = layer.strides == (1, 1) and layer.groups == 1
    return dense and layer.padding == "same" and layer.data_format == "channels_last"


def _convolve(layer, inputs):
    sides, rates = inputs.shape[1:3], layer.dilation_rate
    widths = [rate * (k - 1) + 1 for rate, k in zip(rates, layer.kernel_size, strict=True)]
    small = None not in sides and math.prod(layer.kernel.shape) >= LARGE_KERNEL
    if not small or any(width <= side / 2 for width, side in zip(widths, sides, strict=True)):
        return type(layer).call(layer, inputs)
    sums = _sum_of_products(inputs, layer.kernel, rates)
    return layer.activation(sums + layer.bias if layer.use_bias else sums)


def _sum_of_products(x, kernel, rates):
    """A map (N, H, W, C) convolved with a kernel (h, w, C, units): (N, H, W, units).

    rates: how many cells of the map lie between two of the kernel's rows, and columns.
    """
    import tensorflow as tf

    height, width, channels, units = kernel.shape
    # As one list, whose gradient TensorFlow puts together at once.
    cells = tf.unstack(tf.reshape(tf.cast(kernel, x.dtype), (-1, channels, units)))
    found = []
    for cell, (row, column) in zip(cells, np.ndindex(height, width), strict=True):
        down, above = _overlap(_offset(row, height, rates[0]), x.shape[1])
        across, before = _overlap(_offset(column, width, rates[1]), x.shape[2])
        seen = x[:, down, across]
        if 0 not in seen.shape[1:3]:
            # In 16 bits, a sum of so many would lose too much.
            products = tf.cast(tf.tensordot(seen, cell, 1), "float32")
            found.append(tf.pad(products, ((0, 0), above, before, (0, 0))))
    return tf.cast(tf.add_n(found), x.dtype)


def _offset(place, size, rate):
    """Of a kernel's row or column from its center, as Keras pads for "same", in cells."""
    return place * rate - (size - 1) * rate // 2


def _overlap(offset, side):
    """Of the cells at `offset` from a map's own, those on the map, and how many are not.

    Returns (slice, (missing before, missing after)).
    """
    before, after = max(-offset, 0), max(offset, 0)
    return slice(after, max(side - before, 0)), (before, after)


# Depthwise convolution. XLA's takes several times as long as the sum of products that defines it,
# and its gradients, too; on a GPU it spends minutes on trying variants before it starts.


def _is_single(layer):
    """Whether each map has one kernel, which touches every cell under it and moves by squares."""
    whole = layer.dilation_rate == (1, 1) and layer.strides[0] == layer.strides[1]
    last = layer.data_format == "channels_last" and layer.compute_dtype != "float64"
    return whole and last and layer.depth_multiplier == 1


def _convolve_depthwise(layer, inputs):
    """Maps (N, H, W, C), each convolved with its own kernel: a sum over the cells of the kernel."""
    size, (step, _) = layer.kernel_size, layer.strides
    if layer.padding == "same":
        pads = [_missing(*each, step) for each in zip(inputs.shape[1:3], size, strict=True)]
        inputs = ops.pad(inputs, ((0, 0), *pads, (0, 0)))
    height, width = (n - k + 1 for n, k in zip(inputs.shape[1:3], size, strict=True))
    # In 16 bits, a sum of so many would lose too much.
    x, kernel = ops.cast(inputs, "float32"), ops.cast(layer.kernel[..., 0], "float32")
    sums = sum(
        x[:, row : row + height : step, column : column + width : step] * kernel[row, column]
        for row, column in np.ndindex(size)
    )
    sums = ops.cast(sums, inputs.dtype)
    return layer.activation(sums + layer.bias if layer.use_bias else sums)


def _missing(side, kernel, step):
    """Zeros before and after a side, so that a window lies around each step-th of its cells."""
    count = max((-(-side // step) - 1) * step + kernel - side, 0)
    return count // 2, count - count // 2


# Batch normalization. Keras 3 writes it out in a dozen operations, each of which reads or writes
# the complete map: in a small network that takes longer than the convolutions between them.


def _normalize(layer, inputs, training=None, mask=None):
    learning = training and layer.trainable and not layer.synchronized
    if not learning or mask is not None or len(inputs.shape) != 4 or layer.axis not in (-1, 3):
        return type(layer).call(layer, inputs, training=training, mask=mask)
    import tensorflow as tf

    outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
        inputs, layer.gamma, layer.beta, epsilon=layer.epsilon, is_training=True
    )
    # TensorFlow divides by one less than the number of cells, Keras and the paper's step by it.
    cells = tf.cast(tf.reduce_prod(tf.shape(inputs)[:3]), variance.dtype)
    variance *= (cells - 1) / cells
    for running, value in ((layer.moving_mean, mean), (layer.moving_variance, variance)):
        running.assign(running * layer.momentum + value * (1 - layer.momentum))
    return outputs


# Loss, metric and update. The logits are the largest array of a step, and a large weight is read
# and written from memory a dozen times by Adam. Compiled by XLA, each of them is read once.


def _compiled(function):
    """The function, compiled by XLA on TensorFlow; JAX compiles the complete step anyway."""
    if keras.backend.backend() != "tensorflow":
        return function
    import tensorflow as tf

    return tf.function(function, jit_compile=True)


def _count_in_one_pass(metric, confusion, y_true, y_pred, sample_weight=None):
    counts = confusion(y_true, y_pred, metric.ignore_class)
    metric.total_cm.assign_add(ops.cast(counts, metric.total_cm.dtype))


def _confusion(y_true, y_pred, void):
    """How many pixels of each class (row) got each class (column), float (C, C)."""
    label, (width, classes) = ops.cast(y_true, "int32"), y_pred.shape[-2:]
    # All zeros at -1.
    truth = ops.one_hot(ops.where(label == void, -1, label), classes)
    guess = ops.one_hot(ops.argmax(y_pred, axis=-1), classes)
    if keras.backend.backend() == "tensorflow":
        flat = (ops.reshape(each, (-1, classes)) for each in (truth, guess))
        return ops.einsum("nc,nd->cd", *flat)
    # Row by row: as one product over all pixels, a GPU would hardly share it out.
    rows = (ops.reshape(each, (-1, width, classes)) for each in (truth, guess))
    return ops.sum(ops.einsum("nwc,nwd->ncd", *rows), axis=0)


def _update_in_one_pass(update_step, gradient, variable, learning_rate):
    step = partial(update_step, gradient, variable, learning_rate)
    (_compiled(step) if math.prod(variable.shape) >= LARGE_WEIGHT else step)()
