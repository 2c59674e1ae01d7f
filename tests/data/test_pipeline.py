"""Batches: aligned, never blended, complete, the same with any number of workers."""

from itertools import islice

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.data import pipeline
from fcn_tutorial.data.dataset import VOID, Dataset

AUGMENTED = {"scale": (0.5, 2), "flip": True, "color": 0.2}


class Coded(Dataset):
    """Images whose red tells the class and whose green tells the example."""

    name, split = "coded", "train"
    classes, palette = tuple("abcdefghijk"), np.zeros((11, 3), np.uint8)

    def __init__(self, count=7, size=(40, 48)):
        self.names = tuple(map(str, range(count)))
        self.size = size

    def __getitem__(self, index):
        blocks = np.random.default_rng(index).choice((0, 10), [side // 8 + 1 for side in self.size])
        label = np.kron(blocks, np.ones((8, 8)))[: self.size[0], : self.size[1]].astype(np.uint8)
        image = np.zeros((*self.size, 3), np.uint8)
        image[..., 0], image[..., 1] = 20 * label, index
        return image, label


class Broken(Coded):
    """Two of its examples cannot be read."""

    def __getitem__(self, index):
        if index in (3, 5):
            raise fcn.InputError(f"image {index}.png is truncated: replace it.")
        return super().__getitem__(index)


def take(dataset, count, **options):
    stream = fcn.batches(dataset, **{"batch_size": 2, "crop_size": 32, **options})
    return list(islice(stream, count))


def assert_same(batches, others):
    for one, other in zip(batches, others, strict=True):
        for array, same in zip(one, other, strict=True):
            np.testing.assert_array_equal(array, same)


def ramps(size):
    """Labels that count the rows or the columns, each with an image of twice its values."""
    for label in np.indices((size, size)).astype(np.uint8):
        yield np.repeat(2 * label[..., None], 3, axis=-1), label


@given(
    size=st.integers(30, 100),
    crop=st.integers(8, 70),
    low=st.floats(0.3, 3),
    wider=st.floats(1, 4),
    flip=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_image_and_label_move_together(size, crop, low, wider, flip, seed):
    """Each label pixel is taken from within a pixel of where the image was read."""
    for image, label in ramps(size):
        options = {"scale": (low, low * wider), "flip": flip}
        pair = pipeline.augment(image, label, np.random.default_rng(seed), crop, **options)
        image, label = (each.astype(int) for each in pair)
        # Next to void, the colour of the padding is blended in.
        known = (label != VOID)[:-2, :-2] & (label != VOID)[2:, 2:]
        known &= (label != VOID)[:-2, 2:] & (label != VOID)[2:, :-2]
        step = np.abs(np.diff(label, axis=0)).max(initial=1, where=(label != VOID)[1:])
        error = np.abs(image[..., 0] - 2 * label)[1:-1, 1:-1][known]
        assert (error <= 2 * max(1, step)).all()


@given(
    size=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    crop=st.integers(1, 70),
    scale=st.floats(0.2, 4),
    seed=st.integers(0, 2**32 - 1),
)
def test_class_ids_are_never_blended(size, crop, scale, seed):
    rng = np.random.default_rng(seed)
    image, label = rng.integers(0, 256, (*size, 3), np.uint8), rng.choice([0, 10, 20], size)
    options = {"scale": (scale, scale), "flip": True, "color": 0.5}
    _, ids = pipeline.augment(image, label.astype(np.uint8), rng, crop, **options)
    assert set(np.unique(ids).tolist()) <= {*np.unique(label).tolist(), VOID}


@given(
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    top=st.integers(0, 39),
    left=st.integers(0, 39),
    side=st.integers(1, 60),
)
def test_a_crop_holds_the_image_and_is_void_beyond_it(size, top, left, side):
    rng = np.random.default_rng(0)
    image, label = rng.integers(0, 256, (*size, 3), np.uint8), rng.integers(0, 9, size, np.uint8)
    window, ids = pipeline.crop_pair(image, label, top, left, side)
    wide = np.full((100, 100, 4), (*pipeline.PAD_COLOR, VOID), np.uint8)
    wide[: size[0], : size[1]] = np.dstack([image, label])
    expected = wide[top : top + side, left : left + side]
    np.testing.assert_array_equal(np.dstack([window, ids]), expected)


@pytest.mark.parametrize("factor", [2, 3])
def test_enlarged_labels_repeat_their_ids(factor):
    image, label = Coded(size=(16, 16))[0]
    resized, ids = pipeline.resize_pair(image, label, 16 * factor)
    np.testing.assert_array_equal(ids, label.repeat(factor, axis=0).repeat(factor, axis=1))
    assert resized.shape == (16 * factor, 16 * factor, 3)


def test_jitter_changes_contrast_around_the_middle_and_then_brightness():
    image = np.array([[[0, 100, 255]]], np.uint8)
    assert pipeline.jitter(image, 1, 0).tolist() == image.tolist()
    assert pipeline.jitter(image, 0.5, 0).tolist() == [[[64, 114, 191]]]
    assert pipeline.jitter(image, 1, -101).tolist() == [[[0, 0, 154]]]


def test_scale_place_and_flip_are_spread_over_their_ranges():
    image, label = next(ramps(60))
    rng = np.random.default_rng(0)
    found = [pipeline.augment(image, label, rng, 32, (0.6, 2))[1].astype(int) for _ in range(200)]
    factors = 32 / np.array([np.ptp(ids[:, 0]) + 1 for ids in found])
    assert 0.6 <= factors.min() < 0.65 and 1.8 < factors.max() <= 2.1
    assert 0.4 < np.mean(factors < 1.1) < 0.6  # as often below the geometric mean as above
    starts = [pipeline.augment(image, label, rng, 32)[1][0, 0] for _ in range(200)]
    assert (min(starts), max(starts)) == (0, 28)
    across = list(ramps(60))[1]
    flips = [pipeline.augment(*across, rng, 60, flip=True)[1][0, 0] == 59 for _ in range(200)]
    assert 0.4 < np.mean(flips) < 0.6


@given(count=st.integers(1, 30), seed=st.integers(0, 2**31 - 1), passes=st.integers(0, 1000))
def test_any_pass_over_any_data_set_is_a_permutation(count, seed, passes):
    names = [
        pipeline.names_in_batch(Coded(count), 1, seed, number)[0]
        for number in range(passes * count, (passes + 2) * count)
    ]
    assert sorted(names[:count]) == sorted(names[count:]) == sorted(Coded(count).names)
    assert count < 10 or names[:count] != names[count:]


def test_names_are_those_of_the_examples_in_the_batch():
    for number, (images, _) in enumerate(take(Coded(), 8, seed=7)):
        names = [str(image[0, 0, 1]) for image in images]
        assert pipeline.names_in_batch(Coded(), 2, 7, number) == names


def test_without_augmentation_and_at_full_size_the_examples_come_as_they_are():
    dataset = Coded(size=(32, 32))
    for images, labels in take(dataset, 3):
        assert images.shape == (*labels.shape, 3) == (2, 32, 32, 3)
        for image, label in zip(images, labels, strict=True):
            assert_same([(image, label)], [dataset[int(image[0, 0, 1])]])


def test_any_number_of_workers_gives_the_same_batches():
    one, four = (take(Coded(), 12, **AUGMENTED, seed=1, workers=count) for count in (1, 4))
    assert_same(one, four)
    other = take(Coded(), 12, **AUGMENTED, seed=2)
    assert not all(np.array_equal(x[0], y[0]) for x, y in zip(one, other, strict=True))


def test_batches_can_be_asked_for_in_any_order():
    stream = fcn.batches(Coded(), 2, 32, **AUGMENTED)
    for number in (0, 1, 0, 5, 4, 0):
        assert_same([stream[number]], take(Coded(), 1, **AUGMENTED, first_batch=number))


@pytest.mark.parametrize("parts", [2, 3])
def test_parts_of_a_batch_are_its_rows(parts):
    options = {"batch_size": 6, **AUGMENTED, "first_batch": 3}
    each = [take(Coded(), 3, **options, part=(number, parts)) for number in range(parts)]
    for batch, *shares in zip(take(Coded(), 3, **options), *each, strict=True):
        for rows, parted in zip(batch, zip(*shares, strict=True), strict=True):
            np.testing.assert_array_equal(np.concatenate(parted), rows)


def test_weights_are_those_of_the_classes_and_none_of_void():
    weights = np.linspace(1, 2, 11).astype(np.float32)
    for _, labels, found in take(Coded(size=(20, 24)), 3, class_weights=weights):
        known = labels != VOID
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found[known], weights[labels[known]])
        assert not known.all() and (found[~known] == 0).all()


@pytest.mark.parametrize("workers", [1, 4])
def test_the_first_broken_example_stops_the_stream_with_its_own_sentence(workers):
    order = [int(pipeline.names_in_batch(Broken(), 1, 0, number)[0]) for number in range(7)]
    first = min(order.index(3), order.index(5))
    stream = fcn.batches(Broken(), 1, 32, workers=workers)
    with pytest.raises(fcn.InputError, match=rf"image {order[first]}\.png is truncated") as caught:
        list(stream)
    assert stream.error is caught.value
    for number in range(first):
        stream[number]


SENSELESS = {"batch_size": [0], "crop_size": [0], "seed": [-1]}
SENSELESS["scale"] = [(2, 1), "ab", (1, float("inf"))]


@pytest.mark.parametrize("field", SENSELESS)
def test_senseless_settings_are_named_and_an_empty_data_set_is_refused(field, refusal):
    for value in SENSELESS[field]:
        assert field in refusal(take, Coded(), 1, **{field: value})
    assert "no examples" in refusal(take, Coded(count=0), 1)
