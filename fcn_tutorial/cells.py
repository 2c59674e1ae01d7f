"""What one cell of a map sees, and how each class of layer changes it.

Each cell of a layer's output looks at a range of input pixels; one more layer changes it by a rule
of one line. Convolutions with padding="same" are taken as Keras lays them out when the input's
sides are multiples of the network's stride.

Source: Long, Shelhamer and Darrell 2015, section 3 (kernel sizes and strides compose as
k' + (k - 1) s' and s s').
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import singledispatch
from typing import Any

import keras

from fcn_tutorial.errors import InputError


def grown(size: Any, step: Any, kernel: Any, stride: Any) -> tuple[Any, Any]:
    """Size and stride of a receptive field behind one more layer (section 3).

    Args:
        size, step: of the field so far, in pixels.
        kernel, stride: of the layer, in cells of its input.
    """
    return size + (kernel - 1) * step, step * stride


def moved(offset: Any, step: Any, kernel: Any, before: Any) -> Any:
    """Centre of the first cell's field behind one more layer, in pixels.

    Args:
        offset, step: centre and stride so far, in pixels.
        kernel, before: size and padding of the layer's kernel, in cells of its input.
    """
    return offset + ((kernel - 1) / 2 - before) * step


@dataclass(frozen=True)
class Cells:
    """Cell i sees `size` input pixels around pixel offset + i * stride (exact fractions).

    Where `gated`, it also depends on the complete image, by what global pooling has made of it.
    """

    size: Fraction
    stride: Fraction
    offset: Fraction
    gated: bool = False

    def window(self, kernel: int, stride: int = 1, before: int = 0) -> "Cells":
        """Each new cell looks at a window of `kernel` cells, after padding by `before`."""
        size, step = grown(self.size, self.stride, kernel, stride)
        return Cells(size, step, moved(self.offset, self.stride, Fraction(kernel), before))

    def transposed(self, kernel: int, factor: int, before: int) -> "Cells":
        """Each cell is spread over `kernel` new cells, `factor` apart; `before` are cut off."""
        return self._finer(factor, before - Fraction(kernel - 1, 2), -(-kernel // factor) - 1)

    def resized(self, factor: int, reach: int) -> "Cells":
        """Interpolate `factor` times finer; each new cell looks at reach + 1 cells."""
        return self._finer(factor, -Fraction(factor - 1, 2), reach)

    def _finer(self, factor, shift, reach):
        stride = self.stride / factor
        return Cells(self.size + reach * self.stride, stride, self.offset + stride * shift)


PIXELS = Cells(Fraction(1), Fraction(1), Fraction(0))
EVERYWHERE = Cells(Fraction(0), Fraction(0), Fraction(0), gated=True)  # no grid: global pooling


@singledispatch
def through(layer: Any, cells: Cells, axis: int) -> Cells:
    """What the cells behind a layer see, by the rule for its class; InputError where there is none.

    A module that defines a layer adds the layer's rule: `@through.register`.
    """
    if type(layer).__name__ in UNEXPORTED:
        return cells
    raise InputError(
        f"layer {layer.name!r} ({type(layer).__name__}) has no receptive field of a fixed size: "
        "ask for a layer before it."
    )


def unmoved(layer: Any, cells: Cells, axis: int) -> Cells:
    """The rule for a layer that works on each cell alone."""
    return cells


for kind in (
    *("Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dense", "Dropout"),
    *("ELU", "GaussianDropout", "GaussianNoise", "Identity", "LayerNormalization", "LeakyReLU"),
    *("Maximum", "Multiply", "Normalization", "PReLU", "ReLU", "Rescaling", "Softmax", "Subtract"),
):
    through.register(getattr(keras.layers, kind), unmoved)

# Classes that work on each cell alone, too, but are not among Keras's public names: those of the
# operators + - * / between maps, and two layers of ConvNeXt.
UNEXPORTED = {"Add", "Subtract", "Multiply", "TrueDivide", "LayerScale", "StochasticDepth"}


@through.register(keras.layers.GlobalAveragePooling2D)
@through.register(keras.layers.GlobalMaxPooling2D)
def _(layer, cells, axis):
    return EVERYWHERE


@through.register(keras.layers.AveragePooling2D)
@through.register(keras.layers.Conv2D)
@through.register(keras.layers.DepthwiseConv2D)
@through.register(keras.layers.MaxPooling2D)
@through.register(keras.layers.SeparableConv2D)
def _(layer, cells, axis):
    kernel, stride = _window_of(layer, axis)
    # Keras pads so that the output has ceil(input / stride) cells; the odd pixel goes after.
    before = max(kernel - stride, 0) // 2 if layer.padding == "same" else 0
    return cells.window(kernel, stride, before)


@through.register(keras.layers.Conv2DTranspose)
def _(layer, cells, axis):
    kernel, stride = _window_of(layer, axis)
    overhang = kernel - stride
    if layer.output_padding is not None:
        overhang = kernel - kernel % 2 - layer.output_padding[axis]
    before = max(overhang, 0) // 2 if layer.padding == "same" else 0
    return cells.transposed(kernel, stride, before)


def _window_of(layer, axis):
    window = layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size
    dilation = getattr(layer, "dilation_rate", (1, 1))
    return (window[axis] - 1) * dilation[axis] + 1, layer.strides[axis]


@through.register(keras.layers.Cropping2D)
@through.register(keras.layers.ZeroPadding2D)
def _(layer, cells, axis):
    cropping = isinstance(layer, keras.layers.Cropping2D)
    return cells.window(1, before=-layer.cropping[axis][0] if cropping else layer.padding[axis][0])


@through.register(keras.layers.UpSampling2D)
def _(layer, cells, axis):
    bilinear = layer.interpolation == "bilinear" and layer.size[axis] > 1
    return cells.resized(layer.size[axis], reach=int(bilinear))
