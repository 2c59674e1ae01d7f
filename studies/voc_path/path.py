"""The complete path of VGG-16 on PASCAL VOC, from the download to a segmented photo, in few steps.

    FCN_DATA=DATA python -m studies.voc_path.path [RECIPE ...]

Serves what DATA/VOCdevkit holds from this machine as the published archive, fetches it, writes
records, makes a weight file of VGG-16 in the layout of the published one, and runs each recipe over
VGG-16 for 20 steps on small crops. The first is also killed after 10 steps and resumed. The last
evaluates and segments through the command line. Weights are random and nothing is learned in 20
steps: what is shown is that each part fits the next.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from unittest import mock

import h5py
import keras
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial import training
from fcn_tutorial.data.catalog import Archive
from fcn_tutorial.data.dataset import data_root
from fcn_tutorial.data.download import fetch
from fcn_tutorial.data.records import write_records
from fcn_tutorial.recipe import RECIPES
from fcn_tutorial.runs import environment
from studies.common import fresh, served, write

COMMAND = Path(sys.executable).with_name("fcn-tutorial")
VARIANTS = ("fcn32s", "fcn16s", "fcn8s")
PUBLISHED = "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
IMAGES = 12_031  # of VOC 2012 and SBD together
VALIDATED = 4  # images; each takes VGG-16 seconds, and all of them again after each epoch
# The published size: crops of 480 or 512, batches of 1 to 16, thousands of steps an epoch.
SMALL = {"crop_size": 96, "batch_size": 2, "epochs": 2, "steps_per_epoch": 10}


def fetched(source, folder):
    """Serve VOCdevkit below `source` as an archive, and fetch it; returns the new data root."""
    published, root = folder / "published", folder / "data"
    published.mkdir()
    path = published / "voc.tar"
    with tarfile.open(path, "w") as tar:
        tar.add(source / "VOCdevkit", "VOCdevkit")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
    with served(published) as address:
        url, size = f"{address}/voc.tar", path.stat().st_size
        archive = Archive("voc.tar", (url,), "VOCdevkit/VOC2012", size, digest)
        fetch("voc2012", root, {"voc2012": archive}, progress=False)
    shutil.rmtree(published)
    return root


def recorded(root, folder):
    """Write records of the training split in two processes; returns their size and truth."""
    examples = fcn.load_dataset("voc2012", "train", root)
    records = write_records(examples, folder, shards=min(4, len(examples)), processes=2)
    size = sum(path.stat().st_size for path in records.shards)
    pairs = [
        [np.array_equal(*two) for two in zip(one, other, strict=True)]
        for one, other in zip(examples, records, strict=True)
    ]
    return {
        "examples": len(examples),
        "bytes": size,
        "bytes_an_example": round(size / len(examples)),
        f"bytes_for_{IMAGES}": round(size / len(examples) * IMAGES),
        "same_images_and_labels": bool(np.all(pairs)),
    }


def shorten(root):
    """Keep only the first names of the list of validation images."""
    path = root / "VOCdevkit/VOC2012/ImageSets/Segmentation/val.txt"
    path.write_text("\n".join(path.read_text().split()[:VALIDATED]) + "\n")


def publish(classifier, path):
    """Write weights in the layout of the file that Keras downloads: a group for each layer."""
    weighted = [layer for layer in classifier.layers if layer.weights]
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.name for layer in weighted]
        for layer in weighted:
            names = [f"{layer.name}_{letter}_1:0" for letter in "Wb"]
            group = file.create_group(layer.name)
            group.attrs["weight_names"] = names
            for name, weight in zip(names, layer.get_weights(), strict=True):
                group[name] = weight


def make_weights(path):
    """The file of a VGG-16 with random weights; returns its size in bytes."""
    keras.utils.set_random_seed(0)
    publish(keras.applications.VGG16(weights=None), path)
    return path.stat().st_size


def transplanted(path, net):
    """Are fc6 and fc7 of an FCN what the file holds as fc1 and fc2, kernels and biases?"""
    equal = {}
    with h5py.File(path) as file:
        for old, new in (("fc1", "fc6"), ("fc2", "fc7")):
            kernel, bias = net.get_layer(new).get_weights()
            same = np.array_equal(np.reshape(file[f"{old}/{old}_W_1:0"], kernel.shape), kernel)
            equal[new] = same and np.array_equal(file[f"{old}/{old}_b_1:0"], bias)
    return equal


def counts():
    """Weights of the three networks with 21 classes, and what they are the sum of."""
    table = {}
    for variant in VARIANTS:
        net = fcn.build_fcn(variant, 21)
        scores = [layer for layer in net.layers if layer.name.startswith("score")]
        parts = {layer.name: layer.count_params() for layer in scores}
        parts = {"up to fc7": net.count_params() - sum(parts.values()), **parts}
        table[variant] = {"weights": net.count_params(), "parts": parts}
    return table


def first_network(weights):
    """What the networks have before the first step, for a process of its own."""
    size = make_weights(weights)
    net = fcn.build_fcn("fcn8s", 21, weights=weights)
    return {"weight_file_bytes": size, "transplanted": transplanted(weights, net)}


def recipes():
    """Names of the recipes for VGG-16 on VOC, each after the one whose run it starts from."""
    loaded = {path.stem: fcn.Recipe.load(path.stem) for path in RECIPES.glob("*.toml")}

    def stages(name):
        before = Path(loaded[name].initial).name
        return [*stages(before), name] if before else [name]

    names = [name for name in sorted(loaded) if loaded[name].backbone == "vgg16"]
    return list(dict.fromkeys(stage for name in names for stage in stages(name)))


def small(name, folder):
    """The recipe as it is run here: from the records, on small crops, after the run before it."""
    recipe = fcn.Recipe.load(name)
    changes = SMALL | {"batch_size": min(recipe.batch_size, SMALL["batch_size"])}
    changes |= {"dataset": "voc2012", "train_split": "train", "val_split": "val"}
    changes["records"] = str(folder / "records")
    changes["initial"] = str(folder / Path(recipe.initial).name) if recipe.initial else ""
    return fcn.Recipe.load(name, **changes)


def trained(recipe, run):
    """Train, or resume what is there; returns the losses of the epochs and the steps' time."""
    seconds = []

    class Timed(training.RunFolder):
        def on_train_batch_begin(self, batch, logs=None):
            self.began = time.perf_counter()

        def on_train_batch_end(self, batch, logs=None):
            seconds.append(time.perf_counter() - self.began)

    with mock.patch.object(training, "RunFolder", Timed):
        finished = fcn.train(recipe, run, verbose=0)
    return {
        "steps": len(seconds),
        "losses": [row["loss"] for row in finished.history],
        "seconds_a_step": round(float(np.median(seconds)), 2),
    }


def moved(recipe, run):
    """How many layers have other weights than training began with, and by how much at most."""
    after = fcn.load_run(run).model
    keras.utils.set_random_seed(recipe.seed)
    before = training.compiled_model(recipe, after.output.shape[-1], steps_per_epoch=1)
    pairs = zip(before.layers, after.layers, strict=True)
    pairs = [(one.get_weights(), other.get_weights()) for one, other in pairs if one.weights]
    largest = [
        max(np.abs(a - b).max() for a, b in zip(one, other, strict=True)) for one, other in pairs
    ]
    return {
        "layers": len(pairs),
        "layers_moved": int(np.count_nonzero(largest)),
        "largest_change": float(max(largest)),
    }


def checkpoint(run):
    return run / "checkpoints" / "last.weights.h5"


def kill_in_second_epoch(recipe, run):
    """Train through the command line, killed once an epoch is written; returns epochs behind it."""
    file = run.with_name(f"{run.name}.toml")
    recipe.save(file)
    process = subprocess.Popen([COMMAND, "train", file, "--output", run], stdout=subprocess.DEVNULL)
    while not checkpoint(run).exists() and process.poll() is None:
        time.sleep(0.01)
    process.kill()
    process.wait()
    return len((run / "history.csv").read_text().splitlines()) - 1


def difference(path, other):
    """Largest difference between two checkpoints, in weights and in the optimizer's state."""
    names = []
    with h5py.File(path) as one, h5py.File(other) as two:
        one.visit(names.append)
        values = [(one[name], two[name]) for name in names if isinstance(one[name], h5py.Dataset)]
        return max(
            float(np.abs(np.subtract(a[()], b[()], dtype=np.float64)).max()) for a, b in values
        )


def used(run, root, folder):
    """Evaluate and segment through the command line; returns what was written."""
    photo = min((root / "VOCdevkit/VOC2012/JPEGImages").glob("*.jpg"))
    for arguments in (
        ["evaluate", run, "--limit", "3", "--predictions", folder / "server"],
        ["segment", run, photo, "--output", folder / "segmented"],
    ):
        environ = {**os.environ, "FCN_DATA": str(root)}
        subprocess.run([COMMAND, *arguments], env=environ, check=True, stdout=subprocess.DEVNULL)
    maps = sorted((folder / "server").rglob("*.png"))
    return {
        "evaluated": json.loads((run / "scores-voc2012-val-first3.json").read_text())["examples"],
        "label_maps": [path.relative_to(folder / "server").as_posix() for path in maps],
        "segmented": sorted(path.name for path in (folder / "segmented").iterdir()),
    }


def prepared(folder):
    """Data, records and weights, which the environment then points at; returns what they are."""
    root = fetched(data_root(), folder)
    os.environ |= {"FCN_DATA": str(root), "FCN_WEIGHTS": str(folder)}
    result = {"environment": environment(), "small": SMALL | {"validated": VALIDATED}}
    for split in ("train", "val"):
        result[f"fetched_{split}"] = len(fcn.load_dataset("voc2012", split))
    shorten(root)
    print(f"fetched: {result['fetched_train']} and {result['fetched_val']} images", flush=True)
    result["records"] = recorded(root, folder / "records")
    print(f"records: {result['records']}", flush=True)
    result |= fresh(first_network, folder / PUBLISHED)
    print(f"weights of fc6 and fc7 as in the file: {result['transplanted']}", flush=True)
    result["networks"] = fresh(counts)
    for variant, network in result["networks"].items():
        parts = " + ".join(f"{count:,} ({name})" for name, count in network["parts"].items())
        print(f"{variant}: {network['weights']:,} = {parts}", flush=True)
    return result


def resumed(recipe, left_alone, run):
    """Kill a run in its second epoch, resume it, and compare it with one left alone."""
    behind = kill_in_second_epoch(recipe, run)
    again = fresh(trained, recipe, run)
    largest = difference(checkpoint(left_alone), checkpoint(run))
    shutil.rmtree(run)
    return {"killed_after": behind, "steps_after": again["steps"], "largest_difference": largest}


def clean(folder, names):
    """Delete the runs that none of the recipes `names` starts from: half a gigabyte each."""
    needed = {Path(fcn.Recipe.load(name).initial).name for name in names}
    for run in folder.glob("*/recipe.toml"):
        checkpoint(run.parent).unlink(missing_ok=True)
        if run.parent.name not in needed:
            shutil.rmtree(run.parent)


def main(names):
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        result = {**prepared(folder), "runs": {}, "resumed": {}}
        for place, name in enumerate(names):
            clean(folder, names[place:])
            recipe, run = small(name, folder), folder / name
            result["runs"][name] = fresh(trained, recipe, run) | fresh(moved, recipe, run)
            print(f"{name}: {result['runs'][name]}", flush=True)
            if place == 0:
                result["resumed"][name] = resumed(recipe, run, folder / "resumed")
                print(f"resumed: {result['resumed'][name]}", flush=True)
        result["used"] = {"run": name, **used(run, data_root(), folder)}
    write(__file__, result)


if __name__ == "__main__":
    main(sys.argv[1:] or recipes())
