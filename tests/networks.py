"""What tests of networks share: images of noise, moved weights, and upsampling by SciPy."""

import numpy as np
import scipy.ndimage
from keras.ops import convert_to_numpy


def image_of(height, width, batch=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (batch, height, width, 3)).astype(np.uint8)


def perturb(model, seed=0):
    """Move every weight away from where it started, so that equality means something."""
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        weight.assign(weight + rng.uniform(0.01, 0.1, weight.shape))
    return model


def zoomed(maps, factor):
    """Half-pixel-centre bilinear resizing of (N, H, W, C) that repeats the edge."""
    zoom = (1, factor, factor, 1)
    return scipy.ndimage.zoom(convert_to_numpy(maps), zoom, order=1, mode="nearest", grid_mode=True)


def assert_close(ours, theirs):
    """Whether maps are equal up to rounding, which grows with their largest value."""
    ours, theirs = convert_to_numpy(ours), convert_to_numpy(theirs)
    assert ours.shape == theirs.shape
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())


def layers_that_differ(model, other):
    """Names of a model's layers whose weights another model lacks or has with other values."""
    theirs = {layer.name: layer for layer in other.layers}
    return {
        layer.name
        for layer in model.layers
        if layer.weights and not (layer.name in theirs and _equal(layer, theirs[layer.name]))
    }


def _equal(layer, other):
    pairs = zip(layer.get_weights(), other.get_weights(), strict=True)
    return all(np.array_equal(a.ravel(), b.ravel()) for a, b in pairs)
