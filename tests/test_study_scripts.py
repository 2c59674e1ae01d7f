"""The scripts of the studies, on small sizes."""

import ast
import json
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial import runs
from fcn_tutorial.data.images import read_label
from studies import common
from studies.beyond import run as beyond
from studies.camvid_drives import run as drives
from studies.camvid_short import run as short
from studies.seeds import run as seeds
from studies.speed import dense, growth, prediction, step
from studies.splits import audit
from studies.upper_bound import best
from studies.upper_bound import voc2012_val as upper_bound
from studies.voc_efficientnet import steps
from studies.voc_path import path as voc_path


def test_a_run_that_is_kept_is_read_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "STUDIES", tmp_path)
    result = fcn.scores(np.array([[3, 1], [0, 2]]))
    (tmp_path / "study").mkdir()
    for seed in (0, 1):
        folder = tmp_path / "runs" / f"seed{seed}"
        folder.mkdir(parents=True)
        recipe = fcn.Recipe("shapes", epochs=1, seed=seed, initial="it's", scale=(0.5, 2))
        recipe.save(folder / "recipe.toml")
        (folder / "classes.json").write_text(
            '{"classes": ["a", "b"], "palette": [[0, 0, 0], [1, 1, 1]]}'
        )
        (folder / "environment.json").write_text(json.dumps({"keras": "3", "seed": seed}))
        (folder / "history.csv").write_text(f"epoch,loss,val_mean_iou\n1,0.{seed},0.5\n")
        runs.write_scores(folder / "scores.json", result, TwoClasses(), epoch=1)
        common.keep(tmp_path / "study", folder, minutes=2.5)
        record = fcn.run_of_record(f"study/seed{seed}")
        assert record.recipe == recipe and record.classes == ("a", "b")
        assert record.history == [{"epoch": 1, "loss": seed / 10, "val_mean_iou": 0.5}]
        assert record.scores["scores"].mean_iou == result.mean_iou
    kept = json.loads((tmp_path / "study" / "environment.json").read_text())
    assert kept == {"seed0": {"keras": "3", "seed": 0}, "seed1": {"seed": 1}}
    flipped = fcn.scores(np.array([[4, 0], [0, 2]]))
    runs.write_scores(folder / "scores-flip.json", flipped, TwoClasses())
    common.keep(tmp_path / "study", folder)
    again = fcn.run_of_record("study/seed1")
    assert (again.recipe, again.history) == (record.recipe, record.history)
    assert {name: each.mean_iou for name, each in again.scores.items()} == {
        "scores": result.mean_iou,
        "scores-flip": 1,
    }
    rows = common.read_rows(tmp_path / "study" / "table.csv")
    assert [row["scores"] for row in rows] == ["scores", "scores", "scores-flip"]


class TwoClasses:
    name, split, classes = "shapes", "val", ("a", "b")

    def __len__(self):
        return 1


def test_a_table_is_filled_where_rows_are_missing(tmp_path):
    table, made = tmp_path / "table.csv", []

    def measure(run, seed):
        made.append((run, seed))
        return {"run": run, "seed": seed, "mean_iou": 0.5}

    common.fill_table(table, [("a", 0)], measure)
    common.fill_table(table, [("a", 0), ("a", 1)], measure)
    assert made == [("a", 0), ("a", 1)]
    assert table.read_text() == "run,seed,mean_iou\na,0,0.5\na,1,0.5\n"


def test_plans_are_what_the_tables_hold():
    tables = {
        "seeds": seeds.PLAN,
        "beyond": [(n, s) for s in beyond.SEEDS for n in beyond.NETWORKS],
    }
    for study, plan in tables.items():
        rows = common.read_rows(common.STUDIES / study / "table.csv")
        assert {tuple(row.values())[:2] for row in rows} == {(n, str(s)) for n, s in plan}
    for name in short.plan():
        kept = fcn.run_of_record(f"camvid_short/{name}").recipe
        assert kept == short.recipe_of(name, Path("runs/camvid_short"))


def test_an_audit_counts_shared_names(tmp_path, refusal):
    message = refusal(audit.audit, tmp_path)
    assert "voc2012_train.txt" in message
    for files in audit.LISTS.values():
        for place, file in enumerate(files):
            (tmp_path / file).write_text(f"a\nb{place}\n")
    assert all(pair["shared"] >= 2 for pair in audit.audit(tmp_path)["pairs"])


TOY = np.array([[0, 0, 1, 255, 2], [0, 1, 1, 255, 2], [0, 0, 0, 0, 255]], np.uint8)


def test_labels_go_through_a_grid():
    shares = upper_bound.class_shares(TOY, 2, 3)
    assert shares.tolist() == [
        [[0.75, 0.25, 0], [0, 1, 0], [0, 0, 1]],
        [[1, 0, 0], [1, 0, 0], [0, 0, 0]],
    ]
    found = upper_bound.measure([TOY, TOY], 3, strides=[1, 2])
    # One of twelve labelled pixels is wrong: class 1 has 2 of 3, class 0 7 of 8.
    assert found["mean_iou"]["majority"] == [1, pytest.approx((7 / 8 + 2 / 3 + 1) / 3, abs=1e-4)]
    assert found["mean_iou"]["shares"][0] == 1


def test_fitted_scores_are_better_than_shares_and_exact_on_a_grid_of_pixels():
    shares = upper_bound.scores_through(upper_bound.through_a_grid, [TOY], 2, 3).mean_iou
    assert best.of_voc([TOY], 1, 3) == 1
    assert best.of_voc([TOY], 2, 3) >= shares
    assert best.of_shapes([TOY[:2, :4]] * 2, 2, 3) == best.of_voc([TOY[:2, :4]], 2, 3)


def test_multiply_adds_by_hand():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(5, 3, padding="same")(image)
    x = keras.layers.Flatten()(keras.layers.MaxPooling2D(2)(x))
    model = keras.Model(image, keras.layers.Dense(7)(x))
    assert common.multiply_adds(model, 8) == 64 * 27 * 5 + 16 * 5 * 7


def test_scores_of_steps_follow_from_their_label_maps():
    study, examples = common.STUDIES / "voc_efficientnet", fcn.load_dataset("photos", "all")
    rows = common.read_rows(study / "steps.csv")
    assert [int(row["step"]) for row in rows] == [*steps.STEPS, 1900]
    for row in rows:
        found = read_label(study / "photos" / f"{row['photo']}-step{row['step']}.png", 21)
        ours = examples[examples.names.index(row["photo"])][1]
        scores = fcn.scores(fcn.confusion_matrix(ours, found, 21))
        assert float(row["mean_iou"]) == pytest.approx(scores.mean_iou, abs=1e-4)
        assert float(row["pixel_accuracy"]) == pytest.approx(scores.pixel_accuracy, abs=1e-4)


@pytest.mark.slow
def test_steps_are_trained_as_a_run_is(tmp_path):
    lean = {"backbone": "vgg_narrow", "weights": "none", "crop_size": 32, "batch_size": 2}
    recipe = fcn.Recipe("shapes", epochs=2, steps_per_epoch=3, flip=True, jaccard=0.5, **lean)
    training, validation = (fcn.load_dataset("shapes", each, count=6) for each in ("train", "val"))
    run = fcn.train(recipe, tmp_path, verbose=0, training=training, validation=validation)
    losses = [loss for _, loss, _ in steps.networks(recipe, training, (0, 1, 2, 3))][1:]
    assert len(set(losses)) == 3
    assert np.mean(losses) == pytest.approx(run.history[0]["loss"], rel=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("padded", [True, False])
def test_dense_scores_are_the_windows(padded):
    classifier, difference = dense.check("vgg_narrow", padded)
    assert difference < 1e-5
    row = dense.measure(classifier, 256, 1)
    side = 96 if padded else 220
    assert (row["window"], row["windows"]) == (side, ((256 - side) // 32 + 1) ** 2)
    assert row["ratio"] > 0 and row["multiply_adds_ratio"] > 1


@pytest.mark.slow
def test_steps_and_growth_are_measured():
    row = step.measure("vgg_narrow", 32, 2, 1)
    assert set(row["ratio"]) == {"plain", "ours", "mixed"}
    point = growth.measure("vgg_narrow", "step", 2, 32, rounds=1)
    assert point["peak_bytes"] >= point["peak_bytes_after_building"] > 1e8


@pytest.mark.slow
def test_sizes_and_times_of_networks_are_measured():
    models = {"fcn8s": fcn.load_trained("fcn8s"), "small": fcn.build_fcn("fcn32s", 2, "vgg_narrow")}
    with pytest.warns(UserWarning, match="deprecated"):
        rows = prediction.measure(models, 32, rounds=1)
    assert rows["fcn8s"]["ratio"] == {"keras": 1, "tflite": 1}
    for row in rows.values():
        assert 4 * row["megabytes"]["tflite"] == pytest.approx(row["megabytes"]["keras"], rel=0.5)
        assert min(row["milliseconds"].values()) > 0


def test_the_drive_left_out_is_the_new_validation_split(camvid_root, tmp_path):
    names = fcn.load_dataset("camvid", "train", root=camvid_root).names
    left_out = {name for name in names if names.index(name) % 3 == 0}
    for folder in ("train", "trainannot"):
        for name in left_out:
            path = camvid_root / "CamVid" / folder / f"{name}.png"
            path.rename(path.with_name(f"{drives.LEFT_OUT}_{name}.png"))
    changed = {name: f"{drives.LEFT_OUT}_{name}" if name in left_out else name for name in names}
    lines = [f"x/{name}.png" for name in changed.values()]
    (camvid_root / "CamVid" / "train.txt").write_text("\n".join(lines) + "\n")
    made = tmp_path / "made"
    made.mkdir()
    drives.split_by_drive(camvid_root, made)
    train, val = (fcn.load_dataset("camvid", split, root=made) for split in ("train", "val"))
    assert set(val.names) == {changed[name] for name in left_out} and len(val)
    assert set(train.names) == set(names) - left_out


def test_a_recipe_comes_after_the_one_it_starts_from():
    names = voc_path.recipes()
    assert len(names) == len(set(names)) > 20
    for place, name in enumerate(names):
        initial = fcn.Recipe.load(name).initial
        assert not initial or initial.rpartition("/")[2] in names[:place]


def functions(source):
    """{name: syntax tree without its docstring} of the functions at the top level."""
    found = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    for node in found:
        node.body = node.body[ast.get_docstring(node) is not None :]
    return {node.name: ast.dump(node) for node in found}


@pytest.mark.parametrize(
    ("chapter", "script", "shared"),
    [
        ("06-stride-and-alignment", upper_bound, 3),
        ("06-stride-and-alignment", best, 2),
        ("07-skip-fusion", best, 2),
        ("10-beyond-fcn", beyond, 4),
    ],
)
def test_a_chapter_shows_the_functions_that_the_study_ran(chapter, script, shared):
    path = common.STUDIES.parent / "book" / "chapters" / f"{chapter}.ipynb"
    cells = nbformat.read(path, as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    shown = functions("\n".join(source for source in code if "%pip" not in source))
    used = functions(Path(script.__file__).read_text())
    assert len(shown.keys() & used.keys()) == shared
    assert {name: shown[name] for name in shown if name in used}.items() <= used.items()
