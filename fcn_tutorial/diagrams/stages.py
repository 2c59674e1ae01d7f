"""A network seen from afar: its maps, and which maps each is made of.

Layers of one stride that follow one another make one map. A score layer, the sum or concatenation
of maps, and each of three or more branches begin another one.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import keras

from fcn_tutorial.cells import PIXELS, Cells
from fcn_tutorial.fcn import SCORE_LAYERS
from fcn_tutorial.geometry import walk
from fcn_tutorial.taps import PADDING

SILENT = (keras.layers.Dropout, *PADDING)  # layers that end no map


@dataclass
class Stage:
    """A map: its symbolic tensor, what its cells see, its part of the network, its first layer.

    sources: the numbers of the maps that it is made of, and how many times each is enlarged first.
    tapped: another map than the next coarser one is made of it too.
    """

    tensor: Any
    cells: Cells
    part: str
    first: Any
    sources: list[tuple[int, int]] = field(default_factory=list)
    tapped: bool = False

    @property
    def name(self) -> str:
        """Of the layer that gives the map; where Keras has named it, what its layers do."""
        layer = self.tensor._keras_history.operation
        while isinstance(layer, SILENT):
            layer = layer.input._keras_history.operation
        if layer.name.rstrip("_0123456789").replace("_", "") != type(layer).__name__.lower():
            return layer.name
        if self.part == "upsampling":
            return "logits"
        if hasattr(self.first, "kernel_size"):
            return f"{_kernel(self.first)}, rate {self.first.dilation_rate[0]}"
        if not isinstance(self.first, keras.layers.Concatenate):
            return type(self.first).__name__
        while not hasattr(layer, "kernel_size") and not isinstance(layer.input, list):
            layer = layer.input._keras_history.operation
        return f"joined, {_kernel(layer)}" if hasattr(layer, "kernel_size") else "joined"

    def ends_in(self, tensor: Any, cells: Cells, tapped: bool = False) -> None:
        """Take a later tensor of the same layers for the map, unless another map needs this one."""
        if tapped or not self.tapped:
            self.tensor, self.cells, self.tapped = tensor, cells, tapped


def stages(model: keras.Model) -> list[Stage]:
    """The maps of a functional model, without models inside it, from its image to its output.

    Each follows those it is made of; the first one is the image. InputError where a layer has no
    receptive field of a fixed size, see `geometry.walk`.
    """
    image, steps = model.inputs[0], list(walk(model))
    found, cells_of = [Stage(image, PIXELS, "images", None)], {id(image): PIXELS}
    place = {id(image): (0, 1)}  # of a tensor: the number of its map, and how much it is enlarged
    readers = Counter(id(each) for _, _, node in steps for each in node.input_tensors[:1])
    for layer, cells, node in steps:
        output, read = node.output_tensors[0], node.input_tensors
        sources = {place[id(tensor)]: tensor for tensor in read}
        if len(sources) > 1:
            sources.pop((0, 1), None)  # the image, where a crop takes its size from it
        (number, factor), tensor = next(iter(sources.items()))
        source, cells_of[id(output)] = found[number], cells
        # Global pooling gives one number a channel, by which layers scale the same map.
        growth = source.cells.stride / cells.stride if cells.stride else 1
        # A layer may begin a map although it has one input and keeps the stride.
        first = number == 0 and bool(getattr(layer, "weights", ()))
        begins = first or layer.name in SCORE_LAYERS or readers[id(tensor)] > 2
        if growth > factor:
            place[id(output)] = number, int(growth)
        elif len(sources) == growth == 1 and not begins:
            place[id(output)] = number, 1
            if number and cells.stride and not isinstance(layer, SILENT):
                source.ends_in(output, cells)
        else:
            for (each, larger), tensor in sources.items():
                if each and larger == 1 and growth >= 1:
                    found[each].ends_in(tensor, cells_of[id(tensor)], tapped=True)
            place[id(output)] = len(found), 1
            found.append(Stage(output, cells, _part(layer, sources), layer, list(sources)))
    (number, factor), output = place[id(model.outputs[0])], model.outputs[0]
    last = Stage(output, cells_of[id(output)], "upsampling", layer, [(number, factor)])
    return [*found, last] if factor > 1 else found


def _kernel(layer):
    return " × ".join(map(str, layer.kernel_size))


def _part(layer, sources):
    enlarged = any(factor > 1 for _, factor in sources)
    if layer.name == SCORE_LAYERS[0]:
        return "scores"
    if layer.name in SCORE_LAYERS or (enlarged and len(sources) > 1):
        return "skips"
    return "upsampling" if enlarged else "maps"
