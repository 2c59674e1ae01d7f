"""Recipes and run folders: what is written, resumed, refused and kept."""

import json
import shutil
from dataclasses import replace

import h5py
import keras
import numpy as np
import pytest
from scipy import special

import fcn_tutorial as fcn
from fcn_tutorial import callbacks, devices, training
from fcn_tutorial.data.dataset import limited
from fcn_tutorial.data.records import write_records
from fcn_tutorial.losses import class_weights
from fcn_tutorial.optimizers import build_optimizer
from fcn_tutorial.runs import load_checkpoint

QUICK = fcn.Recipe(
    dataset="shapes",
    variant="fcn32s",
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


def test_a_finished_run_is_returned_as_it_is(run):
    before = (run.folder / "history.csv").read_bytes()
    again = fcn.train(QUICK, run.folder, verbose=0)
    assert (run.folder / "history.csv").read_bytes() == before
    assert same_weights(again.model, run.model)


def saved_arrays(folder):
    """What last.weights.h5 holds: weights, optimizer, step."""
    arrays = {}
    with h5py.File(folder / "checkpoints" / "last.weights.h5") as file:
        file.visititems(
            lambda name, item: arrays.update({name: item[()]} if hasattr(item, "shape") else {})
        )
    return arrays


def test_an_interrupted_run_ends_as_the_whole_one(run, tmp_path, monkeypatch):
    evaluate, calls = callbacks.evaluate, []

    def interrupted(*args, **kwargs):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return evaluate(*args, **kwargs)

    monkeypatch.setattr(callbacks, "evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fcn.train(QUICK, tmp_path / "run", verbose=0)
    monkeypatch.setattr(callbacks, "evaluate", evaluate)
    resumed = fcn.train(QUICK, tmp_path / "run", verbose=0)
    assert resumed.history == run.history
    assert same_weights(resumed.model, run.model)
    ours, theirs = saved_arrays(resumed.folder), saved_arrays(run.folder)
    assert len(ours) > 50
    for name in ours.keys() | theirs.keys():
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


AVERAGED = replace(QUICK, ema_momentum=0.5, optimizer="sgd", momentum=0.0, epochs=2)


def test_the_average_of_the_weights_is_what_is_kept(tmp_path, monkeypatch):
    """Plain steps, averaged by hand: the first step's weights, then half of old and new."""
    steps = []

    class Watched(training.RunFolder):
        def on_train_batch_end(self, batch, logs=None):
            steps.append([weight.numpy() for weight in self.model.trainable_weights])

    monkeypatch.setattr(training, "RunFolder", Watched)
    run = fcn.train(AVERAGED, tmp_path / "run", verbose=0)
    averages = [steps[0]]
    for weights in steps[1:]:
        averages.append([(a + b) / 2 for a, b in zip(averages[-1], weights, strict=True)])
    best = max(run.history, key=lambda row: row["val_mean_iou"])["epoch"]
    kept = [weight.numpy() for weight in run.model.trainable_weights]
    for ours, theirs in zip(kept, averages[2 * best - 1], strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


def test_an_interrupted_average_goes_on(tmp_path, monkeypatch):
    whole = fcn.train(AVERAGED, tmp_path / "whole", verbose=0)
    fit = training._fit

    def cut(*args, epochs, **options):
        fit(*args, epochs=1, **options)
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "_fit", cut)
    with pytest.raises(KeyboardInterrupt):
        fcn.train(AVERAGED, tmp_path / "cut", verbose=0)
    monkeypatch.setattr(training, "_fit", fit)
    resumed = fcn.train(AVERAGED, tmp_path / "cut", verbose=0)
    assert resumed.history == whole.history
    ours, theirs = saved_arrays(resumed.folder), saved_arrays(whole.folder)
    assert ours.keys() == theirs.keys()
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


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


def test_a_recipe_that_is_refused_leaves_the_precision_as_it_was(refusal):
    refusal(training.compiled_model, replace(QUICK, mixed_precision=True, weights="?"), 6, 2)
    assert keras.mixed_precision.global_policy().name == "float32"


def test_the_optimizer_of_another_precision_is_refused(tmp_path, monkeypatch, refusal):
    recipe = replace(QUICK, mixed_precision=True, epochs=1)
    monkeypatch.setattr(devices, "mixed_policy", lambda: "mixed_float16")
    run = fcn.train(recipe, tmp_path / "run", verbose=0)
    monkeypatch.setattr(devices, "mixed_policy", lambda: "mixed_bfloat16")
    model = training.compiled_model(recipe, 6, steps_per_epoch=2)
    message = refusal(load_checkpoint, run.folder, model)
    assert "last.weights.h5 cannot be loaded" in message and "optimizer" in message


def test_steps_that_loss_scaling_skips_count_as_steps(tmp_path, monkeypatch):
    """Sixteen-bit gradients overflow in the first steps, which the optimizer then leaves out."""
    monkeypatch.setattr(devices, "mixed_policy", lambda: "mixed_float16")
    recipe = replace(QUICK, mixed_precision=True, learning_rate=1e-6)
    run = fcn.train(recipe, tmp_path / "run", verbose=0)
    model = training.compiled_model(recipe, 6, steps_per_epoch=2)
    assert load_checkpoint(run.folder, model) == recipe.epochs
    assert int(model.optimizer.iterations) < 2 * recipe.epochs
    again = fcn.train(recipe, run.folder, verbose=0)
    assert [row["epoch"] for row in again.history] == [1, 2, 3]


def test_another_recipe_or_foreign_files_in_the_folder_are_refused(run, tmp_path):
    before = sorted(run.folder.rglob("*"))
    with pytest.raises(fcn.InputError, match=r"learning_rate = 0\.001, but this recipe has 0\.5"):
        fcn.train(replace(QUICK, learning_rate=0.5), run.folder, verbose=0)
    assert sorted(run.folder.rglob("*")) == before
    (tmp_path / "thesis.txt").write_text("do not lose")
    with pytest.raises(fcn.InputError, match=r"no recipe\.toml"):
        fcn.train(QUICK, tmp_path, verbose=0)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_validating_on_what_is_trained_on_is_refused(tmp_path, refusal):
    message = refusal(fcn.train, replace(QUICK, val_split="train"), tmp_path / "run", verbose=0)
    assert "4 of the 4 examples of shapes (train) are also in shapes (train)" in message
    assert not (tmp_path / "run").exists()


def test_an_overlap_that_is_allowed_is_recorded(run, tmp_path):
    recipe = replace(QUICK, val_split="train", allow_overlap=True, epochs=1)
    leaky = fcn.train(recipe, tmp_path / "run", verbose=0)
    for folder, count in ((leaky.folder, 4), (run.folder, 0)):
        assert json.loads((folder / "scores.json").read_text())["overlap"] == count


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("variant", "fcn4s"),
        ("backbone", "resnet"),
        ("weights", "absent.keras"),
        ("initial", "absent"),
        ("dataset", "cityscapes"),
        ("val_split", "dev"),
        ("scale", (2.0, 1.0)),
    ],
)
def test_a_recipe_that_cannot_be_used_leaves_no_folder(tmp_path, refusal, field, value):
    message = refusal(fcn.train, replace(QUICK, **{field: value}), tmp_path / "run", verbose=0)
    assert field.split("_")[-1] in message or str(value) in message
    assert not (tmp_path / "run").exists()


def test_staged_training_starts_from_the_coarser_run(run):
    staged = replace(QUICK, variant="fcn16s", initial=run.folder)
    model = training.compiled_model(staged, 6, 2)
    for layer in run.model.layers:
        if layer.weights:
            pairs = zip(layer.get_weights(), model.get_layer(layer.name).get_weights(), strict=True)
            assert all(np.array_equal(a, b) for a, b in pairs)
    assert not model.get_layer("score_pool4").get_weights()[0].any()


def test_a_finished_run_is_opened_without_what_it_began_with(run, tmp_path):
    initial = shutil.copytree(run.folder, tmp_path / "initial")
    staged = replace(QUICK, variant="fcn16s", initial=initial)
    done = fcn.train(staged, tmp_path / "run", verbose=0)
    shutil.rmtree(initial)
    again = fcn.train(staged, tmp_path / "run", verbose=0)
    assert again.history == done.history


def moves(**changes):
    """{layer/weight: (before, after)} of a first step in which all gradients are 1."""
    model = training.compiled_model(replace(QUICK, variant="fcn8s", **changes), 6, 2)
    before = [weight.numpy() for weight in model.trainable_weights]
    ones = [keras.ops.ones(weight.shape) for weight in model.trainable_weights]
    model.optimizer.apply(ones, model.trainable_weights)
    after = [weight.numpy() for weight in model.trainable_weights]
    paths = [weight.path for weight in model.trainable_weights]
    return {p: (b, a) for p, b, a in zip(paths, before, after, strict=True)}


@pytest.mark.parametrize("fraction", [1.0, 0.05, 0.0])
@pytest.mark.parametrize("optimizer", ["adamw", "adam"])
def test_the_trunk_learns_by_its_fraction_of_the_rate(fraction, optimizer):
    head = {"score_fr", "score_pool4", "score_pool3"}
    moved = moves(trunk_learning_rate=fraction, optimizer=optimizer)
    assert {path.split("/")[0] for path in moved} > head | {"block1_conv1", "block5_bn2", "fc6"}
    for path, (before, after) in moved.items():
        share = 1.0 if path.split("/")[0] in head else fraction
        distance = np.abs(before - after).mean()
        assert distance == pytest.approx(share * QUICK.learning_rate, rel=0.01, abs=1e-9), path


def test_sgd_adds_decay_to_the_gradient_and_doubles_the_rate_of_biases():
    moved = moves(
        optimizer="sgd", learning_rate=0.1, bias_learning_rate=2, weight_decay=0.5, momentum=0.9
    )
    names = {path.rpartition("/")[2] for path in moved}
    assert names == {"kernel", "bias", "gamma", "beta"}
    for path, (before, after) in moved.items():
        name = path.rpartition("/")[2]
        gradient = 1 + 0.5 * before if name == "kernel" else 1
        rate = 0.2 if name == "bias" else 0.1
        np.testing.assert_allclose(after, before - rate * gradient, atol=1e-6, err_msg=path)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_optimizers_follow_their_published_formulas(name):
    """Five steps on one weight against the formulas of Kingma and Ba 2015, and of AdamW 2019."""
    gradients, rate, decay = [0.3, -1.0, 0.5, 2.0, -0.1], 0.1, 0.2
    recipe = replace(QUICK, optimizer=name, learning_rate=rate, weight_decay=decay)
    recipe = replace(recipe, momentum=0.9, schedule="constant")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, use_bias=False)])
    model.layers[0].kernel.assign([[1.0]])
    optimizer = build_optimizer(recipe, model, 5)
    weight, first, second = 1.0, 0.0, 0.0
    for step, gradient in enumerate(gradients, start=1):
        given = keras.ops.convert_to_tensor([[gradient]], dtype="float32")
        optimizer.apply([given], model.trainable_weights)
        if name == "adamw":
            weight -= rate * decay * weight
        else:
            gradient += decay * weight
        first = 0.9 * first + (rate if name == "sgd" else 0.1) * gradient
        second = 0.999 * second + 0.001 * gradient**2
        unbiased = np.sqrt(second / (1 - 0.999**step)) + 1e-7
        weight -= first if name == "sgd" else rate * first / (1 - 0.9**step) / unbiased
        assert model.layers[0].kernel.numpy()[0, 0] == pytest.approx(weight, rel=1e-4)


@pytest.mark.parametrize(
    ("schedule", "formula"),
    [
        ("constant", lambda t: 1.0),
        ("poly", lambda t: (1 - t) ** 0.9),
        ("cosine", lambda t: (1 + np.cos(np.pi * t)) / 2),
    ],
)
@pytest.mark.parametrize("warmup", [0, 2])
def test_schedules_warm_up_and_then_follow_their_formula(schedule, formula, warmup):
    recipe = replace(QUICK, epochs=10, schedule=schedule, warmup_epochs=warmup, learning_rate=0.5)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    rate = build_optimizer(recipe, model, steps_per_epoch=10)._learning_rate
    first = 10 * warmup
    for step in range(101):
        if step < first:
            expected = 0.5 * step / first
        else:
            expected = 0.5 * formula((step - first) / (100 - first))
        assert float(rate(step)) == pytest.approx(expected, abs=1e-6)


def weights_after(images, labels, **changes):
    keras.utils.set_random_seed(0)
    recipe = replace(QUICK, dropout=0.0, optimizer="sgd", schedule="constant", **changes)
    model = training.compiled_model(recipe, 6, 2)
    for _ in range(3):
        model.train_on_batch(images, labels)
    return model.get_weights()


def test_a_summed_loss_equals_a_mean_loss_with_the_rate_times_the_pixels():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (2, 32, 32, 3)).astype("float32")
    labels = random.integers(0, 6, (2, 32, 32))
    labels[:, :5] = 255
    pixels = int((labels != 255).sum())
    common = {"momentum": 0.9, "bias_learning_rate": 2}
    summed = weights_after(
        images, labels, loss="sum", learning_rate=1e-5, weight_decay=5.0, **common
    )
    averaged = weights_after(
        images, labels, learning_rate=1e-5 * pixels, weight_decay=5.0 / pixels, **common
    )
    for one, other in zip(summed, averaged, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


def test_class_weights_are_powers_of_the_frequency_with_mean_one():
    scenes = fcn.load_dataset("shapes", "val", count=30)
    ids = np.concatenate([label.ravel() for _, label in scenes])
    ids = ids[ids != 255]
    weights = class_weights(scenes, 0.5)
    share = np.bincount(ids, minlength=6) / ids.size
    assert weights[ids].mean() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(weights / weights[0], (share / share[0]) ** -0.5, rtol=1e-5)
    assert class_weights(scenes, 0.0) is None


def test_a_class_without_pixels_weighs_one():
    scenes = fcn.load_dataset("shapes", "val", count=1)
    weights = class_weights(scenes, 1.0)
    present = np.isin(np.arange(6), scenes[0][1])
    assert not present.all() and (weights[~present] == 1).all() and np.isfinite(weights).all()


def test_weighted_training_minimises_the_weighted_mean_of_the_cross_entropy():
    scenes = fcn.load_dataset("shapes", "val", count=4)
    weights = class_weights(scenes, 0.5)
    batch = fcn.batches(scenes, batch_size=4, crop_size=96, class_weights=weights)
    images, labels, given = (np.array(part) for part in next(iter(batch)))
    counted = labels != 255
    np.testing.assert_array_equal(given[counted], weights[labels[counted]])
    model = training.compiled_model(replace(QUICK, dropout=0.0), 6, 2)
    logits = model.predict_on_batch(images)
    shifted = logits[counted] - special.logsumexp(logits[counted], axis=-1, keepdims=True)
    entropies = -shifted[np.arange(len(shifted)), labels[counted]]
    expected = (entropies * given[counted]).mean()
    assert model.test_on_batch(images, labels, given)[0] == pytest.approx(expected, rel=1e-3)


def test_frozen_layers_and_statistics_stay_as_they_are(run, refusal):
    recipe = replace(QUICK, freeze="block2_pool", freeze_normalization=True)
    model = training.compiled_model(recipe, 6, 2)
    before = {layer.name: layer.get_weights() for layer in model.layers}
    rng = np.random.default_rng(0)
    model.train_on_batch(rng.integers(0, 256, (2, 32, 32, 3)), rng.integers(0, 6, (2, 32, 32)))
    for layer in model.layers:
        same = all(map(np.array_equal, before[layer.name], layer.get_weights()))
        still = layer.name.startswith(("block1", "block2")) or "_bn" in layer.name
        assert same == (still or not before[layer.name]), layer.name
    wrong = replace(QUICK, freeze="conv_pw_5")
    assert "'freeze' is 'conv_pw_5'" in refusal(training.compiled_model, wrong, 6, 2)


def test_training_from_records_is_training_from_files(tmp_path, refusal):
    recipe = replace(QUICK, limit=0, steps_per_epoch=2, epochs=1, val_split="test")
    examples = fcn.load_dataset("shapes", "train")
    write_records(examples, tmp_path / "records", shards=3)
    from_records = replace(recipe, records=tmp_path / "records")
    runs = (
        fcn.train(r, tmp_path / str(i), verbose=0) for i, r in enumerate((recipe, from_records))
    )
    assert same_weights(*(run.model for run in runs))
    other = replace(from_records, train_split="val", val_split="test")
    message = refusal(fcn.train, other, tmp_path / "other", verbose=0)
    assert "holds records of shapes (train), but the recipe trains on shapes (val)" in message


def test_a_full_gpu_is_explained(tmp_path, monkeypatch, refusal):
    def full(*arguments, **options):
        raise RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate")

    monkeypatch.setattr(keras.Model, "fit", full)
    message = refusal(fcn.train, QUICK, tmp_path / "run", verbose=0)
    assert "smaller batch_size, for example 1" in message


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
    with pytest.raises(fcn.InputError, match=r"loss became nan in epoch 2, step 1 \(batch of "):
        fcn.train(QUICK, tmp_path / "run", verbose=0)
    monkeypatch.undo()
    kept = fcn.load_run(tmp_path / "run")
    assert all(np.isfinite(weight).all() for weight in kept.model.get_weights())
    assert all(np.isfinite(array).all() for array in saved_arrays(kept.folder).values())
    assert [row["epoch"] for row in kept.history] == [1]


def test_weights_that_are_no_numbers_are_not_saved(tmp_path, refusal):
    model = training.compiled_model(QUICK, 6, 2)
    layer = model.get_layer("score_fr")
    layer.set_weights([np.nan * weight for weight in layer.get_weights()])
    validation = fcn.load_dataset("shapes", "val", count=1)
    callback = training.RunFolder(tmp_path, model, validation, done=0)
    callback.set_model(model)
    callback.on_train_begin()
    message = refusal(callback.on_epoch_end, 0, {"loss": 1.0})
    assert "weights became NaN or infinite in epoch 1" in message
    assert not list(tmp_path.iterdir())


def test_a_broken_file_is_named_by_training(camvid_root, tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    for path in (camvid_root / "CamVid" / "train").glob("*.png"):
        path.write_bytes(path.read_bytes()[:60])
    recipe = replace(QUICK, dataset="camvid", limit=0)
    with pytest.raises(fcn.InputError, match=r"train\d\.png cannot be read"):
        fcn.train(recipe, tmp_path / "run", verbose=0)


def test_a_folder_that_is_no_run_is_refused(run, tmp_path, refusal):
    assert "recipe.toml is missing" in refusal(fcn.load_run, tmp_path)
    shutil.copy(run.folder / "recipe.toml", tmp_path)
    assert "classes.json is missing" in refusal(fcn.load_run, tmp_path)


@pytest.mark.parametrize("name", ["classes.json", "history.csv", "checkpoints/best.keras"])
def test_a_broken_file_of_a_run_is_named(run, tmp_path, refusal, name):
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / name).write_text("epoch,loss\n1,two\n")
    assert f"{name} cannot be loaded" in refusal(fcn.load_run, tmp_path / "run")


def test_a_broken_checkpoint_is_named_before_training_goes_on(run, tmp_path, refusal):
    shutil.copytree(run.folder, tmp_path / "run")
    (tmp_path / "run" / "checkpoints" / "last.weights.h5").write_bytes(b"no weights")
    message = refusal(fcn.train, QUICK, tmp_path / "run", verbose=0)
    assert "last.weights.h5 cannot be loaded" in message and "delete it" in message


def test_limited_shows_only_the_first_examples():
    dataset = fcn.load_dataset("shapes", "val")
    few = limited(dataset, 3)
    assert len(few) == 3 == len(list(few))
    np.testing.assert_array_equal(few[2][1], dataset[2][1])
    with pytest.raises(IndexError):
        few[3]


def test_a_run_of_record_is_read_by_its_name(refusal):
    record = fcn.run_of_record("camvid")
    assert record.recipe == fcn.Recipe.load("camvid")
    assert [row["epoch"] for row in record.history] == list(range(1, 13))
    best = max(row["val_mean_iou"] for row in record.history)
    assert record.scores["scores"].mean_iou == pytest.approx(best)
    assert len(record.classes) == len(record.scores["scores-camvid-test"].iou) == 11
    assert "camvid_enlarged" in refusal(fcn.run_of_record, "camvid_enlarge")
