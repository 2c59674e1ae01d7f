"""`fcn-tutorial evaluate`: scores, the files they go to, and label maps."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data.voc import voc_palette


@pytest.fixture(autouse=True)
def data(voc, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(voc))


def test_predictions_lie_as_the_evaluation_server_asks(call, runs, tmp_path):
    code, out, _ = call("evaluate", runs / "voc0", "--predictions", tmp_path)
    folder = tmp_path / "results/VOC2012/Segmentation/comp6_val_cls"
    assert code == 0 and str(runs / "voc0" / "scores-voc2012-val.json") in out
    assert "2 label maps" in out and str(folder) in out
    model, val = fcn.load_run(runs / "voc0").model, fcn.load_dataset("voc2012", "val")
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert sorted(written) == [folder / f"{name}.png" for name in sorted(val.names)]
    for name, (image, _) in zip(val.names, val, strict=True):
        picture = Image.open(folder / f"{name}.png")
        assert picture.mode == "P" and picture.size == image.shape[1::-1]
        colors = np.reshape(picture.getpalette(), (-1, 3))[:21]
        np.testing.assert_array_equal(colors, voc_palette(21))
        np.testing.assert_array_equal(np.array(picture), fcn.segment(model, image))


def test_options_are_recorded_and_leave_the_plain_scores_alone(call, runs):
    call("evaluate", runs / "voc0", "--scales", "1.0")
    plain = (runs / "voc0" / "scores-voc2012-val.json").read_bytes()
    assert not {"limit", "scales", "flip", "members"} & set(json.loads(plain))
    assert json.loads(plain)["overlap"] == 0
    options = ("--flip", "--scales", "0.5,1", "--limit", 1)
    code, out, _ = call("evaluate", runs / "voc0", runs / "voc1", *options)
    name = "scores-voc2012-val-first1-flip-scales0.5,1-with-voc1.json"
    assert code == 0 and str(runs / "voc0" / name) in out
    scores = json.loads((runs / "voc0" / name).read_text())
    how = [scores[key] for key in ("limit", "flip", "scales", "examples")]
    assert how == [1, True, [0.5, 1.0], 1]
    assert scores["members"] == [str(runs / "voc0"), str(runs / "voc1")]
    image, label = fcn.load_dataset("voc2012", "val")[0]
    models = [fcn.load_run(runs / f"voc{seed}").model for seed in (0, 1)]
    guess = fcn.segment(models, image, scales=(0.5, 1), flip=True)
    np.testing.assert_array_equal(scores["confusion"], fcn.confusion_matrix(label, guess, 21))
    assert None in scores["iou"].values()  # a class that neither label nor prediction has
    assert (runs / "voc0" / "scores-voc2012-val.json").read_bytes() == plain


def test_examples_of_the_training_are_counted(call, runs):
    code, out, _ = call("evaluate", runs / "voc0", "--split", "train")
    scores = json.loads((runs / "voc0" / "scores-voc2012-train.json").read_text())
    assert scores["overlap"] == scores["examples"] > 0
    assert code == 0 and f"{scores['overlap']} of these" in out


def test_scores_with_another_run_of_the_same_name_are_not_overwritten(call, runs, tmp_path):
    twin = shutil.copytree(runs / "voc1", tmp_path / "voc1")
    assert call("evaluate", runs / "voc0", runs / "voc1", "--flip")[0] == 0
    path = runs / "voc0" / "scores-voc2012-val-flip-with-voc1.json"
    before = path.read_bytes()
    code, _, error = call("evaluate", runs / "voc0", twin, "--flip")
    assert code == 2 and str(path) in error and str(runs / "voc1") in error
    assert path.read_bytes() == before
    assert call("evaluate", runs / "voc0", runs / "voc1", "--flip")[0] == 0


def test_a_table_has_the_baseline_beside_the_model_and_points_to_the_report(call, made):
    code, out, _ = call("evaluate", made, "--limit", 2)
    rows = {line[:24].strip(): line for line in out.splitlines()}
    assert code == 0 and "always background" in out
    for name in ("IoU background", "IoU disc", "IoU cross", "mean IoU"):
        assert rows[name].count("%") == 2
    assert f'fcn-tutorial report {made} --limit 2"' in out
    for options, name, seen in [
        (("--limit", 2), "report-shapes-test-first2.html", False),
        (("--split", "train", "--limit", 3), "report-shapes-train-first3.html", True),
    ]:
        code, out, _ = call("report", made, *options)
        assert code == 0 and str(made / name) in out
        text = (made / name).read_text()
        assert "cross" in text and ("used for training" in text) == seen
    code, _, error = call("report", made, "--dataset", "voc2012")
    assert code == 2 and "6 classes" in error


def test_bad_calls_end_in_one_sentence(call, runs, tmp_path):
    (tmp_path / "file").write_text("")
    shapes, voc0 = runs / "shapes", runs / "voc0"
    before = set(runs.rglob("*"))
    for named, *arguments in [
        ("shapes", voc0, shapes),
        ("absent", voc0, runs / "absent"),
        ("--voc-list", voc0, "--split", "test"),
        (str(tmp_path / "file"), voc0, "--predictions", tmp_path / "file"),
    ]:
        code, _, error = call("evaluate", *arguments)
        assert code == 2 and named in error, (arguments, error)
    assert set(runs.rglob("*")) == before
