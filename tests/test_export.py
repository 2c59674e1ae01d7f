"""Exported networks, run by the interpreter of the format, beside Keras."""

import json
import subprocess
import sys
import zipfile

import keras
import numpy as np
import pytest
from networks import image_of, perturb
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import devices
from fcn_tutorial.export import export

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is missing: pip install it")
pytest.importorskip("tf2onnx", reason="tf2onnx is missing: pip install it")

PALETTE = np.arange(18, dtype=np.uint8).reshape(6, 3)
CLASSES = ("a", "b", "c", "d", "é", "f")
LOWEST_AGREEMENT = {"int8": 0.99, "float16": 0.999, "float32": 0.9999}


@pytest.fixture(scope="module")
def network():
    return fcn.load_trained("fcn8s")


def logits_of(path, image):
    """What the file says of an image (H, W, 3): logits (H, W, C)."""
    import tensorflow as tf

    with pytest.warns(UserWarning, match="deprecated"):
        runner = tf.lite.Interpreter(str(path)).get_signature_runner()
    return next(iter(runner(image=image[None].astype(np.float32)).values()))[0]


def test_litert_files_label_as_keras_does_and_fewer_bits_make_smaller_ones(network, tmp_path):
    scenes = fcn.load_dataset("shapes", "test", size=(64, 96), count=4)
    images = [image for image, _ in scenes]
    expected = network.predict_on_batch(np.array(images, np.float32)).argmax(axis=-1)
    assert len(np.unique(expected)) == 6
    sizes = []
    for precision, lowest in LOWEST_AGREEMENT.items():
        path = tmp_path / f"{precision}.tflite"
        written = export(network, path, CLASSES, PALETTE, (64, 96), precision)
        labels = np.array([logits_of(path, image).argmax(axis=-1) for image in images])
        assert (labels == expected).mean() >= lowest
        sizes.append(path.stat().st_size)
        legend = json.loads(written[1].read_text())
        assert legend["classes"] == list(CLASSES) and legend["palette"] == PALETTE.tolist()
        assert legend["input"]["shape"] == [1, 64, 96, 3] and legend["weights"] == precision
        with zipfile.ZipFile(path) as carried:
            assert json.loads(carried.read("legend.json")) == legend
            assert carried.read("labels.txt").decode().splitlines() == list(CLASSES)
    assert sizes[0] < 0.6 * sizes[1] < 0.4 * sizes[2]


@pytest.mark.parametrize(
    ("backbone", "options"),
    [("vgg_narrow", {"enlarge": 2, "fc6_dilation": 2}), ("mobilenet", {})],
)
def test_an_onnx_file_scores_images_of_any_size_as_keras_does(tmp_path, backbone, options):
    """By a runtime that is none of ours."""
    network = perturb(fcn.build_fcn("fcn8s", 6, backbone, **options))
    path, legend = export(network, tmp_path / "net.onnx", CLASSES, PALETTE)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for shape in ((70, 33, 1), (1, 5, 2)):
        images = image_of(*shape)
        [ours] = session.run(["logits"], {"image": images.astype(np.float32)})
        theirs = network.predict_on_batch(images)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())
    stored, entries = json.loads(legend.read_text()), session.get_modelmeta().custom_metadata_map
    assert stored["output"]["shape"] == [None, None, None, 6]
    for key, value in (("classes", list(CLASSES)), ("palette", PALETTE.tolist())):
        assert stored[key] == json.loads(entries[key]) == value


def test_a_network_trained_in_16_bits_is_exported_in_32(network, tmp_path):
    with devices.precision(True):
        mixed = fcn.build_fcn("fcn8s", 6, "vgg_narrow", initial=network)
    path, _ = export(mixed, tmp_path / "net.tflite", CLASSES, PALETTE, 64, "float32")
    image = fcn.load_dataset("shapes", "test", size=64, count=1)[0][0]
    expected = network.predict_on_batch(image[None].astype(np.float32))[0]
    np.testing.assert_allclose(logits_of(path, image), expected, atol=1e-4 * np.abs(expected).max())


NOTHING_OF_OURS = """
import runpy, sys
sys.modules.update(dict.fromkeys(("fcn_tutorial", "keras", "tensorflow", "onnx", "matplotlib")))
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.parametrize("size", [None, (64, 96)])
def test_the_demo_segments_a_photo_without_the_library_and_keras(network, tmp_path, size):
    image, _ = fcn.load_dataset("shapes", "test", size=(64, 96), count=1)[0]
    palette = np.eye(6, 3, dtype=np.uint8) * 200
    written = export(network, tmp_path / "net.onnx", CLASSES, palette, size, demo=True)
    assert [path.name for path in written] == ["net.onnx", "net.onnx.json", "net.py"]
    [given] = onnxruntime.InferenceSession(written[0]).get_inputs()
    assert given.shape[1:3] == [64, 96] or size is None
    assert len(written[2].read_text().splitlines()) == 25
    photo, output = tmp_path / "photo.png", tmp_path / "overlay.png"
    # A camera held sideways stores the picture turned, and says so.
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(image).transpose(Image.Transpose.ROTATE_90).save(photo, exif=exif)
    command = [sys.executable, "-c", NOTHING_OF_OURS, written[2], photo, output]
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=True)
    label = fcn.segment(network, image)
    assert done.stdout == f"Found {', '.join(CLASSES[index] for index in np.unique(label))}\n"
    blend = (image.astype(int) + palette[label]) / 2
    differs = np.abs(np.array(Image.open(output)) - blend).max(axis=-1) > 1
    assert differs.mean() < 0.01


def test_a_demo_needs_an_onnx_file_and_other_files_are_spared(network, tmp_path, refusal):
    for name in ("net.py", "net.tflite.json"):
        (tmp_path / name).write_text("mine")
    refused = ("n.tflite", "n.tflite"), ("net.onnx", "net.py"), ("net.tflite", "net.tflite.json")
    for name, named in refused:
        demo = named != "net.tflite.json"
        assert named in refusal(export, network, tmp_path / name, CLASSES, PALETTE, demo=demo)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["mine", "mine"]


def test_where_no_file_can_be_made_the_way_out_is_named(network, tmp_path, monkeypatch, refusal):
    given = network, tmp_path / "net.onnx", CLASSES, PALETTE
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert "pip install tf2onnx" in refusal(export, *given)
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    assert "KERAS_BACKEND=tensorflow" in refusal(export, *given)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"path": "net.pb"}, "net.pb"),
        ({"precision": "int4"}, "int4"),
        ({"path": "n.onnx", "precision": "int8"}, "int8"),
        *(({"size": size}, "size") for size in (8, (64, 64, 64), (64.5, 64), 64.0)),
    ],
)
def test_what_cannot_be_exported_is_refused(refusal, options, named):
    given = {"model": None, "path": "n.tflite", "classes": (), "palette": ()}
    assert named in refusal(export, **given | options)


def test_names_and_colours_of_other_classes_are_refused(network, tmp_path, refusal):
    for names, colors in ((CLASSES[1:], PALETTE[1:]), (CLASSES, PALETTE[1:])):
        said = refusal(export, network, tmp_path / "net.tflite", names, colors)
        assert f"{len(names)} names and {len(colors)} colours" in said
