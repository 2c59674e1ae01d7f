"""Layers that make a network take images of any size, and keep a finer grid.

Source: padding and cropping in place of the reference release's 100 pixels and crops; dilation: Yu
and Koltun 2016.
"""

import keras
import numpy as np

# Models saved by earlier versions name layers that now are Keras's own.
keras.saving.get_custom_objects().update(
    {
        "fcn_tutorial>BatchNormalization": keras.layers.BatchNormalization,
        "fcn_tutorial>Conv2D": keras.layers.Conv2D,
    }
)


@keras.saving.register_keras_serializable("fcn_tutorial")
class VGGPreprocessing(keras.layers.Layer):
    """RGB in 0..255 -> BGR with ImageNet's mean colour subtracted, as VGG-16 was trained."""

    MEAN_BGR = (103.939, 116.779, 123.68)

    def call(self, image):
        return keras.ops.flip(image, axis=-1) - keras.ops.array(self.MEAN_BGR, dtype=image.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("fcn_tutorial")
class PadToMultiple(keras.layers.Layer):
    """Pad a map (N, H, W, C) with zeros at the bottom and right to multiples of `multiple`."""

    def __init__(self, multiple, **kwargs):
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x):
        (height, width), m = keras.ops.shape(x)[1:3], self.multiple
        # Of numbers that are not negative, as ONNX takes the remainder of others another way.
        below, right = ((m - side % m) % m for side in (height, width))
        return keras.ops.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        padded = [side and side + -side % self.multiple for side in (height, width)]
        return (batch, *padded, channels)

    def get_config(self):
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable("fcn_tutorial")
class CropLike(keras.layers.Layer):
    """Crop a map, called with [map, image], at the bottom and right to the image's sides."""

    def call(self, inputs):
        x, image = inputs
        height, width = keras.ops.shape(image)[1:3]
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape):
        x, image = input_shape
        return (*image[:3], x[3])


def dilated_kernel(kernel: np.ndarray, rate: int) -> np.ndarray:
    """The larger kernel whose convolution equals one of `kernel` at a dilation rate.

    Args:
        kernel: (h, w).
        rate: its cells lie this many apart, with zeros between them.

    Returns:
        (rate * (h - 1) + 1, rate * (w - 1) + 1).
    """
    height, width = (rate * (side - 1) + 1 for side in kernel.shape)
    holes = np.zeros((height, width), kernel.dtype)
    holes[::rate, ::rate] = kernel
    return holes


@keras.saving.register_keras_serializable("fcn_tutorial")
class DilatedPooling(keras.layers.Layer):
    """Max pooling over 2 x 2 cells, `rate` apart, that keeps every cell of a map (N, H, W, C).

    Each cell is pooled with those `rate` below and to the right of it. On every second cell, rate 1
    gives what the pooling with stride 2 gives. Beyond the border there is nothing to pool with.
    """

    def __init__(self, rate, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x):
        largest, rate = keras.ops.maximum, self.rate
        x = keras.ops.concatenate([largest(x[:, :-rate], x[:, rate:]), x[:, -rate:]], axis=1)
        pooled = largest(x[:, :, :-rate], x[:, :, rate:])
        return keras.ops.concatenate([pooled, x[:, :, -rate:]], axis=2)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("fcn_tutorial")
class RepeatEdge(keras.layers.Layer):
    """Move a map (N, H, W, C) by `before` cells down and right; its first row and column fill up.

    Output (N, H + before, W + before, C).
    """

    def __init__(self, before, **kwargs):
        super().__init__(**kwargs)
        self.before = before

    def call(self, x):
        x = keras.ops.concatenate([keras.ops.repeat(x[:, :1], self.before, axis=1), x], axis=1)
        first = keras.ops.repeat(x[:, :, :1], self.before, axis=2)
        return keras.ops.concatenate([first, x], axis=2)

    def compute_output_shape(self, input_shape):
        batch, height, width, channels = input_shape
        longer = [side and side + self.before for side in (height, width)]
        return (batch, *longer, channels)

    def get_config(self):
        return {**super().get_config(), "before": self.before}
