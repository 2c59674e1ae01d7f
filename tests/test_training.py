"""Recipes and run folders: what is written, resumed, refused and kept."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial import training

QUICK = fcn.Recipe(
    dataset="shapes",
    backbone="vgg_narrow",
    weights="none",
    limit=4,
    crop_size=32,
    batch_size=2,
    epochs=3,
    steps_per_epoch=2,
    flip=True,
    color=0.1,
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return fcn.train(QUICK, tmp_path_factory.mktemp("run") / "quick", verbose=0)


def same_weights(one, other):
    pairs = zip(one.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def test_shipped_recipes_load_and_survive_saving(tmp_path):
    for name in ("shapes", "camvid"):
        recipe = fcn.Recipe.load(name)
        recipe.save(tmp_path / f"{name}.toml")
        assert fcn.Recipe.load(tmp_path / f"{name}.toml") == recipe


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('dataset = "shapes"\nbatch_sise = 2', "batch_sise.*did you mean 'batch_size'"),
        ("epochs = 2", "no 'dataset'"),
        ('dataset = "shapes"\nepochs = "2"', "'epochs'.*must be of type int"),
        ('dataset = "shapes"\nepochs = true', "'epochs'.*must be of type int"),
        ('dataset = "shapes"\nepochs = -1', "'epochs'.*at least 0"),
        ('dataset = "shapes"\nscale = [1.0]', "'scale'.*two numbers"),
        ('dataset = "shapes', "not valid TOML"),
    ],
)
def test_a_recipe_with_a_mistake_names_it(tmp_path, text, message):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(fcn.InputError, match=message):
        fcn.Recipe.load(path)


def test_an_unknown_recipe_is_answered_with_the_known_ones():
    with pytest.raises(fcn.InputError, match="camvid, shapes"):
        fcn.Recipe.load("pascal")


def test_a_run_folder_holds_what_the_run_depends_on_and_what_it_gave(run):
    assert fcn.Recipe.load(run.folder / "recipe.toml") == QUICK
    assert json.loads((run.folder / "environment.json").read_text())["keras"] == keras.__version__
    assert [row["epoch"] for row in run.history] == [1, 2, 3]
    assert {"loss", "mean_iou", "val_mean_iou"} <= run.history[0].keys()
    assert list((run.folder / "tensorboard").rglob("events*"))
    assert run.classes == fcn.load_dataset("shapes").classes


def test_the_kept_model_is_the_one_with_the_best_validation_score(run):
    best = max(run.history, key=lambda row: row["val_mean_iou"])
    stored = json.loads((run.folder / "scores.json").read_text())
    assert stored["epoch"] == best["epoch"]
    assert stored["mean_iou"] == pytest.approx(best["val_mean_iou"])
    validation = training.limited(fcn.load_dataset("shapes", "val"), QUICK.limit)
    assert fcn.evaluate(run.model, validation).mean_iou == pytest.approx(stored["mean_iou"])


def test_a_finished_run_is_returned_as_it_is(run):
    before = (run.folder / "history.csv").read_bytes()
    again = fcn.train(QUICK, run.folder, verbose=0)
    assert (run.folder / "history.csv").read_bytes() == before
    assert same_weights(again.model, run.model)


def test_an_interrupted_run_ends_as_the_whole_one(run, tmp_path, monkeypatch):
    evaluate, calls = training.evaluate, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(training, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fcn.train(QUICK, tmp_path / "run", verbose=0)
    monkeypatch.setattr(training, "evaluate", evaluate)
    resumed = fcn.train(QUICK, tmp_path / "run", verbose=0)
    assert resumed.history == run.history
    assert same_weights(resumed.model, run.model)


def test_another_recipe_or_foreign_files_in_the_folder_are_refused(run, tmp_path):
    before = sorted(run.folder.rglob("*"))
    with pytest.raises(fcn.InputError, match=r"learning_rate = 0\.001, but this recipe has 0\.5"):
        fcn.train(replace(QUICK, learning_rate=0.5), run.folder, verbose=0)
    assert sorted(run.folder.rglob("*")) == before
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(fcn.InputError, match=r"no recipe\.toml"):
        fcn.train(QUICK, tmp_path, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_recipe_that_gives_no_model_leaves_no_folder(tmp_path):
    with pytest.raises(fcn.InputError, match="unknown variant 'fcn4s'"):
        fcn.train(replace(QUICK, variant="fcn4s"), tmp_path / "run", verbose=0)
    assert not (tmp_path / "run").exists()


def test_staged_training_starts_from_the_coarser_run(run, tmp_path):
    coarse = fcn.train(replace(QUICK, variant="fcn32s", epochs=1), tmp_path / "32s", verbose=0)
    staged = replace(QUICK, variant="fcn16s", initial=str(coarse.folder))
    model = training.compiled_model(staged, 6, 2)
    for layer in coarse.model.layers:
        if layer.weights:
            pairs = zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs)
    assert not model.get_layer("score_pool4").get_weights()[0].any()


def test_the_trunk_learns_by_its_fraction_of_the_rate():
    image = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3)).astype("float32")
    label = np.zeros((2, 32, 32), np.uint8)
    moved = {}
    for fraction in (1.0, 0.05, 0.0):
        keras.utils.set_random_seed(0)
        model = training.compiled_model(replace(QUICK, trunk_learning_rate=fraction), 6, 2)
        layers = [model.get_layer(name) for name in ("block1_conv1", "score_fr")]
        before = [layer.get_weights()[0] for layer in layers]
        model.train_on_batch(image, label)
        after = [layer.get_weights()[0] for layer in layers]
        moved[fraction] = [np.abs(b - a).max() for a, b in zip(before, after, strict=True)]
    trunk, head = zip(*(moved[fraction] for fraction in (1.0, 0.05, 0.0)), strict=True)
    assert trunk[1] == pytest.approx(0.05 * trunk[0], rel=0.01)
    assert trunk[2] == 0
    assert head[0] == pytest.approx(head[1]) == pytest.approx(head[2])
    assert head[0] > 0


def test_a_loss_that_is_no_number_stops_training_and_keeps_the_checkpoints(tmp_path, monkeypatch):
    fit = keras.Model.fit

    def poisoned(model, data, **options):
        class Poison(keras.callbacks.Callback):
            def on_epoch_begin(self, epoch, logs=None):
                if epoch == 1:
                    layer = self.model.get_layer("score_fr")
                    layer.set_weights([np.nan * weight for weight in layer.get_weights()])

        options["callbacks"].append(Poison())
        return fit(model, data, **options)

    monkeypatch.setattr(keras.Model, "fit", poisoned)
    with pytest.raises(fcn.InputError, match="loss became nan in epoch 2: lower learning_rate"):
        fcn.train(QUICK, tmp_path / "run", verbose=0)
    monkeypatch.undo()
    kept = fcn.load_run(tmp_path / "run")
    assert all(np.isfinite(weight).all() for weight in kept.model.get_weights())


def test_a_broken_file_is_named_by_training(camvid_root, tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    for path in (camvid_root / "CamVid" / "train").glob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    recipe = replace(QUICK, dataset="camvid", limit=0)
    with pytest.raises(fcn.InputError, match=r"train\d\.png cannot be read"):
        fcn.train(recipe, tmp_path / "run", verbose=0)


def test_a_folder_that_is_no_run_is_refused(run, tmp_path):
    with pytest.raises(fcn.InputError, match="not a finished run"):
        fcn.load_run(tmp_path)
    for name in ("recipe.toml", "classes.json"):
        (tmp_path / name).write_bytes((run.folder / name).read_bytes())
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.keras").write_bytes(b"no model")
    with pytest.raises(fcn.InputError, match=r"best\.keras cannot be loaded"):
        fcn.load_run(tmp_path)


def test_limited_shows_only_the_first_examples():
    dataset = fcn.load_dataset("shapes", "val")
    few = training.limited(dataset, 3)
    assert len(few) == 3 == len(list(few))
    np.testing.assert_array_equal(few[2][1], dataset[2][1])
    with pytest.raises(IndexError):
        few[3]
