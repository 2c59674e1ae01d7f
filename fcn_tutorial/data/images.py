"""Reading and writing images and label maps."""

import os
import re
import warnings
from io import BytesIO

import numpy as np
from PIL import Image, ImageOps

from fcn_tutorial.data.dataset import VOID, VOID_COLOR
from fcn_tutorial.errors import InputError, reason_of
from fcn_tutorial.files import write_whole

LARGEST = 100_000_000  # pixels; an image of more is refused before it is decoded
STRIP = 512  # rows
# Others that Pillow knows are not images for a network, and one of them starts Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# Of images that large, one sentence is enough.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_image(path):
    """Read an image file of any mode as uint8 RGB (H, W, 3), turned upright as its EXIF data says.

    Raises InputError, naming the file, when it is missing, truncated or no image, or when it has
    more than LARGEST pixels.
    """
    return _decoded(_present(path), path, _upright_rgb)


def decode_image(content, where):
    """As `read_image`, from the bytes of a file; `where` is named in errors."""
    return _decoded(BytesIO(content), where, _upright_rgb)


def decode_label(content, where, num_classes):
    """The ids uint8 (H, W) in the bytes of a PNG that `encode_png` made, checked by `check_ids`."""
    return _label(BytesIO(content), where, num_classes, VOID)


def encode_png(array):
    """The bytes of a PNG of an image uint8 (H, W, 3) or of the ids of a label map uint8 (H, W)."""
    content = BytesIO()
    # Packed less tightly, a label is read a quarter faster, and is still small beside its photo.
    Image.fromarray(array).save(content, "PNG", compress_level=1)
    return content.getvalue()


def read_label(path, num_classes, void=VOID):
    """Read a label map (greyscale or palette PNG) as uint8 (H, W); the id `void` becomes 255.

    Raises InputError, naming the file, when it is missing, truncated, coloured, or holds an id that
    is neither below num_classes nor void.
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


def check_ids(ids, where, num_classes, void=VOID):
    """The label map uint8 (H, W) with 255 for the id `void`; `where` is named in errors.

    Raises InputError for an id that is neither below num_classes nor void.
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
            f"{image.shape[1]} x {image.shape[0]}: make them the same size."
        )


def write_image(path, image):
    """Write an image uint8 (H, W, 3) to a file whose suffix says the format."""
    write_whole(path, Image.fromarray(image).save)


def write_label(path, label, palette):
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
    if not os.path.isfile(path):
        raise InputError(
            f"image {path} is missing: check the path, or, if it belongs to a data set, run "
            '"fcn-tutorial data check".'
        )
    return path


def _decoded(file, where, read):
    """Decode an image and `read` it; whatever goes wrong becomes one sentence that says where."""
    try:
        with Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > LARGEST:
                raise _too_large(image.width * image.height, where)
            image.load()
            return read(image)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_large(int(re.search(r"\d+", str(error)).group()), where) from error
    except Exception as error:
        # Broken files make Pillow raise OSError, SyntaxError, ValueError and more.
        raise InputError(
            f"image {where} cannot be read ({reason_of(error)}): replace it."
        ) from error


def _too_large(count, where):
    return InputError(
        f"image {where} has {count:,} pixels, more than the {LARGEST:,} that are read: cut it into "
        "parts or make it smaller."
    )
