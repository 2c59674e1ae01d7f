"""Records: the very same examples, in any order; whole files kept, damaged ones named or mended."""

import json
import os

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID, records
from fcn_tutorial.data.dataset import limited
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


@settings(max_examples=15, deadline=None)
@given(count=st.integers(1, 7), data=st.data())
def test_records_are_the_data_set_they_were_written_from(tmp_path_factory, count, data):
    shards = data.draw(st.integers(1, count))
    written = write_records(shapes(count), tmp_path_factory.mktemp("records") / "new", shards)
    assert len(written.shards) == shards
    assert_equal(written, shapes(count))
    np.testing.assert_array_equal(written[-1][1], written[count - 1][1])
    with pytest.raises(IndexError):
        written[count]


def test_the_image_is_the_file_as_it_lay_on_the_disk(camvid, tmp_path):
    written = write_records(camvid, tmp_path / "out", 2)
    assert_equal(written, camvid)
    shard = tf.data.TFRecordDataset(str(written.shards[0])).as_numpy_iterator()
    stored = tf.train.Example.FromString(next(shard)).features.feature
    assert stored["image"].bytes_list.value[0] == camvid.image_file(0).read_bytes()
    label = tf.io.decode_png(stored["label"].bytes_list.value[0])
    np.testing.assert_array_equal(label[..., 0], camvid[0][1])
    assert stored["name"].bytes_list.value[0] == b"train0"


def test_a_jpeg_is_not_encoded_anew(tmp_path, camvid, camvid_root):
    rng = np.random.default_rng(0)
    for path in (camvid_root / "CamVid" / "train").iterdir():
        Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).save(path, "JPEG", quality=30)
    assert_equal(write_records(camvid, tmp_path / "out", 1), camvid)


def saved_as(camvid, camvid_root, kind, mode="RGB", **options):
    """The data set, its images now files of another kind."""
    rng = np.random.default_rng(0)
    for path in (camvid_root / "CamVid" / "train").iterdir():
        image = Image.fromarray(rng.integers(0, 256, (48, 64, 3), np.uint8)).convert(mode)
        image.save(path, kind, **options)
    return camvid


def test_the_files_of_an_example_can_be_had_as_they_are(camvid, camvid_root, tmp_path):
    written = write_records(saved_as(camvid, camvid_root, "JPEG"), tmp_path / "out", 2)
    photo, ids = written.encoded(-len(written) + 1)
    assert photo == camvid.image_file(1).read_bytes()
    np.testing.assert_array_equal(tf.io.decode_png(ids)[..., 0], camvid[1][1])
    with pytest.raises(IndexError):
        written.encoded(len(written))


def test_files_of_an_example_that_is_damaged_are_not_given(camvid, camvid_root, tmp_path, refusal):
    written = write_records(saved_as(camvid, camvid_root, "JPEG"), tmp_path / "out", 1)
    content = bytearray(written.shards[0].read_bytes())
    content[200] ^= 1
    written.shards[0].write_bytes(content)
    assert "'train0'" in refusal(written.encoded, 0)


def test_a_shard_that_is_no_file_is_missing(tmp_path, refusal):
    written = write_records(shapes(1), tmp_path, 1)
    written.shards[0].unlink()
    os.mkfifo(written.shards[0])  # which would be waited for
    assert "is missing" in refusal(written.__getitem__, 0)


def test_several_processes_write_the_same_files(camvid, tmp_path):
    alone = write_records(camvid, tmp_path / "alone", 3)
    together = write_records(camvid, tmp_path / "together", 3, processes=2)
    for one, other in zip(alone.shards, together.shards, strict=True):
        assert one.read_bytes() == other.read_bytes()
    assert_equal(together, camvid)


def test_a_damaged_example_ends_the_writing_in_either_process(
    camvid, camvid_root, tmp_path, refusal
):
    (camvid_root / "CamVid" / "train" / "train4.png").unlink()
    for processes in (1, 2):
        out = tmp_path / f"out{processes}"
        message = refusal(write_records, camvid, out, 3, processes=processes)
        assert "train4.png is missing" in message
        assert not (out / "index.json").exists()


def test_writing_goes_on_where_it_stopped(tmp_path, monkeypatch):
    stopped = write_records(shapes(), tmp_path, 3)
    (tmp_path / "index.json").unlink()
    stopped.shards[1].write_bytes(stopped.shards[1].read_bytes()[:-1])
    kept = {path: path.stat().st_mtime_ns for path in (stopped.shards[0], stopped.shards[2])}
    assert_equal(write_records(shapes(), tmp_path, 3), shapes())
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert not list(tmp_path.glob("unfinished-*"))


def test_shards_of_other_images_under_the_same_names_are_written_anew(tmp_path):
    write_records(shapes(seed=1), tmp_path, 2)
    assert_equal(write_records(shapes(seed=2), tmp_path, 2), shapes(seed=2))


def test_a_shard_with_an_example_that_is_another_by_now_is_written_anew(camvid_root, tmp_path):
    def write():
        return write_records(fcn.load_dataset("camvid", "train", camvid_root), tmp_path / "out", 2)

    kept = write().shards[0]
    time = kept.stat().st_mtime_ns
    last = camvid_root / "CamVid" / "trainannot" / "train4.png"
    label = np.array(Image.open(last))
    Image.fromarray(np.where(label == 1, 0, 1).astype(np.uint8)).save(last)
    assert_equal(write(), fcn.load_dataset("camvid", "train", camvid_root))
    assert kept.stat().st_mtime_ns == time


def test_a_broken_index_is_written_anew(tmp_path):
    write_records(shapes(), tmp_path, 2)
    (tmp_path / "index.json").write_text("{")
    assert_equal(write_records(shapes(), tmp_path, 2), shapes())


def test_a_folder_with_other_records_is_refused(tmp_path, refusal):
    write_records(shapes(), tmp_path, 2)
    other = fcn.load_dataset("shapes", "test", count=5)
    message = refusal(write_records, other, tmp_path, 2)
    assert "holds records of <shapes val: 5 examples" in message
    assert "other shards, such as 00000-of-00002" in refusal(write_records, shapes(), tmp_path, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shards": 0}, "from 1 to 5, got"),
        ({"shards": 6}, "from 1 to 5, got"),
        ({"processes": 0}, "processes must"),
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, refusal, options, message):
    assert message in refusal(write_records, shapes(), tmp_path, **{"shards": 1, **options})


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, refusal):
    (tmp_path / "file").touch()
    assert "cannot be made" in refusal(write_records, shapes(), tmp_path / "file" / "out", 1)


def test_a_missing_or_broken_index_is_named(tmp_path, refusal):
    assert "index.json is missing" in refusal(fcn.open_records, tmp_path)
    write_records(shapes(), tmp_path, 1)
    index = json.loads((tmp_path / "index.json").read_text())
    broken = [{"name": "x"}, [], {**index, "examples": [{}]}, {**index, "palette": [[1, 2]]}]
    for content in ("{", *map(json.dumps, broken)):
        (tmp_path / "index.json").write_text(content)
        assert "index.json is broken" in refusal(fcn.open_records, tmp_path)


def test_a_missing_shard_is_named_and_the_others_can_be_read(tmp_path, refusal):
    written = write_records(shapes(), tmp_path, 2)
    written.shards[0].unlink()
    assert "00000-of-00002.tfrecord is missing" in refusal(written.__getitem__, 0)
    np.testing.assert_array_equal(written[4][1], shapes()[4][1])


@settings(max_examples=40, deadline=None)
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


TURNED = Image.Exif()
TURNED[274] = 3


@pytest.mark.parametrize(
    "options",
    [
        {"kind": "PNG"},
        {"kind": "PNG", "mode": "P"},
        {"kind": "PNG", "mode": "RGBA"},
        {"kind": "JPEG"},
        {"kind": "JPEG", "quality": 20, "progressive": True},
        {"kind": "JPEG", "mode": "L"},
        {"kind": "JPEG", "mode": "CMYK"},
        {"kind": "JPEG", "exif": TURNED},
    ],
    ids=["png", "palette", "rgba", "jpeg", "progressive", "grey", "cmyk", "turned"],
)
@pytest.mark.parametrize("crop", [32, 80])
def test_records_feed_the_pipeline_pass_after_pass(camvid, camvid_root, tmp_path, crop, options):
    written = write_records(saved_as(camvid, camvid_root, **options), tmp_path / "out", 2)
    assert_same_batches(limited(camvid, 4), limited(written, 4), crop)


def assert_same_batches(one, other, crop):
    streams = [iter(fcn.batches(each, 4, crop, seed=3)) for each in (one, other)]
    for _ in range(4):
        for mine, theirs in zip(*map(next, streams), strict=True):
            np.testing.assert_array_equal(mine, theirs)


def test_files_that_tensorflow_refuses_feed_the_pipeline_too(camvid, camvid_root, tmp_path):
    for path in (camvid_root / "CamVid" / "train").iterdir():
        path.write_bytes(path.read_bytes()[:-12])  # less its last chunk, which Pillow does not miss
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.decode_jpeg(path.read_bytes())
    written = write_records(camvid, tmp_path / "out", 2)
    assert_same_batches(limited(camvid, 4), limited(written, 4), 32)


def test_the_index_says_what_the_records_are(tmp_path):
    write_records(shapes(), tmp_path, 2)
    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["name"], index["split"], index["void"]) == ("shapes", "val", VOID)
    assert next(row["offset"] for row in index["examples"] if row["shard"] == 1) == 0
    assert records.open_records(tmp_path).places[0][1] == 0
