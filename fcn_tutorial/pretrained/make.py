"""Train the small networks that the package carries: python -m fcn_tutorial.pretrained.make

Takes about fifteen minutes on two CPU cores; runs in the folder are resumed.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import keras

from fcn_tutorial.backbones import vgg_narrow
from fcn_tutorial.data.catalog import load_dataset
from fcn_tutorial.data.shapes import single_shapes
from fcn_tutorial.inference import evaluate
from fcn_tutorial.metrics import constant_baseline
from fcn_tutorial.training import train
from fcn_tutorial.weights import SHIPPED, restored, store

CROPS, EPOCHS, BATCH = 3000, 3, 32


def train_classifier() -> tuple[keras.Model, float]:
    """Train the narrow VGG on single-shape crops; return it and its accuracy on other crops."""
    keras.utils.set_random_seed(0)
    images, labels = single_shapes(CROPS)
    classifier = vgg_narrow()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * CROPS // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    classifier.compile(keras.optimizers.Adam(rate), loss, metrics=["accuracy"])
    classifier.fit(images, labels, batch_size=BATCH, epochs=EPOCHS, verbose=2)
    return classifier, classifier.evaluate(*single_shapes(600, seed=1), verbose=0)[1]


def make_fcn(variant: str, folder: Path) -> None:
    """Train by the package's recipe, store the weights, and store what they reach beside them."""
    run = train(f"shapes_{variant}", folder / variant, verbose=2)
    weights = SHIPPED / f"{variant}.npz"
    store(run.model, weights)
    result = evaluate(restored(run.model, weights), load_dataset("shapes", "test"))
    content = {
        "recipe": asdict(run.recipe),
        "weights": [f"{variant}.npz"],
        "classes": run.classes,
        "palette": run.palette.tolist(),
        "test_mean_iou": result.mean_iou,
        "test_pixel_accuracy": result.pixel_accuracy,
        "test_mean_iou_of_all_background": constant_baseline(result.confusion)[1].mean_iou,
    }
    path = SHIPPED / f"{variant}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Wrote {path.name}: mean IoU {result.mean_iou:.1%} on 200 held-out scenes")


def main(folder: Path) -> None:
    """Train what the folder of runs does not hold, and store it in the package."""
    if not (folder / "fcn32s").exists():
        classifier, accuracy = train_classifier()
        store(classifier, SHIPPED / "classifier.npz")
        print(f"Wrote classifier.npz: it names {accuracy:.1%} of 600 other crops")
    for variant in ("fcn32s", "fcn8s"):
        make_fcn(variant, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/weights"))
