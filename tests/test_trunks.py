"""Any classifier as a backbone: the same check for all; the networks that take longer are thorough.

`make thorough` checks the other networks of `keras.applications` (tests/thorough).
"""

from dataclasses import replace

import keras
import numpy as np
import pytest
from any_backbone import check, nested, sequential
from keras import layers
from keras.applications.imagenet_utils import preprocess_input
from keras.ops import convert_to_numpy
from networks import image_of, layers_that_differ, perturb
from quick import QUICK

import fcn_tutorial as fcn
from fcn_tutorial.training import compiled_model


@pytest.mark.parametrize("build", [sequential, nested])
def test_an_fcn_stands_on_a_classifier_of_ones_own(build):
    check(build(), "own")


@pytest.mark.slow
def test_an_fcn_stands_on_a_network_of_keras():
    check("MobileNetV2", "MobileNetV2")


@pytest.mark.slow
def test_weights_of_the_classifier_are_copied_from_the_model_or_its_file(tmp_path):
    classifier = sequential()
    classifier.save(tmp_path / "own.keras")
    kept = classifier.get_weights()
    for backbone in (classifier, tmp_path / "own.keras", str(tmp_path / "own.keras")):
        model = fcn.build_fcn("fcn32s", 3, backbone)
        assert layers_that_differ(model, classifier) == {"fc6", "fc6_bn", "score_fr"}
        perturb(model)
    assert all(map(np.array_equal, kept, classifier.get_weights()))
    assert classifier(np.zeros((1, 64, 64, 3))).shape == (1, 5)


def adapted():
    layer = layers.Normalization()
    layer.adapt(np.full((1, 1, 2, 3), 20.0) + np.array([0, 90]).reshape(1, 1, 2, 1))
    return layer


MODES, PIXEL = ("caffe", "tf", "torch"), np.array([200, 100, 20], np.uint8).reshape(1, 1, 1, 3)


@pytest.mark.parametrize(
    ("preprocessing", "expected"),
    [
        *((mode, preprocess_input(PIXEL.astype(float), mode=mode)) for mode in MODES),
        (layers.Rescaling(2.0, offset=1.0), [401, 201, 41]),
        (adapted(), [3, 35 / 45, -1]),
        (None, [200, 100, 20]),
    ],
)
def test_images_are_prepared_as_asked(preprocessing, expected):
    model = fcn.build_fcn("fcn32s", 2, sequential(), preprocessing=preprocessing)
    prepared = keras.Model(model.input, model.get_layer("preprocessing").output)(PIXEL)
    np.testing.assert_allclose(convert_to_numpy(prepared).ravel(), np.ravel(expected), rtol=1e-3)


def test_an_initial_models_normalization_is_taken_with_its_weights():
    layer = layers.Normalization()
    layer.build((None, None, None, 3))
    classifier = sequential()
    initial = fcn.build_fcn("fcn32s", 2, classifier, preprocessing=adapted())
    model = fcn.build_fcn("fcn32s", 2, classifier, preprocessing=layer, initial=initial)
    image = image_of(32, 32)
    assert np.allclose(model(image), initial(image), atol=1e-4)


def test_a_recipe_can_name_a_file_and_its_preprocessing(tmp_path):
    file = tmp_path / "own.keras"
    sequential().save(file)
    recipe = replace(QUICK, variant="fcn16s", backbone=file, preprocessing="tf")
    layer = compiled_model(recipe, 6, steps_per_epoch=1).get_layer("preprocessing")
    assert layer.scale == pytest.approx(1 / 127.5)


def strided(name, count, padding="same", channels=3):
    body = [layers.Conv2D(4, 3, strides=2, padding=padding) for _ in range(count)]
    return keras.Sequential([keras.Input((224, 224, channels)), *body], name=name)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"backbone": "resnet"}, "'resnet'"),
        ({"backbone": "no/such/file.keras"}, "no/such/file.keras"),
        ({"backbone": "ResNet50", "weights": "no/such/file.h5"}, "no/such/file.h5"),
        ({"backbone": "ResNet50", "preprocessing": "tf"}, "'preprocessing'"),
        ({"backbone": "vgg_narrow", "preprocessing": "tf"}, "'preprocessing'"),
        ({"backbone": sequential, "preprocessing": "pytorch"}, "'pytorch'"),
        ({"backbone": sequential, "weights": "imagenet"}, "'weights'"),
        ({"backbone": sequential, "variant": "dilated8"}, "'dilated8'"),
        ({"backbone": lambda: strided("unpadded", 5, padding="valid")}, "'unpadded'"),
        ({"backbone": lambda: strided("shallow", 3)}, "'shallow'"),
        ({"backbone": lambda: strided("grey", 5, channels=1)}, "'grey'"),
        ({"backbone": lambda: keras.Sequential([layers.Dense(1)], name="unbuilt")}, "'unbuilt'"),
    ],
)
def test_what_no_fcn_can_stand_on_is_refused(refusal, arguments, says):
    usable = {"variant": "fcn8s", "num_classes": 3}
    if callable(arguments["backbone"]):
        arguments = {**arguments, "backbone": arguments["backbone"]()}
    assert says in refusal(fcn.build_fcn, **{**usable, **arguments})
