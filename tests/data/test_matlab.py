"""MATLAB files: the field that SciPy reads, or a refusal, whatever the bytes are."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.io import loadmat, savemat

from fcn_tutorial.data.matlab import HEADER, LARGEST, read_field

REFUSED = (ValueError, struct.error, zlib.error)
MAP = np.arange(30, dtype=np.uint8).reshape(5, 6)


def file_of(variables, compressed):
    stream = io.BytesIO()
    savemat(stream, variables, do_compression=compressed)
    return stream.getvalue()


MAPS = arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=9))
OTHERS = {
    "Boundaries": np.zeros((20, 1), object),
    "CategoriesPresent": np.uint8([[3, 7]]),
    "x": "text",
}


@given(ids=MAPS, names=st.permutations(["Segmentation", *OTHERS]), compressed=st.booleans())
def test_the_field_is_what_scipy_reads(ids, names, compressed):
    structure = {name: OTHERS.get(name, ids) for name in names}
    content = file_of({"a": 1.5, "GTcls": structure, "b": {"x": 1}}, compressed)
    expected = loadmat(io.BytesIO(content))["GTcls"]["Segmentation"][0, 0]
    np.testing.assert_array_equal(read_field(content, "GTcls", "Segmentation"), expected)
    with pytest.raises(ValueError, match="absent"):
        read_field(content, "GTcls", "absent")


def crafted(edits):
    """A file whose checksum holds, although some bytes of what it packs are others."""
    inside = bytearray(file_of({"GTcls": {"Segmentation": MAP, **OTHERS}}, False)[HEADER:])
    for place, value in edits:
        inside[int(place * len(inside))] = value
    return packed(bytes(inside))


def packed(inside):
    header, packed = file_of({}, True)[:HEADER], zlib.compress(inside, 1)
    return header + struct.pack("<II", 15, len(packed)) + packed


PLACES = st.floats(0, 1, exclude_max=True) | st.floats(0, 0.2)
BYTES = st.integers(0, 255) | st.sampled_from([0, 1, 4, 8, 14, 15, 127, 128, 255])


@given(edits=st.lists(st.tuples(PLACES, BYTES), max_size=6))
def test_a_crafted_file_gives_a_map_or_a_refusal(edits):
    try:
        found = read_field(crafted(edits), "GTcls", "Segmentation")
    except REFUSED as error:
        assert str(error)
    else:
        assert found.dtype == np.uint8 and found.size <= MAP.size


def matrix(*parts):
    return b"".join(struct.pack("<II", 1, len(p)) + p + bytes(-len(p) % 8) for p in parts)


def structure(*parts):
    body = matrix(bytes([2]) + bytes(7), bytes(8), b"GTcls", *parts)
    return packed(struct.pack("<II", 14, len(body)) + body)


def of_map(height, width, content, kind=9):
    value = matrix(bytes([kind]) + bytes(7), struct.pack("<ii", height, width), b"", content)
    return structure(struct.pack("<I", 13), b"Segmentation\0", value)


def test_a_map_says_its_class_and_sides():
    content = MAP.tobytes("F")
    found = read_field(of_map(5, 6, content), "GTcls", "Segmentation")
    np.testing.assert_array_equal(found, MAP)
    assert found.flags.c_contiguous
    assert read_field(of_map(0, 6, b""), "GTcls", "Segmentation").shape == (0, 6)
    signed = 8  # the class int8
    for lying in ((-5, -6, content), (5, 5, content), (5, 7, content), (5, 6, content, signed)):
        with pytest.raises(ValueError, match="8-bit"):
            read_field(of_map(*lying), "GTcls", "Segmentation")


@pytest.mark.parametrize("place", [0, 9, 124, HEADER - 1])
def test_another_head_is_refused(place):
    content = bytearray(of_map(5, 6, MAP.tobytes("F")))
    content[place] += 1
    with pytest.raises(ValueError, match="level 5"):
        read_field(bytes(content), "GTcls", "Segmentation")


CRAFTED = {
    "a bomb": packed(bytes(2 * LARGEST)),
    "millions of parts": packed(struct.pack("<II", 14, 2**26) + bytes(2**26)),
    "parts without end": structure(*[b""] * 99),
    "names of no length": structure(bytes(4), b"Segmentation", b""),
    "names of endless length": structure(b"\xff" * 4, b"Segmentation", b"", b""),
    "a field that is not there": structure(b"\x0c\0\0\0", b"Segmentation"),
    "compressed twice": packed(packed(b"")[HEADER:]),
    "nothing compressed": packed(b""),
    "only a header": packed(b"")[:HEADER],
    "seven bytes": packed(b"")[: HEADER + 7],
}


@pytest.mark.parametrize("kind", CRAFTED)
def test_lengths_that_lie_are_refused(kind):
    with pytest.raises(REFUSED):
        read_field(CRAFTED[kind], "GTcls", "Segmentation")
