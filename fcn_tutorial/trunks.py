"""Trunks: networks from images in 0..255 to their map of stride 32, which get a new head there.

MobileNet, EfficientNet-Lite0, the networks in `keras.applications`, and any Keras classifier.

Source: Howard et al. 2017 (MobileNet); Tan and Le 2019, Table 1, in Google's Lite variant of 2020
(no squeeze and excitation, ReLU6 everywhere), blocks as in Sandler et al. 2018, Table 1.
"""

import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
from keras import layers

from fcn_tutorial.errors import InputError, check_choice
from fcn_tutorial.layers import VGGPreprocessing
from fcn_tutorial.surgery import any_size, applied, apply_copy
from fcn_tutorial.taps import tap
from fcn_tutorial.weights import cloned, load_model, restored

COARSEST = 32
# Two strided layers of MobileNet and two of EfficientNet-Lite0 pad at the top left. Padding always
# at the bottom right moves a map of stride s by (s - 1) / 2 pixels against the image; with these
# turned round, no map is off by more than a quarter of a cell.
TURNED = ("conv_pad_4", "conv_pad_12", "block3a", "block6a")
STAGES = (  # blocks, kernel, stride, how many times wider inside, channels
    *((1, 3, 1, 1, 16), (2, 3, 2, 6, 24), (2, 5, 2, 6, 40), (3, 3, 2, 6, 80)),
    *((3, 5, 1, 6, 112), (4, 5, 2, 6, 192), (1, 3, 1, 6, 320)),
)
TORCH = {"scale": [1 / 58.395, 1 / 57.12, 1 / 57.375], "offset": [-2.1179, -2.0357, -1.8044]}
# How images in 0..255 are prepared, in the words of `keras.applications`.
PREPROCESSING: dict[str, Callable[..., layers.Layer]] = {
    "caffe": VGGPreprocessing,
    "tf": lambda **name: layers.Rescaling(1 / 127.5, offset=-1, **name),
    "torch": lambda **name: layers.Rescaling(**TORCH, **name),
}


def with_fc6(trunk: keras.Model) -> keras.Model:
    """A trunk and, as its new head, fc6: a convolution with 256 channels."""
    x = layers.Conv2D(256, 3, padding="same", use_bias=False, name="fc6")(trunk.output)
    x = layers.BatchNormalization(momentum=0.9, name="fc6_bn")(x)
    return keras.Model(trunk.input, layers.ReLU(name="fc6_relu")(x))


def trunk_of(model: keras.Model, preprocessing: str | layers.Layer | None = None) -> keras.Model:
    """Copy a classifier up to its map of stride 32, as the trunk of an FCN.

    model: functional or sequential, on images (N, H, W, 3), with weights of its own; models inside
    it are taken apart, and whatever follows the last map is left out. preprocessing: from images in
    0..255 to what the model takes: a Keras layer, or "caffe", "tf" or "torch" as in
    `keras.applications`; None where the model does it itself.

    Returns a model from images (N, any, any, 3) to the map; its first layer is `preprocessing`.
    InputError where the model has another kind of input, no map of stride 32, or maps of fewer
    cells than its strides say (no padding).
    """
    inputs = [x.shape for x in getattr(model, "inputs", None) or []]
    if len(inputs) != 1 or len(inputs[0]) != 4 or inputs[0][3] != 3:
        raise InputError(
            f"backbone {model.name!r} takes {inputs}: it must be a functional or sequential model "
            "on images (N, H, W, 3)."
        )
    network = any_size(model, inputs[0][1:3])
    trunk = keras.Model(network.inputs[0], tap(network, COARSEST).map)
    x = image = keras.Input((None, None, 3), name="image")
    if "preprocessing" not in {layer.name for layer in trunk.layers}:
        x = _prepared(image, preprocessing)
    elif preprocessing is not None:
        raise InputError(
            f"backbone {model.name!r} has its own layer 'preprocessing': leave out the argument."
        )
    trunk = keras.Model(image, applied(trunk, x), name=model.name)
    if trunk.compute_output_shape((1, 8 * COARSEST, 9 * COARSEST, 3))[1:3] != (8, 9):
        raise InputError(
            f"backbone {model.name!r} does not turn images of 256 x 288 pixels into 8 x 9 cells: "
            'use one whose layers have padding="same".'
        )
    return trunk


def _prepared(image, preprocessing):
    if isinstance(preprocessing, layers.Layer):
        return apply_copy(preprocessing, image, name="preprocessing")
    if preprocessing is None:
        return layers.Identity(name="preprocessing")(image)
    check_choice("preprocessing", preprocessing, PREPROCESSING)
    return PREPROCESSING[preprocessing](name="preprocessing")(image)


def applications() -> list[str]:
    """The names of the networks in `keras.applications`."""
    return [name for name in dir(keras.applications) if callable(getattr(keras.applications, name))]


def application(name: str, weights: str | None) -> keras.Model:
    """A network in `keras.applications` as a trunk, with the preprocessing that belongs to it.

    weights: path of a file for the network without its top, "imagenet" (Keras downloads it) or
    None for random ones.
    """
    build = getattr(keras.applications, name)
    network = build(include_top=False, weights=weights, input_shape=(224, 224, 3))
    image = np.arange(3.0).reshape(1, 1, 1, 3)
    wanted = sys.modules[build.__module__].preprocess_input(image.copy())
    for preprocessing, make in PREPROCESSING.items():
        if np.allclose(make()(image), wanted, atol=1e-3):
            return trunk_of(network, preprocessing)
    return trunk_of(network)  # which starts with its own


def mobilenet(file: str | None) -> keras.Model:
    """MobileNet up to stride 32, with fc6 and fc7 as new convolutions of 256 channels."""
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(image)
    network = keras.applications.MobileNet(include_top=False, weights=file, input_tensor=x)
    published = keras.Model(image, network.get_layer("conv_pw_12_relu").output)

    def turned(layer):
        return {"padding": ((1, 0), (1, 0))} if layer.name in TURNED else {}

    trunk = cloned(published, turned)
    x = trunk.output
    for name, size in (("fc6", 3), ("fc7", 1)):
        x = layers.Conv2D(256, size, padding="same", activation="relu", name=name)(x)
    return keras.Model(trunk.input, x)


def efficientnet(file: str | None) -> keras.Model:
    """EfficientNet-Lite0 up to stride 32; file: .npz or .keras with its weights, None: random."""
    trunk = efficientnet_lite0()
    if file is not None and Path(file).suffix == ".npz":
        return restored(trunk, file)
    if file is not None:
        source = load_model(file)
        for layer in filter(lambda layer: layer.weights, trunk.layers):
            layer.set_weights(source.get_layer(layer.name).get_weights())
    return trunk


def efficientnet_lite0(num_classes: int | None = None) -> keras.Model:
    """Build the classifier, or the backbone in it, with random weights under the published names.

    num_classes: of the classifier, padded as published, from images in 0..255 (N, any, any, 3) to
    logits (N, num_classes). None leaves its head out and pads so that maps stay over their pixels:
    the output is then `top_relu6`, 1,280 channels at stride 32; strides 8 and 16 end at
    `block3b_add` and `block5c_add`.
    """
    image = keras.Input((None, None, 3), name="image")
    x = layers.Rescaling(1 / 128, offset=-127 / 128, name="preprocessing")(image)
    x = _convolved(x, "stem", 32, 3, 2)
    turned = TURNED if num_classes is None else ()
    for stage, (blocks, kernel, stride, wider, channels) in enumerate(STAGES, start=1):
        for index in range(blocks):
            name = f"block{stage}{'abcd'[index]}"
            shape = (kernel, 1 if index else stride, wider, channels)
            x = _inverted_residual(x, name, *shape, name in turned)
    x = _convolved(x, "top", 1280)
    if num_classes is not None:
        x = layers.GlobalAveragePooling2D(name="avg_pool")(x)
        x = layers.Dense(num_classes, name="predictions")(x)
    return keras.Model(image, x, name="efficientnet_lite0")


def _inverted_residual(x, name, kernel, stride, wider, channels, turned):
    """Widen a map, filter each channel alone, narrow it; and add it where the shape is the same."""
    before, padding = x, "same"
    if wider > 1:
        x = _convolved(x, f"{name}_expand", wider * x.shape[-1])
    if turned:
        corner, padding = (kernel // 2, kernel // 2 - 1), "valid"
        x = layers.ZeroPadding2D((corner, corner), name=f"{name}_pad")(x)
    x = layers.DepthwiseConv2D(kernel, stride, padding, use_bias=False, name=f"{name}_dwconv")(x)
    x = _convolved(_normalized(x, f"{name}_dw"), f"{name}_project", channels, active=False)
    same = stride == 1 and before.shape[-1] == channels
    return layers.Add(name=f"{name}_add")([before, x]) if same else x


def _convolved(x, name, channels, kernel=1, stride=1, active=True):
    options = {"padding": "same", "use_bias": False}
    x = layers.Conv2D(channels, kernel, stride, **options, name=f"{name}_conv")(x)
    return _normalized(x, name, active)


def _normalized(x, name, active=True):
    x = layers.BatchNormalization(name=f"{name}_bn")(x)
    return layers.ReLU(6.0, name=f"{name}_relu6")(x) if active else x
