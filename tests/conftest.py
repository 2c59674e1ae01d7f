"""What several test files need: a quiet TensorFlow, refused input, and VGG-16 built once."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import pytest

import fcn_tutorial as fcn


@pytest.fixture(scope="session")
def refusal():
    """Call something that the library must refuse; returns the message, which is one line."""

    def message_of(call, *args, **kwargs):
        with pytest.raises(fcn.InputError) as caught:
            call(*args, **kwargs)
        message = str(caught.value)
        assert message and "\n" not in message
        return message

    return message_of


@pytest.fixture(scope="session")
def published_vgg16():
    """Keras's own VGG-16 with random weights: 138 million of them, so it is built once."""
    import keras

    return keras.applications.VGG16(weights=None)


@pytest.fixture(scope="session")
def vgg16(published_vgg16, tmp_path_factory):
    """fcn.vgg16 with the published network's weights, from a file in Keras 3's format."""
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.weights.h5"
    published_vgg16.save_weights(path)
    yield fcn.vgg16(weights=path)
    path.unlink()


@pytest.fixture(scope="session")
def vgg16_convolutional(vgg16):
    return fcn.convolutionize(vgg16, padding="valid")


@pytest.fixture(scope="session")
def narrow():
    return fcn.build_fcn("fcn8s", 3, backbone="vgg_narrow", weights=None)


@pytest.fixture(scope="session")
def mobilenet():
    return fcn.build_fcn("fcn8s", 3, backbone="mobilenet", weights=None)
