"""Recipes: what a file may hold, what is refused, and what the shipped ones say."""

import shutil
from dataclasses import replace

import pytest

import fcn_tutorial as fcn
from fcn_tutorial.recipe import RECIPES

SHIPPED = sorted(path.stem for path in RECIPES.glob("*.toml"))
QUICK = fcn.Recipe("shapes", limit=4, crop_size=32, flip=True, color=0.1)


def test_shipped_recipes_load_and_survive_saving(tmp_path):
    assert {"shapes", "camvid"} <= set(SHIPPED)
    for name in SHIPPED:
        recipe = fcn.Recipe.load(name)
        recipe.save(tmp_path / f"{name}.toml")
        assert fcn.Recipe.load(tmp_path / f"{name}.toml") == recipe


def test_odd_paths_numbers_and_weights_survive_saving(tmp_path):
    odd = {"weights": 'a "b" \\ \N{SNOWMAN} 👩\u2028.h5', "learning_rate": 1e-7, "scale": [0.07, 3]}
    recipe = replace(QUICK, **odd, class_weights=[["leaf", 2], ["stem", 0.5]])
    recipe.save(tmp_path / "recipe.toml")
    assert fcn.Recipe.load(tmp_path / "recipe.toml") == recipe
    assert recipe.class_weights == (("leaf", 2.0), ("stem", 0.5))


def test_a_recipe_holds_paths_lists_and_whole_numbers_as_its_file_does(tmp_path):
    recipe = replace(QUICK, initial=tmp_path, scale=[1, 2], learning_rate=1)
    assert recipe == replace(QUICK, initial=str(tmp_path), scale=(1.0, 2.0), learning_rate=1.0)
    assert type(recipe.learning_rate) is float and type(recipe.scale) is tuple


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("epochs", 0),
        ("limit", -3),
        ("learning_rate", float("nan")),
        ("learning_rate", True),
        ("scale", (1.0, "2")),
        ("scale", [1.0]),
        ("scale", (1e-6, 1.0)),
        ("scale", (1.0, 17.0)),
        ("dropout", 1.0),
        ("optimizer", {"name": "sgd"}),
        ("schedule", "step"),
        ("flip", 1),
        ("weights", None),
    ],
)
def test_a_value_that_no_training_could_use_is_named_with_its_key_and_file(refusal, field, value):
    with pytest.raises(fcn.InputError):
        replace(QUICK, **{field: value})
    message = refusal(fcn.Recipe.from_dict, {"dataset": "shapes", field: value}, "mine.toml")
    assert "mine.toml" in message and repr(field) in message and repr(value) in message


@pytest.mark.parametrize("field", ["epochs", "learning_rate"])
def test_an_enormous_value_is_shortened(refusal, field):
    for value in (10**400, "1" * 5000):
        assert len(refusal(replace, QUICK, **{field: value})) < 200


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (b'dataset = "shapes"\nbatch_sise = 2', ("batch_sise", "'batch_size'")),
        (b'dataset = "shapes"\nnum_classes = 6', ("'num_classes'",)),
        (b"epochs = 2", ("'dataset'",)),
        (b'dataset = "shapes', ("TOML",)),
        (b"\xff\xfe", ("UTF-8",)),
        (b'dataset = "shapes"\n' + 50_000 * b"x" + b" = 1", ("'xxx",)),
        (b'dataset = "shapes"\nepochs = ' + 5000 * b"1", ("TOML",)),
    ],
)
def test_a_recipe_with_a_mistake_names_it(tmp_path, refusal, text, names):
    path = tmp_path / "mine.toml"
    path.write_bytes(text)
    message = refusal(fcn.Recipe.load, path)
    assert str(path) in message and len(message) < 1500
    assert all(name in message for name in names)


def test_an_unknown_recipe_is_answered_with_its_like_and_where_all_are(refusal):
    message = refusal(fcn.Recipe.load, "camvit")
    assert "camvid" in message and "paper_mean" not in message and str(RECIPES) in message
    assert f"'42': use another name in {RECIPES}" in refusal(fcn.Recipe.load, "42")


def test_the_mean_recipe_is_the_heavy_one_in_other_units():
    for variant in ("fcn32s", "fcn16s", "fcn8s", "fcn16s_at_once", "fcn8s_at_once"):
        names = f"paper_heavy_{variant}", f"paper_mean_{variant}"
        heavy, mean = (fcn.Recipe.load(name, loss="sum", initial="") for name in names)
        pixels = 500 * 375
        assert mean.learning_rate == pytest.approx(pixels * heavy.learning_rate, rel=1e-3)
        assert mean.weight_decay == pytest.approx(heavy.weight_decay / pixels, rel=1e-3)
        same = {"learning_rate": 0.0, "weight_decay": 0.0}
        assert replace(mean, **same) == replace(heavy, **same)


def test_staged_recipes_name_the_coarser_run_and_at_once_recipes_none():
    for family in ("voc_vgg16", "keras_fcn", "paper_heavy", "paper_mean"):
        for variant, coarser in (("fcn16s", "fcn32s"), ("fcn8s", "fcn16s")):
            staged = fcn.Recipe.load(f"{family}_{variant}")
            at_once = fcn.Recipe.load(f"{family}_{variant}_at_once")
            assert staged.variant == at_once.variant == variant
            assert (staged.initial, at_once.initial) == (f"runs/{family}_{coarser}", "")


def test_a_recipe_extends_another_and_may_be_changed(tmp_path, monkeypatch, refusal):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text('extends = "shapes"\nepochs = 3\nflip = false\n')
    expected = replace(fcn.Recipe.load("shapes"), epochs=3, flip=False, seed=7)
    assert fcn.Recipe.load("mine.toml", seed=7) == expected
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.toml").write_text('extends = "b.toml"\nseed = 7\n')
    shutil.copy("mine.toml", tmp_path / "sub" / "b.toml")
    assert fcn.Recipe.load("sub/a.toml") == expected
    for itself in ("mine.toml", f"../{tmp_path.name}/mine.toml"):
        (tmp_path / "mine.toml").write_text(f'extends = "{itself}"\n')
        assert "mine.toml extends itself" in refusal(fcn.Recipe.load, "mine.toml")
    (tmp_path / "mine.toml").write_text("extends = 3\n")
    assert "unknown recipe '3'" in refusal(fcn.Recipe.load, "mine.toml")
