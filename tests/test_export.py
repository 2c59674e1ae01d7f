"""Exported networks, run by the interpreter of the format, beside Keras."""

import json

import keras
import numpy as np
import onnxruntime
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.export import export

PALETTE = np.arange(18, dtype=np.uint8).reshape(6, 3)
CLASSES = ("a", "b", "c", "d", "e", "f")
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


@pytest.mark.parametrize("precision", LOWEST_AGREEMENT)
def test_an_exported_network_labels_as_keras_does(network, tmp_path, precision):
    path, _ = export(network, tmp_path / "net.tflite", CLASSES, PALETTE, (64, 96), precision)
    scenes = fcn.load_dataset("shapes", "test", size=(64, 96), count=4)
    images = [image for image, _ in scenes]
    labels = np.array([logits_of(path, image).argmax(axis=-1) for image in images])
    expected = network.predict_on_batch(np.array(images, np.float32)).argmax(axis=-1)
    assert (labels == expected).mean() >= LOWEST_AGREEMENT[precision]
    assert len(np.unique(expected)) == 6


def test_fewer_bits_make_smaller_files_with_the_legend_beside_them(network, tmp_path):
    sizes = []
    for precision in ("int8", "float16", "float32"):
        paths = export(network, tmp_path / f"{precision}.tflite", CLASSES, PALETTE, 64, precision)
        sizes.append(paths[0].stat().st_size)
        legend = json.loads(paths[1].read_text())
        assert legend["classes"] == list(CLASSES) and legend["palette"] == PALETTE.tolist()
        assert legend["input"]["shape"] == [1, 64, 64, 3] and legend["weights"] == precision
    assert sizes[0] < 0.6 * sizes[1] < 0.4 * sizes[2]


def onnx_logits_of(path, images):
    """What an ONNX file says of images (N, H, W, 3), by a runtime that is none of ours."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images.astype(np.float32)})[0]


@pytest.mark.parametrize("options", [{}, {"enlarge": 2, "fc6_dilation": 2}])
@pytest.mark.parametrize("backbone", ["vgg_narrow", "mobilenet"])
def test_an_onnx_file_scores_images_of_any_size_as_keras_does(tmp_path, backbone, options):
    network = fcn.build_fcn("fcn8s", 6, backbone, **options)
    rng = np.random.default_rng(0)
    for weight in network.weights:
        weight.assign(weight + rng.uniform(0, 0.05, weight.shape))
    path, legend = export(network, tmp_path / "net.onnx", CLASSES, PALETTE)
    for shape in ((1, 64, 64), (2, 70, 33), (3, 1, 5)):
        images = rng.integers(0, 256, (*shape, 3))
        ours, theirs = onnx_logits_of(path, images), network.predict_on_batch(images)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-4 * np.abs(theirs).max())
    shape = json.loads(legend.read_text())["output"]["shape"]
    assert shape == [None, None, None, 6]


def test_an_onnx_file_may_be_for_one_size(network, tmp_path):
    path, legend = export(network, tmp_path / "net.onnx", CLASSES, PALETTE, (64, 96))
    [given] = onnxruntime.InferenceSession(path).get_inputs()
    assert given.shape == json.loads(legend.read_text())["input"]["shape"] == [1, 64, 96, 3]


@pytest.mark.parametrize("suffix", [".tflite", ".onnx"])
def test_a_network_trained_in_16_bits_is_exported_in_32(network, tmp_path, suffix):
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    try:
        mixed = fcn.build_fcn("fcn8s", 6, "vgg_narrow", initial=network)
    finally:
        keras.mixed_precision.set_global_policy("float32")
    path, _ = export(mixed, tmp_path / f"net{suffix}", CLASSES, PALETTE, 64, "float32")
    image = fcn.load_dataset("shapes", "test", size=64, count=1)[0][0]
    found = logits_of(path, image) if suffix == ".tflite" else onnx_logits_of(path, image[None])[0]
    expected = network.predict_on_batch(image[None].astype(np.float32))[0]
    np.testing.assert_allclose(found, expected, atol=1e-4 * np.abs(expected).max())


def test_without_the_package_that_writes_onnx_a_sentence_names_it(network, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(fcn.InputError, match="pip install tf2onnx"):
        export(network, tmp_path / "net.onnx", CLASSES, PALETTE)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "net.pb"}, "must end in .tflite or .onnx, got 'net.pb'"),
        ({"precision": "int4"}, "must be int8 or float16 or float32 for .tflite, got 'int4'"),
        ({"path": "n.onnx", "precision": "int8"}, "must be float32 for .onnx, got 'int8'"),
        ({"path": "n.onnx", "size": 8}, "size must be one or two whole numbers from 32 to 2048"),
        ({"size": 8}, "size must be one or two whole numbers from 32 to 2048, got 8"),
        ({"size": (64, 64, 64)}, "size must be one or two whole numbers"),
        ({"size": (64.5, 64)}, "size must be one or two whole numbers"),
        ({"size": 64.0}, "size must be one or two whole numbers"),
    ],
)
def test_what_cannot_be_exported_is_refused(options, sentence):
    with pytest.raises(fcn.InputError, match=sentence.replace(".", r"\.")):
        export(**{"model": None, "path": "n.tflite", "classes": (), "palette": ()} | options)


def test_on_another_backend_the_way_out_is_named(network, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(fcn.InputError, match=r"runs on jax.*KERAS_BACKEND=tensorflow"):
        export(network, tmp_path / "net.tflite", CLASSES, PALETTE)
    assert not list(tmp_path.iterdir())


def test_another_file_is_not_written_over_by_the_legend(tmp_path, network):
    (tmp_path / "scores.json").write_text('{"mean_iou": 0.5}')
    with pytest.raises(fcn.InputError, match=r"scores\.json is another file"):
        export(network, tmp_path / "scores.tflite", (), ())
    assert (tmp_path / "scores.json").read_text() == '{"mean_iou": 0.5}'
    assert list(tmp_path.iterdir()) == [tmp_path / "scores.json"]
