"""The benchmark for GPUs: its count of operations, and its table on a CPU with small sizes."""

import importlib.util
import json
from pathlib import Path

import keras
import pytest

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


@pytest.mark.parametrize(("side", "padded"), [(64, 64), (96, 96), (70, 96)])
def test_operations_are_those_of_the_convolutions_on_whole_cells(script, narrow, side, padded):
    assert script.multiply_adds(narrow, side) == narrow_multiply_adds(padded, 3)


def test_a_small_run_on_the_cpu_gives_a_complete_table(script, tmp_path, capsys, monkeypatch):
    sizes = ["--backbone", "vgg_narrow", "--batch-size", "2", "--crop-size", "64"]
    sizes += ["--steps", "2", "--matrix", "256", "--output", str(tmp_path / "gpu" / "table.json")]
    monkeypatch.setattr(script, "PRECISIONS", {"mixed_float16": "float16"})
    script.main([*sizes, "--allow-cpu"])
    table = json.loads((tmp_path / "gpu" / "table.json").read_text())
    ways = [(row["precision"], row["compiled"]) for row in table["rows"]]
    assert ways == [("mixed_float16", False), ("mixed_float16", True)]
    assert table["device"] and all(
        rate > 0 for rate in table["matrix_operations_a_second"].values()
    )
    for row in table["rows"]:
        assert row["operations_a_step"] == 3 * 2 * 2 * narrow_multiply_adds(64, 21)
        assert row["images_a_second"] == pytest.approx(2 / row["seconds_a_step"])
        assert row["peak_bytes"] > 0 and 0 < row["share_of_matrix_product"] < 1.5
    assert capsys.readouterr().out.count("images a second") == 2
    assert keras.mixed_precision.global_policy().name == "float32"


def test_without_a_gpu_it_says_so_in_one_sentence(script, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "gpu", lambda: None)
    output = tmp_path / "table.json"
    with pytest.raises(SystemExit) as stopped:
        script.main(["--output", str(output)])
    assert stopped.value.code == 2 and not output.exists()
    message = capsys.readouterr().err
    assert "GPU" in message and message.count("\n") == 1
