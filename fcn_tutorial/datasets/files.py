"""Where data lives, and reading images and label maps from files of any kind."""

import os
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fcn_tutorial.datasets import VOID, VOID_COLOR
from fcn_tutorial.errors import InputError


def data_root(root=None):
    """The folder that holds the data sets: `root`, else $FCN_DATA, else the user's cache folder."""
    return Path(root or os.environ.get("FCN_DATA") or Path.home() / ".cache" / "fcn_tutorial")


def read_image(path):
    """Read an image file of any mode as uint8 RGB (H, W, 3), turned upright as its EXIF data says.

    Raises InputError, naming the file, when it is missing, truncated or no image.
    """
    return _upright_rgb(_opened(path))


def decode_image(content, where):
    """As `read_image`, from the bytes of a file; `where` is named in errors."""
    return _upright_rgb(_decoded(BytesIO(content), where))


def decode_label(content, where):
    """The ids uint8 (H, W) in the bytes of a PNG that `encode_png` made."""
    return np.array(_decoded(BytesIO(content), where))


def encode_png(array):
    """The bytes of a PNG of an image uint8 (H, W, 3) or of the ids of a label map uint8 (H, W)."""
    content = BytesIO()
    Image.fromarray(array).save(content, "PNG")
    return content.getvalue()


def read_label(path, num_classes, void=VOID):
    """Read a label map (greyscale or palette PNG) as uint8 (H, W); the id `void` becomes 255.

    Raises InputError, naming the file, when it is missing, truncated, coloured, or holds an id that
    is neither below num_classes nor void.
    """
    image = _opened(path)
    if image.mode not in ("P", "L"):
        raise InputError(
            f"label {path} has mode {image.mode}: a label is a palette or greyscale PNG of ids."
        )
    return check_ids(np.array(image), path, num_classes, void)


def check_ids(ids, where, num_classes, void=VOID):
    """The label map uint8 (H, W) with 255 for the id `void`; `where` is named in errors.

    Raises InputError for an id that is neither below num_classes nor void.
    """
    ids[ids == void] = VOID
    wrong = ids[(ids >= num_classes) & (ids != VOID)]
    if wrong.size:
        raise InputError(
            f"label {where} has class id {wrong[0]}: ids must be 0..{num_classes - 1}, or void."
        )
    return ids


def read_pair(image_path, label_path, num_classes, void=VOID):
    """Read an image and its label; raises InputError when they are of different sizes."""
    image, label = read_image(image_path), read_label(label_path, num_classes, void)
    check_sizes(image, label, label_path)
    return image, label


def check_sizes(image, label, where):
    """Raise InputError unless image and label are of one size; `where` names the label."""
    if image.shape[:2] != label.shape:
        raise InputError(
            f"label {where} is {label.shape[1]} x {label.shape[0]} pixels, but its image is "
            f"{image.shape[1]} x {image.shape[0]}: they must be of one size."
        )


def write_image(path, image):
    """Write an image uint8 (H, W, 3) to a file whose suffix says the format."""
    Image.fromarray(image).save(path)


def write_label(path, label, palette):
    """Write a label map uint8 (H, W) as a palette PNG: ids as they are, colours for viewers."""
    # With fewer than 256 colours the PNG would have fewer than eight bits, too few for void.
    colors = np.full((256, 3), VOID_COLOR, np.uint8)
    colors[: len(palette)] = palette
    image = Image.fromarray(label)
    image.putpalette(colors.tobytes())
    image.save(path)


def _upright_rgb(image):
    if image.mode.startswith("I"):
        # Sixteen bits, which Pillow holds as integers of 16 or 32 bits.
        image = Image.fromarray(np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8))
    return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def _opened(path):
    if not Path(path).is_file():
        raise InputError(
            f"image {path} is missing: check the path, or, if it belongs to a data set, run "
            '"fcn-tutorial data check".'
        )
    return _decoded(path, path)


def _decoded(file, where):
    """Open and decode an image; whatever Pillow raises becomes one sentence that says where."""
    try:
        with Image.open(file) as image:
            image.load()
            return image
    except Exception as error:
        # Broken files make Pillow raise OSError, SyntaxError, ValueError and more.
        raise InputError(f"image {where} cannot be read ({error}): replace it.") from error
