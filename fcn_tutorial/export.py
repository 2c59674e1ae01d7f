"""A trained network as a file that runs without Keras: on a server, a telephone or in a browser.

The format is LiteRT (formerly TensorFlow Lite). Weights in 8 bits make the file a quarter as large;
each layer's are scaled by their own range, and the sums are still taken in floating point.
"""

import json
import os
import tempfile
from numbers import Integral
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.datasets.files import make_folder, write_text, write_whole
from fcn_tutorial.errors import InputError

PRECISIONS = ("int8", "float16", "float32")
SMALLEST, LARGEST = 32, 2048  # sides of the images, in pixels


def export(model, path, classes, palette, size=256, precision="int8"):
    """Write a network for images of one size to `path`, and its legend beside it, as JSON.

    model: FCN for images (N, H, W, 3), as `build_fcn` makes it. path: ends in .tflite. classes: C
    names; palette: (C, 3) RGB. size: side of the images, or (height, width). precision: of the
    weights, "int8", "float16" or "float32".
    The file takes "image", float32 (1, height, width, 3) from 0 to 255, and gives float32 logits
    (1, height, width, C). Returns the two paths. Raises InputError for an option out of its range,
    or when the files cannot be written.
    """
    path, size = Path(path), _checked(path, size, precision)
    content = _converted(model, size, precision)
    make_folder(path.parent)
    write_whole(path, lambda temporary: temporary.write_bytes(content))
    legend = {
        "classes": list(classes),
        "palette": [list(map(int, color)) for color in palette],
        "input": {"name": "image", "shape": [1, *size, 3], "dtype": "float32", "range": [0, 255]},
        "output": {"shape": [1, *size, len(classes)], "dtype": "float32", "is": "logits"},
        "weights": precision,
    }
    write_text(path.with_suffix(".json"), json.dumps(legend, indent=1) + "\n")
    return path, path.with_suffix(".json")


def _checked(path, size, precision):
    """The size as (height, width); raises InputError for what cannot be exported."""
    if Path(path).suffix != ".tflite":
        raise InputError(f"the exported file must end in .tflite, got {os.fspath(path)!r}.")
    if precision not in PRECISIONS:
        raise InputError(f"precision must be one of {', '.join(PRECISIONS)}, got {precision!r}.")
    sides = (size, size) if isinstance(size, Integral) else tuple(np.ravel(size).tolist())
    whole = all(isinstance(side, Integral) and SMALLEST <= side <= LARGEST for side in sides)
    if len(sides) != 2 or not whole:
        raise InputError(
            f"size must be one or two whole numbers from {SMALLEST} to {LARGEST}, got {size!r}."
        )
    legend = Path(path).with_suffix(".json")
    if legend.is_file() and '"input"' not in legend.read_text(errors="replace"):
        raise InputError(f"{legend} is another file, and would be written over: choose a new name.")
    return tuple(map(int, sides))


def _converted(model, size, precision):
    """The content of the file, bytes."""
    import tensorflow as tf

    logger = tf.get_logger()
    level = logger.level
    logger.setLevel("ERROR")  # it would report every temporary file
    signature = [keras.InputSpec(shape=(1, *size, 3), dtype="float32", name="image")]
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
