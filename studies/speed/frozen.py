"""Frozen layers that see each image once, beside frozen layers that compute in each epoch.

    python benchmarks/frozen.py

Trains FCN-32s over VGG-16 with all layers up to fc7 frozen, as the paper's FCN-32s-fixed, by one
recipe on the shapes, padded to 192 x 192 pixels, with keep_features and without. The trunk's
weights are random: nothing is learned here but how long it takes. An epoch's time, from the second
on, includes validation and the checkpoint. Writes results/speed/frozen.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import keras
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial import runs

RESULT = Path(__file__).with_suffix(".json")
FIXED = fcn.Recipe(
    dataset="shapes",
    variant="fcn32s",
    backbone="vgg16",
    weights="none",
    dropout=0.0,
    freeze="fc7",
    crop_size=192,
    batch_size=4,
    learning_rate=1e-3,
)


def seconds_of(recipe):
    """Seconds of each epoch, the first with all that comes before it; and the losses."""
    ends = [time.perf_counter()]
    save = runs.save_checkpoint

    def save_and_note(*arguments):
        save(*arguments)
        ends.append(time.perf_counter())

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(runs, "save_checkpoint", save_and_note),
    ):
        run = fcn.train(recipe, Path(folder) / "run", verbose=0)
    return np.diff(ends).tolist(), [row["loss"] for row in run.history]


def measure(recipe):
    """{kept or anew: seconds of the epochs}, and the ratio of the medians from the second on."""
    seconds, losses = {}, {}
    for name, keep in (("anew", False), ("kept", True)):
        seconds[name], losses[name] = seconds_of(replace(recipe, epochs=4, keep_features=keep))
    ratio = float(np.median(seconds["anew"][1:]) / np.median(seconds["kept"][1:]))
    return {"examples": recipe.limit, "seconds": seconds, "losses": losses, "ratio": ratio}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=48)
    options = parser.parse_args()
    result = measure(replace(FIXED, limit=options.examples))
    machine = {
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "keras": keras.__version__,
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps({"machine": machine, **result}, indent=1) + "\n")
    print(f"From the second epoch {result['ratio']:.1f} times faster with features that are kept.")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    main()
