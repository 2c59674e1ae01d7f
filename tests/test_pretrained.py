"""The networks that the package carries: their size, recipe and scores."""

import json
import os
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np
import pytest
from networks import image_of, layers_that_differ
from PIL import Image
from published import needs

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import limited
from fcn_tutorial.data.voc import VOC
from fcn_tutorial.pretrained import NAMES
from fcn_tutorial.weights import SHIPPED, load_model, restored, store
from studies.common import STUDIES

PHOTOS = sorted(Path(__file__).parent.parent.glob("studies/*/photos/*.jpg"))
CLASSIFIER = Path(os.environ.get("FCN_WEIGHTS", "")) / "efficientnet_lite0.keras"
REASON = "needs efficientnet_lite0.keras in the folder FCN_WEIGHTS"
needs_classifier = pytest.mark.skipif(not CLASSIFIER.is_file(), reason=REASON)


def test_together_they_are_small():
    sizes = {path.stem: path.stat().st_size for path in SHIPPED.glob("*.npz")}
    assert set(sizes) == set(NAMES)
    assert sizes["efficientnet_lite0"] <= 5_000_000
    assert sum(size for name, size in sizes.items() if name.startswith("voc_")) <= 8_000_000
    assert sum(sizes.values()) <= 20_000_000


@pytest.mark.parametrize("name", ["fcn32s", "fcn8s"])
@pytest.mark.slow
def test_an_fcn_has_the_recipe_and_reaches_the_scores_that_stand_beside_it(name):
    stored = json.loads((SHIPPED / f"{name}.json").read_text())
    assert fcn.Recipe.from_dict(stored["recipe"]) == fcn.Recipe.load(f"shapes_{name}")
    result = fcn.evaluate(fcn.load_trained(name), fcn.load_dataset("shapes", "test"))
    assert result.mean_iou == pytest.approx(stored["test_mean_iou"], abs=1e-3)
    assert result.pixel_accuracy == pytest.approx(stored["test_pixel_accuracy"], abs=1e-3)
    assert stored["test_mean_iou"] > 3 * stored["test_mean_iou_of_all_background"]


@pytest.mark.parametrize("bits", [16, 8])
def test_restored_weights_are_as_near_as_the_bits_allow(tmp_path, bits):
    image = keras.Input((None, None, 3))
    x = keras.layers.DepthwiseConv2D(3, name="first")(image)
    x = keras.layers.BatchNormalization(name="second")(x)
    model = keras.Model(image, keras.layers.Conv2D(1300, 3, name="third")(x))
    rng = np.random.default_rng(0)
    before = [
        rng.normal(size=weight.shape) * 10.0 ** rng.uniform(-2, 2) for weight in model.weights
    ]
    model.set_weights(before)
    store(model, tmp_path / "weights.npz", bits)
    model.set_weights([np.zeros_like(weight) for weight in before])
    restored(model, tmp_path / "weights.npz")
    large = model.get_layer("third").kernel.path
    for weight, old in zip(model.weights, before, strict=True):
        error = np.abs(keras.ops.convert_to_numpy(weight) - old)
        if bits == 8 and weight.path == large:
            assert (error <= np.abs(old).max(axis=(0, 1, 2)) / 254 * 1.001).all()
        else:
            assert (error <= np.abs(old) * 2**-11 + 2**-24).all()


def test_a_networks_own_normalization_uses_the_weights_that_are_restored(tmp_path):
    layer = keras.layers.Normalization(name="own")
    layer.adapt(image_of(4, 4))
    model = keras.Sequential([keras.Input((4, 4, 3)), layer])
    store(model, tmp_path / "weights.npz")
    fresh = keras.Sequential([keras.Input((4, 4, 3)), keras.layers.Normalization(name="own")])
    restored(fresh, tmp_path / "weights.npz")
    assert np.allclose(fresh(image_of(4, 4)), model(image_of(4, 4)), atol=0.01)


@pytest.mark.slow
def test_an_fcn_opens_by_its_name_as_a_run_does_and_coarser_ones_have_other_score_layers():
    run = fcn.load_run("voc_fcn8s")
    assert (run.classes, run.palette.tolist()) == (VOC.classes, VOC.palette.tolist())
    assert run.model.output_shape == (None, None, None, 21)
    assert run.recipe.backbone == "efficientnet_lite0"
    for variant, scores in (("fcn32s", {"fr"}), ("fcn16s", {"fr", "pool4"})):
        coarse = fcn.load_trained(f"voc_{variant}")
        assert layers_that_differ(coarse, run.model) == {f"score_{name}" for name in scores}


def test_the_network_of_a_study_opens_as_a_run_does(tmp_path, refusal):
    recipe = fcn.Recipe("camvid", backbone="vgg_narrow", variant="fcn32s")
    model = fcn.build_fcn("fcn32s", 2, "vgg_narrow")
    store(model, tmp_path / "network.npz")
    facts = {"recipe": asdict(recipe), "weights": ["network.npz"]}
    facts |= {"classes": ["road", "sky"], "palette": [[0, 0, 0], [255, 0, 0]]}
    (tmp_path / "network.json").write_text(json.dumps(facts))
    run = fcn.load_run(tmp_path)
    assert (run.recipe, run.classes) == (recipe, ("road", "sky"))
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    assert (fcn.segment(run.model, image) == fcn.segment(model, image)).mean() > 0.99
    (tmp_path / "network.json").write_text("[]")
    assert "network.json" in refusal(fcn.load_run, tmp_path)


@pytest.mark.slow
@needs("CamVid")
def test_the_network_for_streets_scores_as_its_study_says():
    folder = STUDIES / "camvid_efficientnet" / "network"
    run, record = fcn.load_run(folder), fcn.run_of_record("camvid_efficientnet")
    assert run.recipe == record.recipe and run.classes == record.classes
    stored = json.loads((folder / "network.json").read_text())
    exact = record.scores["scores-camvid-test"]
    assert stored["test_mean_iou"] == pytest.approx(exact.mean_iou, abs=5e-3)
    streets = limited(fcn.load_dataset("camvid", "test"), 8)
    result = fcn.evaluate(run.model, streets)
    assert result.pixel_accuracy == pytest.approx(exact.pixel_accuracy, abs=0.05)


@pytest.mark.slow
@needs_classifier
def test_the_classifier_is_nearly_the_one_in_32_bits():
    """On random crops of photographs that it was not fitted to."""
    rng, crops = np.random.default_rng(0), []
    for _ in range(50):
        photo = Image.open(PHOTOS[rng.integers(len(PHOTOS))]).convert("RGB")
        side = rng.uniform(0.4, 1) * min(photo.size)
        left, top = (rng.uniform(0, whole - side) for whole in photo.size)
        crops.append(photo.resize((224, 224), 2, (left, top, left + side, top + side)))
    crops = np.stack([np.asarray(crop) for crop in crops])
    models = load_model(CLASSIFIER), fcn.load_trained("efficientnet_lite0")
    best = [model.predict(crops, verbose=0).argmax(-1) for model in models]
    assert np.mean(np.equal(*best)) >= 0.94


def test_an_unknown_name_is_refused(refusal):
    assert "fcn8s" in refusal(fcn.load_trained, "fcn4s")


def test_a_file_that_is_missing_broken_or_of_another_network_is_named(tmp_path, refusal):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    (tmp_path / "broken.npz").write_bytes(b"PK no weights")
    (tmp_path / "broken.keras").write_bytes(b"PK no model")
    store(keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]), tmp_path / "other.npz")
    for name in ("missing.npz", "broken.npz", "other.npz"):
        assert str(tmp_path / name) in refusal(restored, network, tmp_path / name)
    lacking = refusal(restored, fcn.vgg_narrow(), tmp_path / "other.npz")
    assert "it holds no weight block1_conv1/kernel" in lacking
    for name in ("missing.keras", "broken.keras", "model.h5"):
        assert str(tmp_path / name) in refusal(load_model, tmp_path / name)
