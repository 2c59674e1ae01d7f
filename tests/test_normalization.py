"""The fused normalization against Keras's own layer, and the paper's formula."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_tutorial.backbones import vgg_narrow
from fcn_tutorial.fcn import build_fcn
from fcn_tutorial.normalization import BatchNormalization

numpy = keras.ops.convert_to_numpy


def pair(shape, seed, **options):
    """Our layer and Keras's with the same random weights, and a random map."""
    rng = np.random.default_rng(seed)
    layers = BatchNormalization(**options), keras.layers.BatchNormalization(**options)
    for layer in layers:
        layer.build((None, None, None, shape[-1]))
    weights = [rng.uniform(0.5, 2, shape[-1]) for _ in range(4)]
    for layer in layers:
        layer.set_weights(weights)
    return *layers, rng.normal(3, 2, shape).astype(np.float32)


shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(2, 9), st.integers(1, 20))


@settings(max_examples=25, deadline=None)
@given(shape=shapes, seed=st.integers(0, 99), momentum=st.sampled_from([0.9, 0.99]))
def test_outputs_and_running_statistics_are_those_of_keras(shape, seed, momentum):
    ours, theirs, x = pair(shape, seed, momentum=momentum)
    for training in (True, False):
        expected = numpy(theirs(x, training=training))
        np.testing.assert_allclose(numpy(ours(x, training=training)), expected, atol=1e-4)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4)


def test_a_batch_is_normalized_by_the_formula_of_the_paper():
    ours, _, x = pair((2, 5, 6, 3), 1, epsilon=1e-3)
    gamma, beta = ours.get_weights()[:2]
    mean, variance = x.mean((0, 1, 2)), x.var((0, 1, 2))
    expected = gamma * (x - mean) / np.sqrt(variance + 1e-3) + beta
    np.testing.assert_allclose(numpy(ours(x, training=True)), expected, atol=1e-5)


def test_a_layer_that_is_not_trainable_keeps_its_statistics():
    ours, theirs, x = pair((2, 4, 4, 3), 2)
    ours.trainable = theirs.trainable = False
    before = ours.get_weights()
    np.testing.assert_allclose(numpy(ours(x, training=True)), numpy(theirs(x, training=True)))
    for weight, old in zip(ours.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)


@pytest.mark.tensorflow_only("the fused operation is TensorFlow's")
def test_gradients_are_those_of_keras():
    import tensorflow as tf

    found = []
    ours, theirs, x = pair((3, 7, 5, 4), 3)
    x, target = tf.constant(x), np.random.default_rng(0).normal(size=x.shape)
    for layer in (ours, theirs):
        with tf.GradientTape() as tape:
            tape.watch(x)
            loss = tf.reduce_sum((layer(x, training=True) - target) ** 2)
        found.append(tape.gradient(loss, [x, *layer.trainable_variables]))
    for mine, other in zip(*found, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-3, atol=1e-3)


@pytest.mark.tensorflow_only("the fused operation is TensorFlow's")
def test_a_training_step_uses_the_fused_operation():
    import tensorflow as tf

    layer, _, x = pair((2, 4, 4, 3), 4)
    graph = tf.function(lambda x: layer(x, training=True)).get_concrete_function(x).graph
    assert "FusedBatchNormV3" in [operation.type for operation in graph.get_operations()]


def test_in_16_bits_the_statistics_stay_in_32():
    layer = BatchNormalization(dtype="mixed_float16")
    x = np.random.default_rng(5).normal(100, 30, (2, 8, 8, 3)).astype(np.float16)
    y = layer(keras.ops.convert_to_tensor(x), training=True)
    assert keras.backend.standardize_dtype(y.dtype) == "float16"
    assert {w.dtype for w in layer.get_weights()} == {np.dtype("float32")}
    assert abs(numpy(y).astype(float).mean()) < 0.01


@pytest.mark.parametrize("network", ["vgg_narrow", "mobilenet"])
def test_networks_for_training_have_it(network):
    model = vgg_narrow() if network == "vgg_narrow" else build_fcn("fcn32s", 3, "mobilenet")
    layers = [la for la in model.layers if isinstance(la, keras.layers.BatchNormalization)]
    assert layers and all(type(layer) is BatchNormalization for layer in layers)


def test_a_saved_network_is_loaded_with_it(tmp_path):
    model = vgg_narrow()
    model.save(tmp_path / "classifier.keras")
    loaded = keras.models.load_model(tmp_path / "classifier.keras", safe_mode=True)
    assert type(loaded.get_layer("block1_bn1")) is BatchNormalization
    image = np.random.default_rng(6).uniform(0, 255, (1, 96, 96, 3))
    np.testing.assert_array_equal(numpy(loaded(image)), numpy(model(image)))
