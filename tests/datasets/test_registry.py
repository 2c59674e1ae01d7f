"""What all data sets share: opening them by name, and the face they show."""

import numpy as np

import fcn_tutorial as fcn


def test_an_unknown_data_set_is_answered_with_the_known_ones(refusal):
    message = refusal(fcn.load_dataset, "cityscapes")
    assert "'cityscapes'" in message and "camvid, shapes" in message


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
