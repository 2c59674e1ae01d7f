"""A trained network as a file that runs without Keras: on a server, a telephone or in a browser.

LiteRT (formerly TensorFlow Lite) is small: weights in 8 bits make the file a quarter as large; each
layer's are scaled by their own range, and the sums are still taken in floating point. ONNX is read
by most other frameworks and runtimes.
"""

import json
import os
import tempfile
import warnings
from importlib import util
from numbers import Integral
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.errors import InputError
from fcn_tutorial.files import make_folder, write_text, write_whole

# By the end of the file's name; the first is the default.
PRECISIONS = {".tflite": ("int8", "float16", "float32"), ".onnx": ("float32",)}
SMALLEST, LARGEST = 32, 2048  # sides of the images, in pixels
SIDE = 256  # of the images of a LiteRT file, where none is asked for


def export(model, path, classes, palette, size=None, precision=None):
    """Write a network to `path`, and its legend beside it, as JSON.

    model: FCN for images (N, H, W, 3), as `build_fcn` makes it. path: ends in .tflite or .onnx.
    classes: C names; palette: (C, 3) RGB. size: side of the images, or (height, width); without it
    a LiteRT file is for images of 256 x 256, an ONNX file for any number of images of any size.
    precision: of the weights, for LiteRT "int8" (the default), "float16" or "float32", for ONNX
    "float32".
    The file takes "image", float32 (1, height, width, 3) from 0 to 255, and gives float32 "logits"
    (1, height, width, C). Returns the two paths. Raises InputError for an option out of its range,
    without the package that writes ONNX, on another backend than TensorFlow, or when the files
    cannot be written.
    """
    path, shape, precision = _checked(Path(path), size, precision)
    model = _in_32_bits(model)
    signature = [keras.InputSpec(shape=(*shape, 3), dtype="float32", name="image")]
    content = CONVERTERS[path.suffix](model, signature, precision)
    make_folder(path.parent)
    write_whole(path, lambda temporary: temporary.write_bytes(content))
    legend = {
        "classes": list(classes),
        "palette": [list(map(int, color)) for color in palette],
        "input": {"name": "image", "shape": [*shape, 3], "dtype": "float32", "range": [0, 255]},
        "output": {"shape": [*shape, len(classes)], "dtype": "float32", "is": "logits"},
        "weights": precision,
    }
    write_text(path.with_suffix(".json"), json.dumps(legend, indent=1) + "\n")
    return path, path.with_suffix(".json")


def _checked(path, size, precision):
    """(path, (images, height, width), precision); None for a side or a number that may vary.

    Raises InputError for what cannot be exported.
    """
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"Keras runs on {keras.backend.backend()}, and networks are exported from TensorFlow: "
            "set KERAS_BACKEND=tensorflow, a run opens there just as well."
        )
    if path.suffix not in PRECISIONS:
        raise InputError(
            f"the exported file must end in {' or '.join(PRECISIONS)}, got {os.fspath(path)!r}."
        )
    known = PRECISIONS[path.suffix]
    precision = known[0] if precision is None else precision
    if precision not in known:
        raise InputError(
            f"precision must be {' or '.join(known)} for {path.suffix}, got {precision!r}."
        )
    if size is None and path.suffix == ".onnx":
        shape = (None, None, None)
    else:
        shape = (1, *_sides(SIDE if size is None else size))
    legend = path.with_suffix(".json")
    if legend.is_file() and '"input"' not in legend.read_text(errors="replace"):
        raise InputError(f"{legend} is another file, and would be written over: choose a new name.")
    return path, shape, precision


def _sides(size):
    sides = (size, size) if isinstance(size, Integral) else tuple(np.ravel(size).tolist())
    whole = all(isinstance(side, Integral) and SMALLEST <= side <= LARGEST for side in sides)
    if len(sides) != 2 or not whole:
        raise InputError(
            f"size must be one or two whole numbers from {SMALLEST} to {LARGEST}, got {size!r}."
        )
    return tuple(map(int, sides))


def _in_32_bits(model):
    """The same network without a layer that computes in 16 bits, which neither format can take."""

    def clone(layer):
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=clone)
    copy.set_weights(model.get_weights())
    return keras.Model(copy.inputs, {"logits": copy.outputs[0]})


def _onnx(model, signature, precision):
    """The content of the file, bytes."""
    if util.find_spec("tf2onnx") is None:
        raise InputError("ONNX is written with a package that is missing: pip install tf2onnx.")
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of NumPy, about how Keras asks tf2onnx
        file = Path(folder) / "network.onnx"
        model.export(file, format="onnx", input_signature=signature, verbose=False)
        return file.read_bytes()


def _litert(model, signature, precision):
    """The content of the file, bytes."""
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # it would report every temporary file
    try:
        with tempfile.TemporaryDirectory() as folder:
            model.export(folder, input_signature=signature, verbose=False)
            converter = tf.lite.TFLiteConverter.from_saved_model(folder)
            if precision != "float32":
                converter.optimizations = [tf.lite.Optimize.DEFAULT]
            if precision == "float16":
                converter.target_spec.supported_types = [tf.float16]
            return converter.convert()
    finally:
        logger.setLevel(level)


CONVERTERS = {".tflite": _litert, ".onnx": _onnx}
