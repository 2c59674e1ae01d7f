"""Weights and models, read from files and written to them; nothing in a file is run.

Model files are the reader's own and trusted, except that no code in them is executed. Whatever goes
wrong becomes one sentence with the path.
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import keras
import numpy as np

from fcn_tutorial.errors import InputError, explained, reason_of
from fcn_tutorial.files import write_whole

Weights = str | os.PathLike | None  # a path, a word such as "imagenet", or None for random ones
SHIPPED = Path(__file__).parent / "pretrained"  # the folder of files that come with the package
ADVICE = "replace it, or train again"
FROM_THE_START = "delete it to train from the start"


def load_model(path: str | os.PathLike) -> keras.Model:
    """Load a Keras model from a .keras file, without its optimizer.

    Args:
        path: the file, as `model.save` writes it.

    Returns:
        The model; it is not compiled.

    Raises:
        InputError: the file is missing, broken, of another kind, or holds Python code.
    """
    if Path(path).suffix != ".keras":
        raise InputError(f"model {path} must be a .keras file: save it with model.save().")
    with explained(f"{path} cannot be loaded", ADVICE):
        return keras.models.load_model(path, compile=False, safe_mode=True)


def store(model: keras.Model, path: str | os.PathLike) -> None:
    """Write a model's weights in 16 bits, half the size, as a compressed .npz file.

    Args:
        model: any built Keras model.
        path: the file to write.
    """
    np.savez_compressed(path, *(weight.astype(np.float16) for weight in model.get_weights()))


def restored(model: keras.Model, path: str | os.PathLike) -> keras.Model:
    """Give a model the weights that `store` wrote.

    Args:
        model: one of the same architecture.
        path: the .npz file.

    Returns:
        The same model.

    Raises:
        InputError: the file is missing, broken, or holds another model's weights.
    """
    with explained(f"{path} cannot be loaded", ADVICE), np.load(path, allow_pickle=False) as file:
        model.set_weights([file[name].astype(np.float32) for name in file.files])
    return model


def save_state(model: keras.Model, path: Path, epochs: int) -> None:
    """Write a compiled model's weights and optimizer, from which training resumes.

    Args:
        model: one in training.
        path: the .weights.h5 file, which is written completely or not at all.
        epochs: how many epochs the model was trained for.

    Raises:
        InputError: the file cannot be written.
    """

    def write(temporary: Path) -> None:
        model.save_weights(temporary)
        # The optimizer's own count leaves out the steps that loss scaling has skipped.
        with h5py.File(temporary, "a") as file:
            file.attrs["epochs"] = epochs

    write_whole(path, write)


def load_state(model: keras.Model, path: Path) -> None:
    """Load what `save_state` wrote into a compiled model of the same kind.

    Args:
        model: its weights and optimizer are changed.
        path: the .weights.h5 file.

    Raises:
        InputError: the file is broken, or of another model or optimizer.
    """
    model.optimizer.build(model.trainable_variables)
    with explained(f"{path} cannot be loaded", FROM_THE_START), warnings.catch_warnings():
        # Keras only warns when it leaves the optimizer as it is, as that of another precision.
        warnings.filterwarnings("error", message=".*[Ss]kipping variable loading")
        model.load_weights(path)


def epochs_of(path: Path) -> int:
    """How many epochs a model in a file by `save_state` was trained for; InputError if broken."""
    with explained(f"{path} cannot be loaded", FROM_THE_START), h5py.File(path) as file:
        epochs = int(file.attrs["epochs"])
        if epochs < 1:
            raise ValueError(f"it says that it was saved after {epochs} epochs")
        return epochs


@contextmanager
def pretrained(weights: Weights, files: dict[str, str]) -> Iterator[str | None]:
    """Find a backbone's weights; what then goes wrong with them becomes one sentence.

    Args:
        weights: one of the words in `files`, the path of a file, or None for random ones.
        files: for each word the file it stands for: a path, or a name in the folder $FCN_WEIGHTS.

    Yields:
        The path; None; or the word, where its file is not there and Keras has to download it.

    Raises:
        InputError: there is no such file, or something was raised inside.
    """
    if isinstance(weights, str) and weights in files:
        path = Path(os.environ.get("FCN_WEIGHTS", SHIPPED)) / files[weights]
        weights = path if path.is_file() else weights
    elif weights is not None and not Path(weights).is_file():
        words = ", ".join(f'"{word}"' for word in files)
        raise InputError(f"weights {str(weights)!r} not found: give a file, {words} or None.")
    try:
        yield None if weights is None else str(weights)
    except Exception as error:
        if isinstance(error, InputError) and str(weights) in str(error):
            raise
        raise InputError(
            f"weights {str(weights)!r} cannot be loaded: {reason_of(error)}"
        ) from error
