"""Damaged and hostile files of every kind end in a result or in one sentence, whatever they hold.

benchmarks/fuzz.py does the same with 10,000 files, in processes whose memory and time it watches.
"""

import io
import json
import os
import shutil
import sys
import zipfile
import zlib
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.io import savemat

import fcn_tutorial as fcn
from fcn_tutorial import cli, runs
from fcn_tutorial.backbones import pretrained, restored, store
from fcn_tutorial.data.images import read_label
from fcn_tutorial.data.records import write_records
from fcn_tutorial.data.tfrecord import encode_example, frame
from fcn_tutorial.data.voc import read_mat
from fcn_tutorial.modelfiles import load_model

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
IMAGE = np.random.default_rng(0).integers(0, 256, (9, 14, 3)).astype(np.uint8)
LABEL = (IMAGE[..., 0] % 6).astype(np.uint8)


def cases(count):
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=count, deadline=None, suppress_health_check=checks)


# An edit: at a place, a share of the content's length, so many bytes are replaced by others.
PLACES = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.05)
EDITS = st.lists(
    st.tuples(PLACES, st.integers(0, 20) | st.just(10**9), st.binary(max_size=12)),
    min_size=1,
    max_size=4,
)


def edited(content, edits):
    content = bytearray(content)
    for place, count, other in edits:
        start = int(place * len(content))
        content[start : start + count] = other
    return bytes(content)


def ends_well(call, *arguments):
    """The result of a call, or None where it was refused in one line."""
    try:
        return call(*arguments)
    except fcn.InputError as error:
        assert str(error) and "\n" not in str(error)
        return None


def encoded(array, kind):
    content = io.BytesIO()
    Image.fromarray(array).save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"])
@cases(40)
@given(edits=EDITS)
def test_images(tmp_path, kind, edits):
    path = tmp_path / f"a.{kind.lower()}"
    path.write_bytes(edited(encoded(IMAGE, kind), edits))
    image = ends_well(fcn.read_image, path)
    assert image is None or (image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3)


@cases(80)
@given(edits=EDITS)
def test_labels(tmp_path, edits):
    path = tmp_path / "a.png"
    path.write_bytes(edited(encoded(LABEL, "PNG"), edits))
    ids = ends_well(read_label, path, 6)
    assert ids is None or (ids.dtype == np.uint8 and ((ids < 6) | (ids == 255)).all())


@pytest.mark.parametrize("inside", [False, True])
@cases(80)
@given(edits=EDITS)
def test_matlab_files(tmp_path, inside, edits):
    path = tmp_path / "a.mat"
    savemat(path, {"GTcls": {"Segmentation": LABEL}}, do_compression=True)
    assert (read_mat(path, 6) == LABEL).all()
    content = path.read_bytes()
    if inside:  # the damage is compressed, so that its sums fit
        content = content[:136] + zlib.compress(edited(zlib.decompress(content[136:]), edits))
        content = content[:132] + (len(content) - 136).to_bytes(4, "little") + content[136:]
    else:
        content = edited(content, edits)
    path.write_bytes(content)
    ids = ends_well(read_mat, path, 6)
    assert ids is None or (ids.dtype == np.uint8 and ids.ndim == 2 and ids.size <= 2**27)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=9), each, max_size=3)
    ),
    max_leaves=6,
)


def replaced(content, places, value):
    """JSON in which the node to which the places lead is another."""
    if not places or not isinstance(content, (dict, list)) or not content:
        return value
    keys = list(content) if isinstance(content, dict) else range(len(content))
    key = keys[int(places[0] * len(content))]
    content = dict(content) if isinstance(content, dict) else list(content)
    content[key] = replaced(content[key], places[1:], value)
    return content


SHARES = st.lists(st.floats(0, 1, exclude_max=True), max_size=4)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    dataset = fcn.load_dataset("shapes", "val", count=2, size=16)
    return write_records(dataset, tmp_path_factory.mktemp("hostile") / "records", 1)


def read_all(folder):
    dataset = fcn.open_records(folder)
    return [dataset[place] for place in range(min(len(dataset), 3))]


def folder_with(records, index, shard):
    folder = records.shards[0].parent.with_name("other")
    folder.mkdir(exist_ok=True)
    (folder / "index.json").write_text(json.dumps(index))
    (folder / records.shards[0].name).write_bytes(shard)
    return folder


def index_of(records):
    return json.loads((records.shards[0].parent / "index.json").read_text())


@cases(80)
@given(places=SHARES, value=JSON)
def test_indices_of_records(records, places, value):
    index = replaced(index_of(records), places, value)
    ends_well(read_all, folder_with(records, index, records.shards[0].read_bytes()))


@cases(60)
@given(edits=EDITS, image=EDITS | st.none(), label=EDITS | st.none())
def test_forged_records_whose_sums_fit(records, edits, image, label):
    content = {"name": b"a", "image": encoded(IMAGE, "PNG"), "label": encoded(LABEL, "PNG")}
    for name, each in (("image", image), ("label", label)):
        content[name] = edited(content[name], each) if each else content[name]
    payload = encode_example(content)
    payload = payload if image or label else edited(payload, edits)
    index = index_of(records)
    index["examples"] = [{"name": "a", "shard": 0, "offset": 0, "crc32": zlib.crc32(payload)}]
    ends_well(read_all, folder_with(records, index, frame(payload)))


FIELDS = sorted(fcn.Recipe.__dataclass_fields__)


@cases(100)
@given(text=st.text(max_size=60) | st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3))
def test_recipes(tmp_path, text):
    if isinstance(text, dict):
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in text.items())
    path = tmp_path / "mine.toml"
    path.write_text('dataset = "shapes"\n' + text, "utf-8", "replace")
    ends_well(fcn.Recipe.load, path)


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    """A folder with a small network in every format, and the network."""
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(4, 3, padding="same")(image)
    model = keras.Model(image, keras.layers.Conv2D(6, 1)(keras.layers.BatchNormalization()(x)))
    folder = tmp_path_factory.mktemp("networks")
    for name in ("a.h5", "a.keras"):
        model.save(folder / name)
    model.save_weights(folder / "a.weights.h5")
    store(model, folder / "a.npz")
    return folder, model


def load_weights(model, path):
    with pretrained(path, "") as file:
        model.load_weights(file)


LOADERS = {
    "a.keras": lambda model, path: load_model(path),
    "a.h5": load_weights,
    "a.weights.h5": load_weights,
    "a.npz": restored,
}


@pytest.mark.parametrize("name", LOADERS)
@cases(25)
@given(edits=EDITS)
def test_files_of_weights(tmp_path, network, name, edits):
    folder, model = network
    path = tmp_path / name
    path.write_bytes(edited((folder / name).read_bytes(), edits))
    ends_well(LOADERS[name], model, path)


def test_what_unpacks_to_far_more_is_found_in_every_wrapping(tmp_path, network, refusal):
    zeros = io.BytesIO()
    np.savez_compressed(zeros, np.zeros(2**26, np.float32))
    with zipfile.ZipFile(tmp_path / "inner.keras", "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr("model.weights.npz", zeros.getvalue())
    with h5py.File(tmp_path / "both.weights.h5", "w") as file:
        file.create_dataset("zeros", (2**28,), np.float32, chunks=(2**20,), compression="gzip")
    with zipfile.ZipFile(tmp_path / "both.weights.h5", "a") as archive:
        archive.writestr("config.json", "{}")
    # The last two take no memory before they are turned into numbers.
    claims = (("<f4", 10**12, "unpack from"), ("|V0", 10**12, "not of numbers"))
    for kind, count, said in (*claims, ("<U9999999", 0, "not of numbers")):
        with zipfile.ZipFile(tmp_path / "header.npz", "w") as archive:
            header = io.BytesIO()
            claim = {"descr": kind, "fortran_order": False, "shape": (count,)}
            np.lib.format.write_array_header_1_0(header, claim)
            archive.writestr("arr_0.npy", header.getvalue())
        assert said in refusal(restored, network[1], tmp_path / "header.npz")
    assert "would unpack from" in refusal(load_model, tmp_path / "inner.keras")
    message = refusal(load_weights, network[1], tmp_path / "both.weights.h5")
    assert "would unpack from" in message


def test_a_model_that_is_not_there_is_named(tmp_path, refusal):
    assert "cannot be loaded" in refusal(load_model, tmp_path / "none.keras")


@cases(25)
@given(places=SHARES, value=JSON | st.sampled_from(["Lambda", "os", "system", "__lambda__"]))
def test_configurations_of_models(tmp_path, network, places, value):
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(network[0] / "a.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = replaced(json.loads(members["config.json"]), places, value)
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    ends_well(load_model, path)


@pytest.fixture(scope="module")
def run(network, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "run"
    (folder / "checkpoints").mkdir(parents=True)
    shutil.copy(network[0] / "a.keras", folder / "checkpoints" / "best.keras")
    fcn.Recipe("shapes").save(folder / "recipe.toml")
    contents = {
        "classes.json": {"classes": list("abcdef"), "palette": [[0, 0, 9]] * 6},
        "environment.json": {"keras": "3", "data": {"shapes train": "0"}},
        "scores.json": {"confusion": np.eye(6, dtype=int).tolist()},
    }
    for name, content in contents.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "history.csv").write_text("epoch,loss,val_mean_iou\n1,2.5,0.25\n")
    return folder


def read_run(folder):
    opened = fcn.load_run(folder)
    runs.differences(runs.read_surroundings(folder), {"keras": "4", "data": {"a": "0"}})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "RESULTS", folder.parent)
        return opened, fcn.run_of_record(folder.name)


def test_an_undamaged_run_is_read(run):
    opened, record = read_run(run)
    assert opened.classes == record.classes == tuple("abcdef")
    assert record.scores["scores"].mean_iou == 1


@pytest.mark.parametrize("name", ["classes.json", "environment.json", "scores.json"])
@cases(25)
@given(places=SHARES, value=JSON)
def test_run_folders(tmp_path_factory, run, name, places, value):
    folder = shutil.copytree(run, tmp_path_factory.mktemp("copy") / "run")
    content = replaced(json.loads((run / name).read_text()), places, value)
    (folder / name).write_text(json.dumps(content))
    ends_well(read_run, folder)


@cases(40)
@given(edits=EDITS)
def test_histories(tmp_path_factory, run, edits):
    path = tmp_path_factory.mktemp("history") / "history.csv"
    path.write_bytes(edited((run / "history.csv").read_bytes(), edits))
    ends_well(runs.read_history, path.parent)


@cases(20)
@given(edits=EDITS, aim=st.sampled_from(["image", "classes.json", "history.csv"]))
def test_commands_say_one_sentence(tmp_path_factory, run, capsys, edits, aim):
    folder = tmp_path_factory.mktemp("command")
    photo, copy = folder / "a.png", shutil.copytree(run, folder / "run")
    photo.write_bytes(encoded(IMAGE, "PNG"))
    bad = photo if aim == "image" else copy / aim
    bad.write_bytes(edited(bad.read_bytes(), edits))
    code, complaint = said_by(capsys, "segment", copy, photo, "--output", folder / "out")
    assert code in (0, 2) and "Traceback" not in complaint
    assert len([line for line in complaint.splitlines() if line.strip()]) == (code == 2), complaint
    outside = {path.name for path in folder.iterdir()} - {"a.png", "run", "out"}
    assert not outside


def said_by(capsys, *arguments):
    capsys.readouterr()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["fcn-tutorial", *map(os.fspath, map(Path, arguments))])
        try:
            cli.main()
            code = 0
        except SystemExit as stop:
            code = stop.code
    return code, capsys.readouterr().err
