"""`fcn-tutorial classify`: what VGG-16, made convolutional, sees in the middle of a photo."""

import re

import keras
import numpy as np
import pytest
import scipy.special
from keras.src.applications import imagenet_utils
from PIL import Image

import fcn_tutorial as fcn

NAMES = {str(index): [f"n{index:08d}", f"thing_{index}"] for index in range(1000)}


@pytest.fixture
def call(command_line):
    """Run `classify`; returns exit code and the lines on stdout and on stderr."""

    def run(*arguments):
        code, out, err = command_line("classify", *arguments)
        return code, out.splitlines(), err.splitlines()

    return run


@pytest.fixture(scope="module")
def decided(published_vgg16):
    """Keras's VGG-16 whose random answers differ as much as trained ones; put right again."""
    predictions = published_vgg16.get_layer("predictions")
    kept = predictions.get_weights()
    predictions.set_weights([30 * kept[0], np.random.default_rng(0).normal(0, 0.1, 1000)])
    yield published_vgg16
    predictions.set_weights(kept)


@pytest.fixture(scope="module")
def weights(decided, tmp_path_factory):
    path = tmp_path_factory.mktemp("classify") / "vgg16.weights.h5"
    decided.save_weights(path)
    yield path
    path.unlink()


@pytest.fixture(scope="module")
def network(weights):
    return fcn.convolutionize(fcn.vgg16(weights=weights))


@pytest.fixture
def named(monkeypatch):
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", NAMES)


@pytest.fixture
def unnamed(monkeypatch):
    """No names yet on this machine, and no network to fetch them from."""

    def fetch(*_, **__):
        print("Downloading data from https://example.org/names.json")
        raise Exception("URL fetch failure on https://example.org/names.json: None -- offline")

    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    monkeypatch.setattr(imagenet_utils.file_utils, "get_file", fetch)


def photo_of(height, width, seed=0):
    """Smooth blobs of colour: photos are not noise."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (-(-height // 20) + 1, -(-width // 20) + 1, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((width, height), Image.Resampling.BICUBIC))


def saved(photo, path):
    Image.fromarray(photo).save(path)
    return path


def classified(published, image):
    """Keras's own classifier on an image of 224 x 224."""
    prepared = keras.applications.vgg16.preprocess_input(image[None].astype(np.float32))
    return np.asarray(published(prepared))[0]


def answers(line):
    """ "a.png: thing 3 61.0 %, ..." -> [(3, 0.61), ...]"""
    found = re.findall(r"(?:thing|class) (\d+) (\d+\.\d) %", line)
    return [(int(index), float(percent) / 100) for index, percent in found]


def assert_names(line, probabilities):
    best = np.argsort(-probabilities)[:3]
    found = answers(line)
    assert [index for index, _ in found] == best.tolist()
    np.testing.assert_allclose([value for _, value in found], probabilities[best], atol=6e-4)


# The centre cell is the classifier.


def test_centre_cell_of_a_square_photo_is_keras_classifier(decided, network):
    image = photo_of(224, 224)
    expected = classified(decided, image)
    best = np.argsort(-expected)[:3]
    assert expected[best[0]] > 0.02 > 10 * np.median(expected)  # it is decided
    found = fcn.top_classes(network, image)
    assert [index for index, _ in found] == best.tolist()
    np.testing.assert_allclose([value for _, value in found], expected[best], rtol=1e-3, atol=1e-4)


def test_centre_cell_of_a_wide_photo_is_the_classifiers_head_on_its_middle(decided, network):
    """The head, as matrices, on the middle 7 x 7 cells of the trunk's map of the whole photo."""
    image = photo_of(224, 608)
    trunk = keras.applications.VGG16(include_top=False, weights=None, input_shape=(None, None, 3))
    trunk.set_weights(decided.get_weights()[:-6])
    prepared = keras.applications.vgg16.preprocess_input(image[None].astype(np.float32))
    maps = np.asarray(trunk(prepared))
    assert maps.shape == (1, 7, 19, 512)
    x = maps[0, :, 6:13].ravel()
    for name in ("fc1", "fc2"):
        kernel, bias = decided.get_layer(name).get_weights()
        x = np.maximum(x @ kernel + bias, 0)
    kernel, bias = decided.get_layer("predictions").get_weights()
    expected = scipy.special.softmax(x @ kernel + bias)
    for photo in (image, image[:, 96:-96]):  # the cell sees 404 pixels, so 416 are enough
        found = fcn.top_classes(network, photo)
        best = [index for index, _ in found]
        assert best == np.argsort(-expected)[:3].tolist()
        np.testing.assert_allclose([value for _, value in found], expected[best], atol=1e-4)


# The command.


def test_each_photo_gets_a_line_of_three_names(call, named, decided, weights, tmp_path):
    photos = [saved(photo_of(224, 224, seed), tmp_path / f"{seed}.png") for seed in (1, 2)]
    code, out, err = call(*photos, "--weights", weights)
    assert code == 0 and err == []
    assert len(out) == 2
    for line, photo in zip(out, photos, strict=True):
        assert line.startswith(f"{photo}: thing ")
        assert_names(line, classified(decided, np.asarray(Image.open(photo))))


@pytest.mark.parametrize("size", [(448, 448), (100, 100), (224, 700), (900, 300), (1, 5), (3, 900)])
def test_photo_is_resized_by_its_shorter_side_and_its_middle_is_named(
    call, named, network, weights, tmp_path, size
):
    photo = saved(photo_of(*size), tmp_path / "photo.png")
    code, out, _ = call(photo, "--weights", weights)
    assert code == 0 and len(out) == 1
    # Independently: resize the whole photo, then cut out what the centre cell can see.
    scale = 224 / min(size)
    height, width = (round(scale * side) for side in size)
    whole = Image.open(photo).resize((width, height), Image.Resampling.BILINEAR)
    cut = [(side - 224 - 64 * min((side - 224) // 64, 3)) / 2 for side in (height, width)]
    top, left = (int(value) for value in cut)
    window = np.asarray(whole)[top : height - top, left : width - left]
    window = window[: window.shape[0] // 32 * 32, : window.shape[1] // 32 * 32]
    expected = fcn.top_classes(network, window)
    assert [index for index, _ in answers(out[0])] == [index for index, _ in expected]
    np.testing.assert_allclose(
        [value for _, value in answers(out[0])], [value for _, value in expected], atol=5e-3
    )


def test_classes_without_names_are_given_by_number(call, unnamed, decided, weights, tmp_path):
    photo = saved(photo_of(224, 224), tmp_path / "photo.png")
    code, out, err = call(photo, photo, "--weights", weights)
    assert code == 0 and err == []
    assert len(out) == 3
    assert out[0] == out[1] and out[0].startswith(f"{photo}: class ")
    assert_names(out[0], classified(decided, photo_of(224, 224)))
    assert "names" in out[2] and "could not be downloaded" in out[2] and "number" in out[2]


def test_imagenet_weights_are_those_of_the_folder_or_of_kerass_download(
    call, named, monkeypatch, tmp_path
):
    def fetch(*_, **__):
        raise Exception("URL fetch failure on https://example.org/vgg16.h5: None -- offline")

    monkeypatch.delenv("FCN_WEIGHTS", raising=False)
    monkeypatch.setattr("keras.src.applications.vgg16.file_utils.get_file", fetch)
    photo = saved(photo_of(30, 40), tmp_path / "photo.png")
    code, out, err = call(photo)
    assert code == 2 and out == []
    assert len(err) == 1 and "weights 'imagenet' cannot be loaded: URL fetch failure" in err[0]


# What is refused: before the weights are loaded.


def bad_inputs(folder):
    photo = saved(photo_of(30, 40), folder / "photo.png")
    (folder / "text.jpg").write_text("no image")
    (folder / "text.h5").write_text("no weights")
    return [
        ([photo, "--weights", folder / "absent.h5"], "absent.h5"),
        ([photo, "--weights", folder / "text.h5"], "text.h5 cannot be loaded"),
        ([folder / "absent.jpg"], "absent.jpg is missing"),
        ([photo, folder / "text.jpg"], "text.jpg cannot be read"),
        ([folder], "is missing"),
    ]


def test_bad_input_ends_in_one_sentence_and_exit_code_2(call, tmp_path):
    for arguments, sentence in bad_inputs(tmp_path):
        code, out, err = call(*arguments)
        assert (code, out, len(err)) == (2, [], 1), arguments
        assert sentence in err[0], (arguments, err)


def test_help_explains_the_command(call):
    code, out, _ = call("--help")
    assert code == 0
    assert "Usage: fcn-tutorial classify" in "\n".join(out)
    assert call()[0] == 2
