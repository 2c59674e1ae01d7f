"""One field of a structure in a MATLAB file: SBD's label maps need no more.

SciPy's reader opens files of any kind, but a crafted one can crash Python. This one checks every
length that it reads. Source: The MathWorks, "MAT-File Format", level 5.
"""

import struct
import zlib
from collections.abc import Iterator
from itertools import islice

import numpy as np

HEADER = 128  # bytes
MATRIX, COMPRESSED = 14, 15  # types of data elements
STRUCTURE, UINT8 = 2, 9  # classes of matrices
MOST = 64  # parts of a matrix, fields of a structure
LARGEST = 2**27  # bytes of a file, and of what a compressed element unpacks to


def read_field(content: bytes, variable: str, field: str) -> np.ndarray:
    """Read a matrix uint8 (H, W) from a field of a structure, the `variable` of a MATLAB file.

    ValueError, struct.error or zlib.error where it is damaged or there is no such matrix.
    """
    if content[:10] != b"MATLAB 5.0" or content[124:HEADER] != b"\x00\x01IM":
        raise ValueError("it is not a MATLAB file of level 5")
    for kind, data in _elements(memoryview(content)[HEADER:]):
        flags, _, name, *more = _parts(*(_unpacked(data) if kind == COMPRESSED else (kind, data)))
        if name == variable.encode() and flags[0] == STRUCTURE:
            return _matrix(_value(field, *more))
    raise ValueError(f"it has no structure {variable}")


def _elements(content: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The type and the content of each data element."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from("<II", content, place)
        start = place + 8
        if kind >> 16:  # a short element: type and size share four bytes, the content has the rest
            kind, size, start = kind & 0xFFFF, kind >> 16, place + 4
        end = start + size
        if end > len(content):
            raise ValueError("it is cut off")
        yield kind, content[start:end]
        place = end if kind == COMPRESSED else end + (place - end) % 8


def _unpacked(data: memoryview) -> tuple[int, memoryview]:
    """The data element in a compressed one."""
    unpacker = zlib.decompressobj()  # which compares the checksum
    content = unpacker.decompress(data, LARGEST)
    if not unpacker.eof:
        raise ValueError("it is cut off or too large")
    return next(_elements(memoryview(content)), (0, data))


def _parts(kind: int, data: memoryview) -> list[memoryview]:
    """The parts of a matrix: flags, with its class in the first byte, dimensions, name, content."""
    parts = [part for _, part in islice(_elements(data), MOST)] if kind == MATRIX else []
    if len(parts) < 4 or not parts[0]:
        raise ValueError("it holds something that is not a matrix")
    return parts


def _value(name: str, length: memoryview, names: memoryview, *values: memoryview) -> memoryview:
    """The value of a structure's field; the names have one length, filled up with zero bytes."""
    step = int.from_bytes(length[:4], "little") or 1
    for number, value in enumerate(values):
        start = number * step
        if bytes(names[start : start + step]).rstrip(b"\0") == name.encode():
            return value
    raise ValueError(f"its structure has no field {name}")


def _matrix(data: memoryview) -> np.ndarray:
    """A matrix of bytes, whose columns follow each other, as an array."""
    flags, shape, _, content = _parts(MATRIX, data)[:4]
    height, width = struct.unpack("<ii", shape)
    if flags[0] != UINT8 or min(height, width) < 0 or height * width != len(content):
        raise ValueError("it holds no map of 8-bit class ids")
    return np.frombuffer(content, np.uint8).reshape(height, width, order="F").copy("C")
