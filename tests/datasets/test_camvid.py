"""CamVid: the published data set where $FCN_DATA holds it, and a tiny one in its layout."""

import os

import numpy as np
import pytest
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.datasets import VOID

SIZES = {"train": 367, "val": 101, "test": 233}
published = pytest.mark.skipif(
    not os.path.isdir(os.path.join(os.environ.get("FCN_DATA", ""), "CamVid")),
    reason="needs CamVid in the folder that FCN_DATA names",
)


@published
@pytest.mark.parametrize("split", SIZES)
def test_published_camvid_has_its_examples_sizes_and_classes(split):
    dataset = fcn.load_dataset("camvid", split)
    assert len(dataset) == SIZES[split] and len(dataset.classes) == 11
    for index in range(0, len(dataset), 10):
        image, label = dataset[index]
        assert image.shape == (360, 480, 3) and label.shape == (360, 480)
        assert np.isin(label, [*range(11), VOID]).all()


@published
def test_published_labels_show_road_below_sky():
    _, label = fcn.load_dataset("camvid", "val")[0]
    rows = {name: np.argwhere(label == index)[:, 0].mean() for index, name in enumerate(CLASSES)}
    assert rows["sky"] < rows["building"] < rows["car"] < rows["road"]


@published
def test_published_splits_share_no_image():
    names = [name for split in SIZES for name in fcn.load_dataset("camvid", split).names]
    assert len(set(names)) == sum(SIZES.values())


CLASSES = fcn.load_dataset.__globals__ and __import__(
    "fcn_tutorial.datasets.camvid", fromlist=["CLASSES"]
).CLASSES


def test_an_example_is_its_image_and_its_label_with_void_as_255(camvid):
    dataset = fcn.load_dataset("camvid", "val")
    image, label = dataset[3]
    on_disk = np.array(Image.open(camvid / "valannot" / "val3.png"))
    assert image.dtype == label.dtype == np.uint8
    np.testing.assert_array_equal(image, Image.open(camvid / "val" / "val3.png"))
    np.testing.assert_array_equal(label, np.where(on_disk == 11, VOID, on_disk))
    assert (on_disk == 11).any()
