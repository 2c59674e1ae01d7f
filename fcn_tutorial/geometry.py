"""Stride, receptive field and offset of any layer of a Keras functional model.

Source: Long, Shelhamer and Darrell 2015, section 3; the crop offsets are those of the reference
release's `coord_map.py`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import keras

from fcn_tutorial.cells import EVERYWHERE, PIXELS, Cells, through
from fcn_tutorial.errors import InputError, check_whole, shown

Layer: TypeAlias = str | keras.Operation  # the name of a layer of the model, or the layer itself


@dataclass(frozen=True)
class ReceptiveField:
    """What the cells of a layer see, along one axis, in input pixels."""

    size: int  # pixels that one cell sees
    stride: float  # pixels from one cell to the next
    offset: float  # centre of the first cell's field; the first pixel's centre is 0


def receptive_field(
    model: keras.Model, layer: Layer | None = None, axis: int = 0
) -> ReceptiveField:
    """Receptive field of a layer in a functional or sequential Keras model (section 3).

    Args:
        model: its first layer is its input.
        layer: a layer of the model, or its name; None means the model's output.
        axis: 0 for height, 1 for width.

    Returns:
        Size, stride and offset in input pixels. After several upsamplings, cells of one layer see
        different numbers of pixels, and the size lies between them.

    Raises:
        InputError: there is no such layer, it is applied more than once, or one on the way has no
            receptive field of a fixed size (Flatten, global pooling).
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
    check_whole("axis", axis, 0, 1)
    nodes = _nodes(model)
    asked = [node for node in nodes if layer in (node.operation, node.operation.name)]
    asked = asked if layer is not None else nodes[-1:]
    name = getattr(layer, "name", layer)
    if not asked:
        names = ", ".join(dict.fromkeys(node.operation.name for node in nodes))
        raise InputError(f"model {model.name!r} has no layer {name!r}; its layers are: {names}.")
    if len(asked) > 1:
        raise InputError(
            f"layer {name!r} is applied {len(asked)} times, with a receptive field each: ask for a "
            "layer that is applied once."
        )
    for operation, cells, node in walk(model, axis):
        if node is asked[0]:
            if cells.gated:
                raise InputError(
                    f"layer {operation.name!r} depends on the complete image, by global pooling: "
                    "ask for a layer before that."
                )
            return cells
    return PIXELS


def walk(model: keras.Model, axis: int = 0) -> Iterator[tuple[keras.Operation, Cells, Any]]:
    """Go through a functional or sequential model from its input on.

    Args:
        model, axis: as for `receptive_field`.

    Yields:
        Each operation, with what the cells behind it see, and its node in the graph, which has
        `input_tensors` and `output_tensors`.

    Raises:
        InputError: when it comes to a layer for which there is no rule.
    """
    cells_of = {id(tensor): PIXELS for tensor in model.inputs}
    for node in _nodes(model):
        inputs = [cells_of[id(tensor)] for tensor in node.input_tensors]
        if inputs:  # not an input of the model
            cells = _behind(node.operation, inputs, axis)
            cells_of |= {id(tensor): cells for tensor in node.output_tensors}
            yield node.operation, cells, node


def _nodes(model):
    """Where layers are applied in a model, each after those before it, the output last."""
    if not getattr(model, "inputs", None):
        raise InputError(f"{shown(model)} has no input yet: start a model with keras.Input.")
    functional = getattr(model, "_functional", model)
    order, of_depth = functional.operations, functional._nodes_by_depth
    return [
        node
        for depth in sorted(of_depth, reverse=True)
        for node in sorted(of_depth[depth], key=lambda node: order.index(node.operation))
    ]


def _behind(operation, inputs, axis):
    maps = [cells for cells in inputs if cells.stride]
    if not maps:
        return EVERYWHERE
    cells = through(operation, _union(maps, operation), axis)
    return replace(cells, gated=cells.gated or any(each.gated for each in inputs))


def _union(inputs, operation):
    if len({cells.stride for cells in inputs}) > 1:
        raise InputError(f"layer {operation.name!r} merges inputs of different strides.")
    first = min(cells.offset - cells.size / 2 for cells in inputs)
    last = max(cells.offset + cells.size / 2 for cells in inputs)
    return Cells(last - first, inputs[0].stride, (first + last) / 2)
