"""Whatever a picture is like, it is read as it is meant or refused.

`make thorough` draws 10,000 examples for each test.
"""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from odd_images import TURNED
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial.errors import InputWarning

pytestmark = pytest.mark.filterwarnings("ignore")


def read(path):
    """The image in a file; None where it is refused in one sentence."""
    try:
        return fcn.read_image(path)
    except fcn.InputError as error:
        assert str(error) and "\n" not in str(error)
        return None


SIZES = st.tuples(st.integers(1, 12), st.integers(1, 12))
TOPS = st.sampled_from([0, 1, 255, 300, 4095, 16383, 16384, 30000, 65535, 65536, 10**6])


def of_integers(pixels, top, low):
    """Values from `low` to `top`, and what they look like in eight bits; None: on no scale."""
    values = low + (top - low) * (pixels[..., 0].astype(np.int64)) // 255
    on_scale = values.min() >= 0 and values.max() <= 65535
    grey = np.rint(values / 257)
    return values, grey if on_scale and grey.max() > 64 else None


@given(size=SIZES, top=TOPS, low=st.sampled_from([0, 0, 0, -3, 1000]), seed=st.integers(0, 99))
def test_integers_are_scaled_by_their_type_or_refused(tmp_path, size, top, low, seed):
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 1))
    values, expected = of_integers(pixels, top, low)
    deep = values.min() >= 0 and values.max() < 2**16 and seed % 2
    image = Image.fromarray(values.astype(np.uint16 if deep else np.int32))
    path = tmp_path / ("a.png" if deep and seed % 4 == 1 else "a.tif")
    image.save(path)
    found = read(path)
    assert (found is None) == (expected is None)
    if found is not None:
        np.testing.assert_array_equal(found, np.repeat(expected[..., None], 3, axis=-1))


FLOATS = st.floats(0, 1, width=32) | st.floats(-1, 300, width=32) | st.floats(width=32)


@given(values=arrays(np.float32, SIZES, elements=FLOATS))
def test_floats_are_scaled_by_their_white_or_refused(tmp_path, values):
    Image.fromarray(values).save(tmp_path / "a.tif")
    found = read(tmp_path / "a.tif")
    low, high = values.min(), values.max()
    white = 1 if high <= 1 else 255
    right = low >= 0 and high <= white and (white == 1 or np.rint(high) > 64)
    assert (found is not None) == right
    if right:
        expected = np.rint(values.astype(np.float64) * (255 / white))
        assert np.abs(found.astype(int) - expected[..., None]).max() <= 1


MODES = {  # and the formats that keep their pixels
    "L": ("png", "tif", "bmp"),
    "LA": ("png", "tif"),
    "RGB": ("png", "tif", "bmp"),
    "RGBA": ("png", "tif"),
    "P": ("png", "tif", "gif"),
    "1": ("png", "tif"),
    "CMYK": ("tif",),
}


@given(
    size=SIZES,
    mode=st.sampled_from(sorted(MODES)),
    number=st.integers(0, 2),
    orientation=st.integers(0, 9),
    frames=st.integers(1, 3),
    cut=st.none() | st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_a_picture_of_any_mode_is_read_as_pillow_shows_it(
    tmp_path, size, mode, number, orientation, frames, cut, seed
):
    rng, suffix = np.random.default_rng(seed), MODES[mode][number % len(MODES[mode])]
    source = Image.fromarray(rng.integers(0, 256, (*size, 3), np.uint8))
    source = source.convert("RGBA").convert("LA") if mode == "LA" else source.convert(mode)
    options, exif = {}, Image.Exif()
    exif[0x0112] = orientation
    turns = suffix in ("png", "tif")
    options |= {"exif": exif} if turns else {}
    several = frames > 1 and suffix != "bmp" and (suffix != "png" or mode in ("RGB", "RGBA"))
    if several:
        others = [Image.new(source.mode, source.size) for _ in range(1, frames)]
        options |= {"save_all": True, "append_images": others}
    path = tmp_path / f"a.{suffix}"
    source.save(path, **options)
    if cut is not None:
        path.write_bytes(path.read_bytes()[: int(cut * path.stat().st_size)])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", InputWarning)
        found = read(path)
    if cut is None:
        turn = TURNED[orientation] if turns and orientation in TURNED else np.asarray
        np.testing.assert_array_equal(found, turn(np.asarray(source.convert("RGB"))))
        if suffix != "gif":  # which leaves frames out that change nothing
            assert any("several frames" in str(each.message) for each in said) == several


# Not ru_maxrss, which starts with the memory of the process that started this one.
MEASURED = """
import re, sys
from fcn_tutorial import cli
sys.argv = ["fcn-tutorial", *sys.argv[1:]]
try:
    cli.main()
finally:
    print(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1])
"""


@pytest.mark.slow
@pytest.mark.skipif(settings().max_examples < 1000, reason="make thorough runs it")
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_the_largest_image_that_is_read_takes_less_than_two_gigabytes(tmp_path):
    photo = tmp_path / "large.png"
    Image.new("L", (10_000, 10_000), 128).save(photo)
    command = [sys.executable, "-c", MEASURED, "segment", "fcn8s", photo, "--output", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert photo.stat().st_size < 200_000 and done.returncode == 0, done.stderr
    assert Image.open(tmp_path / "large-label.png").size == (10_000, 10_000)
    peak = 1024 * int(done.stdout.split()[-1])
    print(f"peak {peak / 1e6:.0f} MB")
    assert peak < 2e9
