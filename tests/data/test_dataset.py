"""What all data sets share: opening them by name, and the face they show."""

import os
import shlex

import numpy as np
import pytest
from folders import LAYOUTS
from hypothesis import given
from hypothesis import strategies as st

import fcn_tutorial as fcn
from fcn_tutorial.data.catalog import source, splits_of
from fcn_tutorial.data.dataset import (
    Dataset,
    check_classes,
    check_disjoint,
    check_examples,
    check_lists,
    color_table,
    data_root,
    limited,
    overlap,
    read_lines,
    remedy,
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
    assert dataset.image_file(0) is dataset.label_file(1) is None
    assert repr(dataset) == f"<shapes train: 2 examples, {len(dataset.classes)} classes>"
    assert "train: 1 example," in repr(fcn.load_dataset("shapes", "train", count=1))


LISTS = [("voc2012", "VOC", "train.txt"), ("voc2012", "VOC", "val.txt")]
LISTS += [("sbd", "SBD", "lists/train.txt")]


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


def test_a_remedy_can_be_typed_as_it_stands(tmp_path, monkeypatch):
    folders, root = {"voc2012": "VOC", "sbd": "SBD"}, tmp_path / "my data"
    monkeypatch.setenv("FCN_DATA", str(root))
    said = remedy(root, folders)
    assert "FCN_DATA" in said and "VOC and SBD" in said
    assert said.endswith('"fcn-tutorial data fetch voc2012 sbd"')
    command = shlex.join(["fcn-tutorial", "data", "fetch", "sbd", "--root", str(root / "other")])
    assert remedy(root / "other", {"sbd": "SBD"}).endswith(f'"{command}"')
    for folder in folders.values():
        (root / folder).mkdir(parents=True)
    assert f"{root / 'VOC'} and {root / 'SBD'} away" in remedy(root, folders)


def test_lines_of_a_list_are_stripped_and_empty_ones_dropped(tmp_path, refusal):
    (tmp_path / "list.txt").write_bytes(b" 2007_000032\r\n\n a\xe9b 1 \n")
    assert read_lines(tmp_path / "list.txt") == ["2007_000032", "a\ufffdb 1"]
    (tmp_path / "list.txt").write_text(" \n\n")
    assert str(tmp_path / "list.txt") in refusal(read_lines, tmp_path / "list.txt")


def test_a_palette_colours_its_ids_and_all_others_as_void():
    table = color_table([(1, 2, 3), (255, 0, 7)])
    assert (table.dtype, table.shape) == (np.uint8, (256, 3))
    assert table[:2].tolist() == [[1, 2, 3], [255, 0, 7]]
    assert np.unique(table[2:], axis=0).tolist() == [[224, 224, 192]]  # in VOC's own palette
    assert color_table(np.ones((255, 3), np.int64))[254].tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "palette",
    [
        *([(0.0, 0, 0)], [(0, 0)], [(0, 0, 0, 0)], [(0, 0, 256)], [(0, 0, -1)]),
        *([(True, False, True)], np.zeros((256, 3), int), np.zeros(3, int), 5, "red", [("a",)]),
    ],
)
def test_what_is_no_palette_is_refused(refusal, palette):
    assert "palette must be (classes, 3)" in refusal(color_table, palette)


def of_labels(*labels):
    examples = [(np.zeros((1, len(ids), 3), np.uint8), np.uint8([ids])) for ids in labels]
    return Pairs(examples, "train", classes=("sky", "road", "car"))


def test_labels_show_two_classes_or_are_refused(refusal):
    check_classes(of_labels([0, 255], [255, 1], [99]))  # reading ends with the second class
    for labels, seen in (([[1, 255], [1, 1]], "road"), ([[255], [255, 255]], "nothing")):
        message = refusal(check_classes, of_labels(*labels))
        assert "given in Python (train)" in message and f" {seen} " in message
    assert "'given in Python' (train)" in refusal(check_examples, of_labels())
    check_examples(of_labels([0]))


def test_a_stamp_changes_with_the_size_of_either_file(tmp_path):
    LAYOUTS["plain"](tmp_path)
    dataset = fcn.load_dataset(tmp_path, "train")
    image, label = dataset.image_file(0), dataset.label_file(0)
    stamps = [dataset.stamp(0)]
    assert stamps == [str([image.stat().st_size, label.stat().st_size])]
    for file in (image, label):
        file.write_bytes(file.read_bytes() + b"x")
        stamps.append(dataset.stamp(0))
    image.unlink()
    stamps.append(dataset.stamp(0))
    assert len(set(stamps)) == 4 and dataset.stamp(1) == dataset.stamp(1)
    assert fcn.load_dataset("shapes", "val").stamp(0) == str([None, None])


def test_a_label_is_read_from_its_example_where_there_is_no_file():
    class Leaves(Dataset):
        def __getitem__(self, index):
            return "the image", f"label {index}"

    assert Leaves().read_label(2) == "label 2"


def test_a_data_set_is_a_sequence_of_images_and_labels(camvid_root):
    assert source("voc2012_trainaug").archives == ("voc2012", "sbd")
    assert source("shapes").archives == ()
    for name in ("camvid", "shapes"):
        dataset = fcn.load_dataset(name, "val", root=camvid_root)
        assert len(dataset.names) == len(dataset)
        assert dataset.palette.shape == (len(dataset.classes), 3)
        np.testing.assert_array_equal(dataset[-1][1], dataset[np.int64(len(dataset) - 1)][1])
        with pytest.raises(TypeError):
            dataset[:2]


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


def twins(root):
    """Two folders of the same pictures."""
    for folder in "ab":
        LAYOUTS["plain"](root / folder)
    return [fcn.load_dataset(root / folder, "train") for folder in "ab"]


def test_other_pictures_of_the_same_names_are_not_shared(tmp_path, refusal):
    one, other = twins(tmp_path)
    for dataset in (one, Pairs(other, "val")):
        assert f"{len(one)} of the {len(one)}" in refusal(check_disjoint, one, dataset)
    for image, _ in list(other.files.values())[1:]:
        image.write_bytes(image.read_bytes() + b"x")
    assert shared_examples(one, other) == [one.names[0]]
    assert shared_examples(Pairs(one, "train"), Pairs(other, "val")) == [one.names[0]]
    other.files[one.names[0]][0].unlink()
    assert shared_examples(one, other) == [one.names[0]]


def test_pictures_are_compared_by_their_bytes_and_published_ones_by_name(tmp_path):
    one, other = twins(tmp_path)
    for name in one.names:
        file, twin = one.files[name][0], other.files[name][0]
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        twin.write_bytes(content)
        os.utime(twin, ns=(file.stat().st_mtime_ns,) * 2)
    assert shared_examples(one, other) == []
    arrays = Pairs([one[i] for i in range(len(one))], "val", one.classes)
    arrays.names, arrays.names_are_published = other.names, False  # it has no files to compare
    assert shared_examples(one, arrays) == shared_examples(arrays, one) == sorted(one.names)
    one.names_are_published = True
    assert shared_examples(one, other) == shared_examples(other, one) == []
    other.names_are_published = True
    assert shared_examples(one, other) == sorted(one.names)


def test_data_lives_where_the_caller_or_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("FCN_DATA", str(tmp_path))
    assert data_root() == tmp_path
    assert data_root(tmp_path / "other") == tmp_path / "other"
    monkeypatch.delenv("FCN_DATA")
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    assert data_root() == tmp_path / ".cache" / "fcn_tutorial"


def test_limited_shows_only_the_first_examples():
    dataset = fcn.load_dataset("shapes", "val")
    few = limited(dataset, 3)
    assert len(few) == 3 == len(list(few)) and limited(dataset, 0) is dataset
    np.testing.assert_array_equal(few[2][1], dataset[2][1])
    with pytest.raises(IndexError):
        few[3]
