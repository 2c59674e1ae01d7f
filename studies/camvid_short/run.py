"""What is each skip and each ingredient of the recipe worth on CamVid? Short runs, one change each.

    FCN_DATA=DATA python -m studies.camvid_short.run runs/camvid_short

Trains FCN-32s, FCN-16s and FCN-8s over MobileNet under one short recipe with seeds 0 to 2, then
FCN-8s with one thing changed at a time. All are scored on the 101 validation images; the test
images are not touched. Runs that are kept beside this script already are skipped, and one that was
interrupted is resumed, so this can be stopped at will.
"""

import sys
import time
from pathlib import Path

import fcn_tutorial as fcn
from studies.common import keep, missing

STUDY = Path(__file__).parent
# What the recipe "camvid" was before these runs, on smaller crops and in 600 steps. What they say
# is in it now: a trunk that learns at the full rate, larger crops, weights for rare classes.
SHORT = {
    "crop_size": 192,
    "scale": (0.6, 1.6),
    "color": 0.15,
    "epochs": 4,
    "steps_per_epoch": 150,
    "class_weighting": 0.0,
    "learning_rate": 2e-3,
    "trunk_learning_rate": 0.05,
    "warmup_epochs": 0.3,
}
SEEDS = range(3)
VARIANTS = ("fcn32s", "fcn16s", "fcn8s")
# The dilated network needs a VGG; so its row has a neighbour over the same narrow trunk.
NARROW = {"backbone": "vgg_narrow", "weights": "shapes", "trunk_learning_rate": 1.0}
CHANGES = {
    "crop_128": {"crop_size": 128},
    "crop_288": {"crop_size": 288},
    "scale_none": {"scale": (1.0, 1.0)},
    "scale_wide": {"scale": (0.4, 2.5)},
    "trunk_rate_0": {"trunk_learning_rate": 0.0},
    "trunk_rate_1": {"trunk_learning_rate": 1.0},
    "schedule_constant": {"schedule": "constant"},
    "schedule_poly": {"schedule": "poly"},
    "class_weighting": {"class_weighting": 0.35},
    "jaccard": {"jaccard": 1.0},
    "color_none": {"color": 0.0},
    "flip_none": {"flip": False},
    "normalization_frozen": {"freeze_normalization": True},
    "ema": {"ema_momentum": 0.99},
    "enlarged": {"enlarge": 2, "crop_size": 96},
    # As many steps as at once: 300 for FCN-32s, then 150 for each skip.
    "staged_fcn32s": {"variant": "fcn32s", "epochs": 2},
    "staged_fcn16s": {"variant": "fcn16s", "epochs": 1, "initial": "staged_fcn32s"},
    "staged_fcn8s": {"variant": "fcn8s", "epochs": 1, "initial": "staged_fcn16s"},
    "from_scratch": {"weights": "none", "trunk_learning_rate": 1.0},
    "narrow_fcn32s": {"variant": "fcn32s", **NARROW},
    "narrow_dilated16": {"variant": "dilated16", **NARROW},
}


def plan():
    """{name of a run: what it changes in the recipe}, in the order in which they are made."""
    seeds = {
        f"{variant}_seed{seed}": {"variant": variant, "seed": seed}
        for seed in SEEDS
        for variant in VARIANTS
    }
    return seeds | CHANGES


def recipe_of(name, folder):
    changes = SHORT | plan()[name]
    if initial := changes.get("initial"):
        changes = changes | {"initial": (folder / initial).as_posix(), "weights": "none"}
    return fcn.Recipe.load("camvid", **changes)


def measure(name, folder):
    """Make one run, or resume it, and keep what is worth keeping."""
    minutes = folder / f"{name}.minutes"  # of processor time, of all its parts
    before = float(minutes.read_text()) if minutes.is_file() else 0.0
    started = time.process_time()
    try:
        fcn.train(recipe_of(name, folder), folder / name, verbose=0)
    finally:
        minutes.write_text(str(before + (time.process_time() - started) / 60))
    keep(STUDY, folder / name, minutes=round(float(minutes.read_text()), 1))
    print(name, "is kept.", flush=True)


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in missing(STUDY, plan()):
        measure(name, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
