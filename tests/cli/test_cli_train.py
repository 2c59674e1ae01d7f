"""`fcn-tutorial train` and `export`, help, and how a command stops."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from unittest.mock import Mock

import pytest
from quick import QUICK

import fcn_tutorial as fcn


@pytest.mark.slow
def test_train_writes_a_run_below_runs_with_other_values_and_says_where(
    call, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    QUICK.save("quick.toml")
    changes = ("--epochs", 1, "--set", "scale=[0.5, 2]", "--set", "optimizer=sgd")
    code, out, _ = call("train", "quick.toml", "--limit", 2, *changes)
    assert code == 0 and "runs/quick" in out
    recipe = fcn.load_run("runs/quick").recipe
    found = (recipe.limit, recipe.epochs, recipe.scale, recipe.optimizer)
    assert found == (2, 1, (0.5, 2.0), "sgd")
    code, out, _ = call("train", "quick.toml", "--limit", 2, *changes)
    assert code == 0 and "runs/quick already held this run" in out and "Wrote" not in out


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('variannt = "fcn8s"', "'variant'"),
        ('backbone = "mobilenet"\nweights = "absent.h5"', "absent.h5"),
        ('initial = "absent-run"', "absent-run"),
        ('val_split = "dev"', "'dev'"),
    ],
)
def test_a_bad_recipe_ends_in_one_sentence_and_leaves_no_run(call, tmp_path, text, named):
    (tmp_path / "bad.toml").write_text(f'dataset = "shapes"\n{text}')
    code, _, error = call("train", tmp_path / "bad.toml", "--output", tmp_path / "run")
    assert code == 2 and named in error
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (("--set", "dataset=cityscapes"), "'cityscapes'"),
        (("--set", "limit=3", "--limit", 2, "--set", "variant=no"), "'no'"),
        (("--set", "source=x"), "'source'"),
        (("--set", "epoch=1"), "'epochs'"),
        (("--set", "epochs"), "'epochs'"),
        (("--set", "epochs=many"), "'epochs'"),
        (("--set", "epochs=" + "[" * 5000), "'epochs'"),
        (("--set", "epochs=2\nbatch_size=3"), "'epochs'"),
        (("--set", "initial=runs/a", "--weights", "b.h5"), "runs/a"),
        (("--epochs", 0), "--epochs"),
        (("--set", "weights=" + "x" * 100_000), "xxx"),
    ],
)
def test_a_bad_option_is_named(call, tmp_path, options, named):
    code, _, error = call("train", "shapes", "--output", tmp_path / "run", *options)
    assert code == 2 and named in error and len(error) < 3000
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_written_to_is_refused(call, tmp_path):
    (tmp_path / "file").touch()
    for command in (("train", "shapes"), ("data", "records", "shapes")):
        code, _, error = call(*command, "--output", tmp_path / "file" / "out")
        assert code == 2 and str(tmp_path / "file" / "out") in error


def test_the_recipe_own_without_a_folder_names_the_option(call, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, error = call("train", "own")
    assert code == 2 and "photos/" in error and "--data" in error
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(find_spec("torch") is not None, reason="PyTorch is installed")
def test_a_backend_that_is_not_installed_is_named():
    command = [sys.executable, "-c", "from fcn_tutorial.cli import main; main()", "doctor"]
    for backend in ("torch", "nothing"):
        around = os.environ | {"KERAS_BACKEND": backend}
        done = subprocess.run(command, capture_output=True, text=True, env=around)
        assert done.returncode == 2 and len(done.stderr.splitlines()) == 1
        assert "KERAS_BACKEND" in done.stderr and backend in done.stderr


def test_a_run_is_exported(call, made, tmp_path):
    path = tmp_path / "net.tflite"
    code, out, _ = call("export", made, "--output", path, "--size", " 64X96 ")
    assert code == 0 and str(path) in out and f"{path}.json" in out
    stored = json.loads((tmp_path / "net.tflite.json").read_text())
    assert stored["classes"] == list(fcn.load_run(made).classes)
    assert stored["input"]["shape"] == [1, 64, 96, 3]
    for size in ("64x", "axb", "64x96x3", "-64", "1x64", f"{256:020}x99", ""):
        code, _, error = call("export", made, "--output", path, "--size", size)
        assert code == 2 and "size must be" in error
    code, _, error = call("export", made, "--format", "onnx", "--output", path)
    assert code == 2 and str(path) in error and ".onnx" in error
    code, _, error = call("export", made, "--format", "pb")
    assert code == 2 and "--format" in error and "litert, onnx" in error


def test_ctrl_c_ends_a_command_without_a_traceback(command_line, made, monkeypatch):
    monkeypatch.setattr("fcn_tutorial.inference.evaluate", Mock(side_effect=KeyboardInterrupt))
    code, _, error = command_line("evaluate", made)
    assert code == 130 and "stopped" in error


HELP = "", "train", "evaluate", "segment", "report", "export", "classify", "doctor"
OF_DATA = "fetch", "check", "inspect", "convert", "records"


@pytest.mark.parametrize("command", [*HELP, *(f"data {name}" for name in OF_DATA)])
def test_every_command_has_help(call, command):
    code, out, _ = call(*command.split(), "--help")
    assert code == 0 and f"Usage: fcn-tutorial {command}".strip() in out


def test_doctor_says_what_is_there(call, camvid_root, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    monkeypatch.setenv("FCN_WEIGHTS", str(camvid_root / "none"))
    code, out, _ = call("doctor")
    assert code == 0 and "tensorflow" in out
    assert f"{camvid_root} (CamVid found)" in out and f"{camvid_root / 'none'} (not found)" in out
