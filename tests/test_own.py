"""Own pictures, from the first look to an exported network, by command line and by Python."""

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import quick
from folders import CLASSES, NAMES, example, save

import fcn_tutorial as fcn
from fcn_tutorial import callbacks
from fcn_tutorial.losses import class_weights
from fcn_tutorial.prepared import fitted, summary
from fcn_tutorial.training import compiled_model

QUICK = replace(quick.QUICK, dataset="photos/", limit=0, epochs=1, steps_per_epoch=1)
PAIRS = [example(number) for number in range(6)]


@pytest.mark.slow
def test_the_readme_says_what_to_type_in_ten_lines(tmp_path, command_line, monkeypatch):
    """And the run can be evaluated and exported."""
    readme = Path(__file__).parents[1].joinpath("README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Your own pictures\n(.*?)^## ", readme, re.M | re.S)[1].strip()
    assert len(section.splitlines()) <= 10
    monkeypatch.chdir(tmp_path)
    for number, name in enumerate(NAMES):
        image, label = example(number)
        save(Path("pictures/images", f"{name}.jpg"), image)
        save(Path("pictures/masks", f"{name}.png"), label)
    Path("pictures/classes.txt").write_text("\n".join(CLASSES))
    save(Path("new.jpg"), example(0)[0])
    lines = re.findall(r"fcn-tutorial (.*)", section)
    lines += ["data records pictures --output records", "evaluate runs/own --predictions labels"]
    for line in [*lines, "export runs/own --output net.tflite --size 64"]:
        short = ["--epochs", "1", "--set", "steps_per_epoch=1"] if line[:5] == "train" else []
        code, _, error = command_line(*shlex.split(line.strip("`.")), *short)
        assert code == 0, (line, error)
    written = ["inspect.png", "runs/own/report-pictures-test.html", "predictions/new-overlay.png"]
    written += [f"labels/{name}.png" for name in fcn.load_dataset("pictures/", "test").names]
    assert all(Path(name).is_file() for name in [*written, "runs/own/scores-pictures-test.json"])
    assert json.loads(Path("net.tflite.json").read_text())["classes"] == list(CLASSES)
    assert fcn.load_run("runs/own").recipe.dataset == "pictures"


@pytest.mark.slow
def test_lists_of_pairs_are_trained_on_and_one_list_for_both_is_refused(tmp_path, refusal):
    options = {"verbose": 0, "classes": CLASSES}
    data = {"training": PAIRS[:4], "validation": PAIRS[4:], **options}
    run = fcn.train(QUICK, tmp_path / "run", **data)
    assert run.classes == CLASSES and len(run.history) == 1
    longer = fcn.train(replace(QUICK, epochs=2), tmp_path / "run", **data)
    assert longer.history[0] == run.history[0] and len(longer.history) == 2
    assert longer.recipe.epochs == 2
    assert "epochs" in refusal(fcn.train, QUICK, tmp_path / "run", **data)
    message = refusal(fcn.train, QUICK, tmp_path / "b", training=PAIRS, validation=PAIRS, **options)
    assert "allow_overlap" in message


def test_what_went_wrong_in_data_of_ones_own_is_the_cause_of_the_error(tmp_path):
    class Broken(list):
        def __getitem__(self, index):
            return super().__getitem__(index) if index < 3 else {}["absent"]

    data = {"training": Broken(PAIRS[:4]), "validation": PAIRS[4:], "classes": CLASSES}
    with pytest.raises(fcn.InputError, match="'train 3'") as raised:
        fcn.train(QUICK, tmp_path / "run", **data, verbose=0)
    assert isinstance(raised.value.__cause__, KeyError)


@pytest.mark.slow
def test_a_run_stops_when_no_epoch_is_better_and_keeps_the_best_or_the_last(tmp_path, monkeypatch):
    data = {"training": PAIRS[:4], "validation": PAIRS[4:], "classes": CLASSES, "verbose": 0}
    same = fcn.scores(np.ones((3, 3), int))
    monkeypatch.setattr(callbacks, "evaluate", lambda *_: same)
    recipe = replace(QUICK, epochs=9, patience=1)
    for keep, epoch in (("best", 1), ("last", 2)):
        kept = replace(recipe, keep=keep)
        run = fcn.train(kept, tmp_path / keep, **data)
        assert len(run.history) == 2
        assert json.loads((run.folder / "scores.json").read_text())["epoch"] == epoch
    assert fcn.train(kept, run.folder, **data).history == run.history


@pytest.mark.slow
def test_score_layers_for_other_classes_are_said_not_to_be_copied(capsys):
    compiled_model(replace(QUICK, initial="fcn32s"), 3, 1)
    said = capsys.readouterr().out
    assert "6 classes, not 3" in said and "score layers are not copied" in said


def sized(count):
    """So many examples of 200 x 90 pixels."""
    return [(np.zeros((90, 200, 3), np.uint8), np.zeros((90, 200), np.uint8))] * count


@pytest.mark.parametrize(
    ("count", "changes", "chosen"),
    [
        (10, {}, (64, 10, 25, "last", 0)),
        (400, {}, (64, 40, 50, "best", 8)),
        (9000, {}, (64, 40, 200, "best", 8)),
        (10, {"limit": 10}, (64, 10, 1, "last", 0)),
        (10, {"crop_size": 96, "epochs": 2, "steps_per_epoch": 3}, (96, 2, 3, "last", 0)),
    ],
)
def test_the_recipe_own_is_fitted_to_the_data(count, changes, chosen):
    recipe = fitted(fcn.Recipe.load("own", **changes), sized(count), sized(2))
    found = (recipe.crop_size, recipe.epochs, recipe.steps_per_epoch, recipe.keep, recipe.patience)
    assert found == chosen and not recipe.fit_to_data
    assert all(str(value) in summary(recipe) for value in chosen[:3])
    assert "1 epoch of 1 step;" in summary(replace(recipe, epochs=1, steps_per_epoch=1))


def test_class_weights_by_name_multiply_those_by_frequency(refusal):
    dataset = fcn.load_dataset("shapes", "val", count=4)
    factors = [[dataset.classes[2], 3.0]]
    plain = class_weights(dataset, 0.5)
    both = class_weights(dataset, 0.5, factors)
    np.testing.assert_allclose(both / plain, [1, 1, 3, 1, 1, 1])
    np.testing.assert_array_equal(class_weights(dataset, 0, factors), [1, 1, 3, 1, 1, 1])
    assert "'leaf'" in refusal(class_weights, dataset, 0, [["leaf", 2.0]])
