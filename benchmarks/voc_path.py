"""The whole way of VGG-16 on PASCAL VOC, from the download to a segmented photo, with few steps.

    FCN_DATA=DATA python benchmarks/voc_path.py

Serves what DATA/VOCdevkit holds from this machine as the published archive, fetches it, writes
records, makes a weight file of VGG-16 with random weights in the format that Keras publishes, and
runs each recipe for 20 steps on small crops: the first 10, then, resumed, 10 more. Then evaluates
and segments through the command line. Nothing is learned in 20 steps; what is shown is that each
part fits the next. Writes results/voc_path/path.json.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import keras
import numpy as np

import fcn_tutorial as fcn
from fcn_tutorial.datasets.fetch import Archive, fetch
from fcn_tutorial.datasets.files import data_root
from fcn_tutorial.datasets.records import write_records
from fcn_tutorial.training import environment

RESULT = Path(__file__).resolve().parents[1] / "results" / "voc_path" / "path.json"
FAMILIES = ("keras_fcn", "paper_heavy", "voc")
VARIANTS = ("fcn32s", "fcn16s", "fcn8s")
SMALL = {"dataset": "voc2012", "train_split": "train", "val_split": "val"}
SMALL |= {"crop_size": 128, "batch_size": 1, "limit": 10, "epochs": 2}  # 10 steps an epoch
IMAGES = 12_031  # of VOC 2012 and SBD together


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def fetched(source, folder):
    """Serve VOCdevkit below `source` as an archive, fetch it; returns the new data root."""
    served, root = folder / "served", folder / "data"
    served.mkdir()
    with tarfile.open(served / "voc.tar", "w") as tar:
        tar.add(source / "VOCdevkit", "VOCdevkit")
    content = (served / "voc.tar").read_bytes()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=served))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    archive = Archive(
        file="voc.tar",
        urls=(f"http://127.0.0.1:{server.server_port}/voc.tar",),
        size=len(content),
        md5=hashlib.md5(content, usedforsecurity=False).hexdigest(),
        folder="VOCdevkit/VOC2012",
    )
    fetch("voc2012", root, {"voc2012": archive}, progress=False)
    server.shutdown()
    shutil.rmtree(served)
    return root


def recorded(root, folder):
    """Write records of the training split; returns what they say of size and labels."""
    examples = fcn.load_dataset("voc2012", "train", root)
    records = write_records(examples, folder, shards=min(4, len(examples)), processes=2)
    size = sum(path.stat().st_size for path in records.shards)
    same = all(
        np.array_equal(one[1], other[1]) for one, other in zip(examples, records, strict=True)
    )
    return {
        "examples": len(examples),
        "bytes": size,
        f"bytes_for_{IMAGES}": round(size / len(examples) * IMAGES),
        "labels_equal": same,
    }


def transplanted(path):
    """Write random weights of VGG-16 in Keras's format; does an FCN hold its fc1 and fc2?"""
    keras.utils.set_random_seed(0)
    published = keras.applications.VGG16(weights=None)
    published.save_weights(path)
    net = fcn.build_fcn("fcn8s", 21, weights=path)
    return all(
        np.array_equal(
            net.get_layer(new).kernel, published.get_layer(old).kernel.numpy().reshape(shape)
        )
        for old, new, shape in (("fc1", "fc6", (7, 7, 512, 4096)), ("fc2", "fc7", (1, 1, 4096, -1)))
    )


def counts(num_classes=21, **options):
    """Weights of the three networks."""
    built = {name: fcn.build_fcn(name, num_classes, **options) for name in VARIANTS}
    return {name: net.count_params() for name, net in built.items()}


def trained(name, folder, **changes):
    """Run a recipe for 10 steps, then again for all 20; returns losses and seconds a step."""
    recipe = fcn.Recipe.load(name, **SMALL, **changes)
    run = folder / name
    started = time.perf_counter()
    # The schedule looks at the number of epochs, so the first part must not be a shorter recipe.
    interrupted(recipe, run)
    finished = fcn.train(recipe, run, verbose=0)
    losses = [row["loss"] for row in finished.history]
    weights = finished.model.get_weights()
    return {
        "steps": len(losses) * (recipe.limit // recipe.batch_size),
        "losses": losses,
        "finite": all(np.isfinite(weight).all() for weight in weights),
        "seconds": round(time.perf_counter() - started, 1),
    }


class Interrupt(Exception):
    """Stands for the power cut after the first epoch."""


def interrupted(recipe, run):
    """Train until the first epoch is written."""

    def stop(callback, epoch, logs=None):
        write(callback, epoch, logs)
        raise Interrupt

    from fcn_tutorial.training import RunFolder

    write, RunFolder.on_epoch_end = RunFolder.on_epoch_end, stop
    try:
        fcn.train(recipe, run, verbose=0)
    except Interrupt:
        pass
    finally:
        RunFolder.on_epoch_end = write


def used(run, root, folder):
    """Evaluate and segment through the command line; returns the scores and the files written."""
    command = [Path(sys.executable).with_name("fcn-tutorial")]
    environ = {**os.environ, "FCN_DATA": str(root)}
    photo = next((root / "VOCdevkit" / "VOC2012" / "JPEGImages").glob("*.jpg"))
    for arguments in (
        ["evaluate", run, "--limit", "4", "--predictions", folder / "server"],
        ["segment", run, photo, "--output", folder / "segmented"],
    ):
        subprocess.run([*command, *arguments], env=environ, check=True)
    scores = json.loads((run / "scores-voc2012-val-first4.json").read_text())
    return {
        "evaluated": scores["examples"],
        "label_maps": len(list((folder / "server").rglob("*.png"))),
        "segmented": sorted(
            path.name.replace(photo.stem, "NAME") for path in (folder / "segmented").iterdir()
        ),
    }


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        root = fetched(data_root(), folder)
        os.environ["FCN_DATA"] = str(root)
        result = {"environment": environment(), "small": SMALL}
        result["records"] = recorded(root, folder / "records")
        weights = folder / "vgg16.weights.h5"
        result["fc6_and_fc7_from_file"] = transplanted(weights)
        result["weights"] = counts(weights=None)
        result["runs"] = {}
        for family in FAMILIES:
            before = None
            for variant in VARIANTS:
                name = f"{family}_{variant}"
                staged = {"initial": before} if before else {"weights": weights}
                result["runs"][name] = trained(name, folder, records=folder / "records", **staged)
                print(name, result["runs"][name], flush=True)
                if before:
                    shutil.rmtree(before)  # a run of VGG-16 takes two gigabytes
                before = folder / name
            result["used"] = used(before, root, folder)
            shutil.rmtree(before)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=1, default=str) + "\n")
    print(f"Wrote {RESULT}.")


if __name__ == "__main__":
    main()
