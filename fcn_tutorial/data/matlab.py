"""MATLAB's file format, level 5, as far as SBD's labels need it: one map in one struct.

SciPy reads far more of it, but damaged files make it end the process or ask for any amount of
memory. Here nothing is taken that the file does not hold.

Source: "MAT-File Format", The MathWorks: data elements, arrays and structures of level 5.
"""

import struct
import zlib

import numpy as np

HEADER = 128  # bytes, the last two of which say the byte order
UINT8, MATRIX, COMPRESSED = 2, 14, 15  # types of data elements
STRUCT, UINT8_ARRAY = 2, 9  # classes of arrays
LARGEST = 2**27  # bytes to which a file may unpack


def read_map(content, variable, field):
    """The map uint8 (H, W) in a field of a struct, from the bytes of a file; None where it is none.

    Raises KeyError for a name that is not there, and ValueError, struct.error or zlib.error for a
    file that is damaged.
    """
    order = {b"IM": "<", b"MI": ">"}.get(content[HEADER - 2 : HEADER])
    if order is None:
        raise ValueError("it is no MATLAB file of level 5")
    for kind, data in _elements(content[HEADER:], order):
        if kind == COMPRESSED:
            ((kind, data),) = _elements(_unpacked(data), order)
        name, array = _array(data, order) if kind == MATRIX else (None, None)
        if name == variable:
            return _map(_fields(array, order)[field], order)
    raise KeyError(variable)


def _unpacked(data):
    unpacker = zlib.decompressobj()
    content = unpacker.decompress(data, LARGEST)
    if unpacker.unconsumed_tail:
        raise ValueError(f"it unpacks to more than {LARGEST:,} bytes")
    if not unpacker.eof:
        raise ValueError("it is cut off")
    return content


def _elements(content, order):
    """(type, bytes) of each data element, one after the other."""
    place = 0
    while place < len(content):
        kind, size = struct.unpack_from(f"{order}II", content, place)
        start, end = place + 8, place + 8 + size
        if kind >> 16:  # short ones hold type and size in four bytes, and their data in four more
            kind, size = kind & 0xFFFF, kind >> 16
            start, end = place + 4, place + 4 + size
            place += 8
        else:
            # Only what is compressed is not filled up to a multiple of eight bytes.
            place = end if kind == COMPRESSED else end + -size % 8
        if end > len(content):
            raise ValueError("it is cut off")
        yield kind, content[start:end]


def _array(data, order):
    """Name and (class, shape, further elements) of an array."""
    (_, flags), (_, shape), (_, name), *parts = _elements(data, order)
    shape = struct.unpack(f"{order}{len(shape) // 4}I", shape)
    kind = struct.unpack_from(f"{order}I", flags)[0] & 0xFF
    return name.decode("latin-1"), (kind, shape, parts)


def _fields(array, order):
    """{name: bytes of the array} of the fields of a struct."""
    kind, _, parts = array
    if kind != STRUCT:
        raise ValueError("it has an array in place of a struct")
    (_, length), (_, names), *values = parts
    length = max(1, struct.unpack(f"{order}i", length)[0])
    names = [names[start : start + length] for start in range(0, len(names), length)]
    names = [name.partition(b"\0")[0].decode("latin-1") for name in names]
    return {name: data for name, (_, data) in zip(names, values, strict=False)}


def _map(data, order):
    _, (kind, shape, parts) = _array(data, order)
    if kind != UINT8_ARRAY or len(shape) != 2 or [part[0] for part in parts] != [UINT8]:
        return None
    return np.frombuffer(parts[0][1], np.uint8).reshape(shape, order="F").copy(order="C")
