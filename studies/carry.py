"""Put networks into the package, or beside a study.

    python -m studies.carry runs/weights

trains the networks of the shapes, in about fifteen minutes on two CPU cores; runs in the folder are
resumed. A network for photographs comes from a run, with VOC in the folder FCN_DATA to score it;
one that shares the backbone of another adds its score layers only:

    python -m studies.carry runs/voc_efficientnet_fcn8s voc_fcn8s
    python -m studies.carry runs/voc_efficientnet_fcn32s voc_fcn32s voc_fcn8s

One for streets, too large for the package, comes from a run on CamVid into the folder of its study:

    python -m studies.carry runs/camvid_efficientnet studies/camvid_efficientnet/network/network
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from fcn_tutorial.data.catalog import load_dataset
from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.inference import evaluate
from fcn_tutorial.metrics import constant_baseline
from fcn_tutorial.runs import Run, load_run
from fcn_tutorial.training import train
from fcn_tutorial.weights import SHIPPED, restored, store
from studies.shapes.run import train_classifier


def carry(run: Run, name: str, dataset: Dataset, bits: int = 16, over: str = "") -> None:
    """Put a trained FCN into the package, and what its weights of few bits reach on `dataset`.

    name: what `load_trained` is to call it; or a path, to store it elsewhere. bits: 16 or 8. over:
    name of an FCN in the package; the weights that both share are stored once.
    """
    weights = (SHIPPED if Path(name).name == name else Path()) / f"{name}.npz"
    weights.parent.mkdir(parents=True, exist_ok=True)
    store(run.model, weights, bits)
    if over:
        with np.load(weights) as ours, np.load(SHIPPED / f"{over}.npz") as theirs:
            same = {each for each in theirs if np.array_equal(ours.get(each), theirs[each])}
            new = {each: ours[each] for each in ours if each not in same}
        np.savez_compressed(weights, **new)
    files = [*([f"{over}.npz"] if over else []), weights.name]
    stored = restored(run.model, *(weights.parent / file for file in files))
    result = evaluate(stored, dataset, progress=True)
    constant, baseline = constant_baseline(result.confusion)
    content = {
        "recipe": asdict(run.recipe),
        "weights": files,
        "classes": run.classes,
        "palette": run.palette.tolist(),
        f"{dataset.split}_mean_iou": result.mean_iou,
        f"{dataset.split}_pixel_accuracy": result.pixel_accuracy,
        f"{dataset.split}_mean_iou_of_all_{run.classes[constant]}": baseline.mean_iou,
    }
    path = weights.with_suffix(".json")
    path.write_text(json.dumps(content, indent=1) + "\n")
    print(f"Wrote {path.name}: mean IoU {result.mean_iou:.1%} on {len(dataset)} images")


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
        found = load_run(sys.argv[1])
        streets = found.recipe.dataset == "camvid"
        dataset, split = ("camvid", "test") if streets else ("voc2012", "val_2007_2008")
        carry(found, sys.argv[2], load_dataset(dataset, split), 8, *sys.argv[3:])
    else:
        make_shapes(Path(sys.argv[1] if len(sys.argv) > 1 else "runs/weights"))
