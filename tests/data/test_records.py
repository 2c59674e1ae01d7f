"""Records: the very same examples, in any order; damaged ones named."""

import json
import os
import sys

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID
from fcn_tutorial.data.camvid import CamVid
from fcn_tutorial.data.records import write_records


@pytest.fixture
def camvid(camvid_root):
    return fcn.load_dataset("camvid", "train", root=camvid_root)


def shapes(count=5, **options):
    return fcn.load_dataset("shapes", "val", count=count, size=16, **options)


def assert_equal(one, other):
    for attribute in ("name", "split", "classes", "names"):
        assert getattr(one, attribute) == getattr(other, attribute)
    np.testing.assert_array_equal(one.palette, other.palette)
    for index in range(len(one)):
        for mine, theirs in zip(one[index], other[index], strict=True):
            assert mine.dtype == theirs.dtype == np.uint8
            np.testing.assert_array_equal(mine, theirs)


@given(count=st.integers(1, 7), data=st.data())
def test_records_are_the_data_set_they_were_written_from(tmp_path_factory, count, data):
    shards = data.draw(st.integers(1, count))
    written = write_records(shapes(count), tmp_path_factory.mktemp("records") / "new", shards)
    assert len(written.shards) == shards
    assert_equal(written, shapes(count))
    np.testing.assert_array_equal(written[-1][1], written[count - 1][1])
    np.testing.assert_array_equal(written.read_label(-1), written[-1][1])
    with pytest.raises(IndexError):
        written[count]


def test_the_image_is_the_file_as_it_lay_on_the_disk(camvid, camvid_root, tmp_path):
    rng = np.random.default_rng(0)
    for path in (camvid_root / "CamVid" / "train").iterdir():  # encoded again, they would differ
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(path, "JPEG", quality=30)
    written = write_records(camvid, tmp_path / "out", 2)
    assert_equal(written, camvid)
    shard = tf.data.TFRecordDataset(str(written.shards[0])).as_numpy_iterator()
    stored = tf.train.Example.FromString(next(shard)).features.feature
    assert stored["image"].bytes_list.value[0] == camvid.image_file(0).read_bytes()
    label = tf.io.decode_png(stored["label"].bytes_list.value[0])
    np.testing.assert_array_equal(label[..., 0], camvid[0][1])
    assert stored["name"].bytes_list.value[0] == b"train0"


@pytest.mark.slow
def test_several_processes_write_the_same_files(camvid, tmp_path):
    alone = write_records(camvid, tmp_path / "alone", 3)
    together = write_records(camvid, tmp_path / "together", 3, processes=2)
    for one, other in zip(alone.shards, together.shards, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert_equal(together, camvid)


class Deadly(CamVid):
    """A data set that ends the process which receives it, as a system without memory does."""

    def __reduce__(self):
        return os._exit, (1,)


@pytest.mark.slow
def test_a_process_that_is_killed_is_named(camvid, tmp_path, refusal):
    deadly = Deadly(camvid.name, camvid.split, camvid.files)
    message = refusal(write_records, deadly, tmp_path / "out", 3, processes=2)
    assert "was killed" in message and "fewer processes" in message


def test_a_damaged_example_ends_the_writing(camvid, camvid_root, tmp_path, refusal):
    (camvid_root / "CamVid" / "train" / "train4.png").unlink()
    message = refusal(write_records, camvid, tmp_path / "out", 3)
    assert "train4.png is missing" in message
    assert not (tmp_path / "out" / "index.json").exists()


def test_what_a_stopped_process_left_is_replaced(tmp_path):
    stopped = write_records(shapes(seed=1), tmp_path, 3)
    (tmp_path / "index.json").unlink()
    (tmp_path / f"unfinished-{0:016x}-{stopped.shards[2].name}").touch()
    stopped.shards[1].write_bytes(stopped.shards[1].read_bytes()[:-1])
    assert_equal(write_records(shapes(seed=2), tmp_path, 3), shapes(seed=2))
    assert not list(tmp_path.glob("unfinished-*"))


def test_a_folder_with_other_records_is_refused(tmp_path, refusal):
    write_records(shapes(), tmp_path, 2)
    other = fcn.load_dataset("shapes", "test", count=5)
    assert "<shapes val: 5 examples" in refusal(write_records, other, tmp_path, 2)
    same = shapes()
    same.names = list(same.names)
    assert_equal(write_records(same, tmp_path, 2), shapes())


@pytest.mark.parametrize(("field", "value"), [("shards", 0), ("shards", 6), ("processes", 0)])
def test_numbers_out_of_range_are_refused(tmp_path, refusal, field, value):
    message = refusal(write_records, shapes(), tmp_path, **{"shards": 1, field: value})
    assert field in message and str(value) in message


def test_a_missing_or_broken_index_is_named_and_written_again(tmp_path, refusal):
    assert "index.json is missing" in refusal(fcn.open_records, tmp_path)
    write_records(shapes(), tmp_path, 1)
    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["name"], index["split"], index["void"]) == ("shapes", "val", VOID)
    broken = [{"name": "x"}, [], {**index, "examples": [{}]}, {**index, "palette": [[1, 2]]}]
    broken += [{**index, "shards": [name]} for name in (3, None)]
    for content in ("{", *map(json.dumps, broken)):
        (tmp_path / "index.json").write_text(content)
        assert "index.json is broken" in refusal(fcn.open_records, tmp_path)
    assert_equal(write_records(shapes(), tmp_path, 1), shapes())


@pytest.mark.parametrize("offset", [-1, 2**62, 2**63, 10**30])
def test_a_place_outside_the_shard_is_refused(tmp_path, refusal, offset):
    write_records(shapes(), tmp_path, 1)
    path = tmp_path / "index.json"
    index = json.loads(path.read_text())
    index["examples"][0]["offset"] = offset
    path.write_text(json.dumps(index))
    assert "cannot be read" in refusal(fcn.open_records(tmp_path).__getitem__, 0)


def test_a_missing_shard_is_named_and_the_others_can_be_read(tmp_path, refusal):
    written = write_records(shapes(), tmp_path, 2)
    written.shards[0].unlink()
    assert "00000-of-00002.tfrecord is missing" in refusal(written.__getitem__, 0)
    np.testing.assert_array_equal(written[4][1], shapes()[4][1])


@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_changed_bit_is_noticed_or_does_not_matter(tmp_path_factory, place, bit):
    written = write_records(shapes(2), tmp_path_factory.mktemp("records") / "out", 1)
    content = bytearray(written.shards[0].read_bytes())
    content[int(place * len(content))] ^= 1 << bit
    written.shards[0].write_bytes(content)
    for index in range(2):
        try:
            image, label = written[index]
        except fcn.InputError as error:
            assert "is damaged" in str(error) and written.names[index] in str(error)
        else:  # the bit was in the other example, or in a CRC of the framing
            np.testing.assert_array_equal(image, shapes(2)[index][0])
            np.testing.assert_array_equal(label, shapes(2)[index][1])


def test_without_tensorflow_one_sentence_says_so(tmp_path, refusal, monkeypatch):
    written = write_records(shapes(1), tmp_path / "out", 1)
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    assert "TensorFlow" in refusal(written.__getitem__, 0)
    assert "TensorFlow" in refusal(write_records, shapes(1), tmp_path / "new", 1)
