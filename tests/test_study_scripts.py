"""The scripts of the studies, on small sizes."""

import ast
from pathlib import Path

import keras
import nbformat
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data.images import read_label
from studies import common
from studies.beyond import run as beyond
from studies.camvid_short import run as short
from studies.own import run as own
from studies.seeds import run as seeds
from studies.speed import growth, prediction, step
from studies.upper_bound import best
from studies.upper_bound import voc2012_val as upper_bound
from studies.voc_efficientnet import steps


def test_plans_are_what_the_tables_hold():
    of_beyond = [(name, seed) for seed in beyond.SEEDS for name in beyond.NETWORKS]
    for study, plan in (("seeds", seeds.PLAN), ("beyond", of_beyond)):
        rows = common.read_rows(common.STUDIES / study / "table.csv")
        assert {tuple(row.values())[:2] for row in rows} == {(n, str(s)) for n, s in plan}
    for name in short.plan():
        kept = fcn.run_of_record(f"camvid_short/{name}").recipe
        assert kept == short.recipe_of(name, Path("runs/camvid_short"))


def test_some_pictures_are_a_folder_of_ones_own(camvid_root, tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(camvid_root))
    monkeypatch.setattr(own, "FEW", 6)
    monkeypatch.setattr(own, "EVERY", 1)
    own.write_folders(tmp_path)
    few = [fcn.load_dataset(str(tmp_path / "few"), split) for split in ("train", "val", "test")]
    assert sum(map(len, few)) == own.FEW
    streets, many = fcn.load_dataset("camvid", "test"), fcn.load_dataset(tmp_path / "many", "test")
    assert many.names == streets.names and many.classes == ("way", "nature", "things")
    (image, label), (same, merged) = streets[1], many[1]
    assert np.array_equal(image, same)
    roads = np.isin(label, [streets.classes.index(name) for name in ("road", "pavement")])
    assert np.array_equal(merged == 0, roads) and np.array_equal(merged == 255, label == 255)


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


@pytest.mark.slow
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
def test_networks_make_steps_and_growth_is_measured():
    step.build("baseline", "vgg_narrow", side=32, batch=2)
    step.step()
    step.build("ours", "vgg_narrow", side=32, batch=2)  # whose steps other tests make
    assert step.compute_dtype() == "float32"
    point = growth.measure("vgg_narrow", "forward", 2, 32, rounds=1)
    assert point["images_a_second"] > 0 and point["peak_bytes"] > 1e8


@pytest.mark.slow
def test_sizes_and_times_of_networks_are_measured():
    models = {"fcn8s": fcn.load_trained("fcn8s"), "small": fcn.build_fcn("fcn32s", 2, "vgg_narrow")}
    with pytest.warns(UserWarning, match="deprecated"):
        rows = prediction.measure(models, 32, rounds=1)
    assert rows["fcn8s"]["ratio"] == {"keras": 1, "tflite": 1}
    for row in rows.values():
        assert 4 * row["megabytes"]["tflite"] == pytest.approx(row["megabytes"]["keras"], rel=0.5)
        assert min(row["milliseconds"].values()) > 0


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
