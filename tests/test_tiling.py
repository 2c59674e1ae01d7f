"""Labelling large images tile by tile: the labels of the complete image."""

import keras
import numpy as np
import pytest
from networks import image_of, perturb

import fcn_tutorial as fcn
from fcn_tutorial import tiling
from fcn_tutorial.errors import InputWarning


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variant", "backbone", "options", "size"),
    [
        ("fcn32s", "mobilenet", {}, (64, 700)),
        ("fcn8s", "vgg_narrow", {"enlarge": 2, "fc6_dilation": 2}, (200, 333)),
    ],
)
def test_tiles_give_the_labels_of_the_complete_image(variant, backbone, options, size, monkeypatch):
    network, image = perturb(fcn.build_fcn(variant, 5, backbone, **options)), image_of(*size)[0]
    bias = network.get_layer("score_fr").bias
    # So that no class wins everywhere.
    bias.assign(bias - network.predict_on_batch(image[None]).mean(axis=(0, 1, 2)))
    whole = network.predict_on_batch(image[None].astype(np.float32))[0]
    monkeypatch.setattr(tiling, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(tiling, "TILE", 64)
    label = fcn.segment(network, image)
    # Where two classes score the same up to rounding, either is right.
    chosen = np.take_along_axis(whole, label[..., None].astype(int), axis=-1)[..., 0]
    np.testing.assert_allclose(chosen, whole.max(axis=-1), atol=1e-3 * np.abs(whole).max())
    assert (label == whole.argmax(axis=-1)).mean() > 0.99 and len(np.unique(label)) > 1


def test_tiles_have_a_margin_for_each_use_of_a_layer(monkeypatch):
    image = keras.Input((None, None, 3))
    conv, rest = keras.layers.Conv2D(3, (1, 129), padding="same"), keras.layers.Identity()
    network = keras.Model(image, rest(conv(rest(conv(rest(conv(image)))))))
    whole = image_of(8, 900)[0]
    label = fcn.segment(network, whole)
    monkeypatch.setattr(tiling, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(tiling, "TILE", 64)
    assert (fcn.segment(network, whole) == label).mean() > 0.999


def test_a_network_that_pools_globally_labels_at_once_and_says_so(monkeypatch):
    image = keras.Input((None, None, 3))
    pooled = keras.layers.GlobalAveragePooling2D(keepdims=True, name="pool")(image)
    network = keras.Model(image, keras.layers.Multiply()([image, pooled]))
    monkeypatch.setattr(tiling, "LARGEST_WHOLE", 100)
    with pytest.warns(InputWarning, match="at once, not in tiles, as layer 'multiply"):
        fcn.segment(network, image_of(20, 20)[0])


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"enlarge": 2, "fc6_dilation": 2}])
def test_no_pixel_beyond_the_reach_changes_a_score(options):
    network = perturb(fcn.build_fcn("fcn8s", 3, "vgg_narrow", **options))
    image = image_of(40, 640).astype(np.float32)
    scores = network.predict_on_batch(image)
    farthest = 0
    for column in (300, 316, 319):
        changed = image.copy()
        changed[:, :, column] = 255 - changed[:, :, column]
        differs = (network.predict_on_batch(changed) != scores).any(axis=(0, 1, 3))
        farthest = max(farthest, np.abs(np.flatnonzero(differs) - column).max())
    reach = tiling.reach(network)
    assert farthest <= reach <= 1.25 * farthest


@pytest.mark.slow
@pytest.mark.parametrize("width", [333, 352])
def test_tiles_of_mirrored_copies_give_the_labels_of_the_complete_image(width, monkeypatch):
    network = fcn.load_trained("fcn8s")
    scenes = fcn.load_dataset("shapes", "test", count=2, size=384)
    image = np.concatenate([scene for scene, _ in scenes], axis=1)[:70, :width]
    whole = fcn.segment(network, image, flip=True)
    monkeypatch.setattr(tiling, "LARGEST_WHOLE", 100)
    monkeypatch.setattr(tiling, "TILE", 64)
    tiled = fcn.segment(network, image, flip=True)
    assert (tiled == whole).mean() > 0.9995 and len(np.unique(whole)) > 1


@pytest.mark.parametrize(
    ("enlarge", "scales", "factor"), [(1, (1.0,), 1), (2, (1.0,), 2), (2, (0.5, 2.0), 4)]
)
def test_what_is_enlarged_or_scaled_is_cut_into_smaller_tiles(enlarge, scales, factor, monkeypatch):
    sizes, network = [], fcn.build_fcn("fcn8s", 3, "vgg_narrow", enlarge=enlarge)

    def label(members, scales, flip, images):
        sizes.append(images.shape[1:3])
        return np.zeros(images.shape[:3], int)

    monkeypatch.setattr("fcn_tutorial.inference._labels_at_once", label)
    fcn.segment(network, np.broadcast_to(np.uint8(0), (1000, 1000, 3)), scales)
    margin = 0 if factor == 1 else max(sizes)[0] - 512 // factor
    assert margin % 64 == 0 and margin <= 2 * 320
    assert sizes[0] == (1000, 1000) if factor == 1 else max(sizes[0]) < 1000
