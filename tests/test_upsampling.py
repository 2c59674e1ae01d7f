"""Bilinear kernels and the two upsampling layers, against SciPy, TensorFlow and the release."""

import keras
import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.ops import convert_to_numpy

import fcn_tutorial as fcn

FACTORS = [*range(1, 34)]
rng = np.random.default_rng(0)


def release_kernel(size):
    """`upsample_filt` of surgery.py in the paper's reference release."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)


def scipy_zoom(maps, factor):
    """Half-pixel-centre bilinear resizing of (N, H, W, C) that repeats the edge."""
    zoom = (1, factor, factor, 1)
    return scipy.ndimage.zoom(maps, zoom, order=1, mode="nearest", grid_mode=True)


def cropped(maps, factor, like):
    """Crop a transposed convolution's output to factor times the size of its input."""
    before = (len(fcn.bilinear_kernel(factor)) - factor) // 2
    height, width = factor * like.shape[1], factor * like.shape[2]
    return convert_to_numpy(maps)[:, before : before + height, before : before + width]


@pytest.mark.parametrize("factor", FACTORS)
def test_kernel_is_the_reference_releases(factor):
    kernel = fcn.bilinear_kernel(factor)
    size = 2 * factor - factor % 2
    assert kernel.shape == (size, size)
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel, release_kernel(size), atol=1e-7)


@pytest.mark.parametrize("factor", FACTORS)
def test_kernel_is_symmetric_and_each_phase_sums_to_one(factor):
    kernel = fcn.bilinear_kernel(factor)
    np.testing.assert_array_equal(kernel, kernel.T)
    np.testing.assert_array_equal(kernel, kernel[::-1])
    for row in range(factor):
        for column in range(factor):
            assert kernel[row::factor, column::factor].sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("factor", [0, -2, 2.5])
def test_impossible_factor_is_refused(refusal, factor):
    assert str(factor) in refusal(fcn.bilinear_kernel, factor)
    assert str(factor) in refusal(fcn.BilinearUpsampling, factor)
    assert str(factor) in refusal(fcn.transposed_convolution, factor, num_classes=2)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_upsampling_equals_half_pixel_resizing(factor, height, width, channels):
    random = np.random.default_rng(factor)
    maps = random.normal(size=(2, height, width, channels)).astype(np.float32)
    upsampled = convert_to_numpy(fcn.BilinearUpsampling(factor)(maps))
    resized = tf.image.resize(maps, (factor * height, factor * width), method="bilinear")
    assert upsampled.dtype == np.float32
    np.testing.assert_allclose(upsampled, scipy_zoom(maps, factor), atol=1e-5)
    np.testing.assert_allclose(upsampled, resized, atol=1e-5)


@pytest.mark.parametrize("factor", [1, 2, 3, 8, 32])
@pytest.mark.parametrize("size", [(1, 1), (1, 4), (3, 2)])
def test_constant_map_stays_constant_to_the_border(factor, size):
    upsampled = fcn.BilinearUpsampling(factor)(np.full((1, *size, 2), -3.7, np.float32))
    expected = np.full((1, factor * size[0], factor * size[1], 2), -3.7, np.float32)
    # TensorFlow adds a part of the cells' difference, which is zero; the others add weighted cells.
    rounding = 0 if keras.backend.backend() == "tensorflow" else 2.5e-7
    np.testing.assert_allclose(upsampled, expected, rtol=rounding)


@pytest.mark.tensorflow_only("JAX and PyTorch always know the sizes of a map")
def test_upsampling_in_a_graph_of_unknown_sizes():
    layer = fcn.BilinearUpsampling(4)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, None, None, None])])
    for shape in ((1, 1, 1, 1), (2, 3, 5, 4)):
        maps = rng.normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(graph(maps), layer(maps), atol=1e-6)


def test_upsampling_has_no_weights_and_knows_its_shape():
    layer = fcn.BilinearUpsampling(3)
    assert layer(keras.Input((4, None, 2))).shape == (None, 12, None, 2)
    assert layer.weights == []


def test_upsampling_survives_saving(tmp_path):
    image = keras.Input((None, None, 2))
    model = keras.Model(image, fcn.BilinearUpsampling(5, name="up")(image))
    model.save(tmp_path / "up.keras")
    loaded = keras.models.load_model(tmp_path / "up.keras")
    maps = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
    assert loaded.get_layer("up").factor == 5
    np.testing.assert_array_equal(loaded(maps), model(maps))


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_gradient_is_the_transposed_interpolation(factor, value_and_gradient):
    height, width = 3, 2
    cells = np.eye(height * width, dtype=np.float32).reshape(-1, height, width, 1)
    matrix = scipy_zoom(cells, factor).reshape(height * width, -1)
    maps = rng.normal(size=(1, height, width, 1)).astype(np.float32)
    upstream = rng.normal(size=(1, factor * height, factor * width, 1)).astype(np.float32)
    layer = fcn.BilinearUpsampling(factor)
    _, gradient = value_and_gradient(lambda x: keras.ops.vdot(layer(x), upstream), maps)
    np.testing.assert_allclose(gradient.ravel(), matrix @ upstream.ravel(), atol=1e-4)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
def test_the_two_layers_are_equal_away_from_the_border(factor):
    maps = rng.normal(size=(2, 6, 5, 3)).astype(np.float32)
    transposed = fcn.transposed_convolution(factor, num_classes=3)(maps)
    size = len(fcn.bilinear_kernel(factor))
    assert transposed.shape == (2, 5 * factor + size, 4 * factor + size, 3)
    inside = np.s_[:, factor:-factor, factor:-factor]
    ours = convert_to_numpy(fcn.BilinearUpsampling(factor)(maps))
    np.testing.assert_allclose(cropped(transposed, factor, maps)[inside], ours[inside], atol=1e-5)


@pytest.mark.parametrize("factor", [2, 3, 8])
def test_transposed_convolution_fades_at_the_border(factor):
    maps = np.ones((1, 4, 4, 1), np.float32)
    faded = cropped(fcn.transposed_convolution(factor, 1)(maps), factor, maps)[0, :, :, 0]
    edge = np.concatenate([faded[0], faded[-1], faded[:, 0], faded[:, -1]])
    assert (edge < 0.95).all()
    np.testing.assert_allclose(faded[factor:-factor, factor:-factor], 1, atol=1e-6)


def test_transposed_convolution_keeps_classes_apart_and_is_frozen():
    layer = fcn.transposed_convolution(4, num_classes=3)
    layer.build((None, None, None, 3))
    (kernel,) = layer.get_weights()
    expected = fcn.bilinear_kernel(4)[..., None, None] * np.eye(3)
    np.testing.assert_array_equal(kernel, expected)
    assert layer.trainable_variables == []
    assert fcn.transposed_convolution(4, 3, trainable=True, name="up").trainable


def test_transposed_convolution_survives_saving(tmp_path):
    image = keras.Input((None, None, 2))
    model = keras.Model(image, fcn.transposed_convolution(3, 2, name="upscore")(image))
    model.save(tmp_path / "up.keras")
    loaded = keras.models.load_model(tmp_path / "up.keras")
    maps = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(*(convert_to_numpy(each(maps)) for each in (loaded, model)))
