"""What does a network know of a street that none of its images show? CamVid, less one drive.

    FCN_DATA=DATA python -m studies.camvid_drives.run runs/camvid_drives

CamVid's training images come from three drives (the part of a file's name before the underscore),
and its validation images from one of the three. Here the 101 images of drive 0006R0 are left out of
training and validated on instead: FCN-8s by the recipe "camvid" in 600 steps, as it is and with one
thing changed at a time. Each network is scored on the validation images, too, whose drive it has
seen. The test images are not touched. In the table beside this script, "scores" are of the drive
left out and "scores-known" of the other.
"""

import os
import sys
import tempfile
from pathlib import Path

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import data_root
from fcn_tutorial.runs import write_scores
from studies.common import keep, missing

STUDY = Path(__file__).parent
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


def measure(name, folder, known):
    """Train with one change, score on the drive left out and on `known`, and keep the run."""
    recipe = fcn.Recipe.load("camvid", **SHORT, **CHANGES[name])
    run = fcn.train(recipe, folder / name, verbose=0)
    write_scores(run.folder / "scores-known.json", fcn.evaluate(run.model, known), known)
    keep(STUDY, run.folder)
    print(name, "is kept.", flush=True)


def main(folder):
    source = data_root()
    known = fcn.load_dataset("camvid", "val", root=source)
    with tempfile.TemporaryDirectory() as made:
        split_by_drive(source, Path(made))
        os.environ["FCN_DATA"] = made
        for name in missing(STUDY, CHANGES):
            measure(name, folder, known)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
