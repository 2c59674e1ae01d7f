"""Several devices that share each batch: the same losses as one device with the whole batch."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace

import keras
import numpy as np
import pytest
from quick import QUICK

import fcn_tutorial as fcn
from fcn_tutorial import devices, training
from fcn_tutorial.runs import read_history

BACKEND = keras.backend.backend()
TRAIN = """
import sys
from fcn_tutorial.cli import app
for folder in sys.argv[1:]:
    command = ["train", f"{folder}.toml", "--output", folder, "--devices", "2"]
    app(command, standalone_mode=False)
"""
pytestmark = pytest.mark.skipif(BACKEND == "torch", reason="trains on one device only")
only_jax = pytest.mark.skipif(BACKEND != "jax", reason="needs JAX, which joins processes")

# Without dropout, which each device would draw for itself. Adam hardly notices gradients that are
# wrong by a factor; plain SGD and a summed loss do.
RECIPE = replace(QUICK, weights="shapes", crop_size=64, batch_size=4, dropout=0.0, optimizer="sgd")
LOSSES = {
    "mean": {"learning_rate": 0.01, "jaccard": 1.0},
    "sum": {"learning_rate": 1e-7, "loss": "sum", "fast": False},
}


def train_on_two(recipes, processes=({},)):
    """Train {folder: recipe} on two devices of a process, or of several, with these settings."""
    for folder, recipe in recipes.items():
        recipe.save(f"{folder}.toml")
    command = [sys.executable, "-c", TRAIN, *recipes]
    around = {**os.environ, "KERAS_BACKEND": BACKEND}
    started = [
        subprocess.Popen(command, env=around | settings, stderr=subprocess.PIPE, text=True)
        for settings in processes
    ]
    try:
        for process in started:
            said = process.communicate(timeout=900)[1]
            assert process.returncode == 0, said
    finally:
        for process in started:
            process.kill()


def together(processes):
    """What each of several processes is told of where the others are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    name = "KERAS_DISTRIBUTION_"
    common = {name + "JOB_ADDRESSES": f"127.0.0.1:{port}", name + "NUM_PROCESSES": str(processes)}
    return [{**common, name + "PROCESS_ID": str(number)} for number in range(processes)]


def assert_same(folder, run):
    """Rounding differs with the number of threads; a wrong divisor shows in the first digits."""
    rows = [[list(row.values()) for row in each] for each in (read_history(folder), run.history)]
    np.testing.assert_allclose(*rows, rtol=1e-4, atol=1e-3)


def test_two_devices_give_the_losses_of_one(tmp_path):
    recipes = {tmp_path / loss: replace(RECIPE, **LOSSES[loss]) for loss in LOSSES}
    train_on_two(recipes)
    for two, recipe in recipes.items():
        assert_same(two, fcn.train(recipe, f"{two}-on-one", verbose=0))
        around = json.loads((two / "environment.json").read_text())
        assert (around["backend"], around["devices"]) == (BACKEND, 2)


@only_jax
def test_two_processes_give_the_losses_of_one_device_also_when_resumed(tmp_path):
    recipe, two = replace(RECIPE, **LOSSES["mean"], schedule="constant"), tmp_path / "two"
    for epochs in (1, 2):
        train_on_two({two: replace(recipe, epochs=epochs)}, together(2))
    assert_same(two, fcn.train(recipe, tmp_path / "one", verbose=0))


@pytest.mark.parametrize(
    ("group", "changes", "named"),
    [
        ({"count": 2}, {"freeze": "fc7", "keep_features": True}, "keep_features works on one"),
        ({"processes": 2}, {"patience": 3}, "patience works in one process"),
    ],
)
def test_what_cannot_be_shared_is_refused(tmp_path, monkeypatch, refusal, group, changes, named):
    shared = devices.OneDevice()
    vars(shared).update(group)
    monkeypatch.setattr(training, "sharing", lambda *_: shared)
    recipe = replace(QUICK, dropout=0.0, **changes)
    assert named in refusal(fcn.train, recipe, tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("count", "named"),
    [
        (0, "--devices must"),
        (3, "a batch of 64 cannot be shared evenly among 3 devices"),
        (64, "--devices 64 needs 64 devices"),
    ],
)
def test_a_number_of_devices_that_there_are_not_is_refused(refusal, count, named):
    keras.ops.zeros(1)  # so that the backend is at work already, on one device
    assert named in refusal(devices.devices, count, 64)


@only_jax
@pytest.mark.parametrize("said", ["two", "0", ""])
def test_a_number_of_processes_that_makes_no_sense_is_refused(monkeypatch, refusal, said):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", said)
    assert "NUM_PROCESSES must be" in refusal(devices.DataParallel, 2)
