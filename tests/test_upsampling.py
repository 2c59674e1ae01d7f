"""Bilinear kernels and the two upsampling layers, against SciPy, TensorFlow and the release."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.ops import convert_to_numpy
from networks import zoomed

import fcn_tutorial as fcn
from fcn_tutorial.upsampling import BilinearInitializer, transposed_by_loop

FACTORS = [1, 2, 3, 4, 7, 8, 15, 16, 32, 33]
rng = np.random.default_rng(0)


def release_kernel(size):
    """`upsample_filt` of surgery.py in the paper's reference release."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    og = np.ogrid[:size, :size]
    return (1 - abs(og[0] - center) / factor) * (1 - abs(og[1] - center) / factor)


@pytest.mark.parametrize("factor", FACTORS)
def test_kernel_is_the_reference_releases(factor):
    kernel = fcn.bilinear_kernel(factor)
    size = 2 * factor - factor % 2
    assert kernel.shape == (size, size)
    assert kernel.dtype == np.float32
    np.testing.assert_allclose(kernel, release_kernel(size), atol=1e-7)


@pytest.mark.parametrize("factor", [0, -2, 2.5])
def test_impossible_factor_is_refused(refusal, factor):
    assert str(factor) in refusal(fcn.bilinear_kernel, factor)
    assert str(factor) in refusal(fcn.BilinearUpsampling, factor)
    assert str(factor) in refusal(fcn.transposed_convolution, factor, num_classes=2)


@pytest.mark.parametrize(("factor", "shift"), [(1, 1.25), (2, -0.8), (8, 0.6), (2, "0.5")])
def test_a_shift_beyond_the_next_cell_is_refused(refusal, factor, shift):
    assert "shift must" in refusal(fcn.BilinearUpsampling, factor, shift)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 9), st.integers(1, 6), st.integers(1, 6), st.integers(1, 3))
def test_upsampling_equals_half_pixel_resizing(factor, height, width, channels):
    random = np.random.default_rng(factor)
    maps = random.normal(size=(2, height, width, channels)).astype(np.float32)
    upsampled = convert_to_numpy(fcn.BilinearUpsampling(factor)(maps))
    assert upsampled.dtype == np.float32
    np.testing.assert_allclose(upsampled, zoomed(maps, factor), atol=1e-5)


@pytest.mark.parametrize(("factor", "shift"), [(1, 0.5), (2, 0.25), (2, 0.75), (8, -0.4375)])
def test_a_shift_moves_the_places_that_are_interpolated(factor, shift):
    maps = np.random.default_rng(0).normal(size=(1, 5, 4, 1)).astype(np.float32)
    expected = maps[0, :, :, 0]
    for axis in (0, 1):
        cells = np.arange(expected.shape[axis])
        places = (np.arange(factor * len(cells)) + 0.5) / factor - 0.5 + shift
        expected = np.apply_along_axis(lambda x: np.interp(places, cells, x), axis, expected)  # noqa: B023
    upsampled = convert_to_numpy(fcn.BilinearUpsampling(factor, shift)(maps))
    np.testing.assert_allclose(upsampled[0, :, :, 0], expected, atol=1e-5)


@pytest.mark.tensorflow_only("JAX and PyTorch always know the sizes of a map")
@pytest.mark.parametrize("factor", [1, 2, 3, 5])
@pytest.mark.parametrize("known", [(3, 4), (3, None), (None, 4), (None, None)])
@pytest.mark.parametrize(("dtype", "atol"), [("float32", 1e-5), ("float16", 8e-3)])
def test_upsampling_of_half_known_sizes_equals_resizing_in_its_type(factor, known, dtype, atol):
    layer = fcn.BilinearUpsampling(factor, dtype=dtype)
    graph = tf.function(layer, input_signature=[tf.TensorSpec([None, *known, 2], dtype)])
    maps = rng.normal(size=(2, 3, 4, 2)).astype(dtype)
    upsampled = graph(maps)
    assert upsampled.dtype == dtype
    np.testing.assert_allclose(upsampled, zoomed(maps.astype(np.float32), factor), atol=atol)


def test_upsampling_takes_maps_with_channels_last_whatever_keras_is_set_to():
    maps = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
    usual = keras.config.image_data_format()
    keras.config.set_image_data_format("channels_first")
    try:
        upsampled = convert_to_numpy(fcn.BilinearUpsampling(2)(maps))
    finally:
        keras.config.set_image_data_format(usual)
    np.testing.assert_allclose(upsampled, zoomed(maps, 2), atol=1e-5)


def test_upsampling_has_no_weights_and_knows_its_shape():
    layer = fcn.BilinearUpsampling(3)
    assert layer(keras.Input((4, None, 2))).shape == (None, 12, None, 2)
    assert layer(keras.Input((None, 5, 2), batch_size=7)).shape == (7, None, 15, 2)
    assert layer.compute_output_shape((None, 4, None, 2)) == (None, 12, None, 2)
    assert layer.weights == []


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_gradient_is_the_transposed_interpolation(factor, value_and_gradient):
    height, width = 3, 2
    cells = np.eye(height * width, dtype=np.float32).reshape(-1, height, width, 1)
    matrix = zoomed(cells, factor).reshape(height * width, -1)
    maps = rng.normal(size=(1, height, width, 1)).astype(np.float32)
    upstream = rng.normal(size=(1, factor * height, factor * width, 1)).astype(np.float32)
    layer = fcn.BilinearUpsampling(factor)
    _, gradient = value_and_gradient(
        lambda x: keras.ops.sum(keras.ops.multiply(layer(x), upstream)), maps
    )
    np.testing.assert_allclose(gradient.ravel(), matrix @ upstream.ravel(), atol=1e-4)


@pytest.mark.tensorflow_only("XLA under TensorFlow is what it is about")
def test_gradient_in_16_bits_is_right_where_xla_compiles_it():
    layer = fcn.BilinearUpsampling(2, dtype="float16")

    @tf.function(jit_compile=True)
    def gradient(maps):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            total = tf.reduce_sum(layer(maps))
        return tape.gradient(total, maps)

    # Each of the four pixels of a cell is a weighted mean of cells; the weights of a cell sum to 4.
    np.testing.assert_array_equal(gradient(tf.ones((1, 3, 2, 1), tf.float16)), 4)


@pytest.mark.parametrize("factor", [1, 2, 3, 4, 5, 8])
def test_the_two_layers_are_equal_away_from_the_border(factor):
    maps = rng.normal(size=(2, 6, 5, 3)).astype(np.float32)
    transposed = convert_to_numpy(fcn.transposed_convolution(factor, num_classes=3)(maps))
    size = len(fcn.bilinear_kernel(factor))
    assert transposed.shape == (2, 5 * factor + size, 4 * factor + size, 3)
    before = (size - factor) // 2
    cropped = transposed[:, before:, before:][:, : 6 * factor, : 5 * factor]
    inside = np.s_[:, factor:-factor, factor:-factor]
    ours = convert_to_numpy(fcn.BilinearUpsampling(factor)(maps))
    np.testing.assert_allclose(cropped[inside], ours[inside], atol=1e-5)


def test_transposed_convolution_keeps_classes_apart_and_is_frozen():
    layer = fcn.transposed_convolution(4, num_classes=3)
    layer.build((None, None, None, 3))
    (kernel,) = layer.get_weights()
    expected = fcn.bilinear_kernel(4)[..., None, None] * np.eye(3)
    np.testing.assert_array_equal(kernel, expected)
    assert layer.trainable_variables == []
    up = fcn.transposed_convolution(4, 3, trainable=True, name="up")
    assert up.trainable and up.name == "up"


def test_a_bilinear_kernel_of_another_type():
    initializer = BilinearInitializer(2)
    kernel = convert_to_numpy(initializer((4, 4, 2, 3), dtype="float16"))
    assert kernel.dtype == np.float16
    expected = fcn.bilinear_kernel(2)[..., None, None] * np.eye(2, 3)
    np.testing.assert_array_equal(kernel, expected)
    assert convert_to_numpy(initializer((4, 4, 1, 1))).dtype == np.float32


def test_both_layers_survive_saving_under_the_librarys_names(tmp_path):
    image = keras.Input((None, None, 2))
    x = fcn.transposed_convolution(3, 2, name="upscore")(image)
    model = keras.Model(image, fcn.BilinearUpsampling(5, name="up")(x))
    for kind in (fcn.BilinearUpsampling, BilinearInitializer):
        assert keras.saving.get_registered_name(kind) == f"fcn_tutorial>{kind.__name__}"
    model.save(tmp_path / "up.keras")
    loaded = keras.models.load_model(tmp_path / "up.keras")
    maps = rng.normal(size=(1, 3, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(*(convert_to_numpy(each(maps)) for each in (loaded, model)))
    assert loaded.to_json() == model.to_json()


@pytest.mark.parametrize(("kernel_size", "stride"), [(4, 2), (3, 2), (2, 3)])
def test_a_loop_over_cells_equals_kerass_transposed_convolution(kernel_size, stride):
    rng = np.random.default_rng(0)
    scores, kernel = rng.normal(size=(3, 4, 2)), rng.normal(size=(kernel_size, kernel_size))
    layer = keras.layers.Conv2DTranspose(2, kernel_size, stride, use_bias=False)
    layer.build((None, 3, 4, 2))
    layer.set_weights([kernel[..., None, None] * np.eye(2)])
    large = keras.ops.convert_to_numpy(layer(scores[None].astype("float32")))[0]
    by_loop = transposed_by_loop(scores, kernel, stride)
    # Where the stride exceeds the kernel, Keras appends rows that no cell reaches.
    np.testing.assert_allclose(by_loop, large[: len(by_loop), : by_loop.shape[1]], atol=1e-5)
