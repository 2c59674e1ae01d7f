"""The benchmark for GPUs: its count of operations, and its table on a CPU with small sizes."""

import importlib.util
import json
from pathlib import Path

import keras
import pytest

import fcn_tutorial as fcn

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def script(monkeypatch):
    path = ROOT / "benchmarks" / "gpu_training.py"
    spec = importlib.util.spec_from_file_location("gpu_training", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "fresh", lambda function, *arguments: function(*arguments))
    return module


def narrow_multiply_adds(side, num_classes):
    """Written out for the narrow VGG: two 3 x 3 convolutions in each block, then the head."""
    total, before = 0, 3
    for block, width in enumerate((8, 16, 32, 64, 128)):
        total += (side // 2**block) ** 2 * 9 * (before * width + width * width)
        before = width
    cells = (side // 32) ** 2
    total += cells * (3 * 3 * 128 * 128 + 128 * 128)
    for width, factor in ((128, 1), (64, 4), (32, 16)):
        total += factor * cells * width * num_classes
    return total


@pytest.mark.parametrize("side", [64, 96])
def test_operations_are_those_of_the_convolutions(script, narrow, side):
    assert script.multiply_adds(narrow, side) == narrow_multiply_adds(side, 3)


def test_operations_of_an_image_that_is_padded_to_whole_cells(script, narrow):
    assert script.multiply_adds(narrow, 70) == narrow_multiply_adds(96, 3)


def test_a_small_run_on_the_cpu_gives_a_whole_table(script, tmp_path, capsys):
    sizes = ["--backbone", "vgg_narrow", "--batch-size", "2", "--crop-size", "64"]
    sizes += ["--steps", "2", "--matrix", "256", "--output", str(tmp_path / "gpu" / "table.json")]
    script.main([*sizes, "--allow-cpu"])
    table = json.loads((tmp_path / "gpu" / "table.json").read_text())
    ways = [(row["precision"], row["compiled"]) for row in table["rows"]]
    assert ways == [(name, way) for name in ("float32", "mixed_float16") for way in (False, True)]
    assert table["device"] and all(
        rate > 0 for rate in table["matrix_operations_a_second"].values()
    )
    for row in table["rows"]:
        assert row["operations_a_step"] == 3 * 2 * 2 * narrow_multiply_adds(64, 21)
        assert row["images_a_second"] == pytest.approx(2 / row["seconds_a_step"])
        assert row["peak_bytes"] > 0 and 0 < row["share_of_matrix_product"] < 1.5
    assert capsys.readouterr().out.count("images a second") == 4
    assert keras.mixed_precision.global_policy().name == "float32"


def test_mixed_precision_and_compilation_are_what_they_are_called(script):
    model = script.compiled("vgg_narrow", "mixed_float16", True)
    assert model.jit_compile and model.get_layer("fc6").compute_dtype == "float16"
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    model = script.compiled("vgg_narrow", "float32", False)
    assert not model.jit_compile and model.get_layer("fc6").compute_dtype == "float32"


def test_without_a_gpu_it_says_so_in_one_sentence(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "gpu", lambda: None)
    output = tmp_path / "table.json"
    with pytest.raises(SystemExit) as stopped:
        script.main(["--output", str(output)])
    assert stopped.value.code == 2 and not output.exists()
    message = capsys.readouterr().err
    assert "sees no GPU on this machine" in message and message.count("\n") == 1


def test_a_gpu_is_recognised_by_the_name_of_its_device(script, monkeypatch):
    for names, found in ((["cpu:0"], False), (["gpu:0", "gpu:1"], True)):
        monkeypatch.setattr(keras.distribution, "list_devices", lambda names=names: names)
        assert script.sees_gpu() == found


def test_the_paper_s_network_at_512_pixels_takes_111_billion_multiply_adds(script):
    """Written out for VGG-16: thirteen convolutions, fc6 and fc7 on 16 x 16 cells, three scores."""
    blocks = [(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]
    total, before = 16**2 * (7 * 7 * 512 * 4096 + 4096 * 4096), 3
    for block, (width, count) in enumerate(blocks):
        total += (512 // 2**block) ** 2 * 9 * (before * width + (count - 1) * width * width)
        before = width
    total += 21 * (16**2 * 4096 + 32**2 * 512 + 64**2 * 256)
    assert script.multiply_adds(fcn.build_fcn("fcn8s", 21, "vgg16"), 512) == total
    assert round(total / 1e9) == 111
