"""What README and the results say: every number is read from a file of a run."""

import importlib.util
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import fcn_tutorial as fcn

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SCORES = sorted((ROOT / "results").rglob("scores*.json"))
FOLDERS = sorted(path.parent for path in (ROOT / "results").rglob("recipe.toml"))


def read(name):
    return json.loads((ROOT / "results" / name).read_text())


def percent(value):
    return f"{100 * value:.1f} %"


@pytest.mark.parametrize("path", SCORES, ids=lambda path: str(path.relative_to(ROOT)))
def test_scores_follow_from_the_confusion_matrix_beside_them(path):
    stored = json.loads(path.read_text())
    result = fcn.scores(np.array(stored["confusion"]))
    assert stored["mean_iou"] == pytest.approx(result.mean_iou)
    assert stored["pixel_accuracy"] == pytest.approx(result.pixel_accuracy)
    assert stored["mean_iou"] > stored["baseline"]["mean_iou"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_run_of_record_has_recipe_environment_history_and_scores(folder):
    recipe = fcn.Recipe.load(folder / "recipe.toml")
    assert json.loads((folder / "environment.json").read_text())["keras"]
    rows = (folder / "history.csv").read_text().splitlines()
    assert len(rows) == 1 + recipe.epochs
    assert json.loads((folder / "scores.json").read_text())["split"] == recipe.val_split


COPIES = {
    "the mirror image": ("flip", [1], True),
    "resized copies": ("scales0.75,1,1.25", [0.75, 1, 1.25], False),
    "both": ("flip-scales0.75,1,1.25", [0.75, 1, 1.25], True),
}


@pytest.mark.parametrize("over", COPIES)
def test_averages_over_copies_on_camvid_stand_in_the_readme(over):
    name, scales, flip = COPIES[over]
    val, test = (read(f"camvid_enlarged/scores-camvid-{x}-{name}.json") for x in ("val", "test"))
    row = re.search(rf"^\| the same, averaged over {over}.*$", README, re.M).group()
    quoted = [val["mean_iou"], test["mean_iou"], test["pixel_accuracy"]]
    assert re.findall(r"[\d.]+ %", row) == [percent(value) for value in quoted]
    for scores in (val, test):
        assert scores.get("flip", False) == flip and scores.get("scales", [1]) == scales
        assert "members" not in scores


def test_three_seeds_on_camvid_and_their_average_stand_in_the_readme():
    runs = ["camvid", "camvid_seed1", "camvid_seed2"]
    for seed, name in enumerate(runs):
        recipe = fcn.Recipe.load(ROOT / "results" / name / "recipe.toml")
        assert recipe == fcn.Recipe.load("camvid", seed=seed)
    val, test = ([read(f"{n}/{x}.json") for n in runs] for x in ("scores", "scores-camvid-test"))
    spread = []
    for scored, key in ((val, "mean_iou"), (test, "mean_iou"), (test, "pixel_accuracy")):
        values = [each[key] for each in scored]
        spread += [percent(np.mean(values)), percent(np.std(values, ddof=1))]
    row = re.search(r"^\| three seeds of it.*$", README, re.M).group()
    assert re.findall(r"[\d.]+ %", row) == spread
    val, test = (
        read(f"camvid/scores-camvid-{x}-with-camvid_seed1-with-camvid_seed2.json")
        for x in ("val", "test")
    )
    row = re.search(r"^\| the three together.*$", README, re.M).group()
    quoted = [val["mean_iou"], test["mean_iou"], test["pixel_accuracy"]]
    assert re.findall(r"[\d.]+ %", row) == [percent(value) for value in quoted]
    assert [Path(each).name for each in test["members"]] == runs


PLAIN = {"fc6_dilation": 1, "jaccard": 0}
SHORTER = {"crop_size": 256, "batch_size": 6, "steps_per_epoch": 150, "warmup_epochs": 0.3} | PLAIN


@pytest.mark.parametrize(
    ("name", "recipe"),
    [
        ("camvid", fcn.Recipe.load("camvid")),
        ("camvid_enlarged", fcn.Recipe.load("camvid_enlarged")),
        ("camvid_enlarged_plain", fcn.Recipe.load("camvid_enlarged", **PLAIN)),
        ("camvid_enlarged_short", fcn.Recipe.load("camvid_enlarged", **SHORTER)),
    ],
)
def test_the_camvid_runs_of_record_follow_the_shipped_recipes_and_stand_in_the_readme(name, recipe):
    assert recipe == fcn.Recipe.load(ROOT / "results" / name / "recipe.toml")
    test, val = read(f"{name}/scores-camvid-test.json"), read(f"{name}/scores.json")
    row = re.search(rf"^\|.*\(`{name}`\).*$", README, re.M).group()
    quoted = [val["mean_iou"], test["mean_iou"], test["pixel_accuracy"]]
    assert re.findall(r"[\d.]+ %", row) == [percent(value) for value in quoted]
    baseline = re.search(rf"^\| always {test['baseline']['always']}.*$", README, re.M).group()
    quoted = [
        val["baseline"]["mean_iou"],
        test["baseline"]["mean_iou"],
        test["baseline"]["pixel_accuracy"],
    ]
    assert re.findall(r"[\d.]+ %", baseline) == [percent(value) for value in quoted]


def test_the_short_runs_on_camvid_follow_their_benchmark_and_stand_in_the_readme():
    spec = importlib.util.spec_from_file_location("camvid", ROOT / "benchmarks" / "camvid.py")
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    means = []
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        names = [f"{variant}_seed{seed}" for seed in range(3)]
        ious = [read(f"camvid_short/{name}/scores.json")["mean_iou"] for name in names]
        means.append(np.mean(ious))
        row = re.search(rf"^\| FCN-{variant[3:]}, short .*$", README, re.M).group()
        quoted = [*ious, means[-1], np.std(ious, ddof=1)]
        assert re.findall(r"[\d.]+ %", row) == [percent(value) for value in quoted]
    assert means == sorted(means)
    kept = (ROOT / "results" / "camvid_short").iterdir()
    assert {each.name for each in kept} == set(benchmark.plan())
    for name in benchmark.plan():
        recipe = fcn.run_of_record(f"camvid_short/{name}").recipe
        assert recipe == benchmark.recipe_of(name, Path("runs/camvid_short"))
    changed = re.findall(r"^\|.*\(`(\w+)`\) \| ([\d.]+ %) \| ([\d.]+) \|$", README, re.M)
    assert len(changed) == 5
    for name, score, minutes in changed:
        assert score == percent(read(f"camvid_short/{name}/scores.json")["mean_iou"])
        cost = read(f"camvid_short/{name}/cost.json")
        assert float(minutes) == cost["processor_minutes"]


def test_the_voc_runs_of_record_follow_the_shipped_recipes_and_stand_in_the_readme():
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        shipped, quoted = fcn.Recipe.load(f"voc_mobilenet_{variant}"), []
        for seed in (0, 1):
            name = f"voc_mobilenet/{variant}_seed{seed}"
            recipe = fcn.run_of_record(name).recipe
            initial = shipped.initial and f"{shipped.initial}_seed{seed}"
            assert recipe == replace(shipped, seed=seed, initial=initial)
            stored = read(f"{name}/scores.json")
            assert stored["examples"] == 346
            quoted.append(percent(stored["mean_iou"]))
        row = re.search(rf"^\|.*\(`voc_mobilenet_{variant}`\).*$", README, re.M).group()
        assert re.findall(r"[\d.]+ %", row) == quoted
    row = re.search(r"^\| always background.*$", README, re.M).group()
    assert re.findall(r"[\d.]+ %", row) == [percent(stored["baseline"]["mean_iou"])] * 2


def test_fcn8s_reaches_38_percent_on_voc_with_both_seeds():
    for seed in (0, 1):
        assert read(f"voc_mobilenet/fcn8s_seed{seed}/scores.json")["mean_iou"] >= 0.38


def test_readme_quotes_the_shapes_scores():
    story = read("shapes/story.json")
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        row = re.search(rf"^\| FCN-{variant[3:]} \|.*$", README, re.M).group()
        stored = read(f"shapes/{variant}/scores-shapes-test.json")
        assert stored["mean_iou"] == pytest.approx(story[variant]["mean_iou"])
        assert percent(stored["mean_iou"]) in row
        assert f"{story[variant]['minutes']:.1f}" in row


def test_readme_quotes_what_the_networks_in_the_package_reach():
    for name in ("fcn32s", "fcn8s"):
        stored = json.loads((ROOT / "fcn_tutorial" / "weights" / f"{name}.json").read_text())
        assert f"{percent(stored['test_mean_iou'])} (FCN-{name[3:]})" in README


def test_the_story_meets_its_promises():
    story = read("shapes/story.json")
    assert story["fcn8s"]["mean_iou"] >= 0.75
    assert story["fcn8s"]["minutes"] <= 4
    assert story["fcn16s"]["mean_iou"] - story["fcn32s"]["mean_iou"] >= 0.03
    assert story["fcn8s"]["mean_iou"] - story["fcn16s"]["mean_iou"] >= 0.03


def test_readme_names_only_targets_of_the_makefile_and_recipes_that_exist():
    makefile = (ROOT / "Makefile").read_text()
    targets = re.findall(r"`make (\w+)`|^make (\w+)$", README, re.M)
    assert targets
    for target in map("".join, targets):
        assert re.search(rf"^{target}:", makefile, re.M)
    for recipe in re.findall(r"fcn-tutorial train (\w+)", README):
        fcn.Recipe.load(recipe)


def test_readme_names_only_files_that_exist():
    for path in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / path).exists(), path
