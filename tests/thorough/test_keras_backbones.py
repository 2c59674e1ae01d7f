"""FCNs over the networks of `keras.applications` that the quicker tests leave out."""

import pytest
from any_backbone import check
from hypothesis import settings

import fcn_tutorial as fcn
from fcn_tutorial.trunks import applications

quick = settings().max_examples < 1000
pytestmark = [pytest.mark.slow, pytest.mark.skipif(quick, reason="make thorough runs it")]

# Without padding, or with blocks that see the outputs of two others, as NASNet's.
UNUSABLE = {"InceptionResNetV2", "InceptionV3", "NASNetLarge", "NASNetMobile"}
SMALLEST = [
    *("ConvNeXtTiny", "DenseNet121", "EfficientNetB0", "EfficientNetV2B0", "MobileNet"),
    *("MobileNetV3Large", "ResNet50", "ResNet50V2", "VGG19", "Xception"),
]


@pytest.mark.parametrize("name", SMALLEST)
def test_an_fcn_stands_on_a_network_of_keras(name):
    check(name, name)


@pytest.mark.parametrize("name", sorted(UNUSABLE))
def test_networks_without_usable_maps_are_refused(refusal, name):
    assert name in applications()
    assert refusal(fcn.build_fcn, "fcn8s", 3, name)
