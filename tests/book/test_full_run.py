"""The cell of chapter 8 that trains on all of VOC runs, with less of everything."""

import nbformat
import pytest
from devkit import make_devkit
from rules import ROOT

import fcn_tutorial as fcn
from fcn_tutorial import metrics
from fcn_tutorial.data import download

SMALL = {"crop_size": 32, "batch_size": 2, "epochs": 1, "steps_per_epoch": 1, "limit": 2}
SMALL |= {"backbone": "vgg_narrow", "weights": "none"}


@pytest.mark.slow
def test_the_full_run_fetches_trains_and_scores(tmp_path, monkeypatch):
    path = ROOT / "book" / "chapters" / "08-training-for-real.ipynb"
    cells = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    imports, full = (
        next(cell for cell in cells if cell.startswith(first))
        for first in ("import json", "FULL_RUN = False\nCHANGES = {}")
    )
    asked = []
    monkeypatch.setattr(download, "fetch", lambda *what: asked.append(what))
    # One step beats no baseline.
    monkeypatch.setattr(metrics, "beat_baseline", lambda scores: asked.append(scores.mean_iou))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FCN_DATA", "")
    make_devkit(tmp_path / "data")
    names = {}
    exec(imports, names)
    exec(full.replace("FULL_RUN = False", "FULL_RUN = True").replace("{}", f"{SMALL}", 1), names)
    assert asked[:2] == [("voc2012", "data"), ("sbd", "data")]
    assert len(asked) == 3 and 0 <= asked[2] <= 1
    run = fcn.load_run("runs/full")
    assert (run.recipe.train_split, run.recipe.limit, len(run.history)) == ("train", 2, 1)
