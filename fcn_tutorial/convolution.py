"""Convolution that spares the products with the zeros around a small map.

A 7 x 7 kernel on 8 x 8 cells, as fc6's where training crops are 256 x 256, lies beyond the map with
38 % of its cells, taken over all places. A convolution multiplies the zeros there, too; one matrix
product for each cell of the kernel takes only what lies on the map.

Source: the definition of the convolution, summed over the kernel's cells; as in Vasudevan, Anderson
and Gregg 2017, "Parallel multi channel convolution using general matrix multiplication".
"""

import math

import keras

from fcn_tutorial.devices import on_gpu

LARGE_KERNEL = 2**20  # numbers; with fewer, one operation is as fast as many


@keras.saving.register_keras_serializable("fcn_tutorial")
class Conv2D(keras.layers.Conv2D):
    """Keras's layer for maps (N, H, W, C), with the same weights and outputs.

    Only a training step of TensorFlow on processors goes another way, and only with a large kernel
    that is wider and higher than half its map; everywhere else it is Keras's own.
    """

    def call(self, inputs, training=None):
        if not (training and self._lies_on_padding(inputs.shape)):
            return super().call(inputs)
        sums = _sum_of_products(inputs, self.kernel)
        return self.activation(sums + self.bias if self.use_bias else sums)

    def _lies_on_padding(self, shape):
        if keras.backend.backend() != "tensorflow" or on_gpu() or None in shape:
            return False
        plain = self.strides == self.dilation_rate == (1, 1) and self.groups == 1
        plain = plain and self.data_format == "channels_last"
        large = self.padding == "same" and math.prod(self.kernel.shape) >= LARGE_KERNEL
        sides = zip(self.kernel_size, shape[1:3], strict=True)
        return plain and large and all(size > side / 2 for size, side in sides)


def _sum_of_products(x, kernel):
    """A map (N, H, W, C) convolved with a kernel (h, w, C, units): (N, H, W, units)."""
    import tensorflow as tf

    height, width, channels, units = kernel.shape
    # As one list, whose gradient TensorFlow puts together at once.
    cells = iter(tf.unstack(tf.reshape(tf.cast(kernel, x.dtype), (-1, channels, units))))
    found = []
    for row in range(height):
        for column in range(width):
            cell = next(cells)
            down, above = _overlap(row - (height - 1) // 2, x.shape[1])
            across, before = _overlap(column - (width - 1) // 2, x.shape[2])
            seen = x[:, down, across]
            if 0 not in seen.shape[1:3]:
                # In 16 bits, a sum of so many would lose too much.
                products = tf.cast(tf.tensordot(seen, cell, 1), "float32")
                found.append(tf.pad(products, ((0, 0), above, before, (0, 0))))
    return tf.cast(tf.add_n(found), x.dtype)


def _overlap(offset, side):
    """Of the cells at `offset` from a map's own, those on the map, and how many are not.

    Returns (slice, (missing before, missing after)).
    """
    before, after = max(-offset, 0), max(offset, 0)
    return slice(after, max(side - before, 0)), (before, after)
