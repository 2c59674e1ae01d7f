"""Where data lives, and reading images and label maps from files of any kind."""

import os
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
    image = _decoded(path)
    if image.mode.startswith("I"):
        # Sixteen bits, which Pillow holds as integers of 16 or 32 bits.
        image = Image.fromarray(np.clip(np.asarray(image) // 257, 0, 255).astype(np.uint8))
    return np.array(ImageOps.exif_transpose(image).convert("RGB"))


def read_label(path, num_classes, void=VOID):
    """Read a label map (greyscale or palette PNG) as uint8 (H, W); the id `void` becomes 255.

    Raises InputError, naming the file, when it is missing, truncated, coloured, or holds an id that
    is neither below num_classes nor void.
    """
    image = _decoded(path)
    if image.mode not in ("P", "L"):
        raise InputError(
            f"label {path} has mode {image.mode}: a label is a palette or greyscale PNG of ids."
        )
    ids = np.array(image)
    ids[ids == void] = VOID
    wrong = ids[(ids >= num_classes) & (ids != VOID)]
    if wrong.size:
        raise InputError(
            f"label {path} has class id {wrong[0]}: ids must be 0..{num_classes - 1}, or void."
        )
    return ids


def read_pair(image_path, label_path, num_classes, void=VOID):
    """Read an image and its label; raises InputError when they are of different sizes."""
    image, label = read_image(image_path), read_label(label_path, num_classes, void)
    if image.shape[:2] != label.shape:
        raise InputError(
            f"label {label_path} is {label.shape[1]} x {label.shape[0]} pixels, but its image is "
            f"{image.shape[1]} x {image.shape[0]}: they must be of one size."
        )
    return image, label


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


def _decoded(path):
    """Open and decode an image; whatever Pillow raises becomes one sentence with the path."""
    if not Path(path).is_file():
        raise InputError(f"image {path} is missing: check the path.")
    try:
        with Image.open(path) as image:
            image.load()
            return image
    except Exception as error:
        # Broken files make Pillow raise OSError, SyntaxError, ValueError and more.
        raise InputError(f"image {path} cannot be read ({error}): replace it.") from error
