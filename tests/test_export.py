"""Exported networks, run by the interpreter of the format, beside Keras."""

import json

import numpy as np
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


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"path": "net.onnx"}, "must end in .tflite, got 'net.onnx'"),
        ({"precision": "int4"}, "precision must be one of int8, float16, float32, got 'int4'"),
        ({"size": 8}, "size must be one or two whole numbers from 32 to 2048, got 8"),
        ({"size": (64, 64, 64)}, "size must be one or two whole numbers"),
        ({"size": (64.5, 64)}, "size must be one or two whole numbers"),
        ({"size": 64.0}, "size must be one or two whole numbers"),
    ],
)
def test_what_cannot_be_exported_is_refused(options, sentence):
    with pytest.raises(fcn.InputError, match=sentence.replace(".", r"\.")):
        export(**{"model": None, "path": "n.tflite", "classes": (), "palette": ()} | options)


def test_another_file_is_not_written_over_by_the_legend(tmp_path, network):
    (tmp_path / "scores.json").write_text('{"mean_iou": 0.5}')
    with pytest.raises(fcn.InputError, match=r"scores\.json is another file"):
        export(network, tmp_path / "scores.tflite", (), ())
    assert (tmp_path / "scores.json").read_text() == '{"mean_iou": 0.5}'
    assert list(tmp_path.iterdir()) == [tmp_path / "scores.json"]
