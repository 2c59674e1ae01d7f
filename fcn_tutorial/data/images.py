"""Reading and writing images and label maps."""

import os
import re
import warnings
from collections.abc import Callable
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from fcn_tutorial.data.dataset import VOID, VOID_COLOR
from fcn_tutorial.errors import InputError, check_file, explained
from fcn_tutorial.files import write_whole

LARGEST = 100_000_000  # pixels; an image of more is refused before it is decoded
STRIP = 512  # rows
# Others that Pillow knows are not images for a network, and one of them starts Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# Of images that large, one sentence is enough.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_image(path: str | os.PathLike) -> np.ndarray:
    """Read an image file of any mode, turned upright as its EXIF data says.

    Args:
        path: the file.

    Returns:
        The image, RGB uint8 (H, W, 3).

    Raises:
        InputError: the file is missing, damaged or not an image, or has more than LARGEST pixels.
    """
    return _decoded(_present(path), path, _upright_rgb)


def read_as(path: str | os.PathLike, read: Callable[[Any], Any]) -> Any:
    """Open an image file and `read` it, given Pillow's image; errors are those of `read_image`."""
    return _decoded(_present(path), path, read)


def decode_image(content: bytes, where: str) -> np.ndarray:
    """As `read_image`, from the bytes of a file; `where` is named in errors."""
    return _decoded(BytesIO(content), where, _upright_rgb)


def decode_label(content: bytes, where: str, num_classes: int) -> np.ndarray:
    """As `read_label`, from the bytes of a PNG that `encode_png` made."""
    return _label(BytesIO(content), where, num_classes, VOID)


def encode_png(array: np.ndarray) -> bytes:
    """The bytes of a PNG of an image uint8 (H, W, 3) or of the ids of a label map uint8 (H, W)."""
    content = BytesIO()
    # Packed less tightly, a label is read a quarter faster, and is still small beside its photo.
    Image.fromarray(array).save(content, "PNG", compress_level=1)
    return content.getvalue()


def read_label(path: str | os.PathLike, num_classes: int, void: int = VOID) -> np.ndarray:
    """Read a label map from a greyscale or palette PNG.

    Args:
        path: the file.
        num_classes: ids must be below, or void.
        void: the id of void in the file; it becomes 255.

    Returns:
        The label, uint8 (H, W).

    Raises:
        InputError: the file is missing, damaged, coloured, or holds another id.
    """
    return _label(_present(path), path, num_classes, void)


def _label(file, where, num_classes, void):
    def read(image):
        if image.mode not in ("P", "L"):
            raise InputError(
                f"label {where} has mode {image.mode}: a label is a palette or greyscale PNG of "
                "ids."
            )
        return np.array(image)

    return check_ids(_decoded(file, where, read), where, num_classes, void)


def check_ids(ids: np.ndarray, where: Any, num_classes: int, void: int = VOID) -> np.ndarray:
    """Make sure that a label map, uint8 (H, W), holds only class ids and void, which becomes 255.

    Args:
        ids: the label, changed in place.
        where: what errors name.
        num_classes, void: as for `read_label`.

    Returns:
        The label.

    Raises:
        InputError: another id.
    """
    if void != VOID:
        ids[ids == void] = VOID
    wrong = (ids >= num_classes) & (ids != VOID)
    if wrong.any():
        raise InputError(
            f"label {where} has class id {ids[wrong][0]}: ids must be 0..{num_classes - 1}, or "
            "void."
        )
    return ids


def read_pair(
    image_path: str | os.PathLike, label_path: str | os.PathLike, num_classes: int, void: int = VOID
) -> tuple[np.ndarray, np.ndarray]:
    """Read an image and its label, which must be of one size; as `read_image`, `read_label`."""
    image, label = read_image(image_path), read_label(label_path, num_classes, void)
    check_sizes(image, label, label_path)
    return image, label


def check_sizes(image: np.ndarray, label: np.ndarray, where: Any) -> None:
    """Raise InputError unless image and label are of one size; `where` names the label."""
    if image.shape[:2] != label.shape:
        raise InputError(
            f"label {where} is {label.shape[1]} x {label.shape[0]} pixels, but its image is "
            f"{image.shape[1]} x {image.shape[0]}: make them the same size."
        )


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write an image uint8 (H, W, 3) to a file whose suffix says the format."""
    write_whole(path, Image.fromarray(image).save)


def write_label(path: str | os.PathLike, label: np.ndarray, palette: np.ndarray) -> None:
    """Write a label map uint8 (H, W) as a palette PNG: ids as they are, colours for viewers."""
    # With fewer than 256 colours the PNG would have fewer than eight bits, too few for void.
    colors = np.full((256, 3), VOID_COLOR, np.uint8)
    colors[: len(palette)] = palette
    image = Image.fromarray(label)
    image.putpalette(colors.tobytes())
    write_whole(path, image.save)


def _upright_rgb(image):
    ImageOps.exif_transpose(image, in_place=True)
    if image.height <= STRIP:
        return np.array(_rgb(image))
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    # Strip by strip: at once, a large image would lie in memory five times.
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        pixels[top : top + STRIP] = _rgb(strip)
    return pixels


def _rgb(image):
    if image.mode.startswith("I"):
        # Sixteen bits, which Pillow holds as integers of 16 or 32 bits.
        image = Image.fromarray(np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8))
    # Converting what is RGB already would copy it.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _present(path):
    advice = 'check the path or, if it belongs to a data set, run "fcn-tutorial data check"'
    check_file(path, "image", advice)
    return path


def _decoded(file, where, read):
    """Decode an image and `read` it; whatever goes wrong becomes one sentence that says where."""
    # Broken files make Pillow raise OSError, SyntaxError, ValueError and more.
    with explained(f"image {where} cannot be read", "replace it"):
        try:
            with Image.open(file, formats=FORMATS) as image:
                if image.width * image.height > LARGEST:
                    raise _too_large(image.width * image.height, where)
                image.load()
                return read(image)
        except Image.DecompressionBombError as error:
            raise _too_large(int(re.search(r"\d+", str(error)).group()), where) from error


def _too_large(count, where):
    return InputError(
        f"image {where} has {count:,} pixels, more than the {LARGEST:,} that are read: cut it into "
        "parts or make it smaller."
    )
