"""The way from download to segmented photo: in small here, and the record of VGG-16's."""

import importlib.util
import json
import math
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data.images import write_label
from fcn_tutorial.data.voc import VOC

ROOT = Path(__file__).resolve().parents[1]
RECORD = json.loads((ROOT / "results" / "voc_path" / "path.json").read_text())
NAMES = ["keras_fcn_fcn32s", "keras_fcn_fcn16s", "paper_heavy_fcn8s_at_once"]
UP_TO_FC7 = 134_260_544
SCORES = {"score_fr": 4096 * 21 + 21, "score_pool4": 512 * 21 + 21, "score_pool3": 256 * 21 + 21}


@pytest.fixture
def script():
    path = ROOT / "benchmarks" / "voc_path.py"
    spec = importlib.util.spec_from_file_location("voc_path", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def devkit(tmp_path):
    """A folder with a VOCdevkit of 6 and 5 photos, each with a square of some class."""
    root = tmp_path / "published"
    folder, rng = root / "VOCdevkit" / "VOC2012", np.random.default_rng(0)
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    for split, count in (("train", 6), ("val", 5)):
        names = [f"2012_{split}{index}" for index in range(count)]
        (folder / f"ImageSets/Segmentation/{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            label = np.zeros((40, 50), np.uint8)
            label[10:30, 10:30] = rng.integers(1, 21)
            label[10] = 255
            write_label(folder / f"SegmentationClass/{name}.png", label, VOC.palette)
            photo = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(photo).save(folder / f"JPEGImages/{name}.jpg")
    return root


@pytest.fixture
def walked(script, devkit, tmp_path, monkeypatch):
    """What the script writes when it goes the whole way with the narrow VGG."""
    monkeypatch.setenv("FCN_DATA", str(devkit))
    monkeypatch.setenv("FCN_WEIGHTS", "")
    monkeypatch.setattr(script, "RESULT", tmp_path / "results" / "path.json")
    monkeypatch.setattr(script, "fresh", lambda function, *arguments: function(*arguments))
    monkeypatch.setattr(script, "first_network", lambda weights: {"transplanted": {}})
    monkeypatch.setattr(script, "counts", dict)
    # Enough epochs that the run to be killed is not over before it is seen to be in its second.
    script.SMALL |= {"crop_size": 32, "epochs": 8, "steps_per_epoch": 2}
    script.SMALL |= {"backbone": "vgg_narrow", "weights": "none"}
    script.main(NAMES)
    return json.loads(script.RESULT.read_text())


def test_the_whole_way_with_the_narrow_vgg(walked):
    assert (walked["fetched_train"], walked["fetched_val"]) == (6, 5)
    assert walked["records"]["examples"] == 6 and walked["records"]["same_images_and_labels"]
    assert list(walked["runs"]) == NAMES
    for run in walked["runs"].values():
        assert run["steps"] == 16 and run["seconds_a_step"] > 0
        assert len(run["losses"]) == 8 and np.isfinite(run["losses"]).all()
        assert 0 < run["layers_moved"] <= run["layers"] and run["largest_change"] > 0
    assert list(walked["resumed"]) == NAMES[:1]
    killed = walked["resumed"][NAMES[0]]
    assert 1 <= killed["killed_after"] < 8
    assert killed["steps_after"] == 2 * (8 - killed["killed_after"])
    assert killed["largest_difference"] == 0
    assert walked["used"]["evaluated"] == 3 and walked["used"]["run"] == NAMES[-1]
    assert len(walked["used"]["label_maps"]) == len(walked["used"]["segmented"]) == 3


def test_a_recipe_comes_after_the_one_it_starts_from(script):
    names = script.recipes()
    assert len(names) == len(set(names)) and set(NAMES) < set(names)
    for place, name in enumerate(names):
        recipe = fcn.Recipe.load(name)
        assert recipe.backbone == "vgg16"
        assert not recipe.initial or Path(recipe.initial).name in names[:place]


def test_published_weights_load_by_keras(script, tmp_path):
    def network(seed):
        layers = [keras.layers.Dense(3, name="fc1"), keras.layers.Dense(2, name="fc2")]
        keras.utils.set_random_seed(seed)
        return keras.Sequential([keras.Input((4,)), *layers])

    one, other = network(0), network(1)
    script.publish(one, tmp_path / "weights.h5")
    other.load_weights(tmp_path / "weights.h5")
    assert all(map(np.array_equal, one.get_weights(), other.get_weights()))


def test_a_wrong_transplant_is_seen(script, narrow, tmp_path):
    path = tmp_path / "weights.h5"
    layers = [("fc1", "fc6"), ("fc2", "fc7")]
    with h5py.File(path, "w") as file:
        for old, new in layers:
            kernel, bias = narrow.get_layer(new).get_weights()
            file[f"{old}/{old}_W_1:0"] = kernel.reshape(-1, kernel.shape[-1])
            file[f"{old}/{old}_b_1:0"] = bias
    assert script.transplanted(path, narrow) == {"fc6": True, "fc7": True}
    with h5py.File(path, "a") as file:
        file["fc2/fc2_b_1:0"][0] += 1
        file["fc1/fc1_W_1:0"][:] = np.array(file["fc1/fc1_W_1:0"])[::-1]
    assert script.transplanted(path, narrow) == {"fc6": False, "fc7": False}


def test_the_largest_difference_of_two_checkpoints_is_found(script, tmp_path):
    for name, value in (("one", 3), ("other", 250)):
        with h5py.File(tmp_path / name, "w") as file:
            file["layers/a"] = np.zeros((2, 2), np.float32)
            file["optimizer/b"] = np.array([1, value], np.uint8)
    assert script.difference(tmp_path / "one", tmp_path / "other") == 247


def test_the_narrow_networks_are_counted_part_by_part(script):
    table = script.counts(backbone="vgg_narrow")
    widths = {"score_fr": 128, "score_pool4": 64, "score_pool3": 32}
    expected = {name: width * 21 + 21 for name, width in widths.items()}
    for network in table.values():
        parts = network["parts"]
        assert network["weights"] == sum(parts.values())
        assert parts.items() >= {name: expected[name] for name in list(parts)[1:]}.items()
    assert list(table["fcn8s"]["parts"])[1:] == list(expected)


def test_the_record_counts_the_weights_of_the_three_networks():
    for number, variant in enumerate(("fcn32s", "fcn16s", "fcn8s"), start=1):
        scores = dict(list(SCORES.items())[:number])
        network = RECORD["networks"][variant]
        assert network["parts"] == {"up to fc7": UP_TO_FC7, **scores}
        assert network["weights"] == UP_TO_FC7 + sum(scores.values())


def test_in_the_record_all_recipes_made_20_steps_and_moved(script):
    assert set(RECORD["runs"]) == set(script.recipes())
    for run in RECORD["runs"].values():
        assert run["steps"] == 20 and len(run["losses"]) == 2
        assert all(map(math.isfinite, run["losses"]))
        assert run["layers_moved"] > 0


def test_in_the_record_the_data_the_weights_and_the_resumed_run_are_the_same():
    records = RECORD["records"]
    assert records["same_images_and_labels"]
    assert records["bytes_for_12031"] == round(records["bytes"] / records["examples"] * 12_031)
    assert records["bytes_for_12031"] <= 1.3e9
    assert RECORD["transplanted"] == {"fc6": True, "fc7": True}
    assert "keras_fcn_fcn32s" in RECORD["resumed"]
    for killed in RECORD["resumed"].values():
        assert killed == {"killed_after": 1, "steps_after": 10, "largest_difference": 0}


def test_in_the_record_a_run_was_evaluated_and_a_photo_segmented():
    assert RECORD["used"]["evaluated"] == 3
    folder = "results/VOC2012/Segmentation/comp6_val_cls/"
    assert all(path.startswith(folder) for path in RECORD["used"]["label_maps"])
    assert len(RECORD["used"]["label_maps"]) == len(RECORD["used"]["segmented"]) == 3
