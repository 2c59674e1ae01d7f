"""What the tests of the commands share: `call`, and runs that were trained for a moment."""

import json
from dataclasses import replace

import keras
import numpy as np
import pytest

import fcn_tutorial as fcn
from fcn_tutorial.data.images import write_image, write_label
from fcn_tutorial.data.voc import voc_palette

QUICK = {"backbone": "vgg_narrow", "weights": "none", "crop_size": 32, "epochs": 1}
SIZES = {"2007_000001": (40, 52), "2007_000002": (40, 52), "2007_000003": (33, 64)}
HELD_OUT = ["2007_000003", "2007_000002"]  # not in the order of their names


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
    for split, names in {"train": list(SIZES)[:1], "val": HELD_OUT, "test": HELD_OUT}.items():
        path = folder / "ImageSets" / "Segmentation" / f"{split}.txt"
        path.write_text("\n".join(names) + "\n")
    return root


@pytest.fixture(scope="session")
def runs(voc, tmp_path_factory):
    """Folder of quick runs: two on VOC that differ in their seed, and one on the shapes."""
    folder = tmp_path_factory.mktemp("runs")
    pascal = fcn.Recipe("voc2012", batch_size=1, **QUICK)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FCN_DATA", str(voc))
        for seed in (0, 1):
            fcn.train(replace(pascal, seed=seed), folder / f"voc{seed}", verbose=0)
    shapes = fcn.Recipe("shapes", limit=2, batch_size=2, steps_per_epoch=1, **QUICK)
    fcn.train(shapes, folder / "shapes", verbose=0)
    return folder


@pytest.fixture(scope="session")
def trained(runs):
    """The run on the shapes."""
    return runs / "shapes"


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A run folder that was not trained, with a network of one layer for six classes."""
    folder = tmp_path_factory.mktemp("made")
    image = keras.Input((None, None, 3))
    model = keras.Model(image, keras.layers.Conv2D(6, 3, padding="same")(image))
    (folder / "checkpoints").mkdir()
    model.save(folder / "checkpoints" / "best.keras")
    fcn.Recipe("shapes", limit=2, **QUICK).save(folder / "recipe.toml")
    legend = {"classes": list("abcdef"), "palette": [[40 * i] * 3 for i in range(6)]}
    (folder / "classes.json").write_text(json.dumps(legend))
    return folder
