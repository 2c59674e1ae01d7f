"""Whatever a file holds, reading it ends in a result or in one sentence, never in a traceback.

`make thorough` draws 10,000 examples for each test; a test that opens a network draws fewer.
"""

import json
import os
import pickle
from contextlib import contextmanager
from itertools import islice

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from quick import made_run
from scipy.io import savemat

import fcn_tutorial as fcn

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

CLASSES = 6
IMAGE, LABEL = fcn.load_dataset("shapes", count=1, size=24)[0]
TRUTH = {"GTcls": {"Segmentation": LABEL, "Boundaries": np.zeros((20, 1), object)}}


# Edits of a file: at a place (a share of its length; headers are short and decide most), some bytes
# are replaced by others.
PLACES = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.05)
BYTES = st.binary(max_size=12) | st.sampled_from([b"\x00" * 4, b"\xff" * 4, b"\x7f" * 8])
EDIT = st.tuples(PLACES, st.integers(0, 20) | st.just(10**9), BYTES)
EDITS = st.lists(EDIT, min_size=1, max_size=4)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
VALUES = st.recursive(
    SCALARS | st.sampled_from(["../../etc/passwd", "x" * 5000, [[]], [0] * 5000, 2**200]),
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=9), x, max_size=3),
    max_leaves=6,
)


def edited(content, edits):
    content = bytearray(content)
    for place, count, other in edits:
        start = int(place * len(content))
        content[start : start + count] = other
    return bytes(content)


def ends_well(read, path):
    """What was read; None where it was refused in one sentence."""
    try:
        return read(path)
    except fcn.InputError as error:
        assert str(error) and "\n" not in str(error)
        return None


@contextmanager
def holding(path, content):
    """Within it, a file holds something else."""
    good = path.read_bytes()
    path.write_bytes(content)
    try:
        yield path
    finally:
        path.write_bytes(good)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A folder with a good file of every kind."""
    root = tmp_path_factory.mktemp("samples")
    image = Image.fromarray(IMAGE)
    for suffix in SUFFIXES:
        image.save(root / f"photo.{suffix}")
    write_data_sets(root)
    fcn.Recipe("shapes", limit=2, crop_size=32).save(root / "mine.toml")
    write_run(root / "run")
    return root


def write_data_sets(root):
    camvid, sbd = root / "CamVid", root / "benchmark_RELEASE" / "dataset"
    for folder in (camvid / "train", camvid / "trainannot", sbd / "img", sbd / "cls"):
        folder.mkdir(parents=True)
    Image.fromarray(IMAGE).save(camvid / "train" / "a.png")
    Image.fromarray(LABEL).save(camvid / "trainannot" / "a.png")
    (camvid / "train.txt").write_text("/SegNet/CamVid/train/a.png /SegNet/other.png\n")
    Image.fromarray(IMAGE).save(sbd / "img" / "a.jpg")
    savemat(sbd / "cls" / "a.mat", TRUTH, do_compression=True)
    for split in ("train", "val"):
        (sbd / f"{split}.txt").write_text("a\n")


def write_run(folder):
    """A run folder with a network as small as one can be."""
    image = keras.Input((None, None, 3))
    x = keras.layers.BatchNormalization()(keras.layers.Conv2D(4, 3, padding="same")(image))
    model = keras.Model(image, keras.layers.Conv2D(CLASSES, 1)(x))
    recipe = fcn.Recipe("shapes", limit=2, crop_size=32)
    made_run(folder, model, recipe, fcn.load_dataset("shapes"))


def root_of(path):
    """The folder of the samples."""
    return next(each for each in path.parents if (each / "mine.toml").exists())


def read_data(name):
    def read(path):
        dataset = fcn.load_dataset(name, "train", root_of(path))
        for image, label in islice(dataset, 3):
            assert image.dtype == label.dtype == np.uint8 and image.shape == (*label.shape, 3)
            assert ((label < len(dataset.classes)) | (label == 255)).all()
        return dataset

    return read


def read_photo(path):
    image = fcn.read_image(path)
    assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    return image


SUFFIXES = "png", "jpg", "gif", "bmp", "tif", "webp", "ppm"
SMALL = {f"photo.{suffix}": read_photo for suffix in SUFFIXES} | {
    "CamVid/train/a.png": read_data("camvid"),
    "CamVid/trainannot/a.png": read_data("camvid"),
    "CamVid/train.txt": read_data("camvid"),
    "benchmark_RELEASE/dataset/cls/a.mat": read_data("sbd"),
    "benchmark_RELEASE/dataset/train.txt": read_data("sbd"),
    "mine.toml": fcn.Recipe.load,
}


def test_undamaged_files_are_read(samples):
    for name, read in SMALL.items():
        assert read(samples / name) is not None
    assert len(fcn.load_run(samples / "run").classes) == CLASSES


@pytest.mark.parametrize("name", SMALL)
@given(edits=EDITS)
def test_a_damaged_file(samples, name, edits):
    path = samples / name
    with holding(path, edited(path.read_bytes(), edits)):
        ends_well(SMALL[name], path)


KEYS = st.sampled_from(sorted(fcn.Recipe.__dataclass_fields__)) | st.text(max_size=6)
TOML = st.sampled_from(
    ["nan", "1e400", "9" * 5000, "1979-05-27", "[1, 2]", "'''x\n'''", "[" * 9000]
)


@given(values=st.dictionaries(KEYS, VALUES.map(json.dumps) | TOML | st.text(), max_size=3))
def test_a_recipe_of_any_keys_and_values(samples, values):
    lines = ['dataset = "shapes"', *(f"{key} = {value}" for key, value in values.items())]
    path = samples / "mine.toml"
    with holding(path, "\n".join(lines).encode("utf-8", "replace")):
        ends_well(fcn.Recipe.load, path)


WORDS = """run photo.png mine.toml shapes camvid nowhere /dev/null -1 0 nan --limit --output --set
--scales --flip --size --root --split --help epochs=0 scale=[2.0,0.5] a.b.c=1 crop_size=1e30"""
COMMANDS = ["train", "evaluate", "segment", "classify", "export", "data check", "data nothing"]


@settings(max_examples=max(2, settings.default.max_examples // 10))
@given(
    command=st.sampled_from(COMMANDS),
    words=st.lists(st.sampled_from(WORDS.split()) | st.text(max_size=5), max_size=4),
)
def test_a_command_line_of_any_words(samples, monkeypatch, command_line, command, words):
    def instead_of_steps(*arguments, **options):
        raise fcn.InputError("everything is ready for the first step.")

    monkeypatch.chdir(samples)
    monkeypatch.setattr(keras.Model, "fit", instead_of_steps)
    words = [word.replace("\0", "") for word in words]
    quick = ["--set", "backbone=vgg_narrow", "--set", "weights=none"] if command == "train" else []
    code, _, complaint = command_line(*command.split(), *words, *quick)
    lines = [line for line in complaint.splitlines() if line.strip() and "%|" not in line]
    assert code in (0, 1, 2), complaint
    of_typer = "Usage" in complaint or "─ Error ─" in complaint
    assert len(lines) == 1 or code != 2 or of_typer, complaint
    assert code == 2 or all(line.startswith("fcn-tutorial: ") for line in lines), complaint


class Payload:
    """Unpickling it would make a file."""

    def __reduce__(self):
        return os.system, ("touch code-was-run",)


def network_with_code(path):
    """A network with a Lambda layer whose code makes a file."""
    wicked = eval("lambda x: (open('code-was-run', 'w').close(), x)[1]")
    image = keras.Input((None, None, 3))
    layers = keras.layers.Conv2D(CLASSES, 1)(keras.layers.Lambda(wicked)(image))
    keras.Model(image, layers).save(path)
    os.unlink("code-was-run")  # building the model has called it


def as_weights(path, run):
    fcn.build_fcn("fcn32s", CLASSES, "mobilenet", path)


def as_a_run(path, run):
    with holding(run / "checkpoints" / "best.keras", path.read_bytes()):
        fcn.load_run(run)


@pytest.mark.parametrize(
    ("write", "name", "load"),
    [
        (lambda path: np.savez(path, np.array([Payload()], object)), "a.npz", as_weights),
        (lambda path: path.write_bytes(pickle.dumps(Payload())), "a.npz", as_weights),
        (network_with_code, "a.h5", as_weights),
        (network_with_code, "best.keras", as_a_run),
    ],
)
def test_code_in_a_file_is_not_run(samples, tmp_path, monkeypatch, refusal, write, name, load):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / name)
    assert name in refusal(load, tmp_path / name, samples / "run")
    assert not (tmp_path / "code-was-run").exists()
