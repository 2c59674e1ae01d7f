"""`evaluate` and `segment` with their options: scores, file names, the server's layout."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import confusion_matrix as reference

import fcn_tutorial as fcn
from fcn_tutorial.data.images import write_image, write_label
from fcn_tutorial.data.voc import voc_palette

SIZES = {"2007_000001": (40, 52), "2007_000002": (40, 52), "2007_000003": (33, 64)}
HELD_OUT = ["2007_000003", "2007_000002"]  # not in the order of their names
SEGMENTATION = "results/VOC2012/Segmentation"


@pytest.fixture
def call(command_line):
    """Run a command; returns exit code, what it printed, and the sentence on what went wrong."""

    def run(*arguments):
        code, out, err = command_line(*arguments)
        lines = [line for line in err.splitlines() if line.strip() and "%|" not in line]
        assert len(lines) == (code == 2), err
        return code, out, "".join(lines)

    return run


@pytest.fixture(scope="module")
def voc(tmp_path_factory):
    """VOC 2012 in the published layout, of three images."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        image = rng.integers(0, 256, (*size, 3), "uint8")
        write_image(folder / "JPEGImages" / f"{name}.jpg", image)
        label = rng.choice([0, 1, 15, 20, 255], size).astype(np.uint8)
        write_label(folder / "SegmentationClass" / f"{name}.png", label, voc_palette(21))
    for split, names in {"train": list(SIZES)[:1], "val": HELD_OUT, "test": HELD_OUT}.items():
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="module")
def runs(voc, tmp_path_factory):
    """Quick runs: two on VOC that differ in their seed, and one on the shapes."""
    folder = tmp_path_factory.mktemp("runs")
    quick = {"backbone": "vgg_narrow", "weights": "none", "crop_size": 32, "epochs": 1}
    pascal = fcn.Recipe("voc2012", batch_size=1, **quick)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FCN_DATA", str(voc))
        for seed in (0, 1):
            fcn.train(replace(pascal, seed=seed), folder / f"voc{seed}", verbose=0)
    fcn.train(fcn.Recipe("shapes", limit=2, batch_size=2, **quick), folder / "shapes", verbose=0)
    return folder


@pytest.fixture(autouse=True)
def data(voc, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(voc))


def stored(path):
    return json.loads(path.read_text())


def ids(path):
    return np.array(Image.open(path))


def models(runs):
    return [fcn.load_run(runs / f"voc{seed}").model for seed in (0, 1)]


def recounted(voc, folder):
    """The confusion matrix of label maps in a folder, by scikit-learn."""
    counts = np.zeros((21, 21), int)
    for name in HELD_OUT:
        truth = ids(voc / "VOCdevkit/VOC2012/SegmentationClass" / f"{name}.png")
        guess = ids(folder / f"{name}.png")
        known = truth != 255
        counts += reference(truth[known], guess[known], labels=range(21))
    return counts


def test_predictions_lie_as_the_evaluation_server_asks(call, runs, tmp_path):
    code, out, _ = call("evaluate", runs / "voc0", "--predictions", tmp_path)
    folder = tmp_path / SEGMENTATION / "comp6_val_cls"
    assert code == 0 and out.endswith(
        f"Wrote {runs / 'voc0' / 'scores-voc2012-val.json'}, and 2 label maps to {folder}.\n"
    )
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == [folder / f"{name}.png" for name in sorted(HELD_OUT)]
    model = fcn.load_run(runs / "voc0").model
    for name, (image, _) in zip(HELD_OUT, fcn.load_dataset("voc2012", "val"), strict=True):
        picture = Image.open(folder / f"{name}.png")
        assert picture.mode == "P" and picture.size == image.shape[1::-1]
        colors = np.reshape(picture.getpalette(), (-1, 3))[:21]
        np.testing.assert_array_equal(colors, voc_palette(21))
        np.testing.assert_array_equal(np.array(picture), fcn.segment(model, image))


@pytest.mark.parametrize(
    ("options", "suffix"),
    [((), ""), (("--flip", "--scales", "0.75,1"), "-flip-scales0.75,1")],
)
def test_scores_are_those_of_the_written_label_maps(call, runs, voc, tmp_path, options, suffix):
    call("evaluate", runs / "voc0", "--predictions", tmp_path, *options)
    scores = stored(runs / "voc0" / f"scores-voc2012-val{suffix}.json")
    counts = recounted(voc, tmp_path / SEGMENTATION / "comp6_val_cls")
    np.testing.assert_array_equal(scores["confusion"], counts)
    union = counts.sum(0) + counts.sum(1) - counts.diagonal()
    there = union > 0  # a class that neither label nor prediction has does not count
    assert not there.all()
    assert scores["mean_iou"] == pytest.approx(np.mean(counts.diagonal()[there] / union[there]))
    absent = [name for name, value in scores["iou"].items() if value is None]
    assert len(absent) == 21 - there.sum()


def test_each_image_is_predicted_once(call, runs, tmp_path, monkeypatch):
    seen, predict = [], fcn.inference._labels

    def counting(model, images, *rest):
        seen.append(len(images))
        return predict(model, images, *rest)

    monkeypatch.setattr("fcn_tutorial.inference._labels", counting)
    call("evaluate", runs / "voc0", "--predictions", tmp_path)
    assert sum(seen) == 2


def test_plain_scores_say_nothing_of_options(call, runs):
    call("evaluate", runs / "voc0")
    scores = stored(runs / "voc0" / "scores-voc2012-val.json")
    assert not {"limit", "scales", "flip", "members"} & set(scores)
    assert scores["overlap"] == 0
    assert (scores["dataset"], scores["split"], scores["examples"]) == ("voc2012", "val", 2)


def test_options_are_recorded_and_leave_the_plain_scores_alone(call, runs):
    call("evaluate", runs / "voc0")
    plain = (runs / "voc0" / "scores-voc2012-val.json").read_bytes()
    options = ("--flip", "--scales", "0.5,1", "--limit", 1)
    code, out, _ = call("evaluate", runs / "voc0", runs / "voc1", *options)
    name = "scores-voc2012-val-first1-flip-scales0.5,1-with-voc1.json"
    assert code == 0 and f"Wrote {runs / 'voc0' / name}." in out
    scores = stored(runs / "voc0" / name)
    how = [scores[key] for key in ("limit", "flip", "scales", "examples")]
    assert how == [1, True, [0.5, 1.0], 1]
    assert scores["members"] == [str(runs / "voc0"), str(runs / "voc1")]
    image, label = fcn.load_dataset("voc2012", "val")[0]
    guess = fcn.segment(models(runs), image, scales=(0.5, 1), flip=True)
    np.testing.assert_array_equal(scores["confusion"], fcn.confusion_matrix(label, guess, 21))
    assert (runs / "voc0" / "scores-voc2012-val.json").read_bytes() == plain


def test_examples_of_the_training_are_counted(call, runs):
    code, out, _ = call("evaluate", runs / "voc0", "--split", "train")
    scores = stored(runs / "voc0" / "scores-voc2012-train.json")
    assert scores["overlap"] == scores["examples"] > 0
    assert code == 0 and f"{scores['overlap']} of these {scores['overlap']} examples" in out


def test_scores_with_another_run_of_the_same_name_are_not_written_over(call, runs, tmp_path):
    twin = shutil.copytree(runs / "voc1", tmp_path / "voc1")
    assert call("evaluate", runs / "voc0", runs / "voc1", "--flip")[0] == 0
    path = runs / "voc0" / "scores-voc2012-val-flip-with-voc1.json"
    before = path.read_bytes()
    code, _, error = call("evaluate", runs / "voc0", twin, "--flip")
    assert code == 2 and f"{path} holds the scores of" in error
    assert path.read_bytes() == before
    assert call("evaluate", runs / "voc0", runs / "voc1", "--flip")[0] == 0


@pytest.mark.parametrize(
    ("options", "suffix"),
    [
        (("--limit", 1), "-first1"),
        (("--flip",), "-flip"),
        (("--scales", "0.75, 1,1.25"), "-scales0.75,1,1.25"),
        (("--scales", "1.0"), ""),
    ],
)
def test_each_option_has_its_score_file(call, runs, options, suffix):
    before = set(runs.rglob("*"))
    path = runs / "voc1" / f"scores-voc2012-val{suffix}.json"
    code, out, _ = call("evaluate", runs / "voc1", *options)
    assert code == 0 and f"Wrote {path}." in out
    assert set(runs.rglob("*")) - before == {path}


def test_label_maps_of_other_data_sets_lie_in_the_folder_itself(call, runs, tmp_path):
    code, out, _ = call("evaluate", runs / "shapes", "--limit", 2, "--predictions", tmp_path / "a")
    examples = fcn.load_dataset("shapes", "test")  # the split where there is one of that name
    assert code == 0 and f"2 label maps to {tmp_path / 'a'}." in out
    assert {path.stem for path in (tmp_path / "a").iterdir()} == set(examples.names[:2])
    model = fcn.load_run(runs / "shapes").model
    found = ids(tmp_path / "a" / f"{examples.names[1]}.png")
    np.testing.assert_array_equal(found, fcn.segment(model, examples[1][0]))
    assert stored(runs / "shapes" / "scores-shapes-test-first2.json")["limit"] == 2


def test_segment_labels_the_test_set_for_the_evaluation_server(call, runs, tmp_path, voc):
    devkit = voc / "VOCdevkit" / "VOC2012"
    names = devkit / "ImageSets" / "Segmentation" / "test.txt"
    options = ("--voc-list", names, "--flip", "--with", runs / "voc1", "--output", tmp_path)
    code, out, _ = call("segment", runs / "voc0", devkit / "JPEGImages", *options)
    folder = tmp_path / SEGMENTATION / "comp6_test_cls"
    assert code == 0 and f"Wrote 2 label maps (NAME.png) to {folder}." in out
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == [folder / f"{name}.png" for name in sorted(HELD_OUT)]
    for name in HELD_OUT:
        image = np.array(Image.open(devkit / "JPEGImages" / f"{name}.jpg"))
        expected = fcn.segment(models(runs), image, flip=True)
        np.testing.assert_array_equal(ids(folder / f"{name}.png"), expected)


def test_segment_takes_scales_and_mirror_images(call, runs, tmp_path, voc):
    photo = voc / "VOCdevkit" / "VOC2012" / "JPEGImages" / "2007_000003.jpg"
    options = ("--scales", "0.5,1.5", "--flip", "--output", tmp_path)
    code, out, _ = call("segment", runs / "voc0", photo, *options)
    assert code == 0 and "Wrote 1 label map (-label.png), overlays" in out
    model = fcn.load_run(runs / "voc0").model
    expected = fcn.segment(model, np.array(Image.open(photo)), (0.5, 1.5), flip=True)
    np.testing.assert_array_equal(ids(tmp_path / "2007_000003-label.png"), expected)


@pytest.mark.parametrize("scales", ["0", "a", "", "-1", "1,-1", "inf", "1,,2", "nan", "5"])
@pytest.mark.parametrize("command", [("evaluate",), ("segment", "photo.jpg")])
def test_scales_that_are_none_are_named(call, runs, command, scales):
    command, *photos = command
    code, _, error = call(command, runs / "voc0", *photos, "--scales", scales)
    assert code == 2
    assert f"--scales {scales!r} must be numbers above 0 and at most 4" in error


def bad_calls(folder, runs, photos):
    """(what the sentence must say, arguments) of calls that cannot succeed."""
    lists = {"some": "2007_000002 2007_999999", "empty": " \n", "one": "2007_000002"}
    for name, text in lists.items():
        (folder / f"{name}.txt").write_text(text)
    (folder / "file").write_text("")
    voc, shapes = runs / "voc0", runs / "shapes"

    def labels(run, name, *more):
        return ("segment", run, photos, "--voc-list", folder / f"{name}.txt", *more)

    return [
        ("shapes has other classes than", ("evaluate", voc, shapes)),
        ("shapes has other classes than", ("segment", voc, photos, "--with", shapes)),
        ("absent is not a finished run", ("evaluate", voc, runs / "absent")),
        ("absent is not a finished run", ("evaluate", runs / "absent")),
        ("the model has 21 classes", ("evaluate", voc, "--dataset", "shapes")),
        ("unknown split 'minival'", ("evaluate", voc, "--split", "minival")),
        ("not public", ("evaluate", voc, "--split", "test")),
        ("file cannot be made", ("evaluate", shapes, "--predictions", folder / "file")),
        ("cannot be made", ("evaluate", voc, "--predictions", folder / "file")),
        ("cannot be made", labels(voc, "one", "--output", folder / "file")),
        ("1 of the 2 images that", labels(voc, "some")),
        ("such as 2007_999999", labels(voc, "some")),
        ("empty.txt is empty", labels(voc, "empty")),
        ("absent.txt is missing", labels(voc, "absent")),
        ("shapes labels other classes than VOC's", labels(shapes, "one")),
    ]


def test_bad_calls_end_in_one_sentence(call, runs, voc, tmp_path):
    before = set(runs.rglob("*"))
    photos = voc / "VOCdevkit" / "VOC2012" / "JPEGImages"
    for sentence, arguments in bad_calls(tmp_path, runs, photos):
        code, _, error = call(*arguments)
        assert code == 2 and sentence in error, (arguments, error)
    assert set(runs.rglob("*")) == before
