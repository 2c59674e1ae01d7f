"""The convolution that spares the padding, against Keras's own layer and SciPy's correlation."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import correlate

from fcn_tutorial import convolution
from fcn_tutorial.convolution import Conv2D
from fcn_tutorial.fcn import build_fcn

numpy = keras.ops.convert_to_numpy


@pytest.fixture(autouse=True)
def small_kernels_too(monkeypatch):
    monkeypatch.setattr(convolution, "LARGE_KERNEL", 1)


def pair(shape, seed=0, size=(7, 7), **options):
    """Our layer and Keras's with the same random weights, and a random map."""
    rng = np.random.default_rng(seed)
    options = {"padding": "same", **options}
    layers = Conv2D(4, size, **options), keras.layers.Conv2D(4, size, **options)
    for layer in layers:
        layer.build((None, None, None, shape[-1]))
    weights = [rng.normal(size=weight.shape) for weight in layers[0].weights]
    for layer in layers:
        layer.set_weights(weights)
    return *layers, rng.normal(size=shape).astype(np.float32)


sides = st.integers(1, 9)
shapes = st.tuples(st.integers(1, 3), sides, sides, st.integers(1, 4))


@settings(max_examples=40, deadline=None)
@given(shape=shapes, size=st.tuples(sides, sides), bias=st.booleans(), seed=st.integers(0, 99))
def test_outputs_are_those_of_keras_in_training_and_at_rest(shape, size, bias, seed):
    ours, theirs, x = pair(shape, seed, size, use_bias=bias, activation="relu")
    expected = numpy(theirs(x))
    for training in (True, False):
        np.testing.assert_allclose(numpy(ours(x, training=training)), expected, atol=1e-4)


@pytest.mark.parametrize("side", [1, 3, 8])
def test_outputs_are_the_sums_that_scipy_correlates(side):
    ours, _, x = pair((1, side, side + 1, 3))
    kernel, bias = ours.get_weights()
    padded = np.pad(x[0], ((3, 3), (3, 3), (0, 0)))
    for unit in range(4):
        expected = correlate(padded, kernel[..., unit], mode="valid")[..., 0] + bias[unit]
        found = numpy(ours(x, training=True))[0, ..., unit]
        np.testing.assert_allclose(found, expected, atol=1e-4)


def adds_products(layer, x, training=True):
    """Whether the layer's TensorFlow graph is a sum of products."""
    import tensorflow as tf

    graph = tf.function(lambda x: layer(x, training=training)).get_concrete_function(x).graph
    return "AddN" in {operation.type for operation in graph.get_operations()}


@pytest.mark.tensorflow_only("the sum of products is for TensorFlow")
def test_only_a_training_step_with_a_kernel_larger_than_half_its_map_goes_the_other_way():
    ours, _, x = pair((2, 8, 13, 3))
    assert adds_products(ours, x)
    assert not adds_products(ours, x, training=False)
    for other in (
        pair((2, 8, 14, 3)),
        pair((2, 14, 8, 3)),
        pair((2, 8, 8, 3), strides=2),
        pair((2, 8, 8, 3), dilation_rate=2),
        pair((2, 8, 8, 3), padding="valid"),
        pair((2, 8, 8, 4), groups=2),
    ):
        assert not adds_products(other[0], other[2])


@pytest.mark.tensorflow_only("the sum of products is for TensorFlow")
def test_a_small_kernel_stays_one_operation(monkeypatch):
    monkeypatch.setattr(convolution, "LARGE_KERNEL", 7 * 7 * 3 * 4)
    ours, _, x = pair((2, 8, 8, 3))
    assert adds_products(ours, x)
    ours, _, x = pair((2, 8, 8, 2))
    assert not adds_products(ours, x)


@pytest.mark.tensorflow_only("the sum of products is for TensorFlow")
@pytest.mark.parametrize("shape", [(2, 8, 8, 3), (1, 2, 3, 3)])
def test_gradients_are_those_of_keras(shape):
    import tensorflow as tf

    found = []
    ours, theirs, x = pair(shape)
    x, target = tf.constant(x), np.random.default_rng(1).normal(size=(*shape[:3], 4))
    for layer, options in ((ours, {"training": True}), (theirs, {})):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum((layer(x, **options) - target) ** 2)
        found.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-2)


@pytest.mark.tensorflow_only("the sum of products is for TensorFlow")
def test_in_16_bits_it_is_about_as_exact_as_keras():
    exact = pair((2, 8, 8, 64), size=(7, 7))[1]
    ours, theirs, x = pair((2, 8, 8, 64), size=(7, 7), dtype="mixed_bfloat16")
    found, other = ours(x, training=True), theirs(x)
    assert found.dtype == other.dtype == "bfloat16"
    expected = numpy(exact(x))
    errors = [np.abs(np.float32(numpy(each)) - expected).std() for each in (found, other)]
    assert errors[0] < 1.5 * errors[1]


@pytest.mark.tensorflow_only("the sum of products is for TensorFlow")
def test_a_batch_without_images_has_no_maps():
    ours, _, x = pair((2, 8, 8, 3))
    assert ours(x[:0], training=True).shape == (0, 8, 8, 4)


def test_fc6_of_a_fully_convolutional_vgg_is_such_a_layer():
    fc6 = build_fcn("fcn32s", 2, "vgg_narrow").get_layer("fc6")
    assert type(fc6) is Conv2D and fc6.padding == "same"


def test_a_model_with_the_layer_is_loaded_as_it_was_saved(tmp_path):
    ours, _, x = pair((1, 8, 8, 3))
    image = keras.Input((8, 8, 3))
    keras.Model(image, ours(image)).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert type(loaded.layers[-1]) is Conv2D
    np.testing.assert_allclose(numpy(loaded(x)), numpy(ours(x)), atol=1e-5)
