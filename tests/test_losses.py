"""Cross-entropy without void and the soft Jaccard index, by hand and by Keras."""

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras.ops import convert_to_tensor

import fcn_tutorial as fcn
from fcn_tutorial.losses import REDUCTIONS, CrossEntropy, class_weights, running_mean_iou

VOID = 255
NUM_CLASSES = 4


@pytest.fixture
def loss(value_and_gradient):
    """(label, logits) -> the loss, and its gradient with respect to the logits."""

    def loss_and_gradient(label, logits, one=None):
        one, label = one or CrossEntropy(), convert_to_tensor(label)
        return value_and_gradient(lambda x: one(label, x), logits)

    return loss_and_gradient


def random_batch(seed=0, void=0.3, shape=(2, 5, 6)):
    rng = np.random.default_rng(seed)
    label = rng.integers(0, NUM_CLASSES, shape).astype(np.uint8)
    label[rng.random(shape) < void] = VOID
    return label, rng.normal(0, 3, (*shape, NUM_CLASSES)).astype(np.float32)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 1000), void=st.floats(0, 1), how=st.sampled_from(["mean", "sum"]))
def test_loss_equals_that_of_keras(seed, void, how):
    label, logits = random_batch(seed, void)
    weights = np.random.default_rng(seed).random(label.shape)
    options = {"from_logits": True, "ignore_class": VOID, "reduction": REDUCTIONS[how]}
    theirs = keras.losses.SparseCategoricalCrossentropy(**options)
    ours = CrossEntropy(reduction=REDUCTIONS[how])
    for more in ({}, {"sample_weight": weights}):
        expected = float(theirs(label, logits, **more))
        assert float(ours(label, logits, **more)) == pytest.approx(expected, rel=1e-5)


def test_gradient_is_softmax_minus_truth_on_labelled_pixels_and_zero_on_void(loss):
    label, logits = random_batch()
    _, gradient = loss(label, logits)
    labelled = label != VOID
    probability = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = (probability - np.eye(NUM_CLASSES)[label % NUM_CLASSES]) / labelled.sum()
    np.testing.assert_allclose(gradient[labelled], expected[labelled], atol=1e-6)
    assert (gradient[~labelled] == 0).all()


@pytest.mark.parametrize("gap", [60, 1e4])
def test_loss_is_finite_and_exact_for_a_wide_gap_between_logits(loss, gap):
    label = np.zeros((1, 2, 2), np.uint8)
    logits = np.zeros((1, 2, 2, NUM_CLASSES), np.float32)
    logits[..., 1] = gap
    value, gradient = loss(label, logits)
    assert value == pytest.approx(gap)
    assert np.isfinite(gradient).all()
    np.testing.assert_allclose(gradient[..., 0], -1 / 4, rtol=1e-5)


@pytest.mark.parametrize(("one", "expected"), [(CrossEntropy(), 0), (CrossEntropy(1.0), 1)])
def test_batch_of_void_moves_nothing_and_has_only_the_index_to_lack(loss, one, expected):
    _, logits = random_batch()
    value, gradient = loss(np.full(logits.shape[:-1], VOID, np.uint8), logits, one)
    assert value == expected
    assert (gradient == 0).all()


def jaccard_by_hand(label, logits):
    """Mean over the classes that the labels have of soft intersection over union."""
    probability = np.exp(logits.astype(np.float64))
    probability /= probability.sum(axis=-1, keepdims=True)
    indices = []
    for c in set(label[label != VOID]):
        share, truth = probability[label != VOID][:, c], label[label != VOID] == c
        both = share[truth].sum()
        indices.append(both / (share.sum() + truth.sum() - both))
    return np.mean(indices)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 1000),
    void=st.floats(0, 0.9),
    factor=st.floats(0.1, 3),
    how=st.sampled_from(["mean", "sum"]),
)
def test_what_the_soft_jaccard_index_lacks_is_added_to_the_cross_entropy(seed, void, factor, how):
    label, logits = random_batch(seed, void)
    label[label == seed % NUM_CLASSES] = VOID  # a class that the batch lacks does not count
    weights = np.random.default_rng(seed).random(label.shape)
    ours, plain = (CrossEntropy(each, reduction=REDUCTIONS[how]) for each in (factor, 0))
    for more in ({}, {"sample_weight": weights}):
        added = float(ours(label, logits, **more)) - float(plain(label, logits, **more))
        if (label != VOID).any():
            expected = factor * (1 - jaccard_by_hand(label, logits))
            assert added == pytest.approx(expected, abs=1e-4 if how == "mean" else 1e-3)


def test_the_soft_jaccard_index_of_certain_answers_is_mean_iou():
    label, logits = random_batch(3, shape=(3, 8, 9))
    metric = running_mean_iou(NUM_CLASSES)
    metric.update_state(label, logits)
    certain = 1e3 * np.eye(NUM_CLASSES, dtype=np.float32)[logits.argmax(-1)]
    lacking = float(CrossEntropy(1.0)(label, certain) - CrossEntropy()(label, certain))
    assert 1 - lacking == pytest.approx(float(metric.result()), abs=1e-3)


def test_class_weights_are_powers_of_the_frequency_with_mean_one():
    scenes = fcn.load_dataset("shapes", "val", count=30)
    ids = np.concatenate([label.ravel() for _, label in scenes])
    ids = ids[ids != 255]
    weights = class_weights(scenes, 0.5)
    share = np.bincount(ids, minlength=6) / ids.size
    assert weights[ids].mean() == pytest.approx(1, rel=1e-4)
    np.testing.assert_allclose(weights / weights[0], (share / share[0]) ** -0.5, rtol=1e-5)
    assert class_weights(scenes, 0.0) is None


def test_a_class_without_pixels_weighs_one():
    scenes = fcn.load_dataset("shapes", "val", count=1)
    weights = class_weights(scenes, 1.0)
    present = np.isin(np.arange(6), scenes[0][1])
    assert not present.all() and (weights[~present] == 1).all() and np.isfinite(weights).all()
