"""Weights and models, read from files and written to them; nothing in a file is run.

Model files are the reader's own and trusted, except that no code in them is executed. Whatever goes
wrong becomes one sentence with the path.
"""

import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np

from fcn_tutorial.errors import InputError, explained
from fcn_tutorial.files import write_whole

Weights = str | os.PathLike | None  # a path, a word such as "imagenet", or None for random ones
SHIPPED = Path(__file__).parent / "pretrained"  # the folder of files that come with the package
SCALE = ":scale"  # behind a kernel's name: what its int8 values are multiplied by
LARGE = 40_000  # numbers; a smaller kernel takes little room in 16 bits
ADVICE = "replace it, or train again"
FROM_THE_START = "delete it to train from the start"


def load_model(path: str | os.PathLike) -> keras.Model:
    """Load a Keras model from a .keras file, without its optimizer; it is not compiled.

    InputError where the file is missing, broken, of another kind, or holds Python code.
    """
    if Path(path).suffix != ".keras":
        raise InputError(f"model {path} must be a .keras file: save it with model.save().")
    with explained(f"{path} cannot be loaded", ADVICE):
        return keras.models.load_model(path, compile=False, safe_mode=True)


def finalize(layers: Iterable[keras.layers.Layer]) -> None:
    """Let normalization with a mean of its own see weights that were set; loading alone does it."""
    for layer in layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()


def cloned(model: keras.Model, change: Callable[..., dict] = lambda layer: {}) -> keras.Model:
    """A copy of a model and its weights; `change` gives what changes of a layer's configuration."""

    def clone(layer):
        return type(layer).from_config({**layer.get_config(), **change(layer)})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    finalize(copy.layers)
    return copy


def store(model: keras.Model, path: str | os.PathLike, bits: int = 16) -> None:
    """Write the weights of a model without models inside, by name, as a compressed .npz file.

    In 8 bits, a large kernel is stored as int8 with one scale for each output channel; all else is
    stored in 16 bits.
    """
    stored = {}
    for name, weight in named_weights(model).items():
        value = keras.ops.convert_to_numpy(weight)
        if bits == 16 or value.ndim < 2 or value.size < LARGE:
            stored[name] = value.astype(np.float16)
        else:
            stored[name], stored[name + SCALE] = in_8_bits(value)
    np.savez_compressed(path, **stored)


def in_8_bits(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A kernel (..., channels) as int8 and a float32 scale (channels,) whose product is near it."""
    scale = np.maximum(np.abs(kernel).max(axis=tuple(range(kernel.ndim - 1))) / 127, 1e-12)
    return np.rint(kernel / scale).astype(np.int8), scale.astype(np.float32)


def restored(model: keras.Model, *paths: str | os.PathLike) -> keras.Model:
    """Give a model the weights that `store` wrote, and return it.

    Of several files, a later one replaces what an earlier one holds. InputError where one is
    missing or broken, or where they lack a weight of this model.
    """
    found: dict[str, np.ndarray] = {}
    for path in paths:
        with explained(f"{path} cannot be loaded", ADVICE), np.load(path) as file:
            found |= {name: file[name] for name in file.files}
    with explained(f"{paths[-1]} cannot be loaded", ADVICE):
        for name, weight in named_weights(model).items():
            if name not in found:
                raise ValueError(f"it holds no weight {name}")
            weight.assign(found[name].astype(np.float32) * found.get(name + SCALE, np.float32(1)))
    finalize(model.layers)
    return model


def named_weights(model: keras.Model) -> dict[str, Any]:
    """The variables of a model's layers: {"score_fr/kernel": variable}."""
    return {f"{la.name}/{v.name}": v for la in model.layers for v in la.weights}


def save_state(model: keras.Model, path: Path, epochs: int) -> None:
    """Write a compiled model's weights and optimizer, from which training resumes (.weights.h5)."""

    def write(temporary: Path) -> None:
        model.save_weights(temporary)
        # The optimizer's own count leaves out the steps that loss scaling has skipped.
        with h5py.File(temporary, "a") as file:
            file.attrs["epochs"] = epochs

    write_whole(path, write)


def load_state(model: keras.Model, path: Path) -> None:
    """Load what `save_state` wrote into a model and its built optimizer; InputError if it fails."""
    with explained(f"{path} cannot be loaded", FROM_THE_START), warnings.catch_warnings():
        # Keras only warns when it leaves the optimizer as it is, as that of another precision.
        warnings.filterwarnings("error", message=".*[Ss]kipping variable loading")
        model.load_weights(path)


def epochs_of(path: Path) -> int:
    """How many epochs a model in a file by `save_state` was trained for; 0 without a file."""
    if not path.is_file():
        return 0
    with explained(f"{path} cannot be loaded", FROM_THE_START), h5py.File(path) as file:
        return int(file.attrs["epochs"])


@contextmanager
def pretrained(weights: Weights, files: dict[str, str]) -> Iterator[str | None]:
    """Find a backbone's weights; what then goes wrong with them becomes one sentence.

    weights: one of the words in `files`, which gives the path of each or its name in the folder
    $FCN_WEIGHTS; the path of a file; or None for random ones. Yields the path; None; or the word,
    where its file is not there and Keras has to download it.
    """
    if weights is None:
        yield None
        return
    others = [f'"{word}"' for word in files if word != weights]
    advice = ", ".join(["give another file", *others]) + " or None"
    if isinstance(weights, str) and weights in files:
        path = Path(os.environ.get("FCN_WEIGHTS", SHIPPED)) / files[weights]
        weights = path if path.is_file() else weights
    elif not Path(weights).is_file():
        raise InputError(f"weights {str(weights)!r} not found: {advice}.")
    with explained(f"weights {str(weights)!r} cannot be loaded", advice):
        yield str(weights)
