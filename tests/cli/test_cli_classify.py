"""`fcn-tutorial classify`: the middle of a photo; a small classifier stands in for VGG-16."""

import re

import keras
import numpy as np
import pytest
from keras.src.applications import imagenet_utils
from PIL import Image

NAMES = {str(index): [f"n{index:08d}", f"thing_{index}"] for index in range(1000)}


@pytest.fixture(scope="module")
def classifier():
    """Like VGG-16: images of 224 x 224, a map of 7 x 7 cells, flattened, 1000 classes."""
    image = keras.Input((224, 224, 3))
    cells = keras.layers.AveragePooling2D(32)(keras.layers.Rescaling(1 / 255, -0.5)(image))
    start = keras.initializers.RandomNormal(stddev=1.0, seed=3)
    scores = keras.layers.Dense(1000, kernel_initializer=start)(keras.layers.Flatten()(cells))
    return keras.Model(image, keras.layers.Softmax()(scores))


@pytest.fixture
def answers(call, classifier, monkeypatch):
    """Run `classify` with names at hand; returns for each photo [(class, probability), ...]."""
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", NAMES)
    monkeypatch.setattr("fcn_tutorial.backbones.vgg16", lambda weights: classifier)

    def run(*photos):
        code, out, _ = call("classify", *photos)
        lines = out.splitlines()
        assert code == 0 and len(lines) == len(photos)
        assert all(line.startswith(f"{photo}: ") for line, photo in zip(lines, photos, strict=True))
        return [guesses(line) for line in lines]

    return run


def guesses(line):
    """ "a.png: thing 3 61.0 %, ..." -> [(3, 0.61), ...]"""
    found = re.findall(r"(?:thing|class) (\d+) (\d+\.\d) %", line)
    return [(int(index), float(share) / 100) for index, share in found]


def saved(size, path, seed=0):
    """Write a photo of smooth blobs of colour."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (size[0] // 20 + 2, size[1] // 20 + 2, 3), np.uint8)
    Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
    return path


def test_each_photo_gets_a_line_of_three_guesses(answers, classifier, tmp_path):
    photos = [saved((224, 224), tmp_path / f"{seed}.png", seed) for seed in (1, 2)]
    for photo, found in zip(photos, answers(*photos), strict=True):
        expected = classifier.predict(np.array(Image.open(photo))[None], verbose=0)[0]
        best = np.argsort(-expected)[:3]
        assert [index for index, _ in found] == best.tolist()
        np.testing.assert_allclose([share for _, share in found], expected[best], atol=6e-4)


@pytest.mark.parametrize("size", [(448, 448), (100, 100), (224, 700), (900, 300), (1, 5), (3, 900)])
def test_the_middle_of_a_photo_is_named_at_the_classifiers_size(
    answers, classifier, tmp_path, size
):
    photo = saved(size, tmp_path / "photo.png")
    [found] = answers(photo)
    # Independently: resize all of the photo, then cut the middle out.
    height, width = (round(224 / min(size) * side) for side in size)
    resized = np.asarray(Image.open(photo).resize((width, height), Image.Resampling.BILINEAR))
    top, left = (height - 224) // 2, (width - 224) // 2
    middle = resized[top : top + 224, left : left + 224]
    expected = classifier.predict(middle[None], verbose=0)[0]
    assert found[0][0] == np.argmax(expected)
    shares = [expected[index] for index, _ in found]
    np.testing.assert_allclose([share for _, share in found], shares, atol=0.02)


def test_classes_without_names_are_given_by_number(call, classifier, monkeypatch, tmp_path):
    def fetch(*_, **__):
        print("Downloading data from https://example.org/names.json")
        raise Exception("URL fetch failure on https://example.org/names.json: None -- offline")

    monkeypatch.setattr("fcn_tutorial.backbones.vgg16", lambda weights: classifier)
    monkeypatch.setattr(imagenet_utils, "CLASS_INDEX", None)
    monkeypatch.setattr(imagenet_utils.file_utils, "get_file", fetch)
    photo = saved((224, 224), tmp_path / "photo.png")
    code, out, _ = call("classify", photo)
    line, note = out.splitlines()
    assert code == 0 and line.startswith(f"{photo}: class ") and len(guesses(line)) == 3
    assert "names" in note and "number" in note


def test_bad_input_ends_in_one_sentence(call, monkeypatch, tmp_path):
    def fetch(*_, **__):
        raise Exception("URL fetch failure on https://example.org/vgg16.h5: None -- offline")

    monkeypatch.delenv("FCN_WEIGHTS", raising=False)
    monkeypatch.setattr("keras.src.applications.vgg16.file_utils.get_file", fetch)
    photo = saved((30, 40), tmp_path / "photo.png")
    for name in ("text.jpg", "text.h5"):
        (tmp_path / name).write_text("text")
    for named, *arguments in [
        ("absent.h5", photo, "--weights", tmp_path / "absent.h5"),
        ("text.h5", photo, "--weights", tmp_path / "text.h5"),
        ("absent.jpg", tmp_path / "absent.jpg"),
        ("text.jpg", photo, tmp_path / "text.jpg"),
        (str(tmp_path), tmp_path),
        ("URL fetch failure", photo),
    ]:
        code, out, error = call("classify", *arguments)
        assert (code, out) == (2, "") and named in error, arguments
