"""Where TensorFlow is not installed, JAX or PyTorch trains, evaluates and segments."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = """
import os, sys
from importlib.util import find_spec

assert not find_spec("tensorflow"), "TensorFlow is installed here"
os.environ["KERAS_BACKEND"] = "jax" if find_spec("jax") else "torch"

import fcn_tutorial as fcn

recipe = fcn.Recipe(
    dataset="shapes", variant="fcn8s", backbone="vgg_narrow", weights="shapes", limit=4,
    crop_size=64, batch_size=2, epochs=1, scale=(0.5, 2), flip=True, color=0.2,
    class_weighting=0.5,
)
run = fcn.train(recipe, sys.argv[1], verbose=0)
assert [row["epoch"] for row in run.history] == [1] and run.history[0]["loss"] > 0
scenes = fcn.load_dataset("shapes", "val", count=2)
assert 0 < fcn.evaluate(run.model, scenes).mean_iou < 1
label = fcn.segment(run.model, scenes[0][0])
assert (str(label.dtype), label.shape) == ("uint8", (96, 96))
assert "tensorflow" not in sys.modules
"""

asked = os.environ.get("TEST_WITHOUT_TENSORFLOW") == "true"


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Python of an environment without TensorFlow; ENVIRONMENT_WITHOUT_TENSORFLOW keeps it."""
    kept = os.environ.get("ENVIRONMENT_WITHOUT_TENSORFLOW")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("environment")
    python = folder / "bin" / "python"
    if not python.is_file():
        needed = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
        needed = [each for each in needed if not each.startswith("tensor")]
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *needed, "jax"], check=True)
    return python


@pytest.mark.skipif(not asked, reason="make test-without-tensorflow runs it")
def test_a_network_is_trained_evaluated_and_applied_without_tensorflow(python, tmp_path):
    around = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, "-c", SCRIPT, tmp_path / "run"]
    ended = subprocess.run(command, env=around, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert not (tmp_path / "run" / "tensorboard").exists()
