"""Layers with which a network takes images of any size and keeps a finer grid.

Source: padding to multiples of the stride and cropping replace the 100 pixels of padding and the
crops of the reference release; for dilation, Yu and Koltun 2016.
"""

from typing import Any

import keras
import numpy as np

from fcn_tutorial.cells import Cells, through, unmoved

# Models saved by earlier versions name layers that are Keras's own now.
for name in ("BatchNormalization", "Conv2D"):
    keras.saving.get_custom_objects()[f"fcn_tutorial>{name}"] = getattr(keras.layers, name)


@keras.saving.register_keras_serializable("fcn_tutorial")
class VGGPreprocessing(keras.layers.Layer):
    """RGB in 0..255 -> BGR with ImageNet's mean colour subtracted, as VGG-16 was trained."""

    MEAN_BGR = (103.939, 116.779, 123.68)

    def call(self, image: Any) -> Any:
        return keras.ops.flip(image, axis=-1) - keras.ops.array(self.MEAN_BGR, dtype=image.dtype)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape


@keras.saving.register_keras_serializable("fcn_tutorial")
class PadToMultiple(keras.layers.Layer):
    """Pad a map (N, H, W, C) with zeros at the bottom and right to multiples of `multiple`."""

    def __init__(self, multiple: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.multiple = multiple

    def call(self, x: Any) -> Any:
        (height, width), m = keras.ops.shape(x)[1:3], self.multiple
        # No negative numbers, as ONNX takes their remainder another way.
        below, right = ((m - side % m) % m for side in (height, width))
        return keras.ops.pad(x, ((0, 0), (0, below), (0, right), (0, 0)))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """The next multiples; None where a side is unknown."""
        batch, height, width, channels = input_shape
        padded = [side and side + -side % self.multiple for side in (height, width)]
        return (batch, *padded, channels)

    def get_config(self) -> dict:
        return {**super().get_config(), "multiple": self.multiple}


@keras.saving.register_keras_serializable("fcn_tutorial")
class CropLike(keras.layers.Layer):
    """Crop a map, called with [map, image], at the bottom and right to the image's sides."""

    def call(self, inputs: list) -> Any:
        """Crop a map (N, h, w, C) to an image (N, H, W, _) with H <= h and W <= w."""
        x, image = inputs
        height, width = keras.ops.shape(image)[1:3]
        if x.shape[1:3] == (height, width):
            return x  # TensorFlow would copy it, and its gradient.
        return x[:, :height, :width]

    def compute_output_shape(self, input_shape: list) -> tuple:
        """The image's sides and the map's channels."""
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

    def __init__(self, rate: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate

    def call(self, x: Any) -> Any:
        largest, rate = keras.ops.maximum, self.rate
        x = keras.ops.concatenate([largest(x[:, :-rate], x[:, rate:]), x[:, -rate:]], axis=1)
        pooled = largest(x[:, :, :-rate], x[:, :, rate:])
        return keras.ops.concatenate([pooled, x[:, :, -rate:]], axis=2)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict:
        return {**super().get_config(), "rate": self.rate}


@keras.saving.register_keras_serializable("fcn_tutorial")
class RepeatEdge(keras.layers.Layer):
    """Move a map (N, H, W, C) by `before` cells down and right, repeating its first row and column.

    Output (N, H + before, W + before, C).
    """

    def __init__(self, before: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.before = before

    def call(self, x: Any) -> Any:
        x = keras.ops.concatenate([keras.ops.repeat(x[:, :1], self.before, axis=1), x], axis=1)
        first = keras.ops.repeat(x[:, :, :1], self.before, axis=2)
        return keras.ops.concatenate([first, x], axis=2)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """Longer by `before`; None where a side is unknown."""
        batch, height, width, channels = input_shape
        longer = [side and side + self.before for side in (height, width)]
        return (batch, *longer, channels)

    def get_config(self) -> dict:
        return {**super().get_config(), "before": self.before}


for kind in (CropLike, PadToMultiple, VGGPreprocessing):
    through.register(kind, unmoved)


@through.register
def _(layer: DilatedPooling, cells: Cells, axis: int) -> Cells:
    return cells.window(layer.rate + 1)


@through.register
def _(layer: RepeatEdge, cells: Cells, axis: int) -> Cells:
    return cells.window(1, before=layer.before)
