"""Fully-connected layers become convolutions, and a classifier takes images of any size.

A Dense layer on a flattened map of h x w cells looks at all of them at once; so does a convolution
with an h x w kernel, and the numbers in its kernel are the same ones.

Source: Long, Shelhamer and Darrell 2015, section 3.1 ("Adapting classifiers for dense prediction").
"""

import keras

from fcn_tutorial.errors import InputError

# Layers that do the same to every cell, so that they may stand in a convolutional head as they are.
_CELLWISE = (
    keras.layers.Activation,
    keras.layers.BatchNormalization,
    keras.layers.Dropout,
    keras.layers.LeakyReLU,
    keras.layers.ReLU,
    keras.layers.Softmax,
)


def convolutionize(classifier, padding="same"):
    """Turn a Keras classifier that ends in Flatten -> Dense ... into a fully convolutional network.

    classifier: functional or sequential model on (N, H, W, C). Returns a model on (N, any, any, C)
    whose layers keep their names and hold copies of the weights; its output is a map of scores.
    padding: of the first convolution of the head. "valid" gives one cell for each place where the
    head's window fits on the feature map, so an image of the classifier's own size gives one cell;
    where the trunk pads no zeros, that is exactly the classifier slid over the image. "same" keeps
    the feature map's grid; on an image of the classifier's own size the centre cell is the
    classifier's answer.
    Raises InputError when the head is no chain of layers that starts with Flatten -> Dense.
    """
    if padding not in ("same", "valid"):
        raise InputError(f'padding must be "same" or "valid", got {padding!r}.')
    flatten, head = _split(classifier)
    trunk = keras.Model(classifier.inputs[0], flatten.input)
    convolutional_trunk = _any_size(trunk)
    convolutional_trunk.set_weights(trunk.get_weights())
    x = convolutional_trunk.output
    grid = flatten.input.shape[1:3]
    for layer in head:
        if isinstance(layer, keras.layers.Dense):
            x = dense_to_convolution(layer, x, grid, padding)
            grid = (1, 1)
        else:
            x = copied(layer, x)
    return keras.Model(convolutional_trunk.input, x, name=f"{classifier.name}_convolutional")


def dense_to_convolution(dense, x, grid=(1, 1), padding="valid"):
    """Apply a Dense layer as a convolution with the same weights to a symbolic map x.

    grid: (h, w), the cells that the layer used to see flattened: the kernel (h * w * C, units)
    becomes (h, w, C, units). Returns the symbolic output map.
    """
    convolution = keras.layers.Conv2D(
        dense.units,
        kernel_size=grid,
        padding=padding,
        activation=dense.activation,
        use_bias=dense.use_bias,
        name=dense.name,
    )
    scores = convolution(x)
    kernel, *bias = dense.get_weights()
    convolution.set_weights([kernel.reshape(*grid, -1, dense.units), *bias])
    return scores


def _any_size(layer):
    """Copy a layer without its weights; a model's copy takes images of any height and width."""
    if not isinstance(layer, keras.Model):
        return type(layer).from_config(layer.get_config())
    model = keras.Model(layer.inputs[0], layer.outputs[0], name=layer.name)
    image = keras.Input((None, None, model.input.shape[-1]), name="image")
    return keras.models.clone_model(model, input_tensors=image, clone_function=_any_size)


def copied(layer, x):
    """Apply a copy of a layer, with its weights, to a symbolic map x; returns the output map."""
    copy = type(layer).from_config(layer.get_config())
    y = copy(x)
    copy.set_weights(layer.get_weights())
    return y


def _split(classifier):
    """The Flatten layer and the list of layers after it."""
    layers = classifier.layers
    flattens = [layer for layer in layers if isinstance(layer, keras.layers.Flatten)]
    if len(flattens) != 1:
        raise InputError(
            f"classifier {classifier.name!r} has {len(flattens)} Flatten layers: convolutionize "
            "takes a classifier with exactly one, in front of its Dense layers."
        )
    if len(flattens[0].input.shape) != 4:
        raise InputError(
            f"classifier {classifier.name!r} flattens no feature map (N, h, w, C), but "
            f"{flattens[0].input.shape}: its head has no place on a grid."
        )
    head = layers[layers.index(flattens[0]) + 1 :]
    if not any(isinstance(layer, keras.layers.Dense) for layer in head):
        raise InputError(f"classifier {classifier.name!r} has no Dense layer after its Flatten.")
    for before, layer in zip([flattens[0], *head], head, strict=False):
        known = isinstance(layer, (keras.layers.Dense, *_CELLWISE))
        # Before the first Dense, the weights of a normalisation belong to single cells.
        normalises_cells = layer.weights and isinstance(before, keras.layers.Flatten)
        if not known or (normalises_cells and not isinstance(layer, keras.layers.Dense)):
            raise InputError(
                f"layer {layer.name!r} ({type(layer).__name__}) in the head of "
                f"{classifier.name!r} cannot be made convolutional."
            )
        if layer.input is not before.output:
            raise InputError(f"layer {layer.name!r} does not follow {before.name!r} in a chain.")
    return flattens[0], head
