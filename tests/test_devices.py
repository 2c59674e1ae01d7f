"""Several devices that share each batch: the same losses as one device with the whole batch."""

import importlib.util
import json
import os
import subprocess
import sys

import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.devices import devices

# Without dropout, which each device would draw for itself.
SETTINGS = """
dataset = "shapes"
variant = "fcn8s"
backbone = "vgg_narrow"
weights = "shapes"
limit = 8
crop_size = 64
batch_size = 4
epochs = 3
dropout = 0.0
learning_rate = 1e-4
"""
COMMAND = [sys.executable, "-c", "from fcn_tutorial.cli import main; main()"]
needs_jax = pytest.mark.skipif(not importlib.util.find_spec("jax"), reason="needs JAX")


@pytest.fixture(scope="module")
def train(tmp_path_factory):
    """Train on so many devices of a backend; returns the folder and how the process ended."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "recipe.toml").write_text(SETTINGS)

    def run(backend, count):
        output = folder / f"{backend}-{count}"
        arguments = ["train", folder / "recipe.toml", "--output", output]
        arguments += ["--devices", str(count)] * (count > 1)
        around = {**os.environ, "KERAS_BACKEND": backend}
        return output, subprocess.run(
            [*COMMAND, *arguments], env=around, capture_output=True, text=True, timeout=600
        )

    return run


def history(output):
    lines = (output / "history.csv").read_text().splitlines()
    return np.array([[float(each) for each in line.split(",")] for line in lines[1:]])


@pytest.mark.parametrize("backend", ["tensorflow", pytest.param("jax", marks=needs_jax)])
def test_two_devices_give_the_losses_of_one(train, backend):
    (one, ended), (two, other) = train(backend, 1), train(backend, 2)
    assert ended.returncode == 0, ended.stderr
    assert other.returncode == 0, other.stderr
    np.testing.assert_allclose(history(two), history(one), atol=1e-4)
    around = json.loads((two / "environment.json").read_text())
    assert (around["backend"], around["devices"]) == (backend, 2)
    run = fcn.load_run(two)
    assert fcn.evaluate(run.model, fcn.load_dataset("shapes", "val", 2)).mean_iou > 0


def test_more_devices_than_there_are_are_refused():
    # In this process TensorFlow is at work already, on one device.
    fcn.build_fcn("fcn32s", 2, "vgg_narrow")
    with pytest.raises(fcn.InputError, match=r"--devices 64 needs 64 devices, and there are \d"):
        devices(64, 64)


def test_a_batch_that_cannot_be_shared_evenly_is_refused(train):
    _, ended = train("tensorflow", 3)
    assert ended.returncode == 2
    assert "a batch of 4 cannot be shared evenly among 3 devices" in ended.stderr.splitlines()[-1]


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_device_is_refused(count, refusal):
    assert "--devices must be at least 1" in refusal(devices, count, 8)
