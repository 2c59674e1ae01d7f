"""TFRecords without TensorFlow: what is written here, TensorFlow reads, and the other way round."""

from io import BytesIO

import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from fcn_tutorial.data import tfrecord
from fcn_tutorial.data.tfrecord import crc32c, decode_example, encode_example, frame, read_frame

FEATURES = st.dictionaries(st.text(max_size=9), st.binary(max_size=400), max_size=5)


def test_the_crc_is_that_of_the_published_example():
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, appendix B.4
    assert crc32c(b"") == 0


@settings(max_examples=30, deadline=None)
@given(length=st.integers(4096, 20_000), seed=st.binary(min_size=1, max_size=40))
def test_lanes_give_the_crc_of_the_loop(length, seed):
    content = (seed * length)[:length]
    crc = 0xFFFFFFFF
    for byte in content:
        crc = int(tfrecord._TABLE[(crc ^ byte) & 255]) ^ crc >> 8
    assert crc32c(content) == crc ^ 0xFFFFFFFF


@settings(max_examples=20, deadline=None)
@given(payloads=st.lists(st.binary(max_size=300) | st.just(bytes(9000)), min_size=1, max_size=4))
def test_tensorflow_reads_what_was_framed_and_the_other_way_round(tmp_path_factory, payloads):
    ours = tmp_path_factory.mktemp("records") / "ours"
    ours.write_bytes(b"".join(map(frame, payloads)))
    read = tf.data.TFRecordDataset(str(ours)).as_numpy_iterator()
    assert list(read) == payloads
    theirs = ours.with_name("theirs")
    with tf.io.TFRecordWriter(str(theirs)) as writer:
        for payload in payloads:
            writer.write(payload)
    assert theirs.read_bytes() == ours.read_bytes()
    with theirs.open("rb") as file:
        assert list(iter(lambda: read_frame(file), None)) == payloads


@given(
    payload=st.binary(max_size=60), place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7)
)
def test_a_flipped_bit_is_noticed(payload, place, bit):
    record = bytearray(frame(payload))
    record[int(place * len(record))] ^= 1 << bit
    with pytest.raises(ValueError, match="damaged"):
        read_frame(BytesIO(record))


@given(payload=st.binary(max_size=60), share=st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_a_record_that_is_cut_off_is_noticed(payload, share):
    record = frame(payload)
    with pytest.raises(ValueError, match="damaged"):
        read_frame(BytesIO(record[: max(1, int(share * len(record)))]))


@given(features=FEATURES)
def test_an_example_is_tensorflows_and_survives(features):
    payload = encode_example(features)
    theirs = tf.train.Example.FromString(payload).features.feature
    assert {name: value.bytes_list.value[0] for name, value in theirs.items()} == features
    assert decode_example(payload) == features
