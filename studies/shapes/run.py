"""How far do FCN-32s, FCN-16s and FCN-8s get on the shapes in a few minutes?

    python -m studies.shapes.run runs/story

Trains the narrow VGG on single-shape crops, then the three networks, each from the one before.
Writes minutes and mean IoU on held-out scenes into the folder's story.json.
"""

import json
import platform
import sys
import time
from dataclasses import replace
from pathlib import Path

import keras

import fcn_tutorial as fcn
from fcn_tutorial.backbones import vgg_narrow
from fcn_tutorial.data.shapes import single_shapes
from fcn_tutorial.metrics import constant_baseline
from fcn_tutorial.runs import write_scores

CROPS, EPOCHS, BATCH = 3000, 3, 32  # of the classifier
STAGES = {"fcn32s": 5, "fcn16s": 3, "fcn8s": 6}  # epochs of each


def train_classifier():
    """Train the narrow VGG on single-shape crops; return it and its accuracy on other crops."""
    keras.utils.set_random_seed(0)
    images, labels = single_shapes(CROPS)
    classifier = vgg_narrow()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * CROPS // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    classifier.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=2)
    return classifier, classifier.evaluate(*single_shapes(600, seed=1), verbose=0)[1]


def train_stages(folder, classifier):
    """Train the three networks, each from the one before; yield (variant, run)."""
    recipe = replace(fcn.Recipe.load("shapes"), weights=str(classifier))
    for variant, epochs in STAGES.items():
        run = fcn.train(
            replace(recipe, variant=variant, epochs=epochs), folder / variant, verbose=2
        )
        yield variant, run
        recipe = replace(recipe, initial=str(run.folder))


def main(folder):
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.exit(f"{folder} is not empty: name a new folder, or remove it.")
    started = time.perf_counter()
    classifier, accuracy = train_classifier()
    # A model that was never compiled is saved without its optimizer, at a third of the size.
    bare = keras.Model(classifier.inputs, classifier.outputs, name=classifier.name)
    bare.save(folder / "classifier.keras")
    rows = {"classifier": {"accuracy": accuracy, "minutes": (time.perf_counter() - started) / 60}}
    for variant, run in train_stages(folder, folder / "classifier.keras"):
        minutes = (time.perf_counter() - started) / 60
        test = fcn.load_dataset("shapes", "test")
        result = fcn.evaluate(run.model, test)
        write_scores(run.folder / "scores-shapes-test.json", result, test)
        rows[variant] = {"mean_iou": result.mean_iou, "minutes": minutes}
    _, baseline = constant_baseline(result.confusion)
    rows["all background"] = {"mean_iou": baseline.mean_iou}
    machine = f"{platform.machine()}, {keras.backend.backend()}"
    (folder / "story.json").write_text(json.dumps({"machine": machine, **rows}, indent=1) + "\n")
    print(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
