"""Confusion matrix and scores, against scikit-learn and the paper's formulas."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hypothesis_numpy
from scipy import ndimage
from sklearn import metrics as sk

import fcn_tutorial as fcn
from fcn_tutorial.metrics import constant_baseline

VOID = 255
NAMES = ("pixel_accuracy", "mean_accuracy", "mean_iou", "frequency_weighted_iou")


@st.composite
def maps(draw):
    """(label, prediction, num_classes): random maps with void and with absent classes."""
    num_classes = draw(st.sampled_from([1, 2, 3, 5, 7, 21, 150]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    shape = draw(st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)))
    used = rng.choice(num_classes, size=rng.integers(1, num_classes + 1), replace=False)
    label, prediction = rng.choice(used, shape), rng.integers(0, num_classes, shape)
    label[rng.random(shape) < draw(st.sampled_from([0, 0.3]))] = VOID
    prediction[label == VOID] = draw(st.sampled_from([0, 99, VOID]))  # which does not count
    dtypes = st.sampled_from([np.uint8, np.int32, np.int64, np.uint64])
    return label.astype(draw(dtypes)), prediction.astype(draw(dtypes)), num_classes


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=50, deadline=None)
@given(maps())
def test_confusion_matrix_equals_scikit_learn_on_labelled_pixels(drawn):
    label, prediction, num_classes = drawn
    confusion = fcn.confusion_matrix(label, prediction, num_classes)
    counted = label != VOID
    assert confusion.dtype == np.int64
    assert confusion.sum() == counted.sum()
    if counted.any():
        pairs = label[counted], prediction[counted]
        expected = sk.confusion_matrix(*pairs, labels=range(num_classes))
        np.testing.assert_array_equal(confusion, expected)


def test_void_may_be_another_id():
    confusion = fcn.confusion_matrix([0, 11, 1], [0, 0, 1], 2, void=11)
    np.testing.assert_array_equal(confusion, np.eye(2))


@pytest.mark.filterwarnings("ignore:A single label was found")
@settings(max_examples=50, deadline=None)
@given(maps())
def test_scores_equal_scikit_learn(drawn):
    label, prediction, num_classes = drawn
    counted = label != VOID
    truth, guess = label[counted], prediction[counted]
    scores = fcn.scores(fcn.confusion_matrix(label, prediction, num_classes))
    assert {type(getattr(scores, name)) for name in NAMES} == {float}
    if not counted.any():
        return
    present = np.union1d(truth, guess).astype(int)
    iou = sk.jaccard_score(truth, guess, labels=present, average=None)
    recall = sk.recall_score(truth, guess, labels=np.unique(truth), average="macro")
    assert scores.pixel_accuracy == pytest.approx(sk.accuracy_score(truth, guess))
    assert scores.mean_accuracy == pytest.approx(recall)
    assert scores.mean_iou == pytest.approx(iou.mean())
    weighted = sk.jaccard_score(truth, guess, labels=present, average="weighted")
    assert scores.frequency_weighted_iou == pytest.approx(weighted)
    np.testing.assert_allclose(scores.iou[present], iou)
    assert np.isnan(np.delete(scores.iou, present)).all()


@pytest.mark.filterwarnings("error")
def test_scores_of_only_void_are_nan():
    label = np.full((4, 4), VOID, np.uint8)
    scores = fcn.scores(fcn.confusion_matrix(label, np.zeros_like(label), 3))
    assert all(np.isnan(getattr(scores, name)) for name in NAMES)
    assert np.isnan(scores.iou).all()


def test_constant_baseline_predicts_the_most_frequent_class_everywhere():
    label = np.array([0, 1, 1, 1, 2, VOID])
    confusion = fcn.confusion_matrix(label, np.array([0, 0, 2, 1, 2, 0]), 4)
    most_frequent, baseline = constant_baseline(confusion)
    expected = fcn.scores(fcn.confusion_matrix(label, np.ones_like(label), 4))
    assert most_frequent == 1
    np.testing.assert_array_equal(baseline.confusion, expected.confusion)
    assert baseline.pixel_accuracy == pytest.approx(3 / 5)
    assert baseline.mean_accuracy == pytest.approx(1 / 3)
    assert baseline.mean_iou == pytest.approx((3 / 5) / 3)
    assert constant_baseline([[1, 0], [3, 4]])[0] == 1
    assert type(constant_baseline([[1, 0], [0, 0]])[0]) is int


@pytest.mark.parametrize(
    ("label", "prediction", "says"),
    [
        (np.zeros((2, 3), int), np.zeros((3, 2), int), "shape"),
        ([0, 1], [0, 3], "prediction has class id 3"),
        ([0, 3], [0, 0], "label has class id 3"),
        ([0, -1], [0, 0], "label has class id -1"),
        ([0, 1], [0, -7], "prediction has class id -7"),
        ([0, 1], [0, VOID], "prediction has class id 255"),
    ],
)
def test_unusable_maps_are_refused(refusal, label, prediction, says):
    assert says in refusal(fcn.confusion_matrix, np.array(label), np.array(prediction), 3)


def test_beat_baseline_prints_both_and_refuses_a_model_that_is_no_better(capsys):
    label = np.array([0, 0, 0, 1, 1, 2])
    trained = fcn.scores(fcn.confusion_matrix(label, np.array([0, 0, 0, 1, 1, 1]), 3))
    fcn.beat_baseline(trained)
    assert capsys.readouterr().out == "mean IoU 55.6%, constant baseline 16.7%\n"
    lazy = fcn.scores(fcn.confusion_matrix(label, np.zeros(6, int), 3))
    with pytest.raises(RuntimeError, match="no better"):
        fcn.beat_baseline(lazy)


@settings(deadline=None)
@given(
    hypothesis_numpy.arrays(np.uint8, (7, 9), elements=st.sampled_from([0, 1, VOID])),
    st.sampled_from([0, 0.5, 1, 1.5, 2, 3, 4.5, 6]),
)
def test_trimap_holds_the_pixels_nearer_than_width_to_a_pixel_at_a_border(label, width):
    cross = ndimage.generate_binary_structure(2, 1)
    highest = ndimage.maximum_filter(label, footprint=cross)
    lowest = ndimage.minimum_filter(label, footprint=cross)
    expected = np.zeros(label.shape, bool)
    if (highest != lowest).any():
        expected = ndimage.distance_transform_edt(highest == lowest) < width
    np.testing.assert_array_equal(fcn.trimap(label, width), expected)


def test_trimap_takes_nested_lists_and_a_map_without_a_border_has_none():
    assert fcn.trimap([[0, 0, 1]], 1).tolist() == [[False, True, True]]
    for label in ([[2, 2], [2, 2]], [[3]], np.zeros((0, 3), int)):
        band = fcn.trimap(label, 3)
        assert band.dtype == bool and band.shape == np.shape(label) and not band.any()


@pytest.mark.parametrize("count", [0, -1, 2.0, 100_000, "two", None])
def test_a_number_of_classes_out_of_range_is_refused_before_it_takes_memory(refusal, count):
    assert "num_classes" in refusal(fcn.confusion_matrix, [0], [0], count)


@pytest.mark.parametrize("ids", [[0.5], ["sky"], [None], [[0], [0, 1]]])
def test_what_is_no_class_id_is_not_counted(refusal, ids):
    assert "label must be" in refusal(fcn.confusion_matrix, ids, [0], 2)
    assert "prediction must be" in refusal(fcn.confusion_matrix, [0], ids, 2)
    assert "label must be an array" in refusal(fcn.trimap, [ids], 1)


@pytest.mark.parametrize(
    "counts", [[["a"]], [[np.nan]], [[1, 2], [3]], [[-1]], np.zeros((2, 3)), None]
)
def test_what_is_no_matrix_of_counts_has_no_scores(refusal, counts):
    for call in (fcn.scores, constant_baseline):
        refusal(call, counts)


@pytest.mark.parametrize("width", [-1, "a", None, float("nan")])
def test_a_width_that_is_no_length_is_refused(refusal, width):
    assert "width" in refusal(fcn.trimap, [[0, 1]], width)
