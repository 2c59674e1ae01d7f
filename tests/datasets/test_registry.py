"""What all data sets share: opening them by name, and the face they show."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.datasets import check_disjoint, overlap, splits_of


def test_an_unknown_data_set_is_answered_with_the_known_ones(refusal):
    message = refusal(fcn.load_dataset, "cityscapes")
    assert "'cityscapes'" in message and "camvid, sbd, shapes" in message


def test_an_unknown_split_is_answered_with_the_known_ones(camvid_root, refusal):
    for name in ("camvid", "shapes"):
        message = refusal(fcn.load_dataset, name, "dev", root=camvid_root)
        assert "'dev'" in message and name in message and "train, val, test" in message


def test_a_data_set_is_a_sequence_of_images_and_labels(camvid_root):
    for name in ("camvid", "shapes"):
        dataset = fcn.load_dataset(name, "val", root=camvid_root)
        assert len(dataset.names) == len(dataset)
        assert dataset.palette.shape == (len(dataset.classes), 3)
        np.testing.assert_array_equal(dataset[-1][1], dataset[len(dataset) - 1][1])
        assert repr(dataset).startswith(f"<{name} val: {len(dataset)} examples")


@given(one=st.sets(st.sampled_from("abcdefgh")), other=st.sets(st.sampled_from("abcdefgh")))
def test_the_overlap_is_what_both_have(one, other):
    shared = overlap(tuple(one), tuple(other))
    assert shared == sorted(shared) == overlap(other, one)
    assert set(shared) == {name for name in one if name in other}


def test_splits_that_share_examples_are_refused_with_count_and_three_names(refusal):
    training = fcn.load_dataset("shapes", "val", count=9)
    message = refusal(check_disjoint, training, fcn.load_dataset("shapes", "val", count=5))
    assert "5 of the 5 examples of shapes (val) are also in shapes (val)" in message
    assert "shapes-val-00000, shapes-val-00001, shapes-val-00002:" in message
    assert "allow_overlap" in message


@pytest.mark.parametrize("name", ["shapes", "camvid"])
def test_the_splits_of_a_data_set_share_no_example(camvid_root, name):
    parts = [fcn.load_dataset(name, split, root=camvid_root) for split in splits_of(name)]
    for one, other in combinations(parts, 2):
        check_disjoint(one, other)
