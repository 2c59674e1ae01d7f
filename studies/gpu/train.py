"""Train by a recipe on packs (pack.py), for as many minutes as a borrowed machine has left.

    python -m studies.gpu.train voc_efficientnet_fcn8s runs/lite0 --minutes 5 --packs A.zip B.zip

OUTPUT becomes a run folder as `fcn-tutorial train` makes it. The recipe's epochs get as many steps
as fit: a first try of a few steps gives the pace. The best epoch is scored on the packs' validation
images and on those of --test, and its weights are written in 16 bits, to be copied back;
`python -m studies.gpu.pack model OUTPUT` makes a model of them again.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import write_text
from studies.gpu.backend import compute_halves_in, multiply_32_bits_in, seconds_of_fit
from studies.gpu.pack import WEIGHTS, Packed, changes, give, weights_of_model, write_weights

FOR_SCORES = 0.2  # of the time, at most
FOR_SCORES_SECONDS = 60
EPOCHS_VALIDATE = 100  # images
CELL = 32  # pixels


class Padded(Dataset):
    """A data set whose images lie in the corner of larger ones, all of one size; the rest is void.

    JAX compiles a network for each size of image.

    Args:
        dataset: of images (H, W, 3) and labels (H, W).
        most: takes so many examples, evenly spread; None takes all.
    """

    def __init__(self, dataset, most=None):
        self.name, self.split = dataset.name, dataset.split
        self.classes, self.palette = dataset.classes, dataset.palette
        count = min(most or len(dataset), len(dataset))
        places = np.linspace(0, len(dataset) - 1, count).round().astype(int).tolist()
        self.names = tuple(dataset.names[place] for place in places)
        self.pairs = [dataset[place] for place in places]
        largest = np.max([label.shape for _, label in self.pairs], axis=0)
        self.size = tuple(-(-largest // CELL) * CELL)

    def __getitem__(self, index):
        from fcn_tutorial.data.pipeline import PAD_COLOR

        image, label = self.pairs[index]
        height, width = label.shape
        larger, ids = np.full((*self.size, 3), PAD_COLOR, np.uint8), np.full(self.size, VOID)
        larger[:height, :width], ids[:height, :width] = image, label
        return larger, ids.astype(np.uint8)


def stream(recipe, training):
    """Batches of a pack's training images, as a recipe augments them."""
    from fcn_tutorial.losses import class_weights

    names = ("scale", "flip", "color", "seed")
    options = {name: getattr(recipe, name) for name in names}
    options["class_weights"] = class_weights(training, recipe.class_weighting)
    return fcn.batches(training, recipe.batch_size, recipe.crop_size, **options)


def steps_until(ends, recipe, training, steps):
    """Steps of an epoch with which a recipe's epochs end in time, by the pace of a first try."""
    from fcn_tutorial.training import compiled_model

    model, data = compiled_model(recipe, len(training.classes), 1000), stream(recipe, training)
    (first,) = seconds_of_fit(model, data, 2, 1)
    (pace,) = seconds_of_fit(model, data, steps, 1)
    left = ends - time.monotonic() - first
    return max(1, int(left / pace * steps / recipe.epochs))


def started(recipe, weights, training, folder):
    """The recipe, starting from a file by `pack weights`, which a run folder holds from now on."""
    from fcn_tutorial.files import make_folder
    from fcn_tutorial.runs import describe
    from fcn_tutorial.training import compiled_model

    model = compiled_model(recipe, len(training.classes), 1)
    give(model, weights)
    make_folder(folder / "checkpoints")
    describe(folder, recipe, training, {}, 0)
    model.save(folder / "checkpoints" / "best.keras")
    return replace(recipe, initial=str(folder))


def learn(recipe, packs, output, seconds, weights=None, test=None, half="", steps=20):
    """Train by a recipe for so many seconds, scoring included.

    Args:
        recipe: a Recipe; its epochs stay, their steps come from the time.
        packs: files by `pack data`; trained on all, validated on all.
        output: a new folder, which becomes a run folder with `weights.npz` and `found.json`.
        weights: a file by `pack weights` to start from, where the recipe has no `initial`.
        test: a pack whose validation images are scored, too.
        half: "float16", "bfloat16", or "" for the library's choice.
        steps: of the first try.

    Yields:
        What was found so far, as a dictionary for JSON.
    """
    import keras

    spare = min(FOR_SCORES * seconds, FOR_SCORES_SECONDS)
    ends = time.monotonic() + seconds - spare
    multiply_32_bits_in("tf32")
    compute_halves_in(half)
    keras.utils.set_random_seed(recipe.seed)
    training, validation = (Packed(packs, split) for split in ("train", "val"))
    recipe = replace(recipe, weights="none" if weights or recipe.initial else recipe.weights)
    with TemporaryDirectory() as start:
        if weights and not recipe.initial:
            recipe = started(recipe, weights, training, Path(start, "start"))
        recipe = replace(recipe, steps_per_epoch=steps_until(ends, recipe, training, steps))
        found = {
            "recipe": asdict(recipe),
            "steps": recipe.epochs * recipe.steps_per_epoch,
            "data": {"name": training.name, "train": len(training), "val": len(validation)},
            "fingerprints": [training.fingerprint, validation.fingerprint],
        }
        yield found
        began, check = time.monotonic(), Padded(validation, EPOCHS_VALIDATE)
        run = fcn.train(recipe, output, verbose=0, training=training, validation=check)
    taken = time.monotonic() - began
    images = recipe.batch_size * found["steps"]
    losses = [row["loss"] for row in run.history]
    found |= {"seconds": taken, "images_a_second": images / taken, "losses": losses}
    yield found
    write_weights(Path(output, WEIGHTS), weights_of_model(run.model))
    found["val"] = scored(run.model, validation)
    yield found
    if test:
        found["test"] = scored(run.model, Packed([test], "val"))
        yield found


def scored(model, dataset):
    """The scores of a model on a data set, beside those of always predicting one class."""
    from fcn_tutorial.metrics import constant_baseline
    from fcn_tutorial.runs import METRICS

    result = fcn.evaluate(model, Padded(dataset))
    scores = {metric: float(getattr(result, metric)) for metric in METRICS}
    scores["baseline_mean_iou"] = float(constant_baseline(result.confusion)[1].mean_iou)
    return scores | {"examples": len(dataset), "confusion": result.confusion.tolist()}


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", help="A name or a TOML file.")
    parser.add_argument("output", type=Path, help="A new folder.")
    parser.add_argument("--minutes", type=float, required=True, help="Scoring included.")
    parser.add_argument("--packs", type=Path, nargs="+", required=True, help="By pack data.")
    parser.add_argument("--test", type=Path, help="A pack; its validation images are scored.")
    parser.add_argument("--weights", type=Path, help="By pack weights, to start from.")
    parser.add_argument("--half", default="", help="float16 or bfloat16. Default: the library's.")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    return parser.parse_args(arguments)


def main(arguments=None):
    chosen = options(arguments)
    recipe = fcn.Recipe.load(chosen.recipe, **changes(chosen.set))
    files = chosen.weights, chosen.test, chosen.half
    for found in learn(recipe, chosen.packs, chosen.output, 60 * chosen.minutes, *files):
        chosen.output.mkdir(parents=True, exist_ok=True)
        write_text(chosen.output.with_suffix(".json"), json.dumps(found, indent=1) + "\n")
        for name in ("val", "test"):
            if name in found:
                print(name, f"{found[name]['mean_iou']:.4f}", flush=True)


if __name__ == "__main__":
    os.environ.setdefault("KERAS_BACKEND", "jax" if find_spec("jax") else "torch")
    try:
        main()
    except InputError as error:
        sys.exit(f"studies.gpu.train: {error}")
