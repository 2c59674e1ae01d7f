"""The maps that an FCN scores: found by their strides, and upsampled to where they lie."""

import keras
import numpy as np
import pytest
from any_backbone import sequential
from keras import layers
from keras.ops import convert_to_numpy

import fcn_tutorial as fcn
from fcn_tutorial.backbones import find_backbone
from fcn_tutorial.geometry import walk
from fcn_tutorial.taps import taps

MAPS = {
    "vgg_narrow": ["block3_pool", "block4_pool", "fc7"],
    "mobilenet": ["conv_pw_5_relu", "conv_pw_11_relu", "fc7"],
    "efficientnet_lite0": ["block3b_add", "block5c_add", "fc6_relu"],
}


@pytest.mark.slow
@pytest.mark.parametrize("backbone", MAPS)
def test_maps_of_the_named_backbones_are_the_papers_and_lie_on_the_grid_of_upsampling(backbone):
    network = find_backbone(backbone).network(None)
    found = taps(network)
    for stride, name in zip((8, 16, 32), MAPS[backbone], strict=True):
        assert (found[stride].layer, found[stride].upsampling()) == (name, (stride, 0))
        for axis in (0, 1):
            field = fcn.receptive_field(network, name, axis)
            assert (field.stride, field.offset) == (stride, found[stride].offset)
            assert abs(field.offset - (stride - 1) / 2) <= stride / 4


def block(x, name, stride=1):
    """A residual block whose second convolution strides, and a shortcut without a kernel."""
    shortcut = layers.MaxPooling2D(1, strides=stride)(x) if stride > 1 else x
    x = layers.ReLU(name=f"{name}_before")(x)
    x = layers.ZeroPadding2D(1, name=f"{name}_pad")(x)
    x = layers.Conv2D(shortcut.shape[-1], 3, strides=stride, name=f"{name}_conv")(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add(name=f"{name}_add")([shortcut, x]))


def residual(gate=False):
    """A network whose maps all begin at the first pixel, as ResNet's do."""
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 1, name="stem")(image)
    for stage in range(1, 6):
        x = block(block(x, f"stage{stage}a", 2), f"stage{stage}b")
        if gate:
            weights = layers.Dense(4)(layers.GlobalAveragePooling2D(keepdims=True)(x))
            x = layers.Multiply(name=f"stage{stage}_gate")([x, weights])
    return keras.Model(image, x, name="residual")


def test_a_block_ends_where_branches_meet_and_with_the_activation_behind():
    found = taps(residual())
    for stride, name in ((8, "stage3b_out"), (16, "stage4b_out"), (32, "stage5b_out")):
        assert (found[stride].layer, found[stride].offset) == (name, 0)


def test_maps_that_begin_at_the_first_pixel_are_upsampled_from_there():
    model = fcn.build_fcn("fcn8s", 3, residual())
    assert fcn.crop_offset(model, "upscore2", onto="stage4b_out") == 0
    assert fcn.crop_offset(model, "upscore_pool4", onto="stage3b_out") == 0
    assert fcn.crop_offset(model, "logits") == 0
    scores = np.zeros((1, 2, 2, 3), np.float32)
    scores[:, 1, 1] = 1
    upsampled = convert_to_numpy(model.get_layer("upscore2")(scores))[0, :, :, 0]
    np.testing.assert_allclose(upsampled, np.outer([0, 0.5, 1, 1], [0, 0.5, 1, 1]))


def test_a_gate_moves_no_map_but_leaves_no_receptive_field(refusal):
    network = residual(gate=True)
    found = {operation.name: cells for operation, cells, _ in walk(network)}
    assert (found["stage3_gate"].stride, found["stage3_gate"].offset) == (8, 0)
    assert "'stage3_gate'" in refusal(fcn.receptive_field, network, "stage3_gate")
    assert fcn.receptive_field(network, "stage1b_out").stride == 2


def test_networks_without_blocks_are_tapped_before_the_padding_of_the_next_stride():
    image = x = keras.Input((None, None, 3))
    for index in range(5):
        x = layers.ZeroPadding2D(((0, 1), (0, 1)), name=f"pad{index}")(x)
        x = layers.Conv2D(4, 3, strides=2, name=f"conv{index}")(x)
        x = layers.PReLU(shared_axes=[1, 2], name=f"prelu{index}")(x)
    found = taps(keras.Model(image, x))
    assert [found[stride].layer for stride in (8, 16, 32)] == ["prelu2", "prelu3", "prelu4"]


def test_operators_between_maps_end_blocks_too():
    image = x = keras.Input((None, None, 3))
    for index in range(5):
        x = layers.Conv2D(4, 3, strides=2, padding="same")(x)
        x = layers.LayerNormalization(name=f"norm{index}")(x + layers.Conv2D(4, 1)(x) / 2.0)
    found = taps(keras.Model(image, layers.Conv2D(5, 1, name="last")(x)))
    assert [found[stride].layer for stride in (8, 16, 32)] == ["norm2", "norm3", "last"]


def test_an_augmentation_inside_a_classifier_is_refused(refusal):
    classifier = keras.Sequential([keras.Input((64, 64, 3)), layers.RandomFlip(), sequential()])
    assert "(RandomFlip)" in refusal(fcn.build_fcn, "fcn32s", 3, classifier)
