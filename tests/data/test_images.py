"""Reading images and label maps: files of every kind, and files that are broken."""

import struct
import warnings
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odd_images import TURNED, read_pair
from PIL import Image, ImageFile

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID, images
from fcn_tutorial.data.images import read_image, read_label, write_image, write_label

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
GREY = RGB[..., 0]
PALETTE = np.arange(33, dtype=np.uint8).reshape(11, 3) * 7


def saved(path, array, mode=None, **options):
    Image.fromarray(array, **({"mode": mode} if mode else {})).save(path, **options)
    return path


def test_a_colour_image_comes_back_as_it_was_written(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint8 and image.flags.writeable  # the array is the reader's own
    np.testing.assert_array_equal(image, RGB)


def png(samples, kind):
    """The bytes of a PNG of 16-bit samples (H, W, C), which Pillow does not write in colour."""

    def chunk(name, content):
        body = name + content
        return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))

    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


KINDS = {0: 1, 4: 2, 2: 3, 6: 4}  # PNG's numbers of grey, grey + alpha, RGB, RGBA; channels


@pytest.mark.parametrize("kind", KINDS)
def test_sixteen_bits_become_eight(tmp_path, refusal, kind):
    count = KINDS[kind]
    deep = np.random.default_rng(0).integers(0, 65536, (5, 7, count))
    deep[0, 0] = 65535
    (tmp_path / "a.png").write_bytes(png(deep, kind))
    colors = deep[..., :3] if count > 2 else deep[..., :1]
    image = read_image(tmp_path / "a.png").astype(int)
    assert np.abs(image - colors / 257).max() <= 1
    for bits in (1, 8, 12, 14):  # of which the last two are as cameras have them
        (tmp_path / "b.png").write_bytes(png(deep >> (16 - bits), kind))
        assert "b.png has nothing brighter than" in refusal(read_image, tmp_path / "b.png")


@pytest.mark.parametrize("order", [">", "<"])
def test_sixteen_bits_of_a_tiff_of_either_byte_order(tmp_path, order):
    deep = GREY.astype(order + "u2") * 257
    image = Image.frombytes("I;16B" if order == ">" else "I;16", (7, 5), deep.tobytes())
    image.save(tmp_path / "a.tif")
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), np.dstack([GREY] * 3))


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_a_photo_is_turned_upright(tmp_path, suffix):
    lying = np.zeros((16, 32, 3), np.uint8)
    lying[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees clockwise
    image = read_image(saved(tmp_path / f"a.{suffix}", lying, exif=exif))
    assert image.shape == (32, 16, 3)
    assert image[:14].min() > 200 and image[18:].max() < 55


BAD = {
    "missing": (lambda path: path.unlink(), "is missing"),
    "text": (lambda path: path.write_text("milk, eggs"), "cannot be read"),
    "empty": (lambda path: path.write_bytes(b""), "cannot be read"),
    "truncated": (lambda path: path.write_bytes(path.read_bytes()[:2000]), "cannot be read"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_what_is_no_image_is_named(tmp_path, refusal, suffix, kind):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    path = saved(tmp_path / f"a.{suffix}", noise)
    spoil, sentence = BAD[kind]
    spoil(path)
    assert f"a.{suffix} {sentence}" in refusal(read_image, path)


@pytest.mark.parametrize("read", [read_image, lambda content: read_label(content, 3)])
def test_bytes_are_not_quoted(refusal, read):
    for content in (b"", bytes(100_000), images.encode_png(np.full((9, 9), 7, np.uint8))[:40]):
        message = refusal(read, content)
        assert "given as bytes" in message and len(message) <= 300


@given(label=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_a_label_map_survives_its_file(tmp_path_factory, label):
    label[(label >= 11) & (label != VOID)] = VOID
    path = tmp_path_factory.mktemp("label") / "label.png"
    write_label(path, label, PALETTE)
    np.testing.assert_array_equal(read_label(path, 11), label)


def test_a_label_file_shows_the_colours_of_its_classes(tmp_path):
    ids = (GREY % 11).astype(np.uint8)
    write_label(tmp_path / "label.png", ids, PALETTE)
    assert Image.open(tmp_path / "label.png").mode == "P"
    np.testing.assert_array_equal(read_image(tmp_path / "label.png"), PALETTE[ids])


def test_the_void_id_of_a_file_becomes_255_and_a_coloured_label_is_refused(tmp_path, refusal):
    path = saved(tmp_path / "label.png", np.array([[0, 4, 11, 255]], np.uint8))
    assert read_label(path, 11, void=11).tolist() == [[0, 4, VOID, VOID]]
    assert "label.png has mode RGB" in refusal(read_label, saved(path, RGB), 11)


def test_an_image_of_too_many_pixels_is_refused_undecoded(tmp_path, refusal, monkeypatch):
    path = saved(tmp_path / "large.png", RGB)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it is decoded"))
    for module, name, limit in ((images, "LARGEST", 10), (Image, "MAX_IMAGE_PIXELS", 5)):
        with monkeypatch.context() as patch:
            patch.setattr(module, name, limit)
            message = refusal(read_image, path)
        assert str(path) in message and "more than" in message


@pytest.mark.filterwarnings("ignore::fcn_tutorial.errors.InputWarning")
@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("shape", [(5, 7), (6, 6)])
@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_an_image_that_exif_turns_fits_only_an_upright_label(
    tmp_path, refusal, suffix, orientation, shape
):
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = saved(tmp_path / f"image.{suffix}", pixels, exif=exif)
    upright, lying = TURNED[orientation](pixels), pixels[..., 0] % 3
    label = saved(tmp_path / f"label.{suffix}", np.ascontiguousarray(TURNED[orientation](lying)))
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = read_pair(image, label, 3)
    np.testing.assert_array_equal(found[0], upright)
    np.testing.assert_array_equal(found[1], TURNED[orientation](lying))
    shows = orientation > 4 and shape[0] != shape[1]  # by its size, how the label was drawn
    expected = [] if orientation == 1 or shows else [True]
    assert [str(tmp_path) in str(each.message) for each in said] == expected
    if shows:
        saved(label, lying)
        message = refusal(read_pair, image, label, 3)
        assert str(label) in message and f"orientation {orientation}" in message
    # A label with the same orientation is turned like its image.
    saved(label, lying, exif=exif)
    np.testing.assert_array_equal(read_pair(image, label, 3)[1], TURNED[orientation](lying))


def test_a_damaged_tiff_is_refused_without_lines_of_libtiff(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for compression in ("tiff_lzw", "jpeg", "tiff_deflate"):
        path = tmp_path / f"{compression}.tif"
        Image.fromarray(noise).save(path, compression=compression)
        content = bytearray(path.read_bytes())
        content[200:2000] = bytes(1800)
        path.write_bytes(content)
        try:
            read_image(path)
        except fcn.InputError as error:
            assert str(path) in str(error)
    assert capfd.readouterr().err == ""
