"""Batches: aligned, never blended, complete, repeatable."""

from itertools import islice

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.data import pipeline
from fcn_tutorial.data.dataset import VOID, Dataset


class Coded(Dataset):
    """Images whose red tells the class and whose green tells the example."""

    name, split = "coded", "train"
    classes, palette = ("a", "b"), np.zeros((2, 3), np.uint8)

    def __init__(self, count=7, size=(40, 48), ids=(0, 10)):
        self.names = tuple(map(str, range(count)))
        self.size, self.ids = size, ids

    def __getitem__(self, index):
        rng = np.random.default_rng(index)
        blocks = rng.choice(self.ids, (self.size[0] // 8 + 1, self.size[1] // 8 + 1))
        label = np.kron(blocks, np.ones((8, 8)))[: self.size[0], : self.size[1]].astype(np.uint8)
        image = np.zeros((*self.size, 3), np.uint8)
        image[..., 0], image[..., 1] = 20 * label, index
        return image, label


class Ramp(Coded):
    """Labels count the columns (axis 1) or rows (axis 0); the image holds four times as much."""

    def __init__(self, axis):
        super().__init__(count=3, size=(60, 60))
        self.axis = axis

    def __getitem__(self, index):
        label = np.indices(self.size)[self.axis].astype(np.uint8)
        return np.repeat(4 * label[..., None], 3, axis=-1), label


def take(dataset, count, **options):
    stream = fcn.batches(dataset, **{"batch_size": 2, "crop_size": 32, **options})
    return [(image.numpy(), label.numpy()) for image, label in islice(stream, count)]


def test_batches_have_one_shape_and_are_uint8():
    for image, label in take(Coded(), 3):
        assert image.shape == (2, 32, 32, 3)
        assert label.shape == (2, 32, 32)
        assert image.dtype == label.dtype == np.uint8


@pytest.mark.parametrize("scale", [(1, 1), (0.5, 2.0)])
def test_image_and_label_stay_aligned(scale):
    for images, labels in take(Coded(), 6, scale=scale, flip=True, seed=3):
        known = labels != VOID
        guess = np.where(images[..., 0] > 100, 10, 0)
        # Bilinear edges of the image may fall on either side of the label's edges.
        assert (guess == labels)[known].mean() > 0.95


@pytest.mark.parametrize("axis", [0, 1])
def test_image_and_label_are_cut_and_resized_at_the_same_place(axis):
    """The pixel that a label is taken from lies within half a pixel of where the image is read."""
    for images, labels in take(Ramp(axis), 10, scale=(0.6, 2), flip=True, seed=7):
        error = images[..., 0].astype(int) - 4 * labels.astype(int)
        assert np.abs(error).max() <= 0.5 * 4 + 0.5


@settings(max_examples=20, deadline=None)
@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    crop=st.integers(1, 70),
    factor=st.sampled_from([1, 0.3, 0.77, 1.9, 3.1]),
    numbers=st.tuples(*[st.floats(0, 0.984375, width=32)] * 2),
)
def test_a_crop_equals_padding_all_cutting_and_resizing(size, crop, factor, numbers):
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*size, 3)).astype(np.uint8)
    label = rng.integers(0, 21, size).astype(np.uint8)
    found = pipeline._random_crop(image, label, crop, (factor, factor), iter([0.5, *numbers]))
    side = max(1, round(crop / factor))
    below, right = (max(0, side - length) for length in size)
    whole = np.full((size[0] + below, size[1] + right, 3), pipeline.PAD_COLOR, np.uint8)
    ids = np.full(whole.shape[:2], VOID, np.uint8)
    whole[: size[0], : size[1]], ids[: size[0], : size[1]] = image, label
    rooms = (whole.shape[0] - side + 1, whole.shape[1] - side + 1)
    y, x = (int(np.float32(n) * np.float32(r)) for n, r in zip(numbers, rooms, strict=True))
    whole, ids = whole[y : y + side, x : x + side], ids[y : y + side, x : x + side, None]
    np.testing.assert_array_equal(found[0], tf.image.resize(whole, (crop, crop)))
    nearest = tf.image.resize(ids, (crop, crop), method="nearest")
    np.testing.assert_array_equal(found[1], nearest[..., 0])


def test_scale_is_spread_over_its_range_and_stays_in_it():
    columns = [np.ptp(label[0, 0].astype(int)) for _, label in take(Ramp(1), 40, scale=(0.6, 2))]
    factors = 32 / (np.array(columns) + 1)
    assert 0.6 <= factors.min() < 0.7
    assert 1.7 < factors.max() < 2.2
    assert len(set(columns)) > 10


def test_a_crop_may_start_anywhere_in_the_image():
    starts = [int(label[0, 0, 0]) for _, label in take(Ramp(0), 80, batch_size=1)]
    assert min(starts) < 4 and max(starts) > 24
    assert min(starts) >= 0 and max(starts) <= 60 - 32


def test_class_ids_are_never_blended():
    for _, labels in take(Coded(), 8, scale=(0.4, 2.5), flip=True):
        assert set(np.unique(labels).tolist()) <= {0, 10, VOID}


def test_what_lies_beyond_the_image_is_void():
    for images, labels in take(Coded(size=(20, 24)), 4):
        assert (labels[:, 20:] == VOID).all()
        assert (labels[:, :, 24:] == VOID).all()
        assert (labels[:, :20, :24] != VOID).all()
        assert (images[:, 25:, 28:] == (124, 117, 104)).all()


def test_every_pass_sees_every_example_once_in_another_order():
    seen = [int(image[0, 0, 0, 1]) for image, _ in take(Coded(), 21, batch_size=1)]
    passes = [seen[:7], seen[7:14], seen[14:]]
    assert all(sorted(each) == list(range(7)) for each in passes)
    assert len({tuple(each) for each in passes}) > 1


@settings(max_examples=8, deadline=None)
@given(count=st.integers(1, 30), seed=st.integers(0, 2**31 - 1), passes=st.integers(0, 1000))
def test_any_pass_over_any_data_set_is_a_permutation(count, seed, passes):
    options = {"batch_size": 1, "crop_size": 8, "seed": seed, "first_batch": passes * count}
    seen = [int(image[0, 0, 0, 1]) for image, _ in take(Coded(count, (8, 8)), count, **options)]
    assert sorted(seen) == list(range(count))


def test_without_augmentation_and_at_full_size_the_examples_come_as_they_are():
    dataset = Coded(size=(32, 32))
    for images, labels in take(dataset, 3):
        for image, label in zip(images, labels, strict=True):
            source_image, source_label = dataset[int(image[0, 0, 1])]
            np.testing.assert_array_equal(image, source_image)
            np.testing.assert_array_equal(label, source_label)


def test_the_same_seed_gives_the_same_batches_and_another_one_does_not():
    options = {"scale": (0.5, 2), "flip": True, "color": 0.2}
    first, again = take(Coded(), 4, **options, seed=1), take(Coded(), 4, **options, seed=1)
    other = take(Coded(), 4, **options, seed=2)
    for (image, label), (same_image, same_label) in zip(first, again, strict=True):
        np.testing.assert_array_equal(image, same_image)
        np.testing.assert_array_equal(label, same_label)
    assert not all(np.array_equal(x[0], y[0]) for x, y in zip(first, other, strict=True))


def test_a_stream_that_starts_later_goes_on_as_the_whole_one_does():
    options = {"scale": (0.5, 2), "flip": True, "color": 0.2, "seed": 5}
    whole, later = take(Coded(), 6, **options), take(Coded(), 3, **options, first_batch=3)
    for (image, label), (later_image, later_label) in zip(whole[3:], later, strict=True):
        np.testing.assert_array_equal(image, later_image)
        np.testing.assert_array_equal(label, later_label)


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_are_its_rows(parts):
    options = {"batch_size": 6, "scale": (0.5, 2), "flip": True, "color": 0.2, "first_batch": 3}
    each = [take(Coded(), 3, **options, part=(number, parts)) for number in range(parts)]
    for whole, *shares in zip(take(Coded(), 3, **options), *each, strict=True):
        for rows, parted in zip(whole, zip(*shares, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(parted), rows)


def test_flip_mirrors_about_half_of_the_examples():
    dataset = Coded(count=1, size=(32, 32))
    source = dataset[0][1]
    labels = [label[0] for _, label in take(dataset, 60, batch_size=1, flip=True)]
    mirrored = sum(np.array_equal(label, source[:, ::-1]) for label in labels)
    straight = sum(np.array_equal(label, source) for label in labels)
    assert mirrored + straight == 60
    assert 15 <= mirrored <= 45


def test_color_changes_the_image_within_its_bounds_and_never_the_label():
    dataset = Coded(count=1, size=(32, 32))
    source_image, source_label = dataset[0]
    for image, label in take(dataset, 6, batch_size=1, color=0.1):
        np.testing.assert_array_equal(label[0], source_label)
        change = np.abs(image[0].astype(int) - source_image)
        assert change.max() <= 0.1 * 127.5 + 0.1 * 255 + 1


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"crop_size": 0}, "crop_size"),
        ({"scale": (2, 1)}, "scale"),
        ({"scale": (0, 1)}, "scale"),
    ],
)
def test_senseless_settings_are_named(options, field):
    with pytest.raises(fcn.InputError, match=field):
        take(Coded(), 1, **options)


def test_an_empty_data_set_is_refused():
    with pytest.raises(fcn.InputError, match="no examples"):
        take(Coded(count=0), 1)
