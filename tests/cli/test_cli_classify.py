"""`fcn-tutorial classify`: the middle of a photo, by the classifier that the package carries."""

import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import pretrained
from fcn_tutorial.cli.classify import classify
from fcn_tutorial.pretrained import imagenet_classes


def saved(size, path, seed=0):
    """Write a photo of smooth blobs of colour."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (size[0] // 20 + 2, size[1] // 20 + 2, 3), np.uint8)
    Image.fromarray(small).resize(size[::-1], Image.Resampling.BICUBIC).save(path)
    return path


@pytest.mark.slow
def test_each_photo_gets_a_line_of_three_guesses(call, tmp_path):
    sizes = [(256, 256), (448, 512), (900, 300), (1, 5), (3, 900)]
    photos = [saved(size, tmp_path / f"{seed}.png", seed) for seed, size in enumerate(sizes)]
    code, out, _ = call("classify", *photos)
    classifier, names = fcn.load_trained("efficientnet_lite0"), imagenet_classes()
    assert code == 0 and len(out.splitlines()) == len(photos)
    for photo, line in zip(photos, out.splitlines(), strict=True):
        # Independently: resize all of the photo, then cut the middle out.
        image = Image.open(photo)
        width, height = (max(224, round(256 / min(image.size) * side)) for side in image.size)
        resized = np.asarray(image.resize((width, height), Image.Resampling.BICUBIC))
        top, left = (height - 224) // 2, (width - 224) // 2
        middle = resized[top : top + 224, left : left + 224]
        logits = classifier.predict(middle[None], verbose=0)[0]
        assert line.startswith(f"{photo}: ") and line.count("%") == 3
        if height == width == 256:
            assert line.startswith(f"{photo}: {names[logits.argmax()]} ")


@pytest.mark.parametrize("name", ["absent.jpg", "text.jpg", "."])
def test_bad_input_ends_in_one_sentence(call, tmp_path, name):
    photo = saved((30, 40), tmp_path / "photo.png")
    (tmp_path / "text.jpg").write_text("text")
    code, out, error = call("classify", photo, tmp_path / name)
    assert (code, out) == (2, "") and str(tmp_path / name) in error


def test_an_error_of_the_classifier_is_not_taken_for_one_of_an_import(tmp_path, monkeypatch):
    monkeypatch.setattr(pretrained, "load_trained", lambda name: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        classify([saved((30, 40), tmp_path / "photo.png")])
