"""Several devices that share each batch: the same losses as one device with the whole batch."""

import importlib.util
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

# Without dropout, which each device would draw for itself.
SETTINGS = """
dataset = "shapes"
variant = "fcn32s"
backbone = "vgg_narrow"
weights = "shapes"
limit = 4
crop_size = 64
batch_size = 4
epochs = 2
dropout = 0.0
learning_rate = 1e-4
schedule = "constant"
"""
COMMAND = [sys.executable, "-c", "from fcn_tutorial.cli import main; main()"]
needs_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs JAX")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Train on so many devices of a backend, in so many processes; returns the folder."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "recipe.toml").write_text(SETTINGS)

    def run(backend, count, *more, processes=1, name="run"):
        output = folder / f"{name}-{backend}-{count}-{processes}"
        arguments = ["train", folder / "recipe.toml", "--output", output, *more]
        arguments += ["--devices", str(count)] * (count > 1)
        around = {**os.environ, "KERAS_BACKEND": backend}
        started = [
            subprocess.Popen(
                [*COMMAND, *arguments], env=around | each, stderr=subprocess.PIPE, text=True
            )
            for each in (together(processes) if processes > 1 else [{}])
        ]
        try:
            for each in started:
                said = each.communicate(timeout=900)[1]
                assert each.returncode == 0, said
        finally:
            for each in started:
                each.kill()
        return output

    return run


def together(processes):
    """What each of several processes is told of where the others are."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    name = "KERAS_DISTRIBUTION_"
    common = {name + "JOB_ADDRESSES": f"127.0.0.1:{port}", name + "NUM_PROCESSES": str(processes)}
    return [{**common, name + "PROCESS_ID": str(number)} for number in range(processes)]


def history(output):
    lines = (output / "history.csv").read_text().splitlines()
    return np.array([[float(each) for each in line.split(",")] for line in lines[1:]])


# Adam hardly notices gradients that are wrong by a factor; plain SGD and a summed loss do.
OPTIMIZERS = {
    "run": (),
    "jaccard": ("--set", "optimizer=sgd", "--set", "learning_rate=0.01", "--set", "jaccard=1.0"),
    "sum": ("--set", "optimizer=sgd", "--set", "loss=sum", "--set", "learning_rate=1e-7"),
}


@pytest.mark.parametrize(
    ("backend", "name"),
    [("tensorflow", "jaccard"), ("tensorflow", "sum"), pytest.param("jax", "run", marks=needs_jax)],
)
def test_two_devices_give_the_losses_of_one(train, backend, name):
    one, two = (train(backend, count, *OPTIMIZERS[name], name=name) for count in (1, 2))
    # Rounding differs with the number of threads; a wrong divisor shows in the first digits.
    np.testing.assert_allclose(history(two), history(one), rtol=1e-4, atol=1e-3)
    around = json.loads((two / "environment.json").read_text())
    assert (around["backend"], around["devices"]) == (backend, 2)


@needs_jax
def test_two_processes_give_the_losses_of_one_device_also_when_resumed(train):
    one, two = train("jax", 1), train("jax", 2, "--epochs", "1", processes=2)
    recipe = two / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 1", "epochs = 2"))
    train("jax", 2, processes=2)
    np.testing.assert_allclose(history(two), history(one), rtol=1e-4, atol=1e-3)
    assert fcn.load_run(two).recipe.epochs == 2


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


@needs_jax
@pytest.mark.parametrize("said", ["two", "0", ""])
def test_a_number_of_processes_that_makes_no_sense_is_refused(monkeypatch, refusal, said):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", said)
    assert "NUM_PROCESSES must be" in refusal(devices.DataParallel, 2)
