"""Stride, receptive field and offset of any layer of a Keras functional model.

Each cell of a layer's output looks at a range of input pixels; one more layer changes it by a rule
of one line. Convolutions with padding="same" are taken as Keras lays them out when the input's
sides are multiples of the network's stride.

Source: Long, Shelhamer and Darrell 2015, section 3 (kernel sizes and strides compose as
k' + (k - 1) s' and s s'); the crop offsets are those of the reference release's `coord_map.py`.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import singledispatch
from typing import Any, TypeAlias

import keras

from fcn_tutorial.errors import InputError

Layer: TypeAlias = str | keras.Operation  # the name of a layer of the model, or the layer itself


@dataclass(frozen=True)
class ReceptiveField:
    """What the cells of a layer see, along one axis, in input pixels."""

    size: int  # pixels that one cell sees
    stride: float  # pixels from one cell to the next
    offset: float  # centre of the first cell's field; the first pixel's centre is 0


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
    """Cell i sees `size` input pixels around pixel offset + i * stride (exact fractions)."""

    size: Fraction
    stride: Fraction
    offset: Fraction

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


@singledispatch
def through(layer: Any, cells: Cells, axis: int) -> Cells:
    """What the cells behind a layer see, by the rule for its class; InputError where there is none.

    A module that defines a layer adds the layer's rule: `@through.register`.
    """
    raise InputError(
        f"layer {layer.name!r} ({type(layer).__name__}) has no receptive field of a fixed size: "
        "ask for a layer before it."
    )


def unmoved(layer: Any, cells: Cells, axis: int) -> Cells:
    """The rule for a layer that works on each cell alone."""
    return cells


for kind in (
    *("Activation", "Add", "Average", "BatchNormalization", "Concatenate", "Dropout", "ELU"),
    *("GaussianDropout", "GaussianNoise", "Identity", "LeakyReLU", "Maximum", "Multiply", "PReLU"),
    *("ReLU", "Rescaling", "Softmax", "Subtract"),
):
    through.register(getattr(keras.layers, kind), unmoved)


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


def receptive_field(model: keras.Model, layer: Layer, axis: int = 0) -> ReceptiveField:
    """Receptive field of a layer in a functional or sequential Keras model (section 3).

    Args:
        model, layer: a model whose first layer is its input; a layer of it, or the layer's name.
        axis: 0 for height, 1 for width.

    Returns:
        Size, stride and offset in input pixels. After several upsamplings, cells of one layer see
        different numbers of pixels, and the size lies between them.

    Raises:
        InputError: there is no such layer, or one on the way has no receptive field of a fixed
            size (Dense, global pooling).
    """
    cells = _trace(model, layer, axis)
    return ReceptiveField(int(cells.size), _number(cells.stride), float(cells.offset))


def crop_offset(
    model: keras.Model, layer: Layer, onto: Layer | None = None, axis: int = 0
) -> float:
    """How many cells of a layer to crop at the start so that it lines up with another.

    Args:
        model, layer, axis: as for `receptive_field`.
        onto: the other layer, with the same stride, or its name; None means the input image.

    Returns:
        An int, or a float where the two cannot be lined up by whole cells.

    Raises:
        InputError: the strides differ, or as for `receptive_field`.
    """
    moving = _trace(model, layer, axis)
    fixed = PIXELS if onto is None else _trace(model, onto, axis)
    if moving.stride != fixed.stride:
        raise InputError(
            f"cannot crop a layer of stride {_number(moving.stride)} onto one of stride "
            f"{_number(fixed.stride)}: upsample the coarser one first."
        )
    return _number((fixed.offset - moving.offset) / moving.stride)


def _number(fraction):
    return int(fraction) if fraction.denominator == 1 else float(fraction)


def _trace(model, layer, axis):
    if not getattr(model, "built", True):
        raise InputError(f"model {model.name!r} has no input yet: start it with keras.Input.")
    operations = getattr(model, "operations", None) or model.layers
    if not any(layer in (each, each.name) for each in operations):
        names, name = ", ".join(each.name for each in operations), getattr(layer, "name", layer)
        raise InputError(f"model {model.name!r} has no layer {name!r}; its layers are: {names}.")
    cells_of = {id(tensor): PIXELS for tensor in model.inputs}
    for operation in operations:
        for node in operation._inbound_nodes:
            inputs = [cells_of.get(id(tensor)) for tensor in node.input_tensors]
            if not inputs or None in inputs:  # an input, or its place in another model
                continue
            cells = through(operation, _union(inputs, operation), axis)
            cells_of |= {id(tensor): cells for tensor in node.output_tensors}
            if layer in (operation, operation.name):
                return cells
    return PIXELS


def _union(inputs, operation):
    if len({cells.stride for cells in inputs}) > 1:
        raise InputError(f"layer {operation.name!r} merges inputs of different strides.")
    first = min(cells.offset - cells.size / 2 for cells in inputs)
    last = max(cells.offset + cells.size / 2 for cells in inputs)
    return Cells(last - first, inputs[0].stride, (first + last) / 2)
