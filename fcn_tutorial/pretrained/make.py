"""Put networks into the package.

    python -m fcn_tutorial.pretrained.make runs/weights

trains the networks of the shapes, in about fifteen minutes on two CPU cores; runs in the folder are
resumed. A network for photographs comes from a run, with VOC in the folder FCN_DATA to score it;
one that shares the backbone of another adds its score layers only:

    python -m fcn_tutorial.pretrained.make runs/voc_efficientnet_fcn8s voc_fcn8s
    python -m fcn_tutorial.pretrained.make runs/voc_efficientnet_fcn32s voc_fcn32s voc_fcn8s
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.backbones import vgg_narrow
from fcn_tutorial.data.catalog import load_dataset
from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.data.shapes import single_shapes
from fcn_tutorial.inference import evaluate
from fcn_tutorial.metrics import constant_baseline
from fcn_tutorial.runs import Run, load_run
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


def carry(run: Run, name: str, dataset: Dataset, bits: int = 16, over: str = "") -> None:
    """Put a trained FCN into the package, and what its weights of few bits reach beside it.

    Args:
        run: what was trained.
        name: what `load_trained` is to call it.
        dataset: the examples to score it on.
        bits: 16 or 8.
        over: name of an FCN in the package; the weights that both share are stored once.
    """
    weights = SHIPPED / f"{name}.npz"
    store(run.model, weights, bits)
    if over:
        _leave_out(weights, SHIPPED / f"{over}.npz")
    files = [*([f"{over}.npz"] if over else []), weights.name]
    stored = restored(run.model, *(SHIPPED / file for file in files))
    result = evaluate(stored, dataset, progress=True)
    content = {
        "recipe": asdict(run.recipe),
        "weights": files,
        "classes": run.classes,
        "palette": run.palette.tolist(),
        f"{dataset.split}_mean_iou": result.mean_iou,
        f"{dataset.split}_pixel_accuracy": result.pixel_accuracy,
        f"{dataset.split}_mean_iou_of_all_background": constant_baseline(result.confusion)[
            1
        ].mean_iou,
    }
    path = SHIPPED / f"{name}.json"
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Wrote {path.name}: mean IoU {result.mean_iou:.1%} on {len(dataset)} images")


def _leave_out(path: Path, other: Path) -> None:
    with np.load(path) as ours, np.load(other) as theirs:
        new = {
            name: ours[name]
            for name in ours.files
            if name not in theirs or not np.array_equal(ours[name], theirs[name])
        }
    np.savez_compressed(path, **new)


def make_shapes(folder: Path) -> None:
    """Train what the folder of runs does not hold, and store it in the package."""
    if not (folder / "fcn32s").exists():
        classifier, accuracy = train_classifier()
        store(classifier, SHIPPED / "classifier.npz")
        print(f"Wrote classifier.npz: it names {accuracy:.1%} of 600 other crops")
    for variant in ("fcn32s", "fcn8s"):
        run = train(f"shapes_{variant}", folder / variant, verbose=2)
        carry(run, variant, load_dataset("shapes", "test"))


if __name__ == "__main__":
    if len(sys.argv) > 2:
        photographs = load_dataset("voc2012", "val_2007_2008")
        carry(load_run(sys.argv[1]), sys.argv[2], photographs, 8, *sys.argv[3:])
    else:
        make_shapes(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/weights"))
