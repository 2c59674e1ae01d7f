"""Several devices that share each batch: the same losses as one device with the whole batch."""

import importlib.util
import json
import os
import socket
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
    """Train on so many devices of a backend, in processes of their own; returns their ends."""
    folder = tmp_path_factory.mktemp("devices")
    (folder / "recipe.toml").write_text(SETTINGS)

    def run(backend, count, processes=1, change="seed=0"):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        output = folder / f"{backend}-{count}-{processes}"
        arguments = ["train", folder / "recipe.toml", "--output", output, "--set", change]
        if count > 1:
            arguments += ["--devices", str(count)]
        started = []
        for number in range(processes):
            around = {**os.environ, "KERAS_BACKEND": backend}
            if processes > 1:
                around["KERAS_DISTRIBUTION_JOB_ADDRESSES"] = f"127.0.0.1:{port}"
                around["KERAS_DISTRIBUTION_NUM_PROCESSES"] = str(processes)
                around["KERAS_DISTRIBUTION_PROCESS_ID"] = str(number)
            pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
            started.append(subprocess.Popen([*COMMAND, *arguments], env=around, **pipes))
        ended = [process.communicate(timeout=600) for process in started]
        return output, [process.returncode for process in started], ended

    return run


def history(output):
    lines = (output / "history.csv").read_text().splitlines()
    return np.array([[float(each) for each in line.split(",")] for line in lines[1:]])


@pytest.mark.parametrize(
    ("backend", "processes"),
    [
        ("tensorflow", 1),
        pytest.param("jax", 1, marks=needs_jax),
        pytest.param("jax", 2, marks=needs_jax),
    ],
)
def test_two_devices_give_the_losses_of_one(train, backend, processes):
    one, codes, ended = train(backend, 1)
    assert codes == [0], ended
    two, codes, ended = train(backend, 2, processes)
    assert codes == [0] * processes, ended
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
    _, codes, [(_, error)] = train("tensorflow", 3)
    assert codes == [2]
    assert "a batch of 4 cannot be shared evenly among 3 devices" in error.splitlines()[-1]


@pytest.mark.parametrize("count", [0, -1])
def test_fewer_than_one_device_is_refused(count, refusal):
    assert "--devices must be at least 1" in refusal(devices, count, 8)
