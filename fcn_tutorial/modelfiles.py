"""Weight files that others made: nothing in them is run, and none unpacks to far more than it is.

Keras 3's .keras and NumPy's .npz are zip archives, .h5 files and what a .keras holds are HDF5. All
of them can be a few bytes that stand for gigabytes, and Keras's formats can hold Python code.
"""

import json
import math
import os
import zipfile
from io import BytesIO
from pathlib import Path

import h5py
import keras
import numpy as np

from fcn_tutorial.errors import InputError, reason_of

try:
    from keras.src.backend.common import global_state
except ImportError:  # there is no public way; a Keras that has moved it goes without the check
    global_state = None

WAITING = "uninitialized_variables"  # Keras's list of variables that are still to be made
GROWTH, ROOM = 10, 2**26  # a file may unpack to this many times its size, and to this many bytes


def load_model(path):
    """Load a Keras model from a .keras file, without its optimizer, and without running its code.

    Raises InputError, naming the file, when it is missing, broken, holds code, or unpacks to far
    more than its size.
    """
    if Path(path).suffix != ".keras":
        raise InputError(f"model {path} must be a .keras file: save it with model.save().")
    check_unpacked(path)
    needed, size = opened(path, _declared_by_config), os.path.getsize(path)
    if needed > _allowed(size):
        raise _too_large(path, size, needed, ADVICE)
    return opened(path, lambda file: keras.models.load_model(file, compile=False, safe_mode=True))


def _declared_by_config(path):
    """Bytes of all weights that loading a .keras file would make; none of them is made here."""
    if global_state is None:
        return 0
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    config.pop("compile_config", None)
    try:
        with keras.StatelessScope(initialize_variables=False):
            keras.saving.deserialize_keras_object(config, safe_mode=True)
        # Among them those of layers that lead nowhere, which the model itself does not name.
        waiting = global_state.get_global_attribute(WAITING, [])
        return sum(math.prod(each.shape) * 4 for each in waiting)
    finally:
        # Keras would make them when the next such scope ends.
        global_state.set_global_attribute(WAITING, [])


def load_arrays(path):
    """The arrays in a .npz file, in order: a list. Raises InputError as `load_model` does."""
    check_unpacked(path)
    return opened(path, _read_arrays)


def _read_arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return [file[name] for name in file.files]


ADVICE = "replace it, or train the run again"


def opened(path, read, advice=ADVICE):
    """Read a file; whatever goes wrong becomes one sentence with the path."""
    try:
        return read(path)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{path} cannot be loaded ({reason_of(error)}): {advice}.") from error


def check_unpacked(path, advice=ADVICE):
    """Raise InputError when a .keras, .npz or .h5 file would unpack to far more than its size."""
    size = opened(path, os.path.getsize, advice)
    unpacked = opened(path, _unpacked_size, advice)
    if unpacked > _allowed(size):
        raise _too_large(path, size, unpacked, advice)


def _allowed(size):
    return max(ROOM, GROWTH * size)


def _too_large(path, size, unpacked, advice):
    return InputError(
        f"{path} would unpack from {size:,} bytes to {unpacked:,}, which no weights do: {advice}."
    )


def _unpacked_size(path):
    # A file can be both: HDF5 with a zip archive behind it.
    zipped = zipfile.is_zipfile(path)
    total = _declared_by_hdf5(path) if h5py.is_hdf5(path) or not zipped else 0
    return total + (_declared_by_zip(path, _allowed(os.path.getsize(path))) if zipped else 0)


def _declared_by_zip(file, allowed):
    """Bytes of what a zip archive holds, with what that unpacks to; inexact beyond `allowed`."""
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        total = sum(member.file_size for member in members)
        for member in members:
            if total > allowed:
                break
            if member.filename.endswith(".h5"):
                total += _declared_by_hdf5(BytesIO(archive.read(member)))
            elif member.filename.endswith(".npz"):
                total += _declared_by_zip(BytesIO(archive.read(member)), allowed)
            elif member.filename.endswith(".npy"):
                with archive.open(member) as array:
                    total += max(0, _declared_by_npy(array) - member.file_size)
    return total


def _declared_by_npy(file):
    """Bytes of the array that a .npy file begins; NumPy makes room for them before it reads any."""
    form = np.lib.format
    version = form.read_magic(file)
    read = form.read_array_header_1_0 if version == (1, 0) else form.read_array_header_2_0
    shape, _, dtype = read(file)
    if dtype.kind not in "biuf":
        raise ValueError("it holds an array that is not of numbers")
    return math.prod(map(int, shape)) * dtype.itemsize


def _declared_by_hdf5(file):
    """Bytes that an HDF5 file's arrays take in memory; it can declare far more than it holds."""
    sizes = []

    def note(name, item):
        if isinstance(item, h5py.Dataset):
            sizes.append(int(np.prod(item.shape, dtype=object)) * item.dtype.itemsize)

    with h5py.File(file) as content:
        content.visititems(note)
    return sum(sizes)
