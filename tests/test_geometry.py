"""Receptive fields and crop offsets, against the paper's numbers and against gradients."""

from functools import partial

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import fcn_tutorial as fcn
from fcn_tutorial.layers import (
    CropLike,
    DilatedPooling,
    PadToMultiple,
    RepeatEdge,
    VGGPreprocessing,
)


def paper_trunk():
    """VGG-16 of the reference release, with one channel: conv1_1 pads by 100, fc6 is valid."""
    image = keras.Input((64, 64, 1))
    x = layers.ZeroPadding2D(100)(image)
    pools = {}
    for block, convolutions in enumerate((2, 2, 3, 3, 3), start=1):
        for index in range(1, convolutions + 1):
            padding = "valid" if block == index == 1 else "same"
            x = layers.Conv2D(1, 3, padding=padding, name=f"conv{block}_{index}")(x)
        x = pools[f"pool{block}"] = layers.MaxPooling2D(2, name=f"pool{block}")(x)
    x = layers.Conv2D(1, 7, name="fc6")(x)
    x = layers.Conv2D(1, 1, name="fc7")(x)
    scored = {"score_fr": x, "score_pool4": pools["pool4"], "score_pool3": pools["pool3"]}
    return image, *(layers.Conv2D(1, 1, name=name)(maps) for name, maps in scored.items())


def upscored(x, kernel, factor, name):
    return layers.Conv2DTranspose(1, kernel, factor, use_bias=False, name=name)(x)


def fused(x, skip, before, name):
    """Crop the skip's scores by `before` cells, and to the size of x, and add them."""
    sides = [(before, skip.shape[axis] - before - x.shape[axis]) for axis in (1, 2)]
    return layers.Add(name=name)([x, layers.Cropping2D(sides)(skip)])


def test_vgg16_has_the_papers_receptive_fields():
    image, *scores = paper_trunk()
    model = keras.Model(image, scores)
    fields = {"conv1_2": (5, 1), "pool3": (44, 8), "pool4": (100, 16), "pool5": (212, 32)}
    for name, expected in (fields | {"fc6": (404, 32), "fc7": (404, 32)}).items():
        field = fcn.receptive_field(model, name)
        assert (field.size, field.stride) == expected, name


def test_crop_offsets_are_the_papers():
    image, score_fr, score_pool4, score_pool3 = paper_trunk()
    upscore2 = upscored(score_fr, 4, 2, "upscore2")
    fuse_pool4 = fused(upscore2, score_pool4, 5, "fuse_pool4")
    upscore_pool4 = upscored(fuse_pool4, 4, 2, "upscore_pool4")
    fuse_pool3 = fused(upscore_pool4, score_pool3, 9, "fuse_pool3")
    ends = [(score_fr, 64, 32, "upscore"), (fuse_pool4, 32, 16, "upscore16")]
    ends = [upscored(*end) for end in [*ends, (fuse_pool3, 16, 8, "upscore8")]]
    model = keras.Model(image, ends)
    for name, cells in (("upscore", 19), ("upscore16", 27), ("upscore8", 31)):
        assert fcn.crop_offset(model, name) == fcn.crop_offset(model, name, axis=1) == cells
    assert fcn.crop_offset(model, "score_pool4", onto="upscore2") == 5
    assert fcn.crop_offset(model, "score_pool3", onto="upscore_pool4") == 9


# One layer at a time, behind a pooling of 2 x 2, whose cells see 2 pixels, 2 apart, around 0.5.

SAME = {"padding": "same"}
Conv, Transposed = partial(layers.Conv2D, 1), partial(layers.Conv2DTranspose, 1)
RULES = {
    "conv": lambda: Conv((3, 4)),
    "conv, same": lambda: Conv((3, 5), strides=2, **SAME),
    "conv, wide strides": lambda: Conv((2, 1), 3, **SAME),
    "conv, dilated": lambda: Conv((3, 2), dilation_rate=(2, 3)),
    "conv, dilated, same": lambda: Conv((3, 1), dilation_rate=2, **SAME),
    "depthwise": lambda: layers.DepthwiseConv2D((3, 1), **SAME),
    "separable": lambda: layers.SeparableConv2D(1, (3, 2)),
    "max": lambda: layers.MaxPooling2D((2, 3)),
    "average": lambda: layers.AveragePooling2D((3, 4), 2, **SAME),
    "transposed": lambda: Transposed((4, 3), 2),
    "transposed, same": lambda: Transposed((4, 5), 2, **SAME),
    "transposed, small": lambda: Transposed((2, 1), 2, **SAME),
    "transposed, dilated": lambda: Transposed((2, 3), dilation_rate=(2, 1), **SAME),
    "transposed, padded": lambda: Transposed(5, 2, output_padding=(0, 1), **SAME),
    "transposed, padded, even": lambda: Transposed((4, 3), 2, output_padding=(0, 1), **SAME),
    "padding": lambda: layers.ZeroPadding2D(((1, 2), (3, 0))),
    "cropping": lambda: layers.Cropping2D(((1, 0), (2, 5))),
    "bilinear": lambda: fcn.BilinearUpsampling(2),
    "bilinear, shifted": lambda: fcn.BilinearUpsampling(2, shift=0.25),
    "bilinear, 1": lambda: fcn.BilinearUpsampling(1),
    "nearest": lambda: layers.UpSampling2D((2, 3)),
    "resized": lambda: layers.UpSampling2D((3, 1), interpolation="bilinear"),
    "dilated pooling": lambda: DilatedPooling(3),
    "repeated edge": lambda: RepeatEdge(5),
}
# The gradient of a maximum shows one pixel, some cells of the third see nothing, and TensorFlow
# does not compute the last two: size, stride and offset along the height, and along the width.
HIDDEN = {
    "max": ((4, 4, 1.5), (6, 6, 2.5)),
    "dilated pooling": ((8, 2, 3.5), (8, 2, 3.5)),
    "transposed, small": ((2, 1, 0), (2, 1, 0.5)),
    "transposed, dilated": ((6, 2, 0.5), (6, 2, 0.5)),
    "transposed, padded, even": ((4, 1, 1), (4, 1, -0.5)),
}


def pooled_image(before=0, left=0):
    image = keras.Input((96, 96, 3), name="image")
    x = layers.ZeroPadding2D(((before, 0), (left, 0)))(image)
    return image, layers.AveragePooling2D(2, name="pooled")(x)


@pytest.mark.parametrize("rule", HIDDEN)
def test_a_rule_whose_gradient_does_not_show_it_says_what_it_should(rule):
    image, x = pooled_image()
    layer = RULES[rule]()
    model = keras.Model(image, layer(x))
    for axis in (0, 1):
        field = fcn.receptive_field(model, layer, axis)
        assert (field.size, field.stride, field.offset) == HIDDEN[rule][axis]


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in HIDDEN])
def test_a_rule_says_what_the_gradient_shows_wherever_the_first_cell_lies(rule):
    image, x = pooled_image(before=5, left=9)
    layer = RULES[rule]()
    model = keras.Model(image, layer(x))
    model.set_weights([np.ones(weight.shape) for weight in model.weights])
    # An upsampled cell sees a little more or less than its neighbour: take whole periods.
    start = [side // 2 - 3 for side in model.output_shape[1:3]]
    cells = np.array(start) + np.arange(6)[:, None]
    ranges = np.array(list(seen_ranges(model, cells)))
    for axis in (0, 1):
        field, (first, last) = fcn.receptive_field(model, layer, axis), ranges[:, axis].T
        assert field.size == (last - first + 1).max()
        shifts = (first + last) / 2 - field.stride * cells[:, axis]
        assert field.offset == pytest.approx(shifts.mean())
        assert type(field.size) is int and type(field.offset) is float
        assert type(field.stride) is (int if field.stride % 1 == 0 else float)


def seen_ranges(model, cells):
    """First and last row and column that each cell (i, j) of the output sees."""
    image = tf.ones((1, *model.input_shape[1:]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(image)
        output = model(image)
        values = [tf.reduce_sum(output[0, i, j]) for i, j in cells]
    for value in values:
        seen = tape.gradient(value, image)[0].numpy().any(axis=-1)
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        yield (rows[0], rows[-1]), (columns[0], columns[-1])


def named(*names):
    return {name: getattr(layers, name) for name in names}


CELLWISE = {
    **named("BatchNormalization", "ELU", "Identity", "LayerNormalization", "LeakyReLU"),
    **named("Normalization", "ReLU", "Softmax"),
    "activation": lambda: layers.Activation("tanh"),
    "dense": lambda: layers.Dense(3),
    "dropout": lambda: layers.Dropout(0.5),
    "gaussian dropout": lambda: layers.GaussianDropout(0.5),
    "gaussian noise": lambda: layers.GaussianNoise(0.5),
    "pad": lambda: PadToMultiple(32),
    "prelu": lambda: layers.PReLU(shared_axes=[1, 2]),
    "preprocessing": VGGPreprocessing,
    "rescaling": lambda: layers.Rescaling(2.0),
}
MERGING = {
    **named("Add", "Average", "Concatenate", "Maximum", "Multiply", "Subtract"),
    "crop": CropLike,
    "sum": lambda: lambda maps: maps[0] + maps[1],
    "scaled": lambda: lambda maps: maps[0] * maps[1] / 2 - 1,
}


@pytest.mark.parametrize("kind", [*CELLWISE, *MERGING])
def test_a_layer_that_works_on_each_cell_alone_moves_none(kind):
    image, x = pooled_image()
    layer = (CELLWISE | MERGING)[kind]()
    model = keras.Model(image, layer([x, layers.Conv2D(3, 1)(x)] if kind in MERGING else x))
    for axis in (0, 1):
        field = fcn.receptive_field(model, model.operations[-1], axis)
        assert (field.size, field.stride, field.offset) == (2, 2, 0.5)


def test_a_merged_map_sees_what_any_of_its_inputs_sees():
    image, x = pooled_image()
    above, below = layers.Cropping2D(((2, 0), (0, 0)))(x), layers.Cropping2D(((0, 2), (0, 0)))(x)
    for order in ([above, below], [below, above]):
        model = keras.Model(image, layers.Add(name="merged")(order))
        field = fcn.receptive_field(model, "merged")
        assert (field.size, field.stride, field.offset) == (6, 2, 2.5)


def test_maps_of_one_stride_are_cropped_by_their_own_cells():
    image, x = pooled_image()
    padded = layers.AveragePooling2D(2, name="padded")(layers.ZeroPadding2D((4, 6))(image))
    odd = layers.AveragePooling2D(2, name="odd")(layers.ZeroPadding2D((1, 3))(image))
    model = keras.Model(image, [x, padded, odd])
    for axis, cells in enumerate((2, 3)):
        offset = fcn.crop_offset(model, "padded", onto="pooled", axis=axis)
        assert offset == cells and type(offset) is int
        assert fcn.crop_offset(model, "pooled", onto=model.get_layer("padded"), axis=axis) == -cells
    assert fcn.crop_offset(model, "padded", onto="pooled") == 2
    assert fcn.crop_offset(model, "odd", onto="pooled") == 0.5


def test_a_layer_that_another_model_has_too_is_traced_in_the_one_asked_about():
    shared = layers.Conv2D(3, 3, name="shared")
    shared(layers.AveragePooling2D(4)(keras.Input((32, 32, 3))))
    image, x = pooled_image()
    model = keras.Model(image, layers.Conv2D(1, 2, name="last")(shared(x)))
    assert fcn.receptive_field(model, "shared").size == 6
    assert fcn.receptive_field(model, "last").size == 8


def test_a_layer_that_is_applied_twice_widens_the_field_twice_and_has_none_of_its_own(refusal):
    image, x = pooled_image()
    twice, relu = layers.Conv2D(3, 3, name="twice"), layers.ReLU()
    model = keras.Model(image, relu(layers.Conv2D(3, 3)(twice(relu(twice(x))))))
    assert fcn.receptive_field(model).size == 2 + 3 * 2 * 2
    assert "'twice' is applied 2 times" in refusal(fcn.receptive_field, model, "twice")


# What may be asked for.


def small_classifier():
    conv = layers.Conv2D(4, (5, 3), strides=2, name="conv")
    head = layers.Flatten(name="flatten"), layers.Dense(5, name="dense")
    return keras.Sequential([keras.Input((16, 16, 3)), conv, *head])


def test_a_layer_may_be_given_by_name_or_itself_in_a_sequential_or_functional_model():
    sequential = small_classifier()
    functional = keras.Model(sequential.inputs, sequential.outputs)
    conv = sequential.get_layer("conv")
    expected = fcn.receptive_field(functional, "conv")
    assert (expected.size, expected.stride, expected.offset) == (5, 2, 2)
    assert fcn.receptive_field(functional, conv) == expected
    assert fcn.receptive_field(sequential, "conv") == expected
    assert fcn.receptive_field(sequential, conv, axis=1).size == 3


def test_the_input_sees_one_pixel_and_a_model_without_an_input_is_refused(refusal):
    field = fcn.receptive_field(keras.Model(*pooled_image()), "image")
    assert (field.size, field.stride, field.offset) == (1, 1, 0)
    for each in (keras.Sequential([layers.Conv2D(2, 3, name="first")]), None, "fcn8s"):
        assert "has no input yet" in refusal(fcn.receptive_field, each, "first")


@pytest.mark.parametrize("axis", [2, -1, "height", np.zeros(0)])
def test_only_height_and_width_are_axes(refusal, axis):
    for call in (fcn.receptive_field, fcn.crop_offset):
        assert "axis" in refusal(call, small_classifier(), "conv", axis=axis)


def test_a_layer_that_is_not_in_the_model_is_refused(refusal):
    model, stranger = small_classifier(), layers.Conv2D(1, 3, name="stranger")
    stranger(keras.Input((8, 8, 3)))
    assert "conv, flatten, dense." in refusal(fcn.receptive_field, model, "nowhere")
    assert "no layer 'stranger'" in refusal(fcn.receptive_field, model, stranger)


def test_a_layer_without_a_field_of_a_fixed_size_is_refused_with_those_behind_it(refusal):
    for name in ("flatten", "dense"):
        assert "'flatten' (Flatten)" in refusal(fcn.receptive_field, small_classifier(), name)
    image, x = pooled_image()
    pooled, last = layers.GlobalAveragePooling2D(name="pool"), layers.Conv2D(1, 3, name="last")
    assert "'pool'" in refusal(fcn.receptive_field, keras.Model(image, pooled(x)), "pool")
    flipped = keras.Model(image, last(keras.ops.flip(x, axis=1)))  # not by a layer
    assert "(Flip) has no receptive field" in refusal(fcn.receptive_field, flipped, "last")


def test_maps_of_different_strides_cannot_be_cropped_or_merged(refusal):
    image = keras.Input((None, None, 1))
    fine = layers.Conv2D(1, 3, padding="same", name="fine")(image)
    coarse = layers.MaxPooling2D(2, name="coarse")(fine)
    model = keras.Model(image, [fine, coarse])
    for onto in ({}, {"onto": "fine"}):
        assert "upsample" in refusal(fcn.crop_offset, model, "coarse", **onto)
    merged = layers.Add(name="merged")([layers.Conv2D(1, 1)(image), layers.Conv2D(1, 1, 2)(image)])
    assert "different strides" in refusal(fcn.receptive_field, keras.Model(image, merged), "merged")
