"""Which weights learn, and how fast: against formulas, and for single layers."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.optimizers import build_optimizer, freeze
from fcn_tutorial.training import compiled_model

RECIPE = fcn.Recipe(dataset="shapes", variant="fcn32s", backbone="vgg_narrow", weights="none")


def moves(**changes):
    """{layer/weight: (before, after)} of a first step in which all gradients are 1."""
    model = fcn.build_fcn("fcn8s", 6, "vgg_narrow", None)
    optimizer = build_optimizer(replace(RECIPE, **changes), model, steps_per_epoch=2)
    weights = model.trainable_weights
    before = [weight.numpy() for weight in weights]
    optimizer.apply([keras.ops.ones(weight.shape) for weight in weights], weights)
    return {w.path: (b, w.numpy()) for w, b in zip(weights, before, strict=True)}


@pytest.mark.parametrize(("optimizer", "fraction"), [("adamw", 0), ("adam", 0.05)])
def test_the_trunk_learns_by_its_fraction_of_the_rate(optimizer, fraction):
    head = {"score_fr", "score_pool4", "score_pool3"}
    moved = moves(trunk_learning_rate=fraction, optimizer=optimizer)
    assert {path.split("/")[0] for path in moved} > head | {"block1_conv1", "block5_bn2", "fc6"}
    for path, (before, after) in moved.items():
        share = 1.0 if path.split("/")[0] in head else fraction
        distance = np.abs(before - after).mean()
        assert distance == pytest.approx(share * RECIPE.learning_rate, rel=0.01, abs=1e-9), path


def test_sgd_adds_decay_to_the_gradient_and_doubles_the_rate_of_biases():
    moved = moves(
        optimizer="sgd", learning_rate=0.1, bias_learning_rate=2, weight_decay=0.5, momentum=0.9
    )
    assert {path.rpartition("/")[2] for path in moved} == {"kernel", "bias", "gamma", "beta"}
    for path, (before, after) in moved.items():
        name = path.rpartition("/")[2]
        gradient = 1 + 0.5 * before if name == "kernel" else 1
        rate = 0.2 if name == "bias" else 0.1
        np.testing.assert_allclose(after, before - rate * gradient, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimizers_follow_their_published_formulas(name):
    """Five steps on one weight against the formulas of Kingma and Ba 2015, and of AdamW 2019."""
    gradients, rate, decay = [0.3, -1.0, 0.5, 2.0, -0.1], 0.1, 0.2
    recipe = replace(RECIPE, optimizer=name, learning_rate=rate, weight_decay=decay)
    recipe = replace(recipe, momentum=0.9, schedule="constant")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[1.0]])
    optimizer = build_optimizer(recipe, model, 5)
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        given = keras.ops.convert_to_tensor([[gradient]], dtype="float32")
        optimizer.apply([given], model.trainable_weights)
        if name == "adamw":
            weight -= rate * decay * weight
        else:
            gradient += decay * weight
        first = 0.9 * first + (rate if name == "sgd" else 0.1) * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = np.sqrt(second / (1 - 0.999**step)) + 1e-7
        weight -= first if name == "sgd" else rate * first / (1 - 0.9**step) / unbiased
        assert model.layers[0].kernel.numpy()[0, 0] == pytest.approx(weight, rel=1e-4)


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        ("constant", lambda t: 1.0),
        ("poly", lambda t: (1 - t) ** 0.9),
        ("cosine", lambda t: (1 + np.cos(np.pi * t)) / 2),
    ],
)
@pytest.mark.parametrize("warmup", [0, 2])
def test_schedules_warm_up_and_then_follow_their_formula(schedule, formula, warmup):
    recipe = replace(RECIPE, epochs=10, schedule=schedule, warmup_epochs=warmup, learning_rate=0.5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    rate = build_optimizer(recipe, model, steps_per_epoch=10)._learning_rate
    first = 10 * warmup
    for step in (0, 1, 10, 19, 20, 21, 57, 99, 100, 130):
        if step < first:
            expected = 0.5 * step / first
        else:
            expected = 0.5 * formula(min(1, (step - first) / (100 - first)))
        assert float(rate(step)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_normalization_that_is_frozen_keeps_its_weights_and_statistics(refusal):
    recipe = replace(RECIPE, freeze="block2_pool", freeze_normalization=True, dropout=0)
    model = compiled_model(recipe, 6, 2)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.integers(0, 256, (2, 32, 32, 3)), rng.integers(0, 6, (2, 32, 32)))
    for layer in model.layers:
        same = all(map(np.array_equal, before[layer.name], layer.get_weights()))
        still = layer.name.startswith(("block1", "block2")) or "_bn" in layer.name
        assert same == (still or not before[layer.name]), layer.name
    assert "conv_pw_5" in refusal(freeze, model, "conv_pw_5")
