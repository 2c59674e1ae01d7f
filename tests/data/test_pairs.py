"""Sequences of (image, label) as data sets, and each wrong item in a sentence."""

import inspect
import textwrap

import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data.pairs import Pairs, given

IMAGE, LABEL = np.zeros((4, 6, 3), np.uint8), np.ones((4, 6), np.uint8)
CLASSES = ["ground", "leaf"]


def test_a_list_of_pairs_is_a_data_set():
    train, val = given([(IMAGE, LABEL)] * 3, [(IMAGE, 255 * LABEL)], CLASSES)
    assert (len(train), train.split, train.classes) == (3, "train", ("ground", "leaf"))
    assert (len(val), val.split, val.palette.shape) == (1, "val", (2, 3))
    np.testing.assert_array_equal(val[-1][1], 255 * LABEL)
    assert not set(train.names) & set(val.names) and len(list(train)) == 3


def test_a_data_set_keeps_what_it_says_of_itself():
    shapes = fcn.load_dataset("shapes", "val", count=2)
    wrapped = Pairs(shapes, "train")
    for name in ("name", "split", "names", "classes"):
        assert getattr(wrapped, name) == getattr(shapes, name)
    np.testing.assert_array_equal(wrapped.palette, shapes.palette)
    assert wrapped.stamp(0) == shapes.stamp(0)


@pytest.mark.parametrize(
    ("image", "label", "named"),
    [
        (IMAGE, LABEL.astype(np.int64), ("label", "int64")),
        (IMAGE.astype(np.float32), LABEL, ("image", "float32")),
        (IMAGE, LABEL[..., None], ("label", "(4, 6, 1)")),
        (np.dstack([IMAGE, LABEL]), LABEL, ("image", "(4, 6, 4)")),
        (IMAGE, LABEL[:, :5], ("5 x 4", "6 x 4")),
        (IMAGE, 2 * LABEL, ("class id 2", "0..1")),
        (IMAGE[..., 0], LABEL, ("image", "(4, 6)")),
    ],
)
def test_a_wrong_item_ends_in_a_sentence(refusal, image, label, named):
    pairs = Pairs([(IMAGE, LABEL), (image, label)], "train", CLASSES)
    message = refusal(lambda: pairs[1])
    assert all(each in message for each in (*named, "'train 1'")), message


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (([(IMAGE, LABEL)], None, CLASSES), "validation="),
        ((None, [(IMAGE, LABEL)], CLASSES), "training="),
        (([(IMAGE, LABEL)], [(IMAGE, LABEL)], None), "classes="),
        ((7, 7, CLASSES), "int"),
    ],
)
def test_data_that_are_no_pairs_are_refused(refusal, arguments, named):
    assert named in refusal(given, *arguments)
    pairs = Pairs([IMAGE], "train", CLASSES)
    assert "'train 0'" in refusal(lambda: pairs[0])


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("names", ["a"], "1 in 'names', not 2: give one for each example"),
        ("palette", [(0, 0, 0)], "1 in 'palette', not 2: give one for each class"),
        ("palette", np.zeros((2, 3)), "whole numbers"),
    ],
)
def test_names_and_a_palette_that_do_not_fit_are_refused(refusal, field, value, says):
    class Own(list):
        classes = np.array(CLASSES)

    assert Pairs(Own([(IMAGE, LABEL)] * 2), "train").classes == tuple(CLASSES)
    setattr(Own, field, value)
    assert says in refusal(Pairs, Own([(IMAGE, LABEL)] * 2), "train")


def test_the_documented_subclass_is_short_and_works(tmp_path):
    example = inspect.getdoc(fcn.Dataset).split("validation=...)`::\n\n")[1]
    assert len(example.splitlines()) <= 20
    names = [str(tmp_path / name) for name in "ab"]
    for name in names:
        np.savez(f"{name}.npz", image=IMAGE, label=LABEL)
    scope = {"fcn": fcn, "np": np}
    exec(textwrap.dedent(example), scope)
    dataset = Pairs(scope["Leaves"]("train", names), "train")
    assert len(dataset) == 2 and dataset.name == "leaves"
    np.testing.assert_array_equal(dataset[1][1], LABEL)
