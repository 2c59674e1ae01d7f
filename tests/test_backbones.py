"""VGG-16 and the narrow VGG: shapes, weights, preprocessing."""

import gc

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy
from networks import assert_close, image_of, layers_that_differ

import fcn_tutorial as fcn
from fcn_tutorial.layers import VGGPreprocessing


@pytest.fixture(scope="module")
def published():
    """Keras's own VGG-16 with random weights: 138 million of them, so it is built once."""
    return keras.applications.VGG16(weights=None)


@pytest.fixture(scope="module")
def vgg16(published, tmp_path_factory):
    """fcn.vgg16 with the published network's weights, from the file in FCN_WEIGHTS."""
    path = tmp_path_factory.mktemp("vgg16") / "vgg16_weights_tf_dim_ordering_tf_kernels.h5"
    published.save(path)  # in the older HDF5 layout, which Keras's ImageNet download has
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FCN_WEIGHTS", str(path.parent))
        yield fcn.vgg16(weights="imagenet")
    path.unlink()


@pytest.fixture
def collected():
    """Collect what a test leaves of VGG-16: Python does not know that it is gigabytes."""
    yield
    gc.collect()


@pytest.mark.slow
def test_vgg16_on_an_image_is_keras_vgg16_on_the_preprocessed_image(vgg16, published, collected):
    theirs = [layer.name for layer in published.layers[1:]]
    assert [layer.name for layer in vgg16.layers[2:]] == [*theirs[:-3], "fc6", "fc7", "fc8"]
    image = image_of(224, 224).astype(np.float32)
    prepared = keras.applications.vgg16.preprocess_input(image.copy())
    ours, theirs = convert_to_numpy(vgg16(image)), convert_to_numpy(published(prepared))
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)
    convolutional = fcn.convolutionize(vgg16, padding="valid")
    assert convolutional.get_layer("fc6").kernel.shape == (7, 7, 512, 4096)
    assert_close(convolutional(image)[:, 0, 0], ours)


@pytest.mark.slow
def test_fcn8s_over_vgg16_has_its_weights(vgg16, collected, monkeypatch):
    monkeypatch.setattr("fcn_tutorial.backbones.vgg16", lambda weights: vgg16)
    model = fcn.build_fcn("fcn8s", 21, backbone="vgg16", weights=None)
    scores = 21 * sum(channels + 1 for channels in (4096, 512, 256))
    assert model.count_params() == 134_260_544 + scores
    assert layers_that_differ(model, vgg16) == {"score_fr", "score_pool4", "score_pool3"}
    assert model(image_of(33, 40)).shape == (1, 33, 40, 21)


def test_preprocessing_equals_kerass():
    images = image_of(5, 7, batch=2).astype(np.float32)
    expected = keras.applications.vgg16.preprocess_input(images.copy())
    np.testing.assert_allclose(VGGPreprocessing()(images), expected, atol=1e-4)
    each = keras.layers.TimeDistributed(VGGPreprocessing())  # asks for the output's shape
    np.testing.assert_allclose(each(images[None])[0], expected, atol=1e-4)


def test_vgg_narrow_gives_logits_for_each_class():
    classifier = fcn.vgg_narrow(num_classes=4, input_size=32)
    logits = convert_to_numpy(classifier(image_of(32, 32, batch=2)))
    assert logits.shape == (2, 4) and logits.dtype == np.float32
    assert not np.allclose(logits.sum(axis=1), 1)  # logits, not probabilities
    assert not np.allclose(logits[0], logits[1])


@pytest.mark.parametrize(("padding", "side", "cells"), [("same", 32, 1), ("valid", 220, 3)])
def test_vgg_narrow_has_these_cells_behind_its_last_pooling(padding, side, cells):
    classifier = fcn.vgg_narrow(padding=padding, input_size=side)
    assert {layer.padding for layer in classifier.layers if "conv" in layer.name} == {padding}
    assert classifier.get_layer("block5_pool").output.shape[1:3] == (cells, cells)


def test_seed_decides_the_weights_of_vgg_narrow():
    def kernels(seed):
        classifier = fcn.vgg_narrow(num_classes=2, input_size=32, seed=seed)
        return [np.array(weight) for weight in classifier.weights if weight.name == "kernel"]

    first, again, other = map(kernels, (3, 3, 30))
    assert len(first) == 13 and all(map(np.array_equal, first, again))
    assert not any(map(np.array_equal, first, other))
