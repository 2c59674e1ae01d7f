"""CamVid: the published data set where $FCN_DATA holds it, and a small one in its layout."""

import numpy as np
from PIL import Image
from published import needs

import fcn_tutorial as fcn
from fcn_tutorial.data.catalog import source
from fcn_tutorial.data.dataset import VOID

SIZES = {"train": 367, "val": 101, "test": 233}
published = needs("CamVid")


@published
def test_published_camvid_has_its_examples_sizes_and_classes():
    names = set()
    for split, size in SIZES.items():
        dataset = fcn.load_dataset("camvid", split)
        assert len(dataset) == size == source("camvid").splits[split]
        assert len(dataset.classes) == 11
        seen = set()
        for index in range(0, size, 5):
            image, label = dataset[index]
            assert image.shape == (360, 480, 3) and label.shape == (360, 480)
            seen.update(np.unique(label).tolist())
        assert seen == {*range(11), VOID}
        names.update(dataset.names)
    assert len(names) == sum(SIZES.values())


@published
def test_published_labels_stand_in_the_order_of_a_street_scene():
    """An image's sky lies above its buildings, these above its cars, these above its road."""
    dataset = fcn.load_dataset("camvid", "val")
    _, label = dataset[0]
    order = [dataset.classes.index(name) for name in ("sky", "building", "car", "road")]
    assert np.all(np.diff([np.argwhere(label == index)[:, 0].mean() for index in order]) > 0)


def test_an_example_is_its_image_and_its_label_with_void_as_255(camvid_root):
    folder, dataset = camvid_root / "CamVid", fcn.load_dataset("camvid", "val", camvid_root)
    assert (dataset.name, dataset.split, len(dataset)) == ("camvid", "val", 3)
    assert len(np.unique(dataset.palette, axis=0)) == len(set(dataset.classes)) == 11
    image, label = dataset[2]
    assert dataset.image_file(2) == folder / "val" / "val2.png"
    on_disk = np.array(Image.open(dataset.label_file(2)))
    assert image.dtype == label.dtype == np.uint8
    np.testing.assert_array_equal(image, Image.open(folder / "val" / "val2.png"))
    assert (on_disk == 11).any()
    np.testing.assert_array_equal(label, np.where(on_disk == 11, VOID, on_disk))
