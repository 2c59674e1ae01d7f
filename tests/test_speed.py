"""The benchmarks of speed: what they compare is the same, and their results say what is claimed."""

import importlib.util
import json
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.devices import mixed_policy
from fcn_tutorial.runs import RESULTS

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(f"benchmark_{name}", BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def stored(name):
    return json.loads((RESULTS / "speed" / f"{name}.json").read_text())


@pytest.fixture(scope="module")
def benchmark():
    return script("input")


@pytest.fixture(scope="module")
def shapes():
    return fcn.load_dataset("shapes", "train", count=16, size=64)


@pytest.fixture(scope="module")
def folder(benchmark, shapes, tmp_path_factory):
    path = tmp_path_factory.mktemp("input")
    benchmark.write_all(shapes, path)
    return path


def unbatched(batches):
    return [pair for batch in batches for pair in zip(*(x.numpy() for x in batch), strict=True)]


def test_padded_records_hold_the_data_set_with_void_as_background(benchmark, shapes, folder):
    found = unbatched(benchmark.stream("padded", folder))
    assert len(found) == len(shapes)
    # Shapes are square, so that all of the 512 x 512 pixels are the image's, each eight times.
    labels = {label[4::8, 4::8].tobytes() for _, label in found}
    assert labels == {np.where(label == VOID, 0, label).tobytes() for _, label in shapes}
    whole = {np.asarray(Image.fromarray(x).resize((512, 512))).tobytes() for x, _ in shapes}
    assert {image.tobytes() for image, _ in found} == whole


def test_one_hot_records_hold_the_data_set(benchmark, shapes, folder):
    found = unbatched(benchmark.stream("one_hot", folder))
    images = {image[4::8, 4::8].tobytes() for image, _ in found}
    assert images == {image.tobytes() for image, _ in shapes}
    ids = [np.where(x.any(-1), x.argmax(-1), VOID).astype(np.uint8) for _, x in found]
    assert {x[4::8, 4::8].tobytes() for x in ids} == {label.tobytes() for _, label in shapes}


def test_this_librarys_side_gives_the_data_set_padded(benchmark, shapes, folder):
    found = unbatched(benchmark.stream("ours", folder).take(2))
    assert {label[:64, :64].tobytes() for _, label in found} == {y.tobytes() for _, y in shapes}
    assert {image[:64, :64].tobytes() for image, _ in found} == {x.tobytes() for x, _ in shapes}


def test_inputs_are_measured_whole(benchmark, shapes, folder, monkeypatch):
    monkeypatch.setattr(benchmark, "WHOLE", len(shapes))
    for cold in (False, True):
        found = benchmark.passes(folder, 1, cold)
        names = {*benchmark.BASELINES, *benchmark.OURS}
        assert set(found["images_a_second"]) == set(found["first_batch_seconds"]) == names
        assert all(value > 0 for value in found["ratio"].values())
    held = benchmark.in_process("padded", folder)
    assert held["examples"] >= benchmark.BUFFER + len(shapes)
    # The buffer alone holds a thousand images and labels.
    assert held["more_bytes"] > 1000 * 512 * 512 * 4


def test_what_is_stored_of_the_inputs():
    found = stored("input")
    assert found["images"] == 330
    sizes = found["bytes_an_example"]
    assert 512 * 512 * 4 <= sizes["padded"] < 512 * 512 * 4 + 200
    assert sizes["ours"] < sizes["padded"] / 6 and sizes["ours"] < sizes["one_hot"] / 6
    memory = found["memory"]
    assert memory["padded"]["more_bytes"] > 1e9
    assert memory["ours"]["more_bytes"] < memory["padded"]["more_bytes"] / 3
    assert found["training"]["share_waiting"] < 0.1
    # Decoding costs more than reading raw pixels, and less than resizing and one-hot labels.
    work = found["files_in_page_cache"]["processor_seconds_an_image"]
    assert work["padded"] < work["ours"] < work["one_hot"]
    for place in ("files_in_page_cache", "files_on_disk"):
        assert found[place]["ratio"]["ours to one_hot"] >= 3


def test_steps_of_all_networks_are_measured_and_those_in_16_bits_are_called_so():
    row = script("step").measure("vgg_narrow", 32, 2, 1)
    assert set(row["seconds_a_step"]) == {"baseline", "ours", "mixed"}
    assert all(ratio > 0 for ratio in row["ratio"].values())
    assert row["computes_in"] == {"ours": "float32", "mixed": mixed_policy().removeprefix("mixed_")}


def test_what_is_stored_of_the_step():
    rows = {row["backbone"]: row for row in stored("step")["rows"]}
    assert all((row["side"], row["steps"] >= 9) == (256, True) for row in rows.values())
    # A network of few channels spends its time around the convolutions, VGG-16 spends it in them:
    # the one gains by fewer operations, the other by shorter numbers.
    assert rows["vgg_narrow"]["ratio"]["ours"] >= 1.5
    assert rows["vgg16"]["ratio"]["ours"] >= 1.15
    assert rows["vgg16"]["ratio"]["mixed"] > rows["vgg16"]["ratio"]["ours"]


@pytest.mark.parametrize("padded", [True, False])
def test_dense_scores_are_the_windows(padded):
    dense = script("dense")
    classifier, difference = dense.check("vgg_narrow", padded)
    assert difference < 1e-5
    row = dense.measure(classifier, 256, 1)
    side = 96 if padded else 220
    assert (row["window"], row["windows"]) == (side, ((256 - side) // 32 + 1) ** 2)
    assert row["ratio"] > 0 and row["multiply_adds_ratio"] > 1


def test_windows_are_cut_row_by_row():
    dense = script("dense")
    image = dense.noise(128)
    windows = dense.windows_of(image, 96)
    assert windows.shape == (4, 96, 96, 3)
    np.testing.assert_array_equal(windows[1], image[:96, 32:])
    np.testing.assert_array_equal(windows[2], image[32:, :96])


def test_multiply_adds_by_hand():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(5, 3, padding="same")(image)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    model = keras.Model(image, keras.layers.Dense(7)(x))
    assert script("dense").multiply_adds(model, 8) == 64 * 27 * 5 + 16 * 5 * 7


def test_what_is_stored_of_dense_scores():
    found = stored("dense")
    assert found["vgg16_unpadded_difference"] < 1e-3
    rows = {(row["backbone"], row["padded"], row["side"]): row for row in found["rows"]}
    assert all(row["difference"] < 1e-3 for row in rows.values())
    # VGG-16's classifier as it is, and the narrow one where its windows overlap as much.
    assert rows["vgg16", True, 1024]["ratio"] > 20
    assert rows["vgg_narrow", False, 1024]["ratio"] > 20
    for row in rows.values():
        assert 0.5 < row["ratio"] / row["multiply_adds_ratio"] < 2


def test_growth_measures_a_point_and_leaves_out_what_cannot_fit(monkeypatch):
    growth = script("growth")
    monkeypatch.setattr(growth, "SECONDS", 0)
    row = growth.measure("vgg_narrow", "step", 2, 32)
    assert row["calls"] == 3 and row["images_a_second"] > 0
    assert row["peak_bytes"] >= row["peak_bytes_after_building"] > 1e8
    monkeypatch.setattr(fcn.training, "machine_memory", lambda: 0)
    left_out = growth.measure("vgg_narrow", "step", 2, 32)
    assert "GB" in left_out["left_out"] and "images_a_second" not in left_out
    assert growth.line(left_out).endswith("GB") and "MB" in growth.line(row)


def test_what_is_stored_of_growth():
    rows, growth = stored("growth")["rows"], script("growth")
    points = [(r["backbone"], r["work"], r["batch"], r["side"]) for r in rows]
    assert points == [
        (b, w, *p) for b in growth.BACKBONES for w in growth.WORK for p in growth.POINTS
    ]
    for backbone in growth.BACKBONES:
        of = {
            (r["work"], r["batch"], r["side"]): r
            for r in rows
            if r["backbone"] == backbone and "left_out" not in r
        }
        # What is kept for the backward pass grows with the pixels, however they are spread.
        for batch, side in ((64, 128), (1, 1024)):
            assert of["step", batch, side]["more_bytes"] > of["forward", batch, side]["more_bytes"]
            ratio = of["step", batch, side]["more_bytes"] / of["step", 1, 128]["more_bytes"]
            assert ratio > 4
