"""Frozen layers that see each image once: the same run, and nothing of it is left behind."""

from dataclasses import replace

import numpy as np
import pytest
from networks import layers_that_differ
from quick import QUICK, in_the_second_epoch

import fcn_tutorial as fcn
from fcn_tutorial import features
from fcn_tutorial.devices import precision
from fcn_tutorial.optimizers import freeze

SEEN = {"weights": "shapes", "crop_size": 96, "dropout": 0.0, "learning_rate": 1e-2}
FIXED = replace(QUICK, variant="fcn8s", limit=3, freeze="fc7", freeze_normalization=True, **SEEN)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """(the run that computes everything again, the one that keeps the features)."""
    folder = tmp_path_factory.mktemp("features")
    recipes = replace(FIXED, keep_features=False), replace(FIXED, keep_features=True)
    return [fcn.train(r, folder / f"{r.keep_features}", verbose=0) for r in recipes]


def frozen(variant, last="fc7"):
    model = fcn.build_fcn(variant, 6, "vgg_narrow", "shapes")
    freeze(model, last, normalization=True)
    return model


def test_keeping_features_changes_no_loss_score_or_weight(runs):
    for one, other in zip(*(run.history for run in runs), strict=True):
        assert one == pytest.approx(other, rel=1e-4)
    for one, other in zip(*(run.model.get_weights() for run in runs), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_kept_features_label_large_images_by_tiles(tmp_path, monkeypatch):
    network = frozen("fcn8s")
    kept = features.KeptFeatures(network, "fc7", tmp_path)
    scene = fcn.load_dataset("shapes", "val", count=1)
    monkeypatch.setattr("fcn_tutorial.tiling.LARGEST_WHOLE", 100)
    assert fcn.evaluate(kept, scene).mean_iou == fcn.evaluate(network, scene).mean_iou


def test_only_the_layers_behind_the_frozen_ones_learn(runs):
    """And frozen normalization keeps its statistics."""
    start = fcn.build_fcn("fcn8s", 6, "vgg_narrow", "shapes")
    for run in runs:
        learned = layers_that_differ(start, run.model)
        assert learned == {"score_fr", "score_pool4", "score_pool3"}
        assert not (run.folder / "features").exists()


def test_a_run_that_keeps_features_is_resumed(runs, tmp_path):
    def stop(model):
        raise KeyboardInterrupt

    _, whole = runs
    recipe = replace(FIXED, keep_features=True)
    with in_the_second_epoch(stop), pytest.raises(KeyboardInterrupt):
        fcn.train(recipe, tmp_path / "run", verbose=0)
    assert list((tmp_path / "run" / "features").glob("*.npz"))
    resumed = fcn.train(recipe, tmp_path / "run", verbose=0)
    assert [row["epoch"] for row in resumed.history] == [1, 2]
    for one, other in zip(whole.model.get_weights(), resumed.model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("variant", "mixed"), [("fcn32s", False), ("fcn8s", True)])
def test_frozen_layers_compute_each_image_once_also_in_16_bits(tmp_path, variant, mixed):
    with precision(mixed):
        network = frozen(variant)
    kept = features.KeptFeatures(network, "fc7", tmp_path / "features")
    seen = []
    compute = kept.trunk.predict_on_batch
    kept.trunk.predict_on_batch = lambda images: seen.append(len(images)) or compute(images)
    images = np.random.default_rng(0).integers(0, 256, (3, 40, 33, 3)).astype(np.uint8)
    expected = network.predict_on_batch(images)
    exact = (1e-2 if mixed else 1e-5) * np.abs(expected).max()
    for _ in range(2):
        np.testing.assert_allclose(kept.predict_on_batch(images), expected, rtol=0, atol=exact)
    assert seen == [1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [{"freeze": ""}, {"dropout": 0.5}, {"flip": True}, {"scale": (0.5, 1)}, {"color": 0.1}],
)
def test_a_recipe_whose_features_would_change_is_refused(change, refusal):
    message = refusal(replace, FIXED, keep_features=True, **change)
    assert "'keep_features' needs" in message


def test_crops_smaller_than_the_images_are_refused(tmp_path, refusal):
    recipe = replace(FIXED, keep_features=True, crop_size=64)
    message = refusal(fcn.train, recipe, tmp_path / "run", verbose=0)
    assert "set crop_size to at least 96" in message
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ("image", "freeze = 'image' leaves none of one kind"),
        ("logits", "freeze = 'logits' leaves none of one kind"),
        ("upscore2", "needs the layers up to 'upscore2' to be frozen"),
    ],
)
def test_layers_that_leave_nothing_to_keep_or_to_learn_are_refused(tmp_path, refusal, last, says):
    network = frozen("fcn8s", "logits" if last == "logits" else "fc7")
    assert says in refusal(features.KeptFeatures, network, last, tmp_path)
