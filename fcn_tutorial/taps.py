"""Where any Keras network can be tapped: its maps of stride 8, 16 and 32, found by geometry.

A block ends where branches meet or in a pooling, after the normalization and activation that
follow, if nothing else does. The map of a stride is the end of the last block before the next
stride; without such a block, as in MobileNet, it is the last map of that stride that is not
padding. Of the last stride, it is the network's last map. The same rule finds pool3 and pool4 in
VGG-16.
"""

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction

import keras
from keras import layers

from fcn_tutorial.errors import InputError
from fcn_tutorial.geometry import walk

ENDS = (layers.Add, layers.Concatenate, layers.AveragePooling2D, layers.MaxPooling2D)
OPERATORS = {"Add", "Concatenate"}  # a + b and keras.ops.concatenate, which are no layers
FOLLOWING = (
    *(layers.Activation, layers.BatchNormalization, layers.LayerNormalization),
    *(layers.ELU, layers.LeakyReLU, layers.PReLU, layers.ReLU),
)
PADDING = (layers.Cropping2D, layers.ZeroPadding2D)


@dataclass(frozen=True)
class Tap:
    """A map that can be scored: the layer it leaves, and how far apart and where its cells lie."""

    layer: str
    map: keras.KerasTensor
    stride: Fraction
    offset: Fraction

    @property
    def misplaced(self) -> float:
        """Pixels from where upsampling expects the first cell; 0 up to a quarter of a cell."""
        pixels = self.offset - (self.stride - 1) / 2
        return float(pixels) if abs(pixels) > self.stride / 4 else 0.0

    def upsampling(self, fine: "Tap | None" = None) -> tuple[int, float]:
        """Factor and shift of `BilinearUpsampling` to a finer map's cells, or to the pixels."""
        stride = fine.stride if fine else Fraction(1)
        misplaced = fine.misplaced if fine else 0.0
        return int(self.stride / stride), (misplaced - self.misplaced) / float(self.stride)


def taps(network: keras.Model) -> dict[Fraction, Tap]:
    """The map of each stride of a network without models inside it: {stride in input pixels: Tap}.

    It ends at the first layer that has no receptive field; the last Tap is of the last map.
    """
    last: dict[Fraction, Tap] = {}
    ends: dict[Fraction, Tap] = {}
    steps, _ = _steps(network)
    uses = Counter(id(tensor) for _, _, node in steps for tensor in node.input_tensors)
    for operation, cells, node in steps:
        if not cells.stride or isinstance(operation, PADDING):
            continue
        stride, end = cells.stride, ends.get(cells.stride)
        last.pop(stride, None)
        last[stride] = Tap(operation.name, node.output_tensors[0], stride, cells.offset)
        follows = end and node.input_tensors[0] is end.map and uses[id(end.map)] == 1
        ends_block = isinstance(operation, ENDS) or type(operation).__name__ in OPERATORS
        if ends_block or (follows and isinstance(operation, FOLLOWING)):
            ends[stride] = last[stride]
    final = dict([last.popitem()]) if last else {}
    return {stride: ends.get(stride, tap) for stride, tap in last.items()} | final


def _steps(network):
    """What `walk` yields, as a list, and why it came to an end early, if it did."""
    steps = []
    try:
        for step in walk(network):
            steps.append(step)
    except InputError as error:
        return steps, f", and {str(error).partition(':')[0]}"
    return steps, ""


def tap(network: keras.Model, stride: Fraction | int) -> Tap:
    """The map of one stride; InputError where there is none, or where it lies off the image."""
    stride, found = Fraction(stride), taps(network)
    if stride not in found or abs(found[stride].misplaced) > stride / 2:
        strides = ", ".join(f"{float(each):g} ({found[each].layer})" for each in found)
        raise InputError(
            f"network {network.name!r} has no usable map of stride {float(stride):g}: the strides "
            f"of its maps are {strides or 'unknown'}{_steps(network)[1]}."
        )
    return found[stride]
