"""What all data sets share: opening them by name, and the face they show."""

import numpy as np
import pytest
from folders import LAYOUTS
from hypothesis import given
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.data.catalog import source, splits_of
from fcn_tutorial.data.dataset import (
    check_classes,
    check_disjoint,
    check_lists,
    data_root,
    limited,
    overlap,
    shared_examples,
)
from fcn_tutorial.data.pairs import Pairs
from fcn_tutorial.features import check_crops
from fcn_tutorial.losses import class_weights


@pytest.mark.parametrize("ask", [fcn.load_dataset, splits_of, source])
def test_an_unknown_data_set_is_answered_with_the_known_ones(refusal, ask):
    message = refusal(ask, "cityscapes")
    assert "'cityscapes'" in message and "camvid, photos, sbd, shapes" in message


def test_an_unknown_split_is_answered_with_the_known_ones(camvid_root, refusal):
    for name in ("camvid", "shapes"):
        message = refusal(fcn.load_dataset, name, "dev", root=camvid_root)
        assert "'dev'" in message and name in message and "train, val, test" in message


def test_examples_that_are_made_when_asked_for_have_no_files():
    dataset = fcn.load_dataset("shapes", "train", count=2)
    assert dataset.image_file(0) is None and dataset.label_file(1) is None
    assert repr(dataset) == f"<shapes train: 2 examples, {len(dataset.classes)} classes>"
    assert "train: 1 example," in repr(fcn.load_dataset("shapes", "train", count=1))


LISTS = [
    ("voc2012", "VOC", "train.txt"),
    ("voc2012", "VOC", "val.txt"),
    ("sbd", "SBD", "lists/train.txt"),
]


def test_lists_that_are_there_pass_and_those_that_are_not_are_named(tmp_path, refusal):
    paths = [tmp_path.joinpath(*entry[1:]) for entry in LISTS]
    for number, path in enumerate(paths):
        message, (_, folder, _) = refusal(check_lists, tmp_path, LISTS), LISTS[number - 1]
        assert [str(each) in message for each in paths] == [i >= number for i in range(3)]
        assert f"data fetch {'sbd' if number == 2 else 'voc2012 sbd'} --root" in message
        # What is there in part is not fetched over.
        assert (f"move {tmp_path / folder} away" in message) == (number == 1)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    check_lists(tmp_path, LISTS)


def test_a_data_set_is_a_sequence_of_images_and_labels(camvid_root):
    assert source("voc2012_trainaug").archives == ("voc2012", "sbd")
    assert source("shapes").archives == ()
    for name in ("camvid", "shapes"):
        dataset = fcn.load_dataset(name, "val", root=camvid_root)
        assert len(dataset.names) == len(dataset)
        assert dataset.palette.shape == (len(dataset.classes), 3)
        np.testing.assert_array_equal(dataset[-1][1], dataset[len(dataset) - 1][1])


def test_what_looks_only_at_labels_reads_no_image(camvid_root):
    camvid = fcn.load_dataset("camvid", "val", root=camvid_root)
    labels = [label for _, label in camvid]
    for index in range(len(camvid)):
        camvid.image_file(index).unlink()
    for dataset in (camvid, Pairs(camvid, "val")):
        check_classes(dataset)
        check_crops(dataset, 1000)
        assert class_weights(dataset, 0.5).shape == (11,)
        np.testing.assert_array_equal(dataset.read_label(-1), labels[-1])


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


def test_other_pictures_of_the_same_names_are_not_shared(tmp_path, refusal):
    for folder in "ab":
        LAYOUTS["plain"](tmp_path / folder)
    one, other = (fcn.load_dataset(tmp_path / folder, "train") for folder in "ab")
    for dataset in (one, Pairs(other, "val")):
        assert f"{len(one)} of the {len(one)}" in refusal(check_disjoint, one, dataset)
    for image, _ in list(other.files.values())[1:]:
        image.write_bytes(image.read_bytes() + b"x")
    assert shared_examples(one, other) == [one.names[0]]
    assert shared_examples(Pairs(one, "train"), Pairs(other, "val")) == [one.names[0]]
    other.files[one.names[0]][0].unlink()
    assert shared_examples(one, other) == [one.names[0]]


def test_data_lives_where_the_caller_or_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert data_root(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("FCN_DATA")
    assert data_root().name == "fcn_tutorial"


def test_limited_shows_only_the_first_examples():
    dataset = fcn.load_dataset("shapes", "val")
    few = limited(dataset, 3)
    assert len(few) == 3 == len(list(few))
    np.testing.assert_array_equal(few[2][1], dataset[2][1])
    with pytest.raises(IndexError):
        few[3]
