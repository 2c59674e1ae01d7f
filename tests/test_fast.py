"""The quicker ways against Keras's own."""

import json
import os
import platform
import subprocess
import sys
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
from any_backbone import sequential
from hypothesis import given, settings
from hypothesis import strategies as st
from quick import QUICK, made_run

from fcn_tutorial import fast
from fcn_tutorial.data.catalog import load_dataset
from fcn_tutorial.fcn import build_fcn
from fcn_tutorial.training import compiled_model

numpy = keras.ops.convert_to_numpy


@pytest.fixture(autouse=True)
def small_kernels_too(monkeypatch):
    monkeypatch.setattr(fast, "LARGE_KERNEL", 1)


# 128 MiB; 64 pages at least, even where they are huge.
FAULTS = """
import resource
import numpy as np
from fcn_tutorial.fast import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    np.ones(2**24).sum()
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

freed = [faults(), faults()]
keep_freed_memory()
kept = [faults(), faults()]
print(freed[1], kept[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what another C library keeps")
def test_memory_that_was_freed_is_not_cleared_by_the_system_again():
    others = {"LD_PRELOAD", "GLIBC_TUNABLES"}  # other allocators, or other settings of glibc's
    plain = {k: v for k, v in os.environ.items() if k not in others and not k.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS]
    done = subprocess.run(command, capture_output=True, text=True, env=plain)
    assert done.returncode == 0, done.stderr
    freed, kept = map(int, done.stdout.split())
    assert kept < 32 <= freed


def pair(make, shape, seed, lowest, mean):
    """A quick and a plain model of one layer, with the same random weights, and a random map."""
    image, rng = keras.Input(shape[1:]), np.random.default_rng(seed)
    models = [keras.Model(image, make()(image)) for _ in range(2)]
    weights = [rng.uniform(lowest, 2, w.shape) for w in models[0].weights]
    for model in models:
        model.set_weights(weights)
    fast.speed_up(models[0])
    return *models, rng.normal(mean, 2, shape).astype(np.float32)


def convolutions(shape, seed=0, size=(7, 7), **options):
    options = {"padding": "same", **options}
    return pair(lambda: keras.layers.Conv2D(4, size, **options), shape, seed, -2, 0)


def depthwise(shape, seed=0, size=3, **options):
    options = {"padding": "same", **options}
    return pair(lambda: keras.layers.DepthwiseConv2D(size, **options), shape, seed, -2, 0)


def normalizations(shape, seed=0, **options):
    return pair(lambda: keras.layers.BatchNormalization(**options), shape, seed, 0.5, 3)


@pytest.fixture
def gradients(value_and_gradient):
    """Of a model's squared distance from a random target: to x, and to each of its weights."""

    def gradients(model, x):
        target = np.random.default_rng(1).normal(size=model.compute_output_shape(x.shape))
        distance = keras.Model(model.input, keras.ops.sum((model.output - target) ** 2))
        before = model.get_weights()
        _, to_x = value_and_gradient(distance, x)
        return [to_x, *map(np.subtract, before, model.get_weights())]

    return gradients


# Convolution.

sides = st.integers(1, 9)
shapes = st.tuples(st.integers(1, 3), sides, sides, st.integers(1, 4))


@settings(max_examples=25, deadline=None)
@given(
    shape=shapes,
    size=st.tuples(sides, sides),
    rate=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    bias=st.booleans(),
    seed=st.integers(0, 99),
)
def test_a_convolutions_outputs_are_those_of_keras(shape, size, rate, bias, seed):
    options = {"dilation_rate": rate, "use_bias": bias, "activation": "relu"}
    ours, theirs, x = convolutions(shape, seed, size, **options)
    for training in (True, False):
        np.testing.assert_allclose(numpy(ours(x, training=training)), numpy(theirs(x)), atol=1e-3)


@pytest.mark.parametrize(
    ("kind", "shape", "options", "atol"),
    [
        (convolutions, (2, 8, 8, 3), {}, 1e-2),
        (convolutions, (1, 2, 3, 3), {}, 1e-2),
        (convolutions, (2, 8, 8, 3), {"size": 3, "dilation_rate": 2}, 1e-2),
        (normalizations, (3, 7, 5, 4), {}, 1e-3),
    ],
)
def test_gradients_are_those_of_keras(kind, shape, options, atol, gradients):
    *models, x = kind(shape, **options)
    for ours, theirs in zip(*(gradients(model, x) for model in models), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=atol)


@pytest.mark.parametrize("kind", [convolutions, depthwise])
def test_in_16_bits_a_convolution_is_about_as_exact_as_keras(kind):
    exact = kind((2, 8, 8, 64))[1]
    ours, theirs, x = kind((2, 8, 8, 64), dtype="mixed_bfloat16")
    expected = numpy(exact(x))
    errors = [np.abs(np.float32(numpy(model(x))) - expected).std() for model in (ours, theirs)]
    assert errors[0] < 1.5 * errors[1]
    assert {keras.backend.standardize_dtype(m(x).dtype) for m in (ours, theirs)} == {"bfloat16"}


# Depthwise convolution.


@pytest.mark.parametrize(
    ("shape", "size", "stride", "padding", "bias"),
    [
        ((2, 7, 8, 3), 3, 1, "same", True),
        ((1, 8, 5, 2), 5, 2, "same", False),
        ((1, 9, 7, 2), 3, 2, "valid", True),
        ((1, 1, 4, 3), 2, 3, "same", False),
    ],
)
def test_a_depthwise_convolution_is_that_of_keras(shape, size, stride, padding, bias, gradients):
    options = {"strides": stride, "padding": padding, "use_bias": bias, "activation": "relu"}
    quick, plain, x = depthwise(shape, 0, size, **options)
    np.testing.assert_allclose(numpy(quick(x)), numpy(plain(x)), rtol=1e-4, atol=1e-4)
    if keras.backend.backend() == "jax":
        assert "call" in vars(quick.layers[-1])
        for ours, theirs in zip(*(gradients(m, x) for m in (quick, plain)), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize(
    ("kind", "shape", "options"),
    [
        (convolutions, (2, 8, 8, 3), {"strides": 2}),
        (convolutions, (2, 8, 8, 3), {"padding": "valid"}),
        (convolutions, (2, 8, 8, 4), {"groups": 2}),
        (depthwise, (2, 8, 8, 3), {"dilation_rate": 2}),
        (depthwise, (2, 8, 8, 3), {"depth_multiplier": 2}),
        (depthwise, (2, 8, 8, 3), {"dtype": "float64"}),
        (normalizations, (2, 4, 4, 3), {"axis": 1}),
        (normalizations, (2, 4, 4, 3), {"scale": False}),
        (normalizations, (2, 4, 3), {}),
    ],
)
def test_other_layers_stay_as_they_are(kind, shape, options):
    ours, theirs, x = kind(shape, **options)
    np.testing.assert_allclose(numpy(ours(x, training=True)), numpy(theirs(x, training=True)))


# Batch normalization.

shapes = st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(2, 9), st.integers(1, 20))


@settings(max_examples=25, deadline=None)
@given(shape=shapes, seed=st.integers(0, 99), momentum=st.sampled_from([0.9, 0.99]))
def test_normalized_maps_and_running_statistics_are_those_of_keras(shape, seed, momentum):
    ours, theirs, x = normalizations(shape, seed, momentum=momentum)
    for training in (True, False):
        expected = numpy(theirs(x, training=training))
        np.testing.assert_allclose(numpy(ours(x, training=training)), expected, atol=1e-4)
    for mine, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4)


# A complete network.


@pytest.fixture
def network():
    return build_fcn("fcn8s", 3, "mobilenet")


@pytest.mark.tensorflow_only("the quicker ways are TensorFlow's")
def test_every_normalization_and_fc6_are_quicker(network):
    """By their names in TensorFlow's graph."""
    import tensorflow as tf

    count = sum(isinstance(la, keras.layers.BatchNormalization) for la in network.layers)
    fast.speed_up(network)
    assert sum("call" in vars(layer) for layer in network.layers) > count > 0
    training = tf.function(lambda x: network(x, training=True))
    graph = training.get_concrete_function(np.zeros((2, 64, 64, 3), np.float32)).graph
    assert {"AddN", "FusedBatchNormV3"} <= {each.type for each in graph.get_operations()}


def test_a_checkpoint_holds_the_plain_network_whose_layers_had_other_names_once(network, tmp_path):
    configuration = network.to_json()
    fast.speed_up(network)
    old, new = tmp_path / "old.keras", tmp_path / "new.keras"
    network.save(new)
    with zipfile.ZipFile(new) as theirs, zipfile.ZipFile(old, "w") as ours:
        for name in theirs.namelist():
            content = theirs.read(name)
            if name == "config.json":
                config = json.loads(content)
                for layer in config["config"]["layers"]:
                    if layer["class_name"] in ("Conv2D", "BatchNormalization"):
                        layer["module"] = "fcn_tutorial.layers_of_its_own"
                        layer["registered_name"] = f"fcn_tutorial>{layer['class_name']}"
                content = json.dumps(config)
            ours.writestr(name, content)
    for file in (new, old):
        loaded = keras.models.load_model(file, safe_mode=True)
        assert type(loaded.get_layer("fc6")) is keras.layers.Conv2D
        assert loaded.to_json() == configuration
        assert all(map(np.array_equal, loaded.get_weights(), network.get_weights()))


# Loss, metric and update.

RECIPE = replace(QUICK, dropout=0.0, limit=2, epochs=1, weight_decay=1e-2, learning_rate=1e-2)


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """The file of a network of five convolutions."""
    path = tmp_path_factory.mktemp("backbone") / "own.keras"
    sequential().save(path)
    return path


def two_steps(recipe, sample_weight=None):
    """[loss, mean IoU, loss, mean IoU] of two steps on noise with void, and the weights after."""
    rng = np.random.default_rng(0)
    images, labels = rng.integers(0, 256, (2, 64, 64, 3)), rng.integers(0, 6, (2, 64, 64))
    labels[:, :20] = 255
    keras.utils.set_random_seed(0)
    model = compiled_model(recipe, 6, steps_per_epoch=2)
    found = [model.train_on_batch(images, labels, sample_weight) for _ in range(2)]
    return np.ravel(found), model.get_weights()


@pytest.mark.parametrize(
    "changes",
    [
        {"optimizer": "adamw"},
        {"optimizer": "adam", "loss": "sum", "learning_rate": 1e-4},
        {"optimizer": "sgd", "jaccard": 1.0},
    ],
)
def test_a_recipe_trains_to_the_same_results_with_and_without(changes, backbone, monkeypatch):
    monkeypatch.setattr(fast, "LARGE_WEIGHT", 2**14)
    recipe = replace(RECIPE, backbone=backbone, **changes)
    weights = np.random.default_rng(1).random((2, 64, 64))
    quick, plain = (two_steps(replace(recipe, fast=each), weights) for each in (True, False))
    np.testing.assert_allclose(quick[0], plain[0], rtol=1e-3)
    for one, other in zip(quick[1], plain[1], strict=True):
        # Adam's first steps are about as long as the rate, however small the gradient is.
        assert np.abs(one - other).mean() < 0.05 * recipe.learning_rate


def test_without_fast_everything_is_as_keras_and_losses_have_it(monkeypatch):
    monkeypatch.setattr("fcn_tutorial.training.speed_up", None)
    model = compiled_model(replace(RECIPE, fast=False), 6, steps_per_epoch=2)
    assert not any("call" in vars(layer) for layer in model.layers)
    assert "update_step" not in vars(model.optimizer)


WITHOUT_FAST = """
import sys
sys.modules["fcn_tutorial.fast"] = None  # importing it raises
import fcn_tutorial as fcn
run = fcn.load_run(sys.argv[1])
print(fcn.evaluate(run.model, fcn.load_dataset("shapes", "val", count=2)).confusion.sum())
"""


def test_a_run_is_loaded_where_this_module_cannot_be_imported(tmp_path):
    model, dataset = compiled_model(RECIPE, 6, steps_per_epoch=2), load_dataset("shapes")
    made_run(tmp_path / "run", model, RECIPE, dataset)
    command = [sys.executable, "-c", WITHOUT_FAST, tmp_path / "run"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and int(done.stdout) > 0, done.stderr
