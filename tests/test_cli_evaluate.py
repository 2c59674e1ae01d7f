"""`evaluate` and `segment` with their options: files, names, the evaluation server's layout."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix as reference
from test_cli import RECIPE, call  # noqa: F401 (a fixture)

import fcn_tutorial as fcn
from fcn_tutorial.datasets.files import write_image, write_label
from fcn_tutorial.datasets.voc import voc_palette

SIZES = {"2007_000001": (40, 52), "2007_000002": (40, 52), "2007_000003": (33, 64)}


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    """A data root with a tiny VOC 2012 in the published layout."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        write_image(
            folder / "JPEGImages" / f"{name}.jpg", rng.integers(0, 256, (*size, 3), "uint8")
        )
        label = rng.choice([0, 1, 15, 20, 255], size).astype(np.uint8)
        write_label(folder / "SegmentationClass" / f"{name}.png", label, voc_palette(21))
    lists = {"train": list(SIZES)[:1], "val": list(SIZES)[1:], "test": list(SIZES)[1:]}
    for split, names in lists.items():
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="module")
def runs(voc, tmp_path_factory):
    """Two quick runs on VOC that differ in their seed, and one on the shapes."""
    folder = tmp_path_factory.mktemp("runs")
    (folder / "quick.toml").write_text(RECIPE)
    shapes = fcn.Recipe.load(folder / "quick.toml", epochs=1, limit=2)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FCN_DATA", str(voc))
        pascal = replace(shapes, dataset="voc2012", limit=0, batch_size=1)
        for seed in (0, 1):
            fcn.train(replace(pascal, seed=seed), folder / f"voc{seed}", verbose=0)
    fcn.train(shapes, folder / "shapes", verbose=0)
    return folder


@pytest.fixture(autouse=True)
def data(voc, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(voc))


def stored(path):
    return json.loads(path.read_text())


def test_predictions_lie_as_the_evaluation_server_asks(call, runs, tmp_path, voc):  # noqa: F811
    code, out, _ = call("evaluate", runs / "voc0", "--predictions", tmp_path)
    assert code == 0
    folder = tmp_path / "results" / "VOC2012" / "Segmentation" / "comp6_val_cls"
    assert f"2 label maps to {folder}" in out
    assert sorted(path.name for path in folder.iterdir()) == [f"{n}.png" for n in list(SIZES)[1:]]
    counts = np.zeros((21, 21), int)
    for name in list(SIZES)[1:]:
        image = Image.open(folder / f"{name}.png")
        truth = Image.open(voc / "VOCdevkit/VOC2012/SegmentationClass" / f"{name}.png")
        assert (image.mode, image.size) == ("P", truth.size)
        np.testing.assert_array_equal(np.reshape(image.getpalette(), (-1, 3))[:21], voc_palette(21))
        truth, guess = np.array(truth), np.array(image)
        assert guess.max() <= 20
        known = truth != 255
        counts += reference(truth[known], guess[known], labels=range(21))
    scores = stored(runs / "voc0" / "scores-voc2012-val.json")
    np.testing.assert_array_equal(scores["confusion"], counts)


def test_options_are_recorded_and_leave_the_plain_scores_alone(call, runs):  # noqa: F811
    call("evaluate", runs / "voc0")
    plain = (runs / "voc0" / "scores-voc2012-val.json").read_bytes()
    options = ("--flip", "--scales", "0.5,1", "--limit", 1)
    code, out, _ = call("evaluate", runs / "voc0", runs / "voc1", *options)
    name = "scores-voc2012-val-first1-scales0.5,1-flip-ensemble2.json"
    assert code == 0 and f"Wrote {runs / 'voc0' / name}." in out
    scores = stored(runs / "voc0" / name)
    assert (scores["scales"], scores["flip"], scores["limit"]) == ([0.5, 1.0], True, 1)
    assert scores["ensemble"] == [str(runs / "voc0"), str(runs / "voc1")]
    assert scores["examples"] == 1
    models = [fcn.load_run(runs / f"voc{seed}").model for seed in (0, 1)]
    image, label = fcn.load_dataset("voc2012", "val")[0]
    guess = fcn.segment(models, image, scales=(0.5, 1), flip=True)
    np.testing.assert_array_equal(scores["confusion"], fcn.confusion_matrix(label, guess, 21))
    assert (runs / "voc0" / "scores-voc2012-val.json").read_bytes() == plain


def test_label_maps_of_other_data_sets_lie_in_the_folder_itself(call, runs, tmp_path):  # noqa: F811
    options = ("--split", "val", "--limit", 2, "--predictions", tmp_path / "maps")
    code, _, _ = call("evaluate", runs / "shapes", *options)
    names = fcn.load_dataset("shapes", "val").names[:2]
    assert code == 0
    assert sorted(path.stem for path in (tmp_path / "maps").iterdir()) == sorted(names)


def test_segment_labels_the_listed_images_of_a_test_set(call, runs, tmp_path, voc):  # noqa: F811
    devkit = voc / "VOCdevkit" / "VOC2012"
    names = devkit / "ImageSets" / "Segmentation" / "test.txt"
    options = ("--names", names, "--labels-only", "--flip", "--output", tmp_path)
    code, out, _ = call("segment", runs / "voc0", devkit / "JPEGImages", *options)
    assert code == 0 and "Wrote 2 label maps (NAME.png)" in out
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{n}.png" for n in list(SIZES)[1:]]
    model = fcn.load_run(runs / "voc0").model
    image = np.array(Image.open(devkit / "JPEGImages" / "2007_000003.jpg"))
    expected = fcn.segment(model, image, flip=True)
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "2007_000003.png")), expected)


@pytest.mark.parametrize("scales", ["0", "a", "", "1,-1", "inf", "1,,2", "nan"])
@pytest.mark.parametrize("command", ["evaluate", "segment"])
def test_scales_that_are_none_are_named(call, runs, command, scales):  # noqa: F811
    photos = ["photo.jpg"] if command == "segment" else []
    code, _, error = call(command, runs / "voc0", *photos, f"--scales={scales}")
    assert code == 2
    assert f"--scales {scales!r} must be numbers above 0" in error or "photo.jpg" in error


def test_bad_calls_end_in_one_sentence(call, runs, voc, tmp_path):  # noqa: F811
    (tmp_path / "file").write_text("")
    (tmp_path / "names.txt").write_text("2007_000002 2007_999999")
    photos = voc / "VOCdevkit" / "VOC2012" / "JPEGImages"
    calls = {
        "cannot be averaged": ("evaluate", runs / "voc0", runs / "shapes"),
        "not a finished run": ("evaluate", runs / "voc0", runs / "absent"),
        "cannot be made": ("evaluate", runs / "voc0", "--predictions", tmp_path / "file"),
        "such as 2007_999999": (
            "segment",
            runs / "voc0",
            photos,
            "--names",
            tmp_path / "names.txt",
        ),
        "absent.txt is missing": ("segment", runs / "voc0", photos, "--names", "absent.txt"),
    }
    for sentence, arguments in calls.items():
        code, _, error = call(*arguments)
        assert code == 2 and sentence in error, (arguments, error)
