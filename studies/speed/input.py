"""Does a network wait for its input? Steps fed from photographs beside steps on fixed batches.

    FCN_DATA=DATA python -m studies.speed.input

FCN-8s over MobileNet learns from crops of 256 x 256 of VOC 2012's training images, with random
scale, flip and colour, by the recipe voc_mobilenet_fcn8s: with its frozen backbone, which makes the
steps short, and as a whole. In turns, `fit` makes the same number of steps on batches that lie in
memory and on batches that are read, cropped and coloured while it works.
"""

import argparse
import os
import time

import keras
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.data.pipeline import Batches
from fcn_tutorial.recipe import Recipe
from fcn_tutorial.training import compiled_model
from studies.common import write

FIXED, ROUNDS = 4, 3  # batches in memory; times that each kind of step is measured


def streams(dataset, recipe):
    """Batches in memory, and batches as training reads them."""
    options = {"scale": recipe.scale, "flip": recipe.flip, "color": recipe.color}
    read = fcn.batches(dataset, recipe.batch_size, recipe.crop_size, **options)
    kept = [read[number] for number in range(FIXED)]
    return {"fixed": Batches(lambda number: kept[number % FIXED]), "read": read}


class Clock(keras.callbacks.Callback):
    """When the steps ended: seconds of the clock and of all processors together."""

    def on_train_begin(self, logs=None):
        self.ends = []

    def on_train_batch_end(self, batch, logs=None):
        self.ends.append((time.perf_counter(), time.process_time()))


def seconds_a_step(model, stream, steps):
    """Of the clock and of the processors, in one `fit` without its first two steps."""
    clock = Clock()
    model.fit(stream, steps_per_epoch=2 + steps, shuffle=False, verbose=0, callbacks=[clock])
    return ((np.array(clock.ends[-1]) - clock.ends[1]) / steps).tolist()


def measure(dataset, steps, **changes):
    """Seconds a step, and how many steps the read batches allow for one on fixed batches.

    The ratio of the processors' seconds is what it would be if the network left no core idle.
    """
    changes |= {"initial": "", "weights": "none", "crop_size": 256}
    recipe = Recipe.load("voc_mobilenet_fcn8s", **changes)
    model = compiled_model(recipe, len(dataset.classes), steps_per_epoch=100)
    both = streams(dataset, recipe)
    seconds_a_step(model, both["fixed"], 1)  # TensorFlow compiles
    found = [
        {name: seconds_a_step(model, stream, steps) for name, stream in both.items()}
        for _ in range(ROUNDS)
    ]
    times = np.array([[row["fixed"], row["read"]] for row in found])
    ratio, work = np.median(times[:, 0] / times[:, 1], axis=0).tolist()
    seconds = dict(zip(both, np.median(times[..., 0], axis=0).tolist(), strict=True))
    return {"ratio": ratio, "ratio_of_processor_seconds": work, "seconds_a_step": seconds}


def milliseconds_an_example(dataset, count=64):
    """Processor time in which one thread reads and augments an example."""
    options = {"scale": (0.5, 2.0), "flip": True, "color": 0.4}
    stream, started = fcn.batches(dataset, 8, 256, **options), time.thread_time()
    for number in range(count // 8):
        stream.make(number)
    return 1000 * (time.thread_time() - started) / count


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=40)
    options = parser.parse_args()
    dataset = fcn.load_dataset("voc2012", "train")
    found = {
        "backend": keras.backend.backend(),
        "images": len(dataset),
        "rounds": ROUNDS,
        "steps": options.steps,
        "milliseconds_an_example": milliseconds_an_example(dataset),
    }
    for name, freeze in {"frozen": Recipe.load("voc_mobilenet_fcn8s").freeze, "whole": ""}.items():
        found[name] = measure(dataset, options.steps, freeze=freeze)
        print(f"{name}: {found[name]['ratio']:.3f} of the steps a second on fixed batches")
    found["load"] = os.getloadavg()  # of the machine, for what else was at work
    write(__file__, found)


if __name__ == "__main__":
    main()
