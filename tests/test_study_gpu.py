"""What is copied to a machine with a GPU, and the training that runs there, on tiny sizes."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data.pairs import Pairs
from studies.gpu import pack, train


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


def test_padding_adds_nothing_but_void(scenes):
    pairs = [scenes[1][0], tuple(each[:40] for each in scenes[1][0])]
    padded = train.Padded(Pairs(pairs, "val", scenes[1].classes))
    for (image, label), (larger, ids) in zip(pairs, padded, strict=True):
        height, width = label.shape
        assert larger.shape == (96, 96, 3) and np.array_equal(ids[:height, :width], label)
        assert np.array_equal(larger[:height, :width], image) and (ids[height:] == 255).all()
    assert train.Padded(scenes[1], most=3).names == tuple(scenes[1].names[i] for i in (0, 6, 11))


@pytest.mark.slow
def test_a_run_starts_from_weights_stages_go_on_and_its_network_comes_back(
    scenes, tmp_path, monkeypatch
):
    path, start, first = tmp_path / "pack.zip", tmp_path / "start.npz", tmp_path / "first"
    pack.pack(*scenes, path, most_val=2)
    tiny = {"crop_size": 32, "batch_size": 2, "epochs": 1, "weights": "none"}
    recipe = fcn.Recipe.load("shapes_fcn32s", **tiny)
    keras.utils.set_random_seed(3)
    pack.write_weights(start, pack.weights_of_model(fcn.build_fcn("fcn32s", 6, "vgg_narrow")))
    frozen = replace(recipe, learning_rate=0.0, freeze_normalization=True)
    *_, found = train.learn(frozen, [path], first, 5, start, path, steps=1)
    assert found["test"]["confusion"] == found["val"]["confusion"]
    assert found["data"] == {"name": "shapes", "train": 12, "val": 2}
    assert np.isfinite(found["losses"]).all() and found["images_a_second"] > 0
    expected = fcn.load_run(first).model
    (first / "checkpoints" / "best.keras").unlink()
    pack.main(["model", str(first)])
    photo = scenes[1][0][0]
    given, (kernel, *_) = np.load(start), expected.get_layer("fc6").get_weights()
    assert np.array_equal(kernel.astype(np.float16), given["fc6/0"])
    restored = fcn.load_run(first).model
    assert (fcn.segment(restored, photo) == fcn.segment(expected, photo)).mean() > 0.99
    second = replace(recipe, variant="fcn16s", initial=str(first))
    monkeypatch.setattr(train, "steps_until", lambda *_: 1)
    *_, found = train.learn(second, [path], tmp_path / "second", 5, steps=1)
    assert fcn.load_run(tmp_path / "second").model.name == "fcn16s"
