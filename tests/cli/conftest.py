"""What the tests of the commands share: `call`, three images of VOC 2012, and small runs."""

import keras
import numpy as np
import pytest
from quick import made_run

import fcn_tutorial as fcn
from fcn_tutorial.data.images import write_image, write_label
from fcn_tutorial.data.voc import voc_palette

SIZES = {"2007_000001": (40, 52), "2007_000003": (33, 64), "2007_000002": (40, 52)}


@pytest.fixture
def call(command_line):
    """Run a command; returns its exit code, what it printed, and the sentence on what failed."""

    def run(*arguments):
        code, out, err = command_line(*arguments)
        lines = [line for line in err.splitlines() if line.strip() and "%|" not in line]
        assert code == 1 or len(lines) == (code == 2) or "Usage" in err, err
        return code, out, "\n".join(lines)

    return run


@pytest.fixture(scope="session")
def voc(tmp_path_factory):
    """VOC 2012 in the published layout, of three images."""
    root = tmp_path_factory.mktemp("data")
    folder = root / "VOCdevkit" / "VOC2012"
    for name in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (folder / name).mkdir(parents=True)
    rng = np.random.default_rng(0)
    for name, size in SIZES.items():
        image = rng.integers(0, 256, (*size, 3), "uint8")
        write_image(folder / "JPEGImages" / f"{name}.jpg", image)
        label = rng.choice([0, 1, 15, 20, 255], size).astype(np.uint8)
        write_label(folder / "SegmentationClass" / f"{name}.png", label, voc_palette(21))
    train, *held_out = SIZES  # not in the order of their names
    for split, names in {"train": [train], "val": held_out, "test": held_out}.items():
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="session")
def runs(voc, tmp_path_factory):
    """Folder of runs of one layer that were never trained: two on VOC, one on the shapes."""
    folder, pascal = tmp_path_factory.mktemp("runs"), fcn.load_dataset("voc2012", "val", voc)
    data = {"voc0": pascal, "voc1": pascal, "shapes": fcn.load_dataset("shapes", "val")}
    for seed, (name, dataset) in enumerate(data.items()):
        start = {"kernel_initializer": keras.initializers.GlorotUniform(seed)}
        image = keras.Input((None, None, 3))
        x = keras.layers.Conv2D(len(dataset.classes), 3, padding="same", **start)(image)
        recipe = fcn.Recipe(dataset.name, limit=2)
        made_run(folder / name, keras.Model(image, x), recipe, dataset)
    return folder


@pytest.fixture(scope="session")
def made(runs):
    """The run on the shapes."""
    return runs / "shapes"
