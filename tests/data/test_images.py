"""Reading images and label maps: files of every kind, and files that are broken."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.data import VOID
from fcn_tutorial.data import images as files
from fcn_tutorial.data.images import (
    read_image,
    read_label,
    read_pair,
    write_image,
    write_label,
)

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3)).astype(np.uint8)
GREY = RGB[..., 0]
PALETTE = np.arange(33, dtype=np.uint8).reshape(11, 3) * 7


def saved(path, array, mode=None, **options):
    Image.fromarray(array, **({"mode": mode} if mode else {})).save(path, **options)
    return path


def grey_as_rgb(grey):
    return np.repeat(grey[..., None], 3, axis=-1)


def test_a_colour_image_comes_back_as_it_was_written(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    image = read_image(tmp_path / "a.png")
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, RGB)
    image[:] = 0  # the array is the reader's own


def test_a_grey_image_has_three_equal_channels(tmp_path):
    image = read_image(saved(tmp_path / "a.png", GREY))
    np.testing.assert_array_equal(image, grey_as_rgb(GREY))


@pytest.mark.parametrize("colors", [GREY[..., None], RGB], ids=["grey", "colour"])
def test_transparency_is_left_out(tmp_path, colors):
    alpha = np.full((5, 7, 1), 100, np.uint8)
    image = read_image(saved(tmp_path / "a.png", np.concatenate([colors, alpha], axis=-1)))
    np.testing.assert_array_equal(image, np.broadcast_to(colors, RGB.shape))


@pytest.mark.parametrize("options", [{}, {"transparency": 2}], ids=["opaque", "transparent"])
def test_a_palette_image_shows_its_colours(tmp_path, options):
    ids = (GREY % 11).astype(np.uint8)
    image = Image.fromarray(ids)
    image.putpalette(PALETTE.tobytes())
    image.save(tmp_path / "a.png", **options)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), PALETTE[ids])


def test_a_cmyk_jpeg_becomes_rgb(tmp_path):
    red = Image.new("RGB", (7, 5), (255, 0, 0)).convert("CMYK")
    red.save(tmp_path / "a.jpg")
    image = read_image(tmp_path / "a.jpg")
    assert image.dtype == np.uint8 and image.shape == (5, 7, 3)
    assert np.abs(image.astype(int) - (255, 0, 0)).max() < 10


def test_sixteen_bits_become_eight(tmp_path):
    deep = GREY.astype(np.uint16) * 257
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", deep)), grey_as_rgb(GREY))


def test_integers_beyond_sixteen_bits_are_clipped(tmp_path):
    values = np.array([[-5, 0, 65535, 10**6]], np.int32)
    image = read_image(saved(tmp_path / "a.tif", values))
    assert image[0, :, 0].tolist() == [0, 0, 255, 255]


def test_one_bit_images_are_black_and_white(tmp_path):
    Image.fromarray(GREY > 127).save(tmp_path / "a.png")
    assert set(np.unique(read_image(tmp_path / "a.png"))) == {0, 255}


def test_a_single_pixel_is_an_image(tmp_path):
    np.testing.assert_array_equal(read_image(saved(tmp_path / "a.png", RGB[:1, :1])), RGB[:1, :1])


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp"])
def test_a_photo_is_turned_upright(tmp_path, suffix):
    lying = np.zeros((16, 32, 3), np.uint8)
    lying[:, :16] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90 degrees clockwise
    image = read_image(saved(tmp_path / f"a.{suffix}", lying, exif=exif))
    assert image.shape == (32, 16, 3)
    assert image[:14].min() > 200 and image[18:].max() < 55


def test_a_missing_image_is_named(tmp_path, refusal):
    assert "nowhere.png is missing" in refusal(read_image, tmp_path / "nowhere.png")


def test_a_text_file_is_no_image(tmp_path, refusal):
    (tmp_path / "notes.jpg").write_text("milk, eggs")
    assert "notes.jpg cannot be read" in refusal(read_image, tmp_path / "notes.jpg")


def test_an_empty_file_is_no_image(tmp_path, refusal):
    (tmp_path / "none.png").touch()
    assert "none.png cannot be read" in refusal(read_image, tmp_path / "none.png")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_a_truncated_image_is_named(tmp_path, refusal, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3)).astype(np.uint8)
    path = saved(tmp_path / f"half.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert f"half.{suffix} cannot be read" in refusal(read_image, path)


def test_a_decompression_bomb_is_refused(tmp_path, refusal, monkeypatch):
    path = saved(tmp_path / "bomb.png", RGB)
    monkeypatch.setattr(files, "LARGEST", 10)
    assert "bomb.png has 35 pixels, more than the 10 that are read" in refusal(read_image, path)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@settings(max_examples=150, deadline=None)
@given(
    suffix=st.sampled_from(["png", "jpg"]),
    changes=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
)
def test_damaged_bytes_give_an_image_or_a_refusal(tmp_path_factory, suffix, changes):
    exif = Image.Exif()
    exif[0x0112] = 3
    path = saved(tmp_path_factory.mktemp("damage") / f"a.{suffix}", RGB, exif=exif)
    content = bytearray(path.read_bytes())
    for place, value in changes:
        content[int(place * len(content))] = value
    path.write_bytes(content)
    try:
        image = read_image(path)
    except fcn.InputError as error:
        assert path.name in str(error) and "\n" not in str(error)
    else:
        assert image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3


@settings(max_examples=25, deadline=None)
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


def test_the_void_id_of_a_file_becomes_255(tmp_path):
    path = saved(tmp_path / "label.png", np.array([[0, 4, 11, 255]], np.uint8))
    assert read_label(path, 11, void=11).tolist() == [[0, 4, VOID, VOID]]


def test_a_class_id_out_of_range_is_named(tmp_path, refusal):
    path = saved(tmp_path / "label.png", np.array([[0, 12]], np.uint8))
    message = refusal(read_label, path, 11, void=11)
    assert "label.png has class id 12" in message and "0..10" in message


def test_a_coloured_label_is_refused(tmp_path, refusal):
    path = saved(tmp_path / "label.png", RGB)
    assert "label.png has mode RGB" in refusal(read_label, path, 11)


def test_image_and_label_must_be_of_one_size(tmp_path, refusal):
    image = saved(tmp_path / "image.png", RGB)
    label = saved(tmp_path / "label.png", np.zeros((7, 5), np.uint8))
    message = refusal(read_pair, image, label, 11)
    assert "label.png is 5 x 7 pixels" in message and "7 x 5" in message
