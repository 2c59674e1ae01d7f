"""Shapes: what a reader may rely on, whatever the seed."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID, shapes


@pytest.fixture(scope="module")
def lone_objects():
    """Images, labels, and where the labels show an object."""
    images, labels = zip(*fcn.load_dataset("shapes", count=150, objects=(1, 1)), strict=True)
    labels = np.stack(labels)
    return np.stack(images), labels, (labels > 0) & (labels != VOID)


def test_a_scene_is_the_same_each_time_and_in_each_order():
    first, second = (fcn.load_dataset("shapes", count=count) for count in (4, 30))
    for index in (3, 2, 1, 0):
        assert all(map(np.array_equal, first[index], second[index]))


def test_no_scene_occurs_twice_among_splits_and_seeds():
    each = product(("train", "val", "test"), (0, 1))
    datasets = [fcn.load_dataset("shapes", split, count=20, seed=seed) for split, seed in each]
    images = {image.tobytes() for dataset in datasets for image, _ in dataset}
    assert len(images) == 3 * 2 * 20


def test_every_class_is_common_enough_to_learn():
    labels = np.stack([label for _, label in fcn.load_dataset("shapes", "train", count=150)])
    assert set(np.unique(labels)) == {0, 1, 2, 3, 4, 5, VOID}
    shares = np.array([(labels == class_id).mean() for class_id in range(6)])
    in_scenes = np.array([(labels == class_id).any(axis=(1, 2)).mean() for class_id in range(6)])
    assert 0.6 < shares[0] < 0.8
    assert shares[1:].min() > 0.02
    assert in_scenes[0] == 1 and in_scenes[1:].min() > 0.3


def test_void_lies_on_both_sides_of_every_border_and_nowhere_else(monkeypatch):
    dataset = fcn.load_dataset("shapes", count=40)
    labels, cross = [label for _, label in dataset], ndimage.generate_binary_structure(2, 1)
    monkeypatch.setattr(shapes, "void_band", lambda ids: ids)
    for label, (_, ids) in zip(labels, dataset, strict=True):
        lowest = ndimage.minimum_filter(ids, footprint=cross)
        border, void = lowest != ndimage.maximum_filter(ids, footprint=cross), label == VOID
        assert void[border].all()
        assert ndimage.distance_transform_edt(~border)[void].max() < 2
        np.testing.assert_array_equal(label[~void], ids[~void])


def test_a_lone_object_is_largely_visible_and_keeps_labelled_pixels(lone_objects):
    for label, shown in zip(*lone_objects[1:], strict=True):
        assert len(np.unique(label[shown])) == 1 and shown.sum() >= 60


def test_colour_does_not_reveal_the_class(lone_objects):
    """Class means of colour, learnt on half of the objects, guess the rest no better than luck."""
    examples = list(zip(*lone_objects, strict=True))
    colors = np.array([image[shown].mean(axis=0) for image, _, shown in examples])
    classes = np.array([label[shown][0] for _, label, shown in examples])
    learn, guess = slice(0, 75), slice(75, None)
    means = [colors[learn][classes[learn] == class_id].mean(axis=0) for class_id in range(1, 6)]
    distances = np.linalg.norm(colors[guess][:, None] - np.array(means), axis=-1)
    assert (1 + distances.argmin(axis=1) == classes[guess]).mean() < 0.4


@given(height=st.integers(1, 70), width=st.integers(1, 70), seed=st.integers(0, 2**40))
def test_any_size_works(height, width, seed):
    dataset = fcn.load_dataset("shapes", size=(height, width), count=2, seed=seed)
    for image, label in dataset:
        assert image.dtype == label.dtype == np.uint8
        assert image.shape == (height, width, 3) and label.shape == (height, width)
        assert np.isin(label, [*range(6), VOID]).all()


def test_single_shapes_are_balanced_and_repeatable():
    images, classes = shapes.single_shapes(60)
    assert images.shape == (60, 96, 96, 3) and images.dtype == np.uint8
    assert classes.dtype == np.int64 and (np.bincount(classes) == 10).all()
    again, _ = shapes.single_shapes(7)
    np.testing.assert_array_equal(images[:7], again)
    assert not np.array_equal(again, shapes.single_shapes(7, seed=1)[0])
    assert shapes.single_shapes(1, size=(5, 3))[0].shape == (1, 5, 3, 3)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"size": (4, 0)}, "size"),
        ({"size": (4, 4, 3)}, "size"),
        ({"count": 0}, "count"),
        ({"seed": -1}, "seed"),
        ({"objects": (3, 2)}, "objects"),
        ({"objects": (-1, 2)}, "objects"),
        ({"objects": 3}, "objects"),
    ],
)
def test_an_unusable_option_is_named_in_one_sentence(options, field, refusal):
    assert field in refusal(fcn.load_dataset, "shapes", **options)
