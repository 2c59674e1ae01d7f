"""Segmenting images and evaluating models."""

import warnings
from itertools import islice

import keras
import numpy as np
import pytest
from networks import zoomed
from PIL import Image
from scipy import special

import fcn_tutorial as fcn
from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.errors import InputWarning
from fcn_tutorial.inference import probabilities


class Noise(Dataset):
    """Runs of one size, of which some are longer than what is evaluated at once."""

    name, split, classes, names = "noise", "val", ("a", "b", "c"), tuple("abcdefghij")
    palette = np.zeros((3, 3), np.uint8)

    def __getitem__(self, index):
        rng, height = np.random.default_rng(index), (4, 4, 4, 4, 4, 7, 7, 4, 3, 3)[index]
        label = rng.choice([0, 1, 2, VOID], (height, 6)).astype(np.uint8)
        return rng.integers(0, 256, (height, 6, 3), dtype=np.uint8), label


def network_of(layer, size=(None, None)):
    image = keras.Input((*size, 3))
    return keras.Model(image, layer(image))


@pytest.fixture(scope="module")
def model():
    """Gives each pixel the class of its brightest channel."""
    return network_of(keras.layers.Rescaling(1 / 255))


@pytest.mark.parametrize("size", [(1, 1), (3, 8)])
def test_segment_gives_one_class_for_each_pixel(model, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    label = fcn.segment(model, image)
    assert label.dtype == np.uint8
    np.testing.assert_array_equal(label, image.argmax(axis=-1))


SHAPES, VALUES = [(4, 4), (4, 4, 4), (0, 4, 3), (1, 4, 4, 3)], ["red", None, 1j, np.nan, -1, 256]


@pytest.mark.parametrize(
    "image", [*map(np.zeros, SHAPES), *(np.full((4, 4, 3), each) for each in VALUES)]
)
def test_segment_refuses_what_is_no_rgb_image(model, refusal, image):
    assert "image must" in refusal(fcn.segment, model, image)


def test_segment_warns_of_an_image_whose_white_is_one(model):
    image = np.random.default_rng(0).random((4, 5, 3))
    with pytest.warns(InputWarning, match="multiply the image by 255"):
        fcn.segment(model, image)
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        for right in (np.zeros((4, 5, 3)), np.ones((4, 5, 3), np.uint8), 255 * image):
            fcn.segment(model, right)


def test_only_networks_that_score_each_pixel_segment(refusal):
    image, fixed = np.full((8, 10, 3), 7, np.uint8), network_of(keras.layers.Rescaling(1), (8, 8))
    for network, said in (
        ("fcn8s", "'fcn8s' gives None"),
        (keras.Sequential([keras.layers.Dense(2)]), "gives None"),
        (network_of(keras.layers.MaxPooling2D(2)), "gives 4 x 5 scores for an image of 8 x"),
        (fixed, "takes images of (8, 8, 3), got (8, 10, 3)"),
    ):
        assert said in refusal(fcn.segment, network, image)
        assert said in refusal(probabilities, [network], image[None], flip=True)
    assert fcn.segment(fixed, image[:, :8]).shape == (8, 8)


@pytest.mark.parametrize("pixels", [1, 60, 10**6])
def test_evaluate_counts_each_example_once_whatever_its_size(model, monkeypatch, pixels):
    monkeypatch.setattr("fcn_tutorial.inference.PIXELS_AT_ONCE", pixels)
    each = (fcn.confusion_matrix(label, fcn.segment(model, x), 3) for x, label in Noise())
    np.testing.assert_array_equal(fcn.evaluate(model, Noise()).confusion, sum(each))


class Given(Noise):
    """Examples as they are given."""

    def __init__(self, *examples):
        self.examples, self.names = examples, tuple(f"n{i}" for i in range(len(examples)))

    def __getitem__(self, index):
        return self.examples[index]


def test_evaluate_refuses_another_number_of_classes_and_an_empty_set(model, refusal):
    shapes = fcn.load_dataset("shapes", "val")
    assert "3 classes, but 'shapes' has 6" in refusal(fcn.evaluate, model, shapes)
    assert "no examples" in refusal(fcn.evaluate, model, Given())
    assert "'shapes' is not a data set" in refusal(fcn.evaluate, model, "shapes")


IMAGE, LABEL = np.zeros((25, 30, 3), np.uint8), np.tile(np.uint8([0, 1, 255]), (25, 10))


def test_a_label_that_does_not_fit_its_image_is_neither_evaluated_nor_trained_on(model, refusal):
    dataset = Given((IMAGE, LABEL), (IMAGE, LABEL[:5]))
    for call in (fcn.evaluate, lambda _, data: list(islice(fcn.batches(data, 1, 8), 2))):
        message = refusal(call, model, dataset)
        assert "'n1'" in message and "30 x 5 pixels, but its image is 30 x 25" in message


def test_labels_of_one_class_are_scored_with_a_warning(model):
    with pytest.warns(InputWarning, match=r"noise \(val\)"):
        fcn.evaluate(model, Given((IMAGE, np.where(LABEL == 1, 255, LABEL).astype(np.uint8))))
    with warnings.catch_warnings():
        warnings.simplefilter("error", InputWarning)
        fcn.evaluate(model, Given((IMAGE, LABEL)))


@pytest.fixture(scope="module")
def lopsided():
    """Scores that depend on the place: the brightness of the left neighbour."""
    pad, crop = keras.layers.ZeroPadding2D(((0, 0), (1, 0))), keras.layers.Cropping2D
    return network_of(lambda x: crop(((0, 0), (0, 1)))(pad(keras.layers.Rescaling(1 / 50)(x))))


def shifted(images):
    return np.pad(images[:, :, :-1], ((0, 0), (0, 0), (1, 0), (0, 0))) / 50


def shrunk(images, scale):
    """Resize (1, H, W, C) by Pillow, which takes the mean over all of the pixels that it leaves."""
    size = [round(scale * side) for side in images.shape[2:0:-1]]
    channels = [Image.fromarray(each) for each in np.moveaxis(images[0], -1, 0)]
    return np.stack([each.resize(size, Image.Resampling.BILINEAR) for each in channels], -1)[None]


@pytest.mark.parametrize("scale", [0.5, 0.75, 1.5])
def test_the_copies_of_other_sizes_are_as_scipy_and_pillow_make_them(lopsided, scale):
    images = np.random.default_rng(2).uniform(0, 255, (1, 12, 20, 3)).astype(np.float32)
    copy = shrunk(images, scale) if scale < 1 else zoomed(images, scale)
    expected = special.softmax(zoomed(shifted(copy), 1 / scale), axis=-1)
    found = probabilities(lopsided, images, scales=(scale,))
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(
    "scales", [(), (0,), float("nan"), "a", None, 1j, [(1, 2), (3,)], (1.0, 4.1), 1e-310, 0.06]
)
def test_scales_that_make_no_sense_or_would_not_fit_into_memory_are_refused(model, refusal, scales):
    photo = np.zeros((4, 4, 3), np.uint8)
    for call, data in ((fcn.evaluate, Noise()), (fcn.segment, photo), (probabilities, photo[None])):
        assert "scales" in refusal(call, model, data, scales)
    assert fcn.segment(model, photo, scales=4).shape == (4, 4)


def test_copies_and_members_of_an_ensemble_all_count_the_same(model, lopsided):
    images = np.random.default_rng(1).integers(0, 256, (2, 6, 8, 3)).astype(np.float32)
    members = [model, lopsided]
    alone = [
        probabilities(member, images[:, :, ::step], scales=scale)[:, :, ::step]
        for member in members
        for scale in (0.5, 1.0, 1.5)
        for step in (1, -1)
    ]
    together = probabilities(members, images, (0.5, 1.0, 1.5), flip=True)
    assert together.dtype == np.float32
    np.testing.assert_allclose(together, np.mean(alone, axis=0), atol=1e-6)
    label = fcn.segment(members, images[0], (0.5, 1.0, 1.5), flip=True)
    np.testing.assert_array_equal(label, together[0].argmax(axis=-1))


def test_members_with_other_classes_are_refused(model, refusal):
    other = network_of(keras.layers.Conv2D(6, 1))
    photo = np.zeros((4, 4, 3), np.uint8)
    assert "6 classes, but 'noise' has 3" in refusal(fcn.evaluate, [other, other], Noise())
    for call, data in ((fcn.evaluate, Noise()), (fcn.segment, photo), (probabilities, photo[None])):
        assert "got models of 3 and 6 classes" in refusal(call, [model, other], data)
        assert "got no model" in refusal(call, [], data)
