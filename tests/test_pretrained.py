"""The networks that the package carries: their size, recipe and scores."""

import keras
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data.shapes import single_shapes
from fcn_tutorial.pretrained import NAMES, trained_scores
from fcn_tutorial.recipe import RECIPES
from fcn_tutorial.weights import SHIPPED, load_model, restored, store

FCNS = ["fcn32s", "fcn8s"]


def test_all_of_them_take_at_most_3_mb():
    files = {path.name: path.stat().st_size for path in SHIPPED.glob("*.npz")}
    assert set(files) == {f"{name}.npz" for name in NAMES}
    assert sum(files.values()) <= 3_000_000


@pytest.mark.parametrize("name", FCNS)
@pytest.mark.slow
def test_an_fcn_reaches_the_scores_that_stand_beside_it(name):
    test = fcn.load_dataset("shapes", "test")
    result = fcn.evaluate(fcn.load_trained(name), test)
    stored = trained_scores(name)
    assert result.mean_iou == pytest.approx(stored["test_mean_iou"], abs=1e-3)
    assert result.pixel_accuracy == pytest.approx(stored["test_pixel_accuracy"], abs=1e-3)
    assert stored["test_mean_iou"] > 3 * stored["test_mean_iou_of_all_background"]


@pytest.mark.parametrize("name", FCNS)
def test_an_fcn_was_made_by_the_recipe_in_the_package_and_its_run_is_on_record(name):
    recipe = fcn.Recipe.load(RECIPES / f"shapes_{name}.toml")
    assert fcn.Recipe.from_dict(trained_scores(name)["recipe"]) == recipe
    assert fcn.run_of_record(f"shapes_{name}").recipe == recipe


def test_the_classifier_names_most_of_the_crops_it_has_never_seen():
    images, labels = single_shapes(120, seed=1)
    logits = fcn.load_trained("classifier").predict_on_batch(images.astype("float32"))
    assert np.mean(logits.argmax(-1) == labels) > 0.9


def test_stored_weights_are_the_models_own_to_16_bits(tmp_path):
    model = fcn.load_trained("classifier")
    store(model, tmp_path / "weights.npz")
    with np.load(tmp_path / "weights.npz") as file:
        assert {file[name].dtype for name in file.files} == {np.dtype(np.float16)}
        for name, weight in zip(file.files, model.get_weights(), strict=True):
            np.testing.assert_array_equal(file[name], weight)


def test_an_unknown_name_is_refused(refusal):
    assert "fcn8s" in refusal(fcn.load_trained, "fcn4s")


def test_a_file_that_is_missing_broken_or_of_another_network_is_named(tmp_path, refusal):
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    (tmp_path / "broken.npz").write_bytes(b"PK no weights")
    (tmp_path / "broken.keras").write_bytes(b"PK no model")
    store(keras.Sequential([keras.Input((2,)), keras.layers.Dense(4)]), tmp_path / "other.npz")
    for name in ("missing.npz", "broken.npz", "other.npz"):
        assert str(tmp_path / name) in refusal(restored, network, tmp_path / name)
    for name in ("missing.keras", "broken.keras", "model.h5"):
        assert str(tmp_path / name) in refusal(load_model, tmp_path / name)
