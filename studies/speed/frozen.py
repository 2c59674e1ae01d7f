"""Frozen layers that see each image once, beside frozen layers that compute in each epoch.

    python -m studies.speed.frozen

Trains FCN-32s over VGG-16 with all layers up to fc7 frozen, as the paper's FCN-32s-fixed, by one
recipe on the shapes, padded to 192 x 192 pixels, with keep_features and without. The trunk's
weights are random: nothing is learned here but how long it takes. An epoch's time, from the second
on, includes validation and the checkpoint.
"""

import tempfile
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial import callbacks
from studies.common import write

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
    save = callbacks.save_state

    def save_and_note(*arguments):
        save(*arguments)
        ends.append(time.perf_counter())

    with (
        tempfile.TemporaryDirectory() as folder,
        patch.object(callbacks, "save_state", save_and_note),
    ):
        run = fcn.train(recipe, Path(folder) / "run", verbose=0)
    return np.diff(ends).tolist(), [row["loss"] for row in run.history]


def main(limit=48):
    seconds, losses = {}, {}
    for name, keep in (("anew", False), ("kept", True)):
        recipe = replace(FIXED, limit=limit, epochs=4, keep_features=keep)
        seconds[name], losses[name] = seconds_of(recipe)
    ratio = float(np.median(seconds["anew"][1:]) / np.median(seconds["kept"][1:]))
    print(f"From the second epoch on {ratio:.1f} times as fast with features that are kept.")
    write(__file__, {"examples": limit, "seconds": seconds, "losses": losses, "ratio": ratio})


if __name__ == "__main__":
    main()
