"""The TFRecord format without TensorFlow: framed payloads, each a `tf.train.Example` of bytes.

A record is the payload's length (8 bytes, lowest first), the length's CRC (4), the payload, and the
payload's CRC (4). The CRC is CRC-32C, "masked": turned by 15 bits, and a constant added.

Source: https://www.tensorflow.org/tutorials/load_data/tfrecord (framing and masking); RFC 3720,
appendix B.4 (CRC-32C); https://protobuf.dev/programming-guides/encoding (messages).
"""

import struct

import numpy as np

HEADER, FOOTER = 12, 4  # bytes before and after a payload
POLYNOMIAL = 0x82F63B78  # Castagnoli's, its lowest bit standing for the highest power
LANES = 1024  # a power of two


def frame(payload):
    """The record of a payload: bytes in, bytes out."""
    length = struct.pack("<Q", len(payload))
    return b"".join([length, masked_crc(length), payload, masked_crc(payload)])


def read_frame(file):
    """The payload of the record at which a binary file stands; None at its end.

    Raises ValueError when the record is cut off or a CRC does not fit.
    """
    header = file.read(HEADER)
    if not header:
        return None
    length, crc = header[:8], header[8:]
    if len(header) < HEADER or masked_crc(length) != crc:
        raise ValueError("a record's length is damaged")
    payload = file.read(struct.unpack("<Q", length)[0])
    if masked_crc(payload) != file.read(FOOTER):
        raise ValueError("a record's payload is damaged")
    return payload


def masked_crc(content):
    """The four bytes that follow a length or a payload in a record."""
    crc = crc32c(content)
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def crc32c(content):
    """CRC-32C of bytes: int below 2**32."""
    if len(content) < 4 * LANES:
        crc = 0xFFFFFFFF
        for byte in content:
            crc = int(_TABLE[(crc ^ byte) & 255]) ^ crc >> 8
        return crc ^ 0xFFFFFFFF
    return _crc_in_lanes(np.frombuffer(content, np.uint8))


def _crc_in_lanes(content):
    """Cut the bytes into lanes, advance all their CRCs together, and join neighbours in pairs."""
    length = -(-len(content) // LANES)
    # Zeros before the first byte change nothing where the CRC starts at zero; that it starts at
    # 0xFFFFFFFF is the same as flipping the first four bytes.
    padded = np.zeros(LANES * length, np.uint8)
    padded[-len(content) :] = content
    start = len(padded) - len(content)
    padded[start : start + 4] ^= 255
    crcs = np.zeros(LANES, np.uint32)
    for column in padded.reshape(LANES, length).T:
        crcs = _advanced(crcs, column)
    # What `length` zero bytes make of each single bit; the CRC is linear, so that says all.
    shift = np.uint32(1) << np.arange(32, dtype=np.uint32)
    for _ in range(length):
        shift = _advanced(shift, 0)
    while len(crcs) > 1:
        crcs = _shifted(crcs[::2], shift) ^ crcs[1::2]
        shift = _shifted(shift, shift)
    return int(crcs[0]) ^ 0xFFFFFFFF


def _advanced(crcs, byte):
    return _TABLE[(crcs ^ byte) & 255] ^ crcs >> 8


def _shifted(crcs, shift):
    """Multiply each CRC, a vector of 32 bits, by the matrix whose columns are `shift`."""
    result = np.zeros_like(crcs)
    for bit in range(32):
        result ^= (crcs >> bit & 1) * shift[bit]
    return result


def _make_table():
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, table >> 1 ^ np.uint32(POLYNOMIAL), table >> 1)
    return table.astype(np.uint32)


_TABLE = _make_table()


def encode_example(features):
    """The bytes of a `tf.train.Example` whose features, {name: bytes}, hold one value each."""
    entries = [
        _field(1, name.encode()) + _field(2, _field(1, _field(1, value)))
        for name, value in features.items()
    ]
    return _field(1, b"".join(_field(1, entry) for entry in entries))


def decode_example(payload):
    """{name: bytes} of an Example made by `encode_example`."""
    (features,) = _contents(memoryview(payload))  # whose parts are no copies
    pairs = (_contents(entry) for entry in _contents(features))
    return {
        bytes(name).decode(): bytes(_contents(_contents(feature)[0])[0]) for name, feature in pairs
    }


def _field(number, content):
    """A field of a protobuf message that holds bytes: its tag, the length, the bytes."""
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value):
    """An integer in groups of seven bits, lowest first; the eighth bit says that more follow."""
    groups = []
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])


def _contents(message):
    """The contents of a message's fields, in order, where all of them hold bytes."""
    contents, place = [], 0
    while place < len(message):
        length, shift, place = 0, 0, place + 1
        while message[place] & 128:
            length |= (message[place] & 127) << shift
            shift, place = shift + 7, place + 1
        length |= message[place] << shift
        place += 1 + length
        contents.append(message[place - length : place])
    return contents
