"""Stride, receptive field and offset of any layer of a Keras functional model.

Each cell of a layer's output looks at a range of input pixels. Cell i of a layer sees the pixels
from first + i * stride to last + i * stride; going through one more layer changes the three
numbers by a rule of one line. Convolutions with padding="same" are taken as Keras lays them out
when the input's sides are multiples of the network's stride.

Source: Long, Shelhamer and Darrell 2015, section 3 (kernel sizes and strides compose as
k' + (k - 1) s' and s s'); the crop offsets are those of the reference release's `coord_map.py`.
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import keras

from fcn_tutorial.errors import InputError


@dataclass(frozen=True)
class ReceptiveField:
    """What the cells of a layer see, along one axis, in input pixels.

    size: pixels that one cell sees. stride: pixels from one cell to the next. offset: centre of
    the first cell's field, where 0 is the centre of the first pixel (padding makes it negative).
    """

    size: int
    stride: float
    offset: float


def grown(size: Any, step: Any, kernel: Any, stride: Any) -> tuple[Any, Any]:
    """Size and stride of a receptive field behind one more layer (section 3).

    Args:
        size, step: of the field so far, in pixels: int or Fraction.
        kernel, stride: of the layer, in cells of its input.
    """
    return size + (kernel - 1) * step, step * stride


def moved(offset: Any, step: Any, kernel: Any, before: Any) -> Any:
    """Centre of the first cell's field behind one more layer, in pixels.

    Args:
        offset, step: centre and stride so far, in pixels: int or Fraction.
        kernel: of the layer, in cells of its input.
        before: cells of padding before the first one.
    """
    return offset + ((kernel - 1) / 2 - before) * step


@dataclass(frozen=True)
class _Cells:
    """Cell i sees input pixels first + i * stride ... last + i * stride (exact fractions)."""

    stride: Fraction
    first: Fraction
    last: Fraction

    def window(self, kernel, stride=1, before=0, dilation=1):
        """Each new cell looks at `kernel` cells, `dilation` apart, after padding by `before`."""
        kernel = (kernel - 1) * dilation + 1
        size, wider = grown(self.last - self.first + 1, self.stride, kernel, stride)
        centre = moved((self.first + self.last) / 2, self.stride, Fraction(kernel), before)
        return _Cells(wider, centre - (size - 1) / 2, centre + (size - 1) / 2)

    def transposed(self, kernel, factor, before):
        """Each cell is spread over `kernel` new cells, `factor` apart; `before` are cut off."""
        stride = self.stride / factor
        centre = (self.first + self.last) / 2 + stride * (before - Fraction(kernel - 1, 2))
        reach = -(-kernel // factor) - 1
        half = (self.last - self.first + reach * self.stride) / 2
        return _Cells(stride, centre - half, centre + half)

    def resized(self, factor, reach):
        """Interpolate `factor` times finer; each new cell looks at reach + 1 cells."""
        stride = self.stride / factor
        centre = (self.first + self.last) / 2 - stride * Fraction(factor - 1, 2)
        half = (self.last - self.first + reach * self.stride) / 2
        return _Cells(stride, centre - half, centre + half)


_PIXELS = _Cells(Fraction(1), Fraction(0), Fraction(0))

_ELEMENTWISE = (
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Average,
    keras.layers.BatchNormalization,
    keras.layers.Concatenate,
    keras.layers.Dropout,
    keras.layers.ELU,
    keras.layers.GaussianDropout,
    keras.layers.GaussianNoise,
    keras.layers.Identity,
    keras.layers.LeakyReLU,
    keras.layers.Maximum,
    keras.layers.Multiply,
    keras.layers.PReLU,
    keras.layers.ReLU,
    keras.layers.Rescaling,
    keras.layers.Softmax,
    keras.layers.Subtract,
)
_WINDOWED = (
    keras.layers.AveragePooling2D,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.MaxPooling2D,
    keras.layers.SeparableConv2D,
)
# The library's own layers that leave the positions of cells alone; their modules come after this
# one, so they are known here by name.
_OWN = ("VGGPreprocessing", "PadToMultiple", "CropLike")


def receptive_field(model, layer, axis=0):
    """Receptive field of `layer` (a name or a layer) in a functional or sequential Keras model.

    axis: 0 for height, 1 for width. Returns a ReceptiveField in input pixels. After several
    upsamplings, cells of one layer see different numbers of pixels, and size lies between them.
    Raises InputError when there is no such layer, or when one on the way has no receptive field
    of a fixed size (Dense, global pooling).
    """
    cells = _trace(model, layer, axis)
    offset = (cells.first + cells.last) / 2
    return ReceptiveField(int(cells.last - cells.first) + 1, _number(cells.stride), float(offset))


def crop_offset(model, layer, onto=None, axis=0):
    """How many cells of `layer` to crop at the start so that it lines up with the layer `onto`.

    onto: name or layer with the same stride; None means the input image.
    Returns an int, or a float where the two cannot be lined up by whole cells.
    Raises InputError when the strides differ.
    """
    moving = _trace(model, layer, axis)
    fixed = _PIXELS if onto is None else _trace(model, onto, axis)
    if moving.stride != fixed.stride:
        raise InputError(
            f"cannot crop a layer of stride {_number(moving.stride)} onto one of stride "
            f"{_number(fixed.stride)}: upsample the coarser one first."
        )
    shift = (fixed.first + fixed.last - moving.first - moving.last) / 2
    return _number(shift / moving.stride)


def _number(fraction):
    return int(fraction) if fraction.denominator == 1 else float(fraction)


def _trace(model, layer, axis):
    if not getattr(model, "built", True):
        raise InputError(f"model {model.name!r} has no input yet: start it with keras.Input.")
    target = _find(model, layer)
    cells_of = {id(tensor): _PIXELS for tensor in model.inputs}
    for operation in _operations(model):
        if isinstance(operation, keras.layers.InputLayer):
            continue
        for node in operation._inbound_nodes:
            inputs = [cells_of.get(id(tensor)) for tensor in node.input_tensors]
            if not inputs or None in inputs:
                continue
            cells = _through(operation, _union(inputs, operation), axis)
            for tensor in node.output_tensors:
                cells_of[id(tensor)] = cells
            if operation is target:
                return cells
    return _PIXELS


def _operations(model):
    """All operations of a functional model, or the layers of a sequential one, in their order."""
    return getattr(model, "operations", None) or model.layers


def _find(model, layer):
    for operation in _operations(model):
        if layer in (operation, operation.name):
            return operation
    names = ", ".join(operation.name for operation in _operations(model))
    name = getattr(layer, "name", layer)
    raise InputError(f"model {model.name!r} has no layer {name!r}; its layers are: {names}.")


def _union(inputs, operation):
    if len({cells.stride for cells in inputs}) > 1:
        raise InputError(f"layer {operation.name!r} merges inputs of different strides.")
    first, last = min(c.first for c in inputs), max(c.last for c in inputs)
    return _Cells(inputs[0].stride, first, last)


def _through(layer, cells, axis):
    """The rule for one layer, read from its configuration."""
    if isinstance(layer, _ELEMENTWISE) or type(layer).__name__ in _OWN:
        return cells
    if isinstance(layer, _WINDOWED):
        kernel, stride, dilation = _window_of(layer, axis)
        # Keras pads so that the output has ceil(input / stride) cells; the odd pixel goes after.
        overhang = max((kernel - 1) * dilation + 1 - stride, 0)
        before = overhang // 2 if layer.padding == "same" else 0
        return cells.window(kernel, stride, before, dilation)
    if isinstance(layer, keras.layers.Conv2DTranspose):
        kernel, stride, dilation = _window_of(layer, axis)
        kernel = (kernel - 1) * dilation + 1
        overhang = kernel - stride
        if layer.output_padding is not None:
            overhang = kernel - kernel % 2 - layer.output_padding[axis]
        before = max(overhang, 0) // 2 if layer.padding == "same" else 0
        return cells.transposed(kernel, stride, before)
    if isinstance(layer, keras.layers.ZeroPadding2D):
        return cells.window(1, before=layer.padding[axis][0])
    if isinstance(layer, keras.layers.Cropping2D):
        return cells.window(1, before=-layer.cropping[axis][0])
    if type(layer).__name__ == "DilatedPooling":
        return cells.window(2, dilation=layer.rate)
    if type(layer).__name__ == "RepeatEdge":
        return cells.window(1, before=layer.before)
    if type(layer).__name__ == "BilinearUpsampling":
        return cells.resized(layer.factor, reach=int(layer.factor > 1))
    if isinstance(layer, keras.layers.UpSampling2D):
        bilinear = layer.interpolation == "bilinear" and layer.size[axis] > 1
        return cells.resized(layer.size[axis], reach=int(bilinear))
    raise InputError(
        f"layer {layer.name!r} ({type(layer).__name__}) has no receptive field of a fixed size: "
        "ask for a layer before it."
    )


def _window_of(layer, axis):
    window = layer.pool_size if hasattr(layer, "pool_size") else layer.kernel_size
    dilation = getattr(layer, "dilation_rate", (1, 1))
    return window[axis], layer.strides[axis], dilation[axis]
