"""Training by recipes: what is written, resumed, refused and kept."""

import json
import shutil
from dataclasses import replace
from unittest.mock import Mock

import keras
import numpy as np
import pytest
import quick
from networks import layers_that_differ
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import devices, training
from fcn_tutorial.callbacks import why_stopped
from fcn_tutorial.data.dataset import limited
from fcn_tutorial.data.records import write_records
from fcn_tutorial.losses import REDUCTIONS
from fcn_tutorial.runs import resume

QUICK = replace(quick.QUICK, epochs=3, steps_per_epoch=2, flip=True, color=0.1, ema_momentum=0.5)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fcn.train(QUICK, tmp_path_factory.mktemp("run") / "quick", verbose=0)


@pytest.fixture
def camvid(camvid_root, monkeypatch):
    """A recipe on the small CamVid."""
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    return replace(QUICK, dataset="camvid", limit=0)


def test_a_run_folder_holds_what_the_run_depends_on_and_what_it_gave(run):
    assert fcn.Recipe.load(run.folder / "recipe.toml") == QUICK
    assert json.loads((run.folder / "environment.json").read_text())["keras"] == keras.__version__
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    expected = {"epoch", "loss", "mean_iou", "val_mean_iou", "val_pixel_accuracy"}
    assert run.history[0].keys() == expected
    names = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*.*")}
    assert {"history.csv", "scores.json", "checkpoints/last.weights.h5"} <= names
    assert not [name for name in names if "unfinished" in name]
    assert list((run.folder / "tensorboard").rglob("events*"))
    assert run.classes == fcn.load_dataset("shapes").classes


def test_the_kept_model_is_the_one_with_the_best_validation_score(run):
    best = max(run.history, key=lambda row: row["val_mean_iou"])
    stored = json.loads((run.folder / "scores.json").read_text())
    assert stored["epoch"] == best["epoch"]
    assert stored["examples"] == QUICK.limit
    assert stored["mean_iou"] == pytest.approx(best["val_mean_iou"])
    validation = limited(fcn.load_dataset("shapes", "val"), QUICK.limit)
    assert fcn.evaluate(run.model, validation).mean_iou == pytest.approx(stored["mean_iou"])


def test_mixed_precision_on_a_processor_is_bfloat16_and_learns_the_same(monkeypatch):
    monkeypatch.setattr(devices, "on_gpu", lambda: True)
    assert devices.mixed_policy() == "mixed_float16"
    monkeypatch.setattr(devices, "on_gpu", lambda: False)
    assert devices.mixed_policy() == "mixed_bfloat16"
    image, label = (array[None] for array in fcn.load_dataset("shapes", "train")[0])
    losses = {}
    for mixed in (False, True):
        recipe = replace(QUICK, mixed_precision=mixed, learning_rate=1e-3, dropout=0.0)
        keras.utils.set_random_seed(0)
        model = training.compiled_model(recipe, 6, steps_per_epoch=10)
        losses[mixed] = [model.train_on_batch(image, label)[0] for _ in range(10)]
    layer = model.get_layer("block1_conv1")
    assert (layer.compute_dtype, layer.variable_dtype) == ("bfloat16", "float32")
    assert model.output.dtype == "float32"
    assert losses[True][-1] < 0.8 * losses[True][0]
    np.testing.assert_allclose(losses[True], losses[False], rtol=0.1)


@pytest.mark.parametrize("key", REDUCTIONS)
def test_a_recipes_keys_choose_reduction_and_index(key):
    loss = training.compiled_model(replace(QUICK, loss=key, jaccard=0.5), 6, 1).loss
    assert (loss.reduction, loss.jaccard) == (REDUCTIONS[key], 0.5)


def test_a_recipe_that_is_refused_leaves_the_precision_as_it_was(refusal):
    refusal(training.compiled_model, replace(QUICK, mixed_precision=True, weights="?"), 6, 2)
    assert keras.mixed_precision.global_policy().name == "float32"


def test_steps_that_loss_scaling_skips_count(tmp_path, monkeypatch, refusal):
    """In 16 bits, the first gradients overflow; and such an optimizer fits no other precision."""
    monkeypatch.setattr(devices, "mixed_policy", lambda: "mixed_float16")
    recipe = replace(QUICK, mixed_precision=True, learning_rate=1e-6, epochs=2)
    run = fcn.train(recipe, tmp_path / "run", verbose=0)
    model = training.compiled_model(recipe, 6, steps_per_epoch=2)
    assert resume(run.folder, model, 2) == recipe.epochs
    assert int(model.optimizer.iterations) < 2 * recipe.epochs
    monkeypatch.setattr(devices, "mixed_policy", lambda: "mixed_bfloat16")
    other = training.compiled_model(recipe, 6, steps_per_epoch=2)
    message = refusal(resume, run.folder, other, 2)
    assert "last.weights.h5" in message and "optimizer" in message


def test_another_recipe_or_foreign_files_in_the_folder_are_refused(run, tmp_path, refusal):
    before = sorted(run.folder.rglob("*"))
    message = refusal(fcn.train, replace(QUICK, learning_rate=0.5), run.folder, verbose=0)
    assert "learning_rate" in message and "0.001" in message and "0.5" in message
    assert sorted(run.folder.rglob("*")) == before
    (tmp_path / "thesis.txt").write_text("do not lose")
    assert "no recipe.toml" in refusal(fcn.train, QUICK, tmp_path, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_staged_training_starts_from_the_coarser_run_and_then_does_without_it(run, tmp_path):
    """And an overlap that is allowed is recorded."""
    initial = shutil.copytree(run.folder, tmp_path / "initial")
    still = {"learning_rate": 0.0, "freeze_normalization": True, "epochs": 1}
    leaky = {"val_split": "train", "allow_overlap": True}
    staged = replace(QUICK, variant="fcn16s", initial=initial, **still, **leaky)
    done = fcn.train(staged, tmp_path / "run", verbose=0)
    assert not layers_that_differ(run.model, done.model)
    assert not done.model.get_layer("score_pool4").get_weights()[0].any()
    for folder, count in ((done.folder, 4), (run.folder, 0)):
        assert json.loads((folder / "scores.json").read_text())["overlap"] == count
    shutil.rmtree(initial)
    assert fcn.train(staged, tmp_path / "run", verbose=0).history == done.history


def test_training_from_records_is_training_from_files(camvid, tmp_path, refusal):
    recipe = replace(camvid, epochs=1, val_split="test")
    write_records(fcn.load_dataset("camvid", "train"), tmp_path / "records", shards=3)
    from_records = replace(recipe, records=tmp_path / "records")
    runs = (
        fcn.train(r, tmp_path / str(i), verbose=0) for i, r in enumerate((recipe, from_records))
    )
    assert not layers_that_differ(*(run.model for run in runs))
    other = replace(from_records, train_split="val", val_split="test")
    message = refusal(fcn.train, other, tmp_path / "other", verbose=0)
    assert "records" in message and "camvid (val)" in message


def test_a_full_gpu_is_explained(tmp_path, monkeypatch, refusal):
    full = RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")
    monkeypatch.setattr(keras.Model, "fit", Mock(side_effect=full))
    message = refusal(fcn.train, QUICK, tmp_path / "run", verbose=0)
    assert "smaller batch_size, for example 1" in message
    said = str(why_stopped(full, replace(QUICK, batch_size=1)))
    assert "smaller crop_size, for example 16" in said


def test_a_broken_file_is_named_by_training(camvid, camvid_root, tmp_path):
    for path in (camvid_root / "CamVid" / "train").glob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(fcn.InputError, match=r"train\d\.png cannot be read"):
        fcn.train(camvid, tmp_path / "run", verbose=0)


@pytest.mark.parametrize(("kept", "shown"), [(0, "sky"), (None, "nothing")])
def test_labels_of_one_class_are_refused(camvid, camvid_root, tmp_path, refusal, kept, shown):
    """As of masks with 255 for what is to be found."""
    for path in (camvid_root / "CamVid" / "trainannot").glob("*.png"):
        label = np.array(Image.open(path))
        Image.fromarray(np.where(label == kept, label, 255).astype(np.uint8)).save(path)
    message = refusal(fcn.train, camvid, tmp_path / "run", verbose=0)
    assert f"camvid (train) show {shown} besides void" in message and "255" in message
    assert not (tmp_path / "run").exists()
