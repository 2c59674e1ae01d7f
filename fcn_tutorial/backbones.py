"""The classifiers that become fully convolutional: VGG-16, and a narrow VGG for quick runs.

Both are stacks of 3 x 3 convolutions and 2 x 2 poolings that end in three fully-connected layers,
`fc6`, `fc7` and `fc8`. Layers keep Keras's names (`block1_conv1` ... `block5_pool`).

Source: Simonyan and Zisserman 2015, Table 1, column D.
"""

import os
from contextlib import contextmanager
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.errors import InputError, reason_of
from fcn_tutorial.layers import VGGPreprocessing
from fcn_tutorial.modelfiles import check_unpacked, load_arrays, opened

FULLY_CONNECTED = {"fc1": "fc6", "fc2": "fc7", "predictions": "fc8"}
SHAPES_CLASSIFIER = Path(__file__).parent / "pretrained" / "classifier.npz"


def vgg16(weights="imagenet", num_classes=1000):
    """VGG-16, from images in 0..255 (N, 224, 224, 3) to class probabilities (N, num_classes).

    weights: "imagenet" (a 553 MB download, or the file in $FCN_WEIGHTS), None for random ones, or
    the path of a weight file for `keras.applications.VGG16` with its top.
    Raises InputError when the file is missing or is not one for this network.
    """
    image = keras.Input((224, 224, 3), name="image")
    with pretrained(weights, "vgg16_weights_tf_dim_ordering_tf_kernels.h5") as file:
        source = keras.applications.VGG16(
            weights=file,
            input_tensor=VGGPreprocessing(name="preprocessing")(image),
            classes=num_classes,
        )
    return _renamed(source, FULLY_CONNECTED, name="vgg16")


@contextmanager
def pretrained(weights, filename):
    """Give what keras.applications takes as `weights`; say in one sentence why it cannot load.

    "imagenet" means the file `filename` in the folder $FCN_WEIGHTS where it is there, else Keras's
    own download; None means random weights; anything else is the path of a file.
    """
    if weights == "imagenet":
        kept = Path(os.environ.get("FCN_WEIGHTS", "")) / filename
        weights = str(kept) if "FCN_WEIGHTS" in os.environ and kept.is_file() else weights
    elif weights is not None and not Path(weights).is_file():
        raise InputError(f'weights {str(weights)!r} not found: give a file, "imagenet" or None.')
    elif weights is not None:
        check_unpacked(weights)
    try:
        yield weights if weights is None else str(weights)
    except Exception as error:
        raise InputError(
            f"weights {str(weights)!r} cannot be loaded: {reason_of(error)}"
        ) from error


def _renamed(model, names, name):
    """The same network and weights, with layers renamed by the dictionary `names`."""

    def rename(layer):
        config = layer.get_config()
        return type(layer).from_config({**config, "name": names.get(layer.name, layer.name)})

    clone = keras.models.clone_model(model, clone_function=rename)
    clone.set_weights(model.get_weights())
    return keras.Model(clone.inputs[0], clone.outputs[0], name=name)


def vgg_narrow(num_classes=6, input_size=96, widths=(8, 16, 32, 64, 128), padding="same", seed=0):
    """A VGG for two CPU cores: images in 0..255 (N, input_size, input_size, 3) -> logits.

    Five blocks of two 3 x 3 convolutions and a pooling, like VGG-16's, with few channels and batch
    normalisation so that it trains from scratch within a minute. Returns float32 (N, num_classes).
    padding: "same" as in VGG, or "valid" for a network that never sees a padded zero (it needs
    input_size >= 220). Raises InputError when the image is smaller.
    """
    smallest = 32 if padding == "same" else 220
    if input_size < smallest:
        raise InputError(
            f"input_size {input_size} is too small for fc6: with padding={padding!r} use "
            f"at least {smallest}."
        )
    image = keras.Input((input_size, input_size, 3), name="image")
    x = keras.layers.Rescaling(1 / 127.5, offset=-1, name="preprocessing")(image)
    initializers = iter(range(seed, seed + 100))
    for block, channels in enumerate(widths, start=1):
        for index in (1, 2):
            x = _convolution(channels, padding, f"block{block}_conv{index}", next(initializers))(x)
            # Runs are short, so the running statistics must follow quickly.
            x = keras.layers.BatchNormalization(momentum=0.9, name=f"block{block}_bn{index}")(x)
            x = keras.layers.ReLU(name=f"block{block}_relu{index}")(x)
        x = keras.layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = keras.layers.Flatten(name="flatten")(x)
    for name in ("fc6", "fc7"):
        x = keras.layers.Dense(
            128,
            activation="relu",
            kernel_initializer=keras.initializers.HeNormal(next(initializers)),
            name=name,
        )(x)
    logits = keras.layers.Dense(
        num_classes,
        kernel_initializer=keras.initializers.GlorotUniform(next(initializers)),
        name="fc8",
    )(x)
    return keras.Model(image, logits, name="vgg_narrow")


def _convolution(channels, padding, name, seed):
    return keras.layers.Conv2D(
        channels,
        kernel_size=3,
        padding=padding,
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(seed),
        name=name,
    )


def store(model, path):
    """Write a model's weights in 16 bits, half the size, as a compressed .npz file."""
    np.savez_compressed(path, *(weight.astype(np.float16) for weight in model.get_weights()))


def restored(model, path):
    """The model, with the weights that `store` wrote; InputError where a file has others."""

    def set_weights(file):
        model.set_weights([array.astype(np.float32) for array in load_arrays(file)])

    opened(path, set_weights)
    return model
