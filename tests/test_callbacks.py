"""What a run does after steps and epochs: stop at what is not finite, average, keep."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
from networks import image_of
from quick import QUICK, in_the_second_epoch

import fcn_tutorial as fcn
from fcn_tutorial.callbacks import FiniteLoss, RunFolder, averaged
from fcn_tutorial.data.dataset import limited
from fcn_tutorial.data.pipeline import names_in_batch
from fcn_tutorial.training import compiled_model


def poison(model):
    layer = model.get_layer("score_fr")
    layer.set_weights([np.nan * weight for weight in layer.get_weights()])


def test_a_loss_that_is_not_finite_names_its_batch_and_keeps_the_checkpoint(tmp_path, refusal):
    with in_the_second_epoch(poison):
        message = refusal(fcn.train, QUICK, tmp_path / "run", verbose=0)
    dataset = limited(fcn.load_dataset("shapes"), QUICK.limit)
    names = names_in_batch(dataset, QUICK.batch_size, QUICK.seed, 2)
    assert "nan in epoch 2, step 1" in message and ", ".join(names) in message
    kept = fcn.load_run(tmp_path / "run")
    assert all(np.isfinite(weight).all() for weight in kept.model.get_weights())
    assert [row["epoch"] for row in kept.history] == [1]


def test_the_files_of_the_batch_are_named_with_their_folder_and_no_more_than_sixteen(refusal):
    stop = FiniteLoss(lambda _: [f"n{i}" for i in range(20)], 1, "runs/a", "data/train")
    stop.on_epoch_begin(0)
    stop.on_train_batch_end(0, {"loss": 1.0})
    message = refusal(stop.on_train_batch_end, 0, {"loss": np.inf})
    assert "n15, ... in data/train" in message and "n16" not in message


def test_weights_that_are_not_finite_are_not_saved(tmp_path, refusal):
    model = compiled_model(QUICK, 6, 2)
    poison(model)
    validation = fcn.load_dataset("shapes", "val", count=1)
    callback = RunFolder(tmp_path, model, validation, done=0, recipe=QUICK)
    callback.on_train_begin()
    assert "epoch 1" in refusal(callback.on_epoch_end, 0, {"loss": 1.0})
    assert not list(tmp_path.iterdir())


def test_of_several_processes_the_copy_that_validates_has_the_networks_normalization(tmp_path):
    image = keras.Input((None, None, 3))
    layer = keras.layers.Normalization()
    layer.adapt(image_of(8, 8))
    rising = np.outer(np.ones(3), np.arange(6)).reshape(1, 1, 3, 6)  # dark: class 0, bright: 5
    scores = keras.layers.Conv2D(6, 1, use_bias=False)
    model = keras.Model(image, scores(layer(image)))
    scores.set_weights([rising])
    model.compile("sgd")
    validation = fcn.load_dataset("shapes", "val", count=2)
    two = SimpleNamespace(processes=2, process=0)
    callback = RunFolder(tmp_path, model, validation, 0, QUICK, shared=two)
    callback.set_model(model)
    callback.on_train_begin()
    callback.on_epoch_end(0, {"loss": 1.0})
    expected = fcn.evaluate(model, validation).pixel_accuracy
    assert callback.history[0]["val_pixel_accuracy"] == expected


def test_averaged_weights_are_the_mean_of_the_steps_as_long_as_they_are_asked_for():
    """The first step's weights, then half of old and new."""
    layer = keras.layers.Dense(1, use_bias=False)
    model = keras.Sequential([keras.Input((1,)), layer])
    layer.kernel.assign([[1.0]])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    average, weight = None, 1.0
    for target in (0.0, 3.0, -1.0):
        model.train_on_batch(np.ones((1, 1)), np.full((1, 1), target))
        weight -= 0.1 * 2 * (weight - target)
        average = weight if average is None else (average + weight) / 2
    with averaged(model):
        assert float(layer.kernel[0, 0]) == pytest.approx(average, rel=1e-5)
    assert float(layer.kernel[0, 0]) == pytest.approx(weight, rel=1e-5)
