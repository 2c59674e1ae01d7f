"""Dilated networks: exactly FCN-32s on its cells, a finer grid between them, and in its place."""

import keras
import numpy as np
import pytest
from keras.ops import convert_to_numpy
from networks import assert_close, image_of, zoomed

import fcn_tutorial as fcn
from fcn_tutorial.layers import DilatedPooling, dilated_kernel

STRIDES = {"dilated16": 16, "dilated8": 8}


def score_fr(model, image):
    part = keras.Model(model.inputs[0], model.get_layer("score_fr").output)
    return convert_to_numpy(part(image))


@pytest.fixture(scope="module")
def fcn32s():
    return fcn.load_trained("fcn32s")


@pytest.fixture(scope="module")
def models(fcn32s):
    return {each: fcn.build_fcn(each, 6, "vgg_narrow", initial=fcn32s) for each in STRIDES}


@pytest.fixture(params=STRIDES)
def variant(request):
    return request.param


# The values of score_fr.


@pytest.mark.parametrize("size", [(1, 1), (33, 70), (250, 40)])
def test_old_cells_say_exactly_what_fcn32s_says_at_the_border_too(fcn32s, models, variant, size):
    step = 32 // STRIDES[variant]
    coarse, fine = (score_fr(model, image_of(*size)) for model in (fcn32s, models[variant]))
    assert fine.shape[1:3] == (step * coarse.shape[1], step * coarse.shape[2])
    assert_close(fine[:, ::step, ::step], coarse)


def test_new_cells_say_what_fcn32s_says_of_the_image_moved_under_its_grid(fcn32s, models, variant):
    """Where no cell's field, 110 pixels to each side, reaches the zeros beyond the border."""
    stride, step = STRIDES[variant], 32 // STRIDES[variant]
    image = image_of(352, 320)
    fine = score_fr(models[variant], image)
    for phase in range(step):
        other = (phase + 1) % step
        moved = image[:, phase * stride :, other * stride :]
        coarse = score_fr(fcn32s, moved)
        rows, columns = (slice(4, (side - 127) // 32 + 1) for side in moved.shape[1:3])
        inner = fine[:, phase::step, other::step][:, rows, columns]
        assert inner.shape[1] >= 3 and inner.shape[2] >= 2
        assert_close(inner, coarse[:, rows, columns])


@pytest.mark.parametrize(("side", "dilation"), [(64, 1), (96, 2)])
def test_kernels_of_any_size_are_spread_from_the_same_cell(variant, side, dilation, tmp_path):
    """fc6 of a classifier for images of 64 pixels is 2 x 2, of 96 pixels 3 x 3."""
    fcn.vgg_narrow(num_classes=5, input_size=side).save(tmp_path / "classifier.keras")
    build = {"num_classes": 6, "backbone": "vgg_narrow", "weights": tmp_path / "classifier.keras"}
    build["fc6_dilation"] = dilation
    coarse = fcn.build_fcn("fcn32s", **build)
    fine = fcn.build_fcn(variant, **build, initial=coarse)
    step, image = 32 // STRIDES[variant], image_of(150, 97)
    assert_close(score_fr(fine, image)[:, ::step, ::step], score_fr(coarse, image))


@pytest.mark.parametrize("rate", [1, 2, 3])
def test_dilated_pooling_takes_the_largest_of_four_cells(rate):
    x = np.random.default_rng(0).normal(size=(2, 6, 5, 3)).astype(np.float32)
    beyond = np.pad(x, ((0, 0), (0, rate), (0, rate), (0, 0)), constant_values=-np.inf)
    corners = [beyond[:, i : i + 6, j : j + 5] for i in (0, rate) for j in (0, rate)]
    np.testing.assert_array_equal(DilatedPooling(rate)(x), np.max(corners, axis=0))


# Where the cells lie.


def test_fields_are_those_of_fcn32s_on_a_finer_grid(fcn32s, models, variant):
    coarse = fcn.receptive_field(fcn32s, "score_fr")
    field = fcn.receptive_field(models[variant], "score_fr")
    assert (field.size, field.stride) == (coarse.size, STRIDES[variant])
    assert field.offset == coarse.offset == 15.5
    assert fcn.crop_offset(models[variant], "logits") == 0


def test_logits_are_score_fr_upsampled_at_once_and_moved(models, variant):
    stride, image = STRIDES[variant], image_of(70, 40)
    large = zoomed(score_fr(models[variant], image), stride)
    moved = (32 - stride) // 2
    large = np.pad(large, ((0, 0), (moved, 0), (moved, 0), (0, 0)), mode="edge")
    assert_close(models[variant](image), large[:, :70, :40])


# A model like the others.


@pytest.mark.parametrize("rate", [1, 2, 3])
def test_a_dilated_kernel_is_a_larger_one_with_zeros(rate):
    picture = np.random.default_rng(0).normal(size=(1, 9, 11, 1)).astype("float32")
    kernel = np.arange(1, 7, dtype="float32").reshape(2, 3)
    spread = keras.ops.conv(picture, kernel[..., None, None], dilation_rate=rate)
    holes = keras.ops.conv(picture, dilated_kernel(kernel, rate)[..., None, None])
    np.testing.assert_allclose(convert_to_numpy(spread), convert_to_numpy(holes), atol=1e-4)
