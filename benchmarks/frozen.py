"""Frozen layers that see each image once, beside frozen layers that compute in each epoch.

    python benchmarks/frozen.py

Trains FCN-32s over VGG-16 with all layers up to fc7 frozen, as the paper's FCN-32s-fixed, by one
recipe on the shapes, padded to 192 x 192 pixels, with keep_features and without. The trunk's
weights are random: nothing is learned here but how long it takes. What an epoch takes from the
second on is the time of three epochs less that of one, by two; it includes validation and the
checkpoint. Writes results/speed/frozen.json.
"""

import argparse
import json
import os
import platform
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import keras

import fcn_tutorial as fcn

RESULT = Path(__file__).resolve().parents[1] / "results" / "speed" / "frozen.json"
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
    """Seconds of a whole training by a recipe, and its losses."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        run = fcn.train(recipe, Path(folder) / "run", verbose=0)
        return time.perf_counter() - started, [row["loss"] for row in run.history]


def measure(recipe):
    """{kept or anew: seconds of the first epoch with building, and of each later one}."""
    seconds, losses = {}, {}
    for name, keep in (("anew", False), ("kept", True)):
        changed = replace(recipe, keep_features=keep)
        first, _ = seconds_of(replace(changed, epochs=1))
        three, losses[name] = seconds_of(replace(changed, epochs=3))
        seconds[name] = {"first": first, "later": (three - first) / 2}
    ratio = seconds["anew"]["later"] / seconds["kept"]["later"]
    return {"examples": recipe.limit, "seconds": seconds, "losses": losses, "ratio": ratio}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--examples", type=int, default=96)
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
