"""What is copied to a machine with a GPU, and the script that runs there, on tiny sizes."""

import json
import time
import zipfile
from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from studies.gpu import pack, run, train

SIZES = run.Sizes(
    backbones=("vgg_narrow",),
    side=32,
    batch=2,
    steps=1,
    rounds=1,
    matrix=8,
    half="",
    recipe="shapes_fcn8s",
    changes={"crop_size": 32, "batch_size": 2, "epochs": 2},
    pack=None,
    weights=None,
)


@pytest.fixture
def scenes():
    return [fcn.load_dataset("shapes", split, count=12) for split in ("train", "val")]


def test_a_pack_gives_back_every_label_of_images_that_are_small_enough(scenes, tmp_path):
    found = pack.pack(*scenes, tmp_path / "pack.zip", side=96, most_val=3)
    assert found["examples"] == {"train": [12, 12], "val": [3, 12]}
    for split, dataset in zip(("train", "val"), scenes, strict=True):
        packed = pack.Packed([tmp_path / "pack.zip"], split)
        assert packed.classes == dataset.classes and set(packed.names) <= set(dataset.names)
        assert np.array_equal(packed.palette, dataset.palette)
        for name, (image, label) in zip(packed.names, packed, strict=True):
            scene, truth = dataset[dataset.names.index(name)]
            assert np.array_equal(label, truth)
            assert image.shape == scene.shape and np.abs(image - 1.0 * scene).mean() < 8


def test_larger_images_and_labels_are_made_smaller_alike(scenes, tmp_path):
    pack.pack(*scenes, tmp_path / "pack.zip", side=48, most_val=2)
    packed = pack.Packed([tmp_path / "pack.zip"], "val")
    image, label = packed[0]
    truth = Image.fromarray(scenes[1][0][1]).resize((48, 48), Image.Resampling.NEAREST)
    assert image.shape == (48, 48, 3) and np.array_equal(label, np.asarray(truth))


def test_a_pack_takes_what_fits_and_no_more(scenes, tmp_path, refusal):
    path = tmp_path / "pack.zip"
    pack.pack(*scenes, path, most_val=2)
    everything = path.stat().st_size
    for share in (0.4, 0.7, 0.99):
        found = pack.pack(*scenes, path, max_mb=share * everything / 1e6, most_val=2)
        assert path.stat().st_size <= share * everything
        assert 0 < found["examples"]["train"][0] < 12
    message = refusal(pack.pack, *scenes, path, max_mb=0.001)
    assert "--most-val" in message and "--max-mb" in message


def test_several_packs_are_one_data_set(scenes, tmp_path):
    whole, parts = tmp_path / "whole.zip", [tmp_path / "first.zip", tmp_path / "rest.zip"]
    pack.pack(*scenes, whole, most_val=2)
    size = whole.stat().st_size / 1e6
    first = pack.pack(*scenes, parts[0], max_mb=size / 2, most_val=2)["examples"]["train"][0]
    rest = pack.pack(*scenes, parts[1], most_val=0, skip=first)["examples"]
    assert 0 < first < 12 and rest == {"val": [0, 12], "train": [12 - first, 12]}
    for split in ("train", "val"):
        one, several = pack.Packed([whole], split), pack.Packed(parts, split)
        assert several.names == one.names and several.fingerprint == one.fingerprint
        assert np.array_equal(several[len(one) - 1][1], one[len(one) - 1][1])


def test_equal_packs_are_equal_bytes_and_a_changed_one_is_refused(scenes, tmp_path, refusal):
    paths = [tmp_path / name for name in ("a.zip", "b.zip")]
    for path in paths:
        pack.pack(*scenes, path, most_val=2)
    assert paths[0].read_bytes() == paths[1].read_bytes()
    with zipfile.ZipFile(paths[0]) as file:
        content = {name: file.read(name) for name in file.namelist()}
    one, other = (name for name in content if name.startswith("val/") and name.endswith(".png"))
    content[one], content[other] = content[other], content[one]
    pack.write_zip(paths[1], content)
    assert str(paths[1]) in refusal(pack.Packed, paths[1:], "val")
    assert len(pack.Packed(paths[1:], "train")) == 12
    paths[0].write_bytes(paths[0].read_bytes()[:-100])
    assert str(paths[0]) in refusal(pack.Packed, paths, "val")


def test_weights_go_to_the_layers_of_their_names_and_shapes(tmp_path, refusal):
    def network(seed, filters):
        keras.utils.set_random_seed(seed)
        layers = [keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="first")]
        return keras.Sequential([*layers, keras.layers.Conv2D(filters, 1, name="last")])

    path, given, taken = tmp_path / "weights.npz", network(0, 2), network(1, 3)
    given.save(tmp_path / "given.keras")
    pack.write_weights(path, pack.weights_of(tmp_path / "given.keras"))
    kept = taken.get_layer("last").get_weights()
    assert pack.give(taken, path) == ["first"]
    kernel, bias = given.get_layer("first").get_weights()
    halves = [kernel.astype(np.float16), bias]
    for found, expected in zip(taken.get_layer("first").get_weights(), halves, strict=True):
        assert np.array_equal(found, expected)
    assert np.array_equal(taken.get_layer("last").get_weights()[0], kept[0])
    assert str(path) in refusal(pack.give, keras.Sequential([keras.layers.Flatten()]), path)
    assert "first/0" in refusal(pack.write_weights, path, {"first/0": np.array([[1e6]])})


def test_padding_adds_nothing_but_void(scenes):
    class Two(list):
        name, split, classes, palette = "two", "val", ("a",), scenes[0].palette
        names = ("low", "wide")

    low, wide = scenes[1][0], tuple(each[:40] for each in scenes[1][0])
    padded = train.Padded(Two([low, wide]))
    for (image, label), (larger, ids) in zip([low, wide], padded, strict=True):
        height, width = label.shape
        assert larger.shape == (96, 96, 3) and np.array_equal(ids[:height, :width], label)
        assert np.array_equal(larger[:height, :width], image) and (ids[height:] == 255).all()
    assert train.Padded(scenes[1], most=3).names == tuple(scenes[1].names[i] for i in (0, 6, 11))


def test_it_stops_when_its_minutes_are_up_and_has_written_what_it_found():
    written, began = [], time.monotonic()
    found = run.measure("ab", SIZES, 0.06, {"machine": {}}, written.append, began)
    assert 1 < time.monotonic() - began < 3.6 + 2
    assert {"part": "a"} in found["left_out"]  # a sixth of 3.6 seconds is too little
    rows = [{key: row[key] for key in ("bits", "compiled", "network")} for row in found["b"]]
    left = [row for row in found["left_out"] if row["part"] == "b"]
    assert rows and len(rows) + len(left) == len(run.plan("b", SIZES))
    assert "second" in found["b"][0]["error"]
    assert json.loads(json.dumps(written[-1])) == found and len(written) > len(rows)


def test_what_goes_wrong_in_a_row_is_its_finding():
    assert list(run.follow(open, ("/nowhere/at all",), 60)) == [
        {"error": "FileNotFoundError: No such file or directory"}
    ]


def test_without_a_gpu_it_says_so_in_one_line(monkeypatch, refusal):
    monkeypatch.setattr(run, "follow", lambda *arguments: iter([{"gpu": False}]))
    monkeypatch.setenv("KERAS_BACKEND", "jax")  # which it sets itself where none is set
    message = refusal(run.main, [])
    assert "GPU" in message and "--allow-cpu" in message


@pytest.mark.slow
@pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="the study runs on JAX and PyTorch"
)
def test_every_part_measures_on_tiny_sizes(scenes, tmp_path):
    path = tmp_path / "pack.zip"
    pack.pack(*scenes, path, most_val=2)
    sizes = run.Sizes(**{**vars(SIZES), "pack": path})
    (products,) = list(run.matrix_products({}, sizes))[-1:]
    assert set(products["operations_a_second"]) == set(run.RATES)
    for row, measure in run.plan("b", sizes)[6:] + run.plan("d", sizes)[1:]:
        found = run.with_share(list(measure(row, sizes))[-1], {"a": [products]})
        assert found["images_a_second"] > 0 and found["peak_bytes"] > 1e7
        assert measure is run.prediction or found["share_of_matrix_product"] > 0
    *_, scored = run.learning({}, sizes, 20)
    assert np.isfinite(scored["losses"]).all() and scored["images_a_second"] > 0
    assert scored["data"] == {"name": "shapes", "train": 12, "val": 2}
    assert 0 < scored["val"]["mean_iou"] < 1


@pytest.mark.slow
def test_a_run_starts_from_weights_stages_go_on_and_its_network_comes_back(scenes, tmp_path):
    path, start, first = tmp_path / "pack.zip", tmp_path / "start.npz", tmp_path / "first"
    pack.pack(*scenes, path, most_val=2)
    recipe = fcn.Recipe.load("shapes_fcn32s", weights="none", **SIZES.changes)
    keras.utils.set_random_seed(3)
    pack.write_weights(start, pack.weights_of_model(fcn.build_fcn("fcn32s", 6, "vgg_narrow")))
    frozen = {"learning_rate": 0.0, "epochs": 1, "freeze_normalization": True}
    *_, found = train.learn(replace(recipe, **frozen), [path], first, 5, start, path, steps=1)
    assert found["test"]["confusion"] == found["val"]["confusion"]
    expected = fcn.load_run(first).model
    (first / "checkpoints" / "best.keras").unlink()
    pack.main(["model", str(first)])
    photo = scenes[1][0][0]
    given, (kernel, *_) = np.load(start), expected.get_layer("fc6").get_weights()
    assert np.array_equal(kernel.astype(np.float16), given["fc6/0"])
    restored = fcn.load_run(first).model
    assert (fcn.segment(restored, photo) == fcn.segment(expected, photo)).mean() > 0.99
    second = replace(recipe, variant="fcn16s", initial=str(first), weights="none")
    *_, found = train.learn(second, [path], tmp_path / "second", 5, steps=1)
    assert fcn.load_run(tmp_path / "second").model.name == "fcn16s"
