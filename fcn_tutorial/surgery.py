"""Fully-connected layers become convolutions, and a classifier takes images of any size.

A Dense layer on a flattened map of h x w cells looks at all of them at once; so does a convolution
with an h x w kernel, and the numbers in its kernel are the same ones.

Source: Long, Shelhamer and Darrell 2015, section 3.1 ("Adapting classifiers for dense prediction").
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from fcn_tutorial.errors import InputError, check_choice, check_whole, shown
from fcn_tutorial.weights import cloned, finalize

# They treat the numbers of a flattened map by their places or all at once, before the first Dense.
_NORMALIZING = (layers.BatchNormalization, layers.LayerNormalization, layers.Softmax)
_SUMMING = (keras.activations.softmax, keras.activations.log_softmax)  # over the last axis
# Layers that do the same to every cell, so that they may stand in a convolutional head as they are.
_CELLWISE = (*_NORMALIZING, layers.Activation, layers.Dropout, layers.LeakyReLU, layers.ReLU)


def convolutionize(classifier: keras.Model, padding: str = "same") -> keras.Model:
    """Turn a classifier that ends in Flatten -> Dense ... into a fully convolutional network.

    A head of global average pooling and Dense works as well: the average is then taken over the
    same window of cells, slid over the map.

    Args:
        classifier: functional or sequential model on (N, H, W, C).
        padding: of the first convolution of the head. "valid" gives one cell for each place where
            the head's window fits on the feature map, so an image of the classifier's own size
            gives one cell; where the backbone pads no zeros, that is exactly the classifier slid
            over the image. "same" keeps the feature map's grid; on an image of the classifier's own
            size, the centre cell gives the classifier's scores.

    Returns:
        A model on (N, any, any, C) whose layers keep their names and hold copies of the weights;
        its output is a map of scores.

    Raises:
        InputError: the head is not a chain from Flatten or global average pooling to Dense.
    """
    check_choice("padding", padding, ("same", "valid"))
    if not getattr(classifier, "inputs", None):
        raise InputError(f"{shown(classifier)} has no input yet: give a model with keras.Input.")
    # A layer of a loaded Sequential model is applied more than once; in a copy, once.
    once = cloned(keras.Model(classifier.inputs, classifier.outputs, name=classifier.name))
    neck, head = _split(once)
    trunk = any_size(keras.Model(once.inputs[0], neck.input))
    x, grid = trunk.output, neck.input.shape[1:3]
    if isinstance(neck, layers.GlobalAveragePooling2D):
        x = layers.AveragePooling2D(grid, 1, padding, name=neck.name)(x)
        grid = (1, 1)
    for layer in head:
        if isinstance(layer, layers.Dense):
            x = dense_to_convolution(layer, x, grid, padding)
            grid = (1, 1)
        else:
            x = apply_copy(layer, x)
    return keras.Model(trunk.input, x, name=f"{classifier.name}_convolutional")


def top_classes(network: keras.Model, image: Any, count: int = 3) -> list[tuple[int, float]]:
    """The most probable classes at the centre cell of a convolutionized classifier's map.

    On an image of the classifier's size they are the classifier's; on a larger one the centre cell
    sees past its window, too.

    Args:
        network: from `convolutionize`; its scores are taken as logits unless it ends in a softmax.
        image: (H, W, C) in the classifier's own units.
        count: how many classes.

    Returns:
        `count` pairs (class index, probability), the most probable first.
    """
    check_whole("count", count, 1, network.output_shape[-1])
    scores = network(np.asarray(image, np.float32)[None])[0]
    height, width = scores.shape[:2]
    centre = scores[(height - 1) // 2, (width - 1) // 2]
    last = network.layers[-1]
    softmax = getattr(last, "activation", None) is keras.activations.softmax
    if not (softmax or isinstance(last, layers.Softmax)):
        centre = keras.ops.softmax(centre)
    probabilities = keras.ops.convert_to_numpy(centre)
    best = np.argsort(-probabilities, kind="stable")[:count]
    return [(int(index), float(probabilities[index])) for index in best]


def apply_copy(layer: layers.Layer, x: Any, **changes: Any) -> Any:
    """Apply a copy of a layer to a symbolic map: its weights, and its settings save `changes`."""
    copy = type(layer).from_config({**layer.get_config(), **changes})
    y = copy(x)
    copy.set_weights(layer.get_weights())
    finalize([copy])
    return y


def dense_to_convolution(
    dense: layers.Dense, x: Any, grid: tuple[int, int] = (1, 1), padding: str = "valid"
) -> Any:
    """Apply a Dense layer as a convolution with the same weights to a symbolic map.

    Args:
        dense: a built layer.
        x: symbolic map (N, any, any, C).
        grid: (h, w), the cells that the layer used to see flattened: the kernel (h * w * C, units)
            becomes (h, w, C, units).
        padding: of the convolution.

    Returns:
        The symbolic output map (N, any, any, units).
    """
    same = {key: getattr(dense, key) for key in ("activation", "use_bias", "name")}
    convolution = layers.Conv2D(dense.units, grid, padding=padding, **same)
    scores = convolution(x)
    kernel, *bias = dense.get_weights()
    convolution.set_weights([dense_kernel(kernel, grid), *bias])
    return scores


def dense_kernel(matrix: np.ndarray, grid: tuple[int, int]) -> np.ndarray:
    """Lay a Dense layer's weights out as a convolution's kernel (section 3.1).

    Args:
        matrix: (h * w * C, units).
        grid: (h, w).

    Returns:
        (h, w, C, units), the same numbers.
    """
    return matrix.reshape(*grid, -1, matrix.shape[1])


def any_size(model: keras.Model, sides: tuple = (None, None)) -> keras.Model:
    """Copy a functional or sequential model for another size, and take models inside it apart."""
    copy = cloned(keras.Model(model.inputs[0], model.outputs[0]))
    image = keras.Input((*sides, model.inputs[0].shape[-1]), name="image")
    network = keras.Model(image, applied(copy, image), name=model.name)
    while any(isinstance(layer, keras.Model) for layer in network.layers):
        network = keras.models.clone_model(
            network, clone_function=lambda layer: layer, call_function=_opened
        )
    # Once more, so that each layer is applied once, and its `output` lies in this network.
    return cloned(network)


def _opened(layer, *inputs, **options):
    """Apply a layer; of a model, the layers in it."""
    return applied(layer, *inputs) if isinstance(layer, keras.Model) else layer(*inputs, **options)


def applied(model: keras.Model, x: Any) -> Any:
    """Apply the layers of a model, one by one, to a symbolic map of any size."""
    return keras.Function(model.inputs, model.outputs).call([x])[0]


def _split(classifier):
    """The layer that ends the map, Flatten or global average pooling, and the layers after it."""
    chain, kinds = classifier.layers, (layers.Flatten, layers.GlobalAveragePooling2D)
    necks = [layer for layer in chain if isinstance(layer, kinds)]
    if len(necks) != 1:
        raise InputError(
            f"classifier {classifier.name!r} has {len(necks)} layers that end the map (Flatten, "
            "GlobalAveragePooling2D): convolutionize needs exactly one, before the Dense layers."
        )
    neck = necks[0]
    if len(neck.input.shape) != 4 or None in neck.input.shape[1:3]:
        raise InputError(
            f"layer {neck.name!r} of classifier {classifier.name!r} takes {neck.input.shape}: "
            "convolutionize needs a feature map (N, h, w, C) of known size."
        )
    head = chain[chain.index(neck) + 1 :]
    if not any(isinstance(layer, layers.Dense) for layer in head):
        raise InputError(f"classifier {classifier.name!r} has no Dense layer after {neck.name!r}.")
    flat = isinstance(neck, layers.Flatten)
    for before, layer in zip([neck, *head], head, strict=False):
        known = isinstance(layer, (layers.Dense, *_CELLWISE))
        known = known and getattr(layer, "axis", -1) in (-1, [-1])  # a map's channels, too
        sums = isinstance(layer, layers.Activation) and layer.activation in _SUMMING
        if not known or (flat and (sums or isinstance(layer, _NORMALIZING))):
            raise InputError(
                f"layer {layer.name!r} ({type(layer).__name__}) in the head of "
                f"{classifier.name!r} cannot be made convolutional."
            )
        if layer.input is not before.output:
            raise InputError(f"layer {layer.name!r} does not directly follow {before.name!r}.")
        flat = flat and not isinstance(layer, layers.Dense)
    return neck, head
