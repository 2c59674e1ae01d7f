"""The photographs that come with the package, and the two labellings of them."""

import label_photos
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID, photos

DATASET = fcn.load_dataset("photos", "all")
SHOWN = {
    "aeroplane": {"aeroplane"},
    "cat": {"cat"},
    "cow": {"cow"},
    "jockey": {"horse", "person"},
}


@pytest.fixture(scope="module")
def maps():
    return label_photos.rasterised(photos.FOLDER)


def test_they_show_classes_of_voc_at_one_size():
    assert len(DATASET.classes) == len(DATASET.palette) == 21
    assert set(DATASET.names) == set(SHOWN)
    for name, (image, label) in zip(DATASET.names, DATASET, strict=True):
        assert image.shape == (*label.shape, 3) and max(label.shape) == 500
        ids = set(np.unique(label).tolist())
        assert ids == {0, VOID, *(DATASET.classes.index(each) for each in SHOWN[name])}
        assert 0.02 < np.mean(label == VOID) < 0.1


def test_a_label_is_what_its_polygons_enclose_but_for_a_band_along_borders(maps):
    for name, (_, label) in zip(DATASET.names, DATASET, strict=True):
        np.testing.assert_array_equal(label, label_photos.label(maps[name]))
        decided = label != VOID
        np.testing.assert_array_equal(label[decided], maps[name][decided])


def test_two_labellings_are_different_work_and_agree(maps):
    found = label_photos.agreement(maps)
    assert all(np.any(maps[name] != maps[f"{name}.second"]) for name in DATASET.names)
    means = found["mean_iou"], found["mean_iou_without_borders"]
    assert 0.95 <= means[0] < means[1]
    assert {"background"}.union(*SHOWN.values()) == {name for name in found if "mean" not in name}
    assert photos.agreement() == pytest.approx(found, abs=1e-4)


def test_another_split_is_refused_with_what_to_do(refusal):
    message = refusal(fcn.load_dataset, "photos")
    assert "all, val" in message and '"photos/"' in message
    assert fcn.load_dataset("photos", "val").names == DATASET.names
