"""What is copied to a machine with a GPU, and the script that runs there, on tiny sizes."""

from dataclasses import replace

import keras
import numpy as np
import pytest

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
