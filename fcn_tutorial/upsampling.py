"""Bilinear kernels, and two layers that upsample score maps: resizing and transposed convolution.

Source: Long, Shelhamer and Darrell 2015, section 3.3 ("Upsampling is backwards strided
convolution"); the kernel is that of `surgery.py` in the paper's reference release.
"""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import keras
import numpy as np

from fcn_tutorial.cells import Cells, through
from fcn_tutorial.errors import check_number, check_whole


def bilinear_kernel(factor: int) -> np.ndarray:
    """The kernel whose transposed convolution at stride `factor` interpolates bilinearly.

    Args:
        factor: how many times larger the output is, 1 or more.

    Returns:
        float32 (k, k) with k = 2 * factor - factor % 2; each of the factor x factor phases of the
        kernel sums to 1.

    Raises:
        InputError: the factor is not a whole number of at least 1.
    """
    check_whole("factor", factor, 1)
    return pyramid(factor).astype(np.float32)


def pyramid(factor: int) -> np.ndarray:
    """Compute the bilinear kernel: weights that fall from its middle to zero at `factor` pixels.

    Args:
        factor: upsampling factor, 1 or more.

    Returns:
        float64 (k, k) with k = 2 * factor - factor % 2.
    """
    size = 2 * factor - factor % 2
    middle = (size - 1) / 2
    triangle = [1 - abs(place - middle) / factor for place in range(size)]
    return np.outer(triangle, triangle)


def transposed_by_loop(scores: np.ndarray, kernel: np.ndarray, stride: int) -> np.ndarray:
    """Transpose a convolution by loop: each cell stamps its scores times the kernel.

    Args:
        scores: (H, W, C).
        kernel: (k, k), the same for each class.
        stride: pixels from one stamp to the next.

    Returns:
        float64 ((H - 1) * stride + k, (W - 1) * stride + k, C).
    """
    height, width, classes = scores.shape
    k = len(kernel)
    large = np.zeros(((height - 1) * stride + k, (width - 1) * stride + k, classes))
    for row, column in np.ndindex(height, width):
        top, left = row * stride, column * stride
        large[top : top + k, left : left + k] += kernel[..., None] * scores[row, column]
    return large


@keras.saving.register_keras_serializable("fcn_tutorial")
class BilinearUpsampling(keras.layers.Layer):
    """Upsample score maps by a whole factor, bilinearly, with half-pixel centres (section 3.3).

    Input (N, H, W, C), output (N, factor * H, factor * W, C). It has no weights, so it is frozen
    and unregularized, and it repeats the edge, so that a constant map stays constant up to the
    border. Away from the border it equals `transposed_convolution`.

    Args:
        factor: how many times larger the output is, 1 or more.
        shift: by how many cells of the input the output is moved up and left, at most
            0.5 + 0.5 / factor either way: each new cell lies between two neighbours.

    Raises:
        InputError: the factor is not a whole number of at least 1, or the shift out of its range.
    """

    def __init__(self, factor: int, shift: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.factor, most = check_whole("factor", factor, 1), 0.5 + 0.5 / factor
        self.shift = check_number("shift", shift, -most, most)

    def call(self, scores: Any) -> Any:
        height, width = keras.ops.shape(scores)[1:3]
        known = isinstance(height, int) and isinstance(width, int)
        # JAX would resize by matrix products, which take longer than the sums below.
        if known and not self.shift and keras.backend.backend() != "jax":
            size = (self.factor * height, self.factor * width)
            # In 32 bits, as XLA fails on the gradient of resizing in fewer.
            exact = keras.ops.cast(scores, "float32")
            resized = keras.ops.image.resize(exact, size, "bilinear", data_format="channels_last")
            return keras.ops.cast(resized, scores.dtype)
        # Keras resizes only to sizes that are known when the graph is made; this goes without.
        for axis in (1, 2):
            scores = _interpolate(scores, self.factor, self.shift, axis)
        return scores

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        """`factor` times the sides; None where a side is unknown."""
        batch, height, width, channels = input_shape
        sides = [side and self.factor * side for side in (height, width)]
        return (batch, *sides, channels)

    def get_config(self) -> dict:
        return {**super().get_config(), "factor": self.factor, "shift": self.shift}


@through.register
def _(layer: BilinearUpsampling, cells: Cells, axis: int) -> Cells:
    upsampled = cells.resized(layer.factor, reach=int(layer.factor > 1))
    return replace(upsampled, offset=upsampled.offset + Fraction(layer.shift) * cells.stride)


def _interpolate(x, factor, shift, axis):
    """Bilinear interpolation along one axis: each cell becomes `factor` new ones (phases)."""
    first, last = (x[:, :1], x[:, -1:]) if axis == 1 else (x[:, :, :1], x[:, :, -1:])
    rest, start = (x[:, 1:], x[:, :-1]) if axis == 1 else (x[:, :, 1:], x[:, :, :-1])
    to_next = keras.ops.concatenate([rest, last], axis) - x
    to_previous = keras.ops.concatenate([first, start], axis) - x
    # Where the centres of the new cells lie, seen from the centre of the old one, in old cells.
    positions = (np.arange(factor) + 0.5) / factor - 0.5 + shift
    phases = [x + abs(t) * (to_next if t > 0 else to_previous) for t in positions.tolist()]
    shape = list(keras.ops.shape(x))
    shape[axis] *= factor
    return keras.ops.reshape(keras.ops.stack(phases, axis + 1), shape)


@keras.saving.register_keras_serializable("fcn_tutorial")
class BilinearInitializer(keras.initializers.Initializer):
    """Fill a transposed convolution's kernel (k, k, C, C): bilinear from each class to itself."""

    def __init__(self, factor: int) -> None:
        self.factor = factor

    def __call__(self, shape: tuple, dtype: str | None = None) -> Any:
        kernel, diagonal = bilinear_kernel(self.factor), np.eye(*shape[2:], dtype=np.float32)
        return keras.ops.convert_to_tensor(kernel[..., None, None] * diagonal, dtype=dtype)

    def get_config(self) -> dict:
        return {"factor": self.factor}


def transposed_convolution(
    factor: int, num_classes: int, trainable: bool = False, name: str | None = None
) -> keras.layers.Conv2DTranspose:
    """Upsampling as the paper builds it: a transposed convolution that starts out bilinear.

    Args:
        factor: how many times larger the output is, 1 or more.
        num_classes: channels of the score map.
        trainable: whether the kernel learns.
        name: the layer's.

    Returns:
        A layer from (N, H, W, num_classes) to (N, (H - 1) * factor + k, ..., num_classes), where k
        is the kernel's size: the caller crops. Zeros beyond the border make the outermost cells
        fade.

    Raises:
        InputError: the factor is not a whole number of at least 1.
    """
    return keras.layers.Conv2DTranspose(
        num_classes,
        kernel_size=len(bilinear_kernel(factor)),
        strides=factor,
        padding="valid",
        use_bias=False,
        kernel_initializer=BilinearInitializer(factor),
        trainable=trainable,
        name=name,
    )
