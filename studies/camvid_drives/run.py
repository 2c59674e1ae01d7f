"""What does a network know of a street that none of its images show? CamVid, less one drive.

    FCN_DATA=DATA python benchmarks/drives.py runs/camvid_drives

CamVid's training images come from three drives (the part of a file's name before the underscore),
and its validation images from one of the three. Here the 101 images of drive 0006R0 are left out of
training and validated on instead: FCN-8s by the recipe "camvid" in 600 steps, as it is and with one
thing changed at a time. Each network is scored on the validation images, too, whose drive it has
seen. The test images are not touched. What a run leaves, less its checkpoints, goes to
results/camvid_drives/NAME: scores.json is of the drive left out, scores-known.json of the other.
"""

import argparse
import json
import os
import shutil
import tempfile
from pathlib import Path

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import data_root
from fcn_tutorial.runs import write_scores

RESULTS = Path(__file__).resolve().parents[1] / "results" / "camvid_drives"
KEPT = ("recipe.toml", "environment.json", "classes.json", "history.csv", "scores.json")
LEFT_OUT = "0006R0"
# In one epoch, so that none is chosen by its score on the drive left out.
SHORT = {"epochs": 1, "steps_per_epoch": 600, "warmup_epochs": 0.05}
CHANGES = {
    "as_it_is": {},
    "color_twice": {"color": 0.5},
}


def split_by_drive(source, folder):
    """Make a CamVid in `folder` of the training images below `source`, less one drive.

    That drive becomes the split "val". The images themselves stay where they are.
    """
    made = folder / "CamVid"
    made.mkdir()
    names = fcn.load_dataset("camvid", "train", root=source).names
    for split, chosen in (("train", False), ("val", True)):
        for suffix in ("", "annot"):
            (made / (split + suffix)).symlink_to((source / "CamVid" / f"train{suffix}").resolve())
        lines = [f"{split}/{n}.png" for n in names if n.startswith(LEFT_OUT + "_") == chosen]
        (made / f"{split}.txt").write_text("\n".join(lines) + "\n")


def recipe_of(name):
    return fcn.Recipe.load("camvid", **SHORT, **CHANGES[name])


def measure(name, folder, known):
    """Train by one change, score on the drive left out and on `known`, and keep what says so."""
    run = fcn.train(recipe_of(name), folder / name, verbose=0)
    kept = RESULTS / name
    kept.mkdir(parents=True, exist_ok=True)
    for file in KEPT:
        shutil.copyfile(run.folder / file, kept / file)
    scores = fcn.evaluate(run.model, known)
    write_scores(kept / "scores-known.json", scores, known)
    unknown = json.loads((kept / "scores.json").read_text())["mean_iou"]
    known = f"{scores.mean_iou:.1%} on the validation images"
    print(f"{name:22} {unknown:.1%} on the drive left out, {known}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    source = data_root()
    known = fcn.load_dataset("camvid", "val", root=source)
    with tempfile.TemporaryDirectory() as made:
        split_by_drive(source, Path(made))
        os.environ["FCN_DATA"] = made
        for name in CHANGES:
            if not (RESULTS / name / "scores-known.json").is_file():
                measure(name, folder, known)


if __name__ == "__main__":
    main()
