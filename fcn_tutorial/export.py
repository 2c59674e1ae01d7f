"""A trained network as a file that runs without Keras: on a server, a phone or in a browser.

LiteRT (formerly TensorFlow Lite) is small: 8-bit weights make the file a quarter of the size; each
layer's are scaled by their own range, and sums are still computed in floating point. ONNX is read
by most other frameworks and runtimes.

A file carries its classes and palette as each format's own tools do: ONNX as entries of its
metadata, LiteRT as files that are zipped behind the network (`unzip net.tflite` unpacks them).
"""

import json
import os
import tempfile
import warnings
import zipfile
from collections.abc import Sequence
from contextlib import ExitStack
from importlib import util
from io import BytesIO
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.errors import InputError, check_choice, check_whole
from fcn_tutorial.files import write_text, write_whole
from fcn_tutorial.weights import cloned

# By the end of the file's name; the first is the default.
PRECISIONS = {".tflite": ("int8", "float16", "float32"), ".onnx": ("float32",)}
SMALLEST, LARGEST = 32, 2048  # sides of the images, in pixels
SIDE = 256  # default of a LiteRT file
DEMO = Path(__file__).with_name("demo.py")


def export(
    model: keras.Model,
    path: str | os.PathLike,
    classes: Sequence[str],
    palette: np.ndarray,
    size: int | Sequence[int] | None = None,
    precision: str | None = None,
    demo: bool = False,
) -> tuple[Path, ...]:
    """Write a network as a .tflite or .onnx file, and its legend beside it as JSON.

    The file takes "image", float32 (1, height, width, 3) from 0 to 255, and gives "logits",
    float32 (1, height, width, C). It carries the names and colours of its classes too: ONNX in its
    metadata, as "classes" and "palette" in JSON, LiteRT in a zipped labels.txt and legend.json.

    Args:
        model: FCN for images (N, H, W, 3), as `build_fcn` makes it.
        path: the file; ends in .tflite or .onnx.
        classes: C names.
        palette: colours of the classes, (C, 3) RGB.
        size: side of the images, or (height, width), in pixels. By default a LiteRT file is for
            images of 256 x 256, an ONNX file for any number of images of any size.
        precision: of the weights: for LiteRT "int8" (the default), "float16" or "float32", for
            ONNX "float32".
        demo: whether to write, beside NAME.onnx, a Python file NAME.py that segments a photograph
            with it and needs only NumPy, Pillow and onnxruntime.

    Returns:
        The paths of the files written, such as NAME.onnx, its legend NAME.onnx.json and the demo.

    Raises:
        InputError: an option is out of its range, the package that writes ONNX is missing, Keras
            runs on another backend than TensorFlow, or a file cannot be written.
    """
    file, shape, precision = _checked(Path(path), size, precision)
    legend = {
        "classes": list(classes),
        "palette": [list(map(int, color)) for color in palette],
        "input": {"name": "image", "shape": [*shape, 3], "dtype": "float32", "range": [0, 255]},
        "output": {"shape": [*shape, len(classes)], "dtype": "float32", "is": "logits"},
        "weights": precision,
    }
    texts = {file.with_name(f"{file.name}.json"): json.dumps(legend, indent=1) + "\n"}
    if demo and file.suffix != ".onnx":
        raise InputError(f"a demo needs an ONNX file, which {file} is not: choose the format onnx.")
    if demo:
        texts[file.with_suffix(".py")] = DEMO.read_text(encoding="utf-8")
    _check_places(texts)
    if not len(classes) == len(palette) == model.output_shape[-1]:
        raise InputError(
            f"the network has {model.output_shape[-1]} classes, but there are {len(classes)} names "
            f"and {len(palette)} colours: give one of each for every class."
        )
    # Neither format supports 16-bit computation.
    copy = cloned(model, lambda layer: {"dtype": "float32"})
    network = keras.Model(copy.inputs, {"logits": copy.outputs[0]})
    signature = [keras.InputSpec(shape=(*shape, 3), dtype="float32", name="image")]
    content = CONVERTERS[file.suffix](network, signature, precision, legend)
    write_whole(file, lambda temporary: temporary.write_bytes(content))
    for place, text in texts.items():
        write_text(place, text)
    return file, *texts


def _check_places(texts):
    """Raise InputError where a text would replace a file that is not an earlier one of its kind."""
    for place, text in texts.items():
        marks = ('"input"', '"weights"') if place.suffix == ".json" else (text.splitlines()[0],)
        there = place.read_text(errors="replace") if place.is_file() else text
        if not all(mark in there for mark in marks):
            raise InputError(
                f"{place} is another file and would be overwritten: choose a new name."
            )


def _checked(path, size, precision):
    """(path, (images, height, width), precision); None for a number that may vary."""
    if keras.backend.backend() != "tensorflow":
        raise InputError(
            f"networks are exported with TensorFlow, but Keras runs on {keras.backend.backend()}: "
            "set KERAS_BACKEND=tensorflow, which opens the run just as well."
        )
    if path.suffix not in PRECISIONS:
        raise InputError(f"{path} must end in {' or '.join(PRECISIONS)}: change its ending.")
    known = PRECISIONS[path.suffix]
    precision = precision or known[0]
    check_choice(f"precision of {path.suffix}", precision, known)
    if size is None and path.suffix == ".onnx":
        return path, (None, None, None), precision
    sides = size if isinstance(size, tuple | list) else [SIDE if size is None else size]
    if not 1 <= len(sides) <= 2:
        raise InputError(f"size must be one or two numbers of pixels, got {size!r}.")
    sides = [check_whole("size", sides[place], SMALLEST, LARGEST) for place in (0, -1)]
    return path, (1, *sides), precision


def _onnx(model, signature, precision, legend):
    """The bytes of the file, with the classes and palette of a legend among its metadata."""
    if util.find_spec("tf2onnx") is None:
        raise InputError("the package that writes ONNX is missing: pip install tf2onnx.")
    import onnx

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # NumPy's, about how Keras calls tf2onnx
        file = Path(folder) / "network.onnx"
        model.export(file, format="onnx", input_signature=signature, verbose=False)
        content = file.read_bytes()
    described = onnx.ModelProto()
    entries = {key: json.dumps(legend[key]) for key in ("classes", "palette")}
    onnx.helper.set_model_props(described, entries)
    # Messages of this kind are merged by joining their bytes; nothing of the network is decoded.
    return content + described.SerializeToString()


def _litert(model, signature, precision, legend):
    """The bytes of the file; labels.txt, a class a line, and legend.json are zipped behind it."""
    import tensorflow as tf

    logger = tf.get_logger()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as afterwards:
        afterwards.callback(logger.setLevel, logger.level)
        logger.setLevel("ERROR")  # it would report every temporary file
        model.export(folder, input_signature=signature, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if precision != "float32":
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
        if precision == "float16":
            converter.target_spec.supported_types = [tf.float16]
        file = BytesIO(converter.convert())
    with zipfile.ZipFile(file, "a") as archive:
        # At a fixed time, so that the same network makes the same file.
        archive.writestr(zipfile.ZipInfo("labels.txt"), "\n".join([*legend["classes"], ""]))
        archive.writestr(zipfile.ZipInfo("legend.json"), json.dumps(legend, indent=1))
    return file.getvalue()


CONVERTERS = {".tflite": _litert, ".onnx": _onnx}
