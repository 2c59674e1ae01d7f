"""The classifiers that become fully convolutional, and what an FCN needs to know about each.

VGG-16 and the narrow VGG are stacks of 3 x 3 convolutions and 2 x 2 poolings that end in three
fully-connected layers, `fc6`, `fc7` and `fc8`. MobileNet, EfficientNet-Lite0, the networks in
`keras.applications` and models of one's own are cut where their stride reaches 32, and get a new
head there.

Source: Simonyan and Zisserman 2015, Table 1, column D.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from fcn_tutorial import trunks
from fcn_tutorial.errors import InputError, check_file, shown
from fcn_tutorial.layers import VGGPreprocessing
from fcn_tutorial.surgery import convolutionize
from fcn_tutorial.weights import SHIPPED, Weights, cloned, load_model, pretrained, restored

VGG16_FILES = {"imagenet": "vgg16_weights_tf_dim_ordering_tf_kernels.h5"}
WIDTHS = (8, 16, 32, 64, 128)  # channels of the narrow VGG's blocks
NEW_HEAD: dict[str, Any] = {"new_layers": ("fc6", "fc6_bn"), "dropped": ("fc6_relu",)}


@dataclass(frozen=True)
class Backbone:
    """What an FCN needs to know about the network it is built on.

    build: takes the path of a weight file, or None for random weights (or the word, where Keras
        downloads the file); returns a network from images 0..255 (N, any, any, 3), with the first
        layer `preprocessing`, to the map that is scored at stride 32.
    files: the weight file that each word, such as "imagenet", stands for; None where the network
        has weights of its own.
    new_layers: layers of the head without pretrained weights. dropped: those dropout follows.
    pools: whether all strides come from 2 x 2 poolings in a chain, so that it can be dilated.
    """

    build: Callable[[str | None], keras.Model]
    files: dict[str, str] | None
    new_layers: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ("fc6", "fc7")
    pools: bool = False

    def network(self, weights: Weights) -> keras.Model:
        """Build the network; InputError when the weights cannot be loaded or do not fit."""
        if self.files is None and weights is not None:
            raise InputError("the backbone has weights of its own: set 'weights' to none.")
        with pretrained(weights, self.files or {}) as file:
            return self.build(file)


def vgg16(weights: Weights = "imagenet") -> keras.Model:
    """VGG-16, from images in 0..255 (N, 224, 224, 3) to class probabilities (N, 1000).

    Args:
        weights: "imagenet" (a 553 MB download, or the file in $FCN_WEIGHTS), None for random ones,
            or the path of a weight file for `keras.applications.VGG16` with its top.

    Returns:
        A model whose layers keep Keras's names, except `fc6`, `fc7` and `fc8`.

    Raises:
        InputError: the file is missing or is not one for this network.
    """
    image = keras.Input((224, 224, 3), name="image")
    with pretrained(weights, VGG16_FILES) as file:
        x = VGGPreprocessing(name="preprocessing")(image)
        source = keras.applications.VGG16(weights=file, input_tensor=x)
    names = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
    clone = cloned(source, lambda layer: {"name": names.get(layer.name, layer.name)})
    return keras.Model(clone.inputs[0], clone.outputs[0], name="vgg16")


def vgg_narrow(
    num_classes: int = 6, input_size: int = 96, padding: str = "same", seed: int = 0
) -> keras.Model:
    """A VGG for two CPU cores: images in 0..255 (N, input_size, input_size, 3) to logits.

    Five blocks of two 3 x 3 convolutions and a pooling, like VGG-16's, with few channels and batch
    normalization so that it trains from scratch within a minute.

    Args:
        num_classes: how many classes there are.
        input_size: height and width of an image in pixels.
        padding: "same" as in VGG, for 32 pixels or more, or "valid" for a network that never sees a
            padded zero, for 220 or more.
        seed: of the random weights.

    Returns:
        A model that gives float32 (N, num_classes).
    """
    image = keras.Input((input_size, input_size, 3), name="image")
    he = (keras.initializers.HeNormal(each) for each in range(seed, seed + 100))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(image)
    for block, channels in enumerate(WIDTHS, start=1):
        for index in (1, 2):
            options = {"padding": padding, "use_bias": False, "kernel_initializer": next(he)}
            x = keras.layers.Conv2D(channels, 3, **options, name=f"block{block}_conv{index}")(x)
            # Runs are short, so the running statistics must follow quickly.
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"block{block}_bn{index}")(x)
            x = keras.layers.ReLU(name=f"block{block}_relu{index}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = keras.layers.Dense(128, activation="relu", kernel_initializer=next(he), name=name)(x)
    glorot = keras.initializers.GlorotUniform(seed + 2 * len(WIDTHS) + 2)
    logits = keras.layers.Dense(num_classes, kernel_initializer=glorot, name="fc8")(x)
    return keras.Model(image, logits, name="vgg_narrow")


def _convolutional(vgg):
    """A VGG made fully convolutional, up to fc7."""
    network = convolutionize(vgg)
    return keras.Model(network.input, network.get_layer("fc7").output)


def _saved_vgg(file):
    """The narrow VGG, or a classifier like it from a file."""
    if file is not None and Path(file).suffix == ".keras":
        return load_model(file)
    return vgg_narrow() if file is None else restored(vgg_narrow(), file)


BACKBONES = {
    "vgg16": Backbone(lambda file: _convolutional(vgg16(file)), VGG16_FILES, pools=True),
    "vgg_narrow": Backbone(
        lambda file: _convolutional(_saved_vgg(file)),
        {"shapes": str(SHIPPED / "classifier.npz")},
        pools=True,
    ),
    "mobilenet": Backbone(
        trunks.mobilenet,
        {"imagenet": "mobilenet_1_0_224_no_top.weights.h5"},
        new_layers=("fc6", "fc7"),
    ),
    "efficientnet_lite0": Backbone(
        lambda file: trunks.with_fc6(trunks.efficientnet(file)),
        {"imagenet": str(SHIPPED / "efficientnet_lite0.npz")},
        **NEW_HEAD,
    ),
}


def find_backbone(
    backbone: str | os.PathLike | keras.Model,
    preprocessing: str | keras.layers.Layer | None = None,
) -> Backbone:
    """What an FCN needs to know about a backbone; nothing is built or read yet.

    backbone: a name in `BACKBONES` or in `keras.applications`, a model, or a .keras file;
    preprocessing: of a model or a file, see `trunks.trunk_of`. InputError where there is no such
    name or file, or a name is given a preprocessing.
    """
    if isinstance(backbone, keras.Model):
        return _own(lambda: backbone, preprocessing)
    name = os.fspath(backbone)
    if name.endswith(".keras"):
        check_file(name, "backbone", "correct the path")
        return _own(lambda: load_model(name), preprocessing)
    known = [*BACKBONES, *trunks.applications()]
    if name not in known:
        raise InputError(
            f"unknown backbone {shown(name)}: use one of {', '.join(known)}, or a .keras file."
        )
    if preprocessing is not None:
        raise InputError(f"backbone {name} has its own preprocessing: leave out 'preprocessing'.")
    if name in BACKBONES:
        return BACKBONES[name]
    files = {"imagenet": f"{name}_notop.weights.h5"}
    return Backbone(lambda file: trunks.with_fc6(trunks.application(name, file)), files, **NEW_HEAD)


def _own(model, preprocessing):
    """A model, given by a function, that keeps its own weights."""
    return Backbone(
        lambda file: trunks.with_fc6(trunks.trunk_of(model(), preprocessing)), None, **NEW_HEAD
    )
