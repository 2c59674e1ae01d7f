"""Reading and writing images and label maps."""

import operator
import os
import warnings
from base64 import b64encode
from collections.abc import Callable
from contextlib import nullcontext
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from fcn_tutorial.data.dataset import VOID, Dataset, Files, color_table
from fcn_tutorial.errors import InputError, as_array, check_file, explained, warn
from fcn_tutorial.files import quiet, write_whole

LARGEST = 100_000_000  # pixels; an image of more is refused before it is decoded
STRIP = 512  # rows
DARKEST = 64  # of 255; an image of more than eight bits with nothing brighter is not scaled right
LOST = 'check the path or, if it belongs to a data set, run "fcn-tutorial data check"'
ORIENTATION = 0x0112  # EXIF's field; 1 = upright, 2 to 8 = turned or mirrored
# Others that Pillow knows are not images for a network, and one of them starts Ghostscript.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")

# Of images that large, one sentence is enough.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def read_image(file: str | os.PathLike | bytes, where: Any = None) -> np.ndarray:
    """Read an image file of any mode, turned upright as its EXIF data says.

    White is 65535 in an image of more than eight bits; in an image of floats, it is 1 if no value
    is above 1, else 255. If a file has several frames, the first is read, with a warning.

    Args:
        file: its path, or its bytes.
        where: what errors call it, if not by its path or "given as bytes".

    Returns:
        The image, RGB uint8 (H, W, 3).

    Raises:
        InputError: the file is missing, damaged or not an image, has more than LARGEST pixels, or
            holds values that are not on the scale of its type.
    """
    return _decoded(file, where, _upright_rgb)[0]


def read_as(path: str | os.PathLike, read: Callable[[Any], Any]) -> Any:
    """Open an image file and `read` it, given Pillow's image; errors are those of `read_image`."""
    return _decoded(path, None, lambda image, where: read(_upright(image)))


def encode_png(array: np.ndarray) -> bytes:
    """The bytes of a PNG of an image uint8 (H, W, 3) or of the ids of a label map uint8 (H, W)."""
    # Packed less tightly, a label is read a quarter faster, and is still small beside its photo.
    return encoded(Image.fromarray(array), "PNG", compress_level=1)


def encoded(picture: Image.Image, form: str, **options: Any) -> bytes:
    """The bytes of a file of Pillow's format `form`, with the `options` that it has."""
    content = BytesIO()
    picture.save(content, form, **options)
    return content.getvalue()


def data_uri(picture: Image.Image, form: str, **options: Any) -> str:
    """A picture as an address that holds all of it; as `encoded`."""
    content = b64encode(encoded(picture, form, **options)).decode()
    return f"data:image/{form.lower()};base64,{content}"


def read_label(
    file: str | os.PathLike | bytes, num_classes: int, void: int = VOID, where: Any = None
) -> np.ndarray:
    """Read a greyscale or palette PNG of ids below `num_classes`, or `void`, as uint8 (H, W).

    file, where: as for `read_image`. Void becomes 255. InputError where the file is missing,
    damaged, coloured, or has another id.
    """

    def read(image: Any, where: Any) -> np.ndarray:
        if (mode := image.mode) not in ("P", "L"):
            raise InputError(
                f"label {where} has mode {mode}: a label is a palette or greyscale PNG of ids."
            )
        return check_ids(np.array(_upright(image)), where, num_classes, void)

    return _decoded(file, where, read)


def check_ids(ids: np.ndarray, where: Any, num_classes: int, void: int = VOID) -> np.ndarray:
    """A label uint8 (H, W) whose void has become 255, in place.

    InputError, which names `where`, for an id that is neither void nor below `num_classes`.
    """
    if void != VOID:
        ids[ids == void] = VOID
    wrong = ids[(ids >= num_classes) & (ids != VOID)]
    if wrong.size:
        raise InputError(
            f"label {where} has class id {wrong[0]}: ids must be 0..{num_classes - 1}, or void."
        )
    return ids


def read_image_of(
    shape: tuple[int, ...], path: str | os.PathLike, label_path: str | os.PathLike
) -> np.ndarray:
    """Read the image, RGB uint8 (H, W, 3), of a label of `shape` (H, W), as `read_image`.

    Where EXIF turns an image, its label may have been drawn on the pixels as they lie in the file.
    It is refused where its size shows that; where its size cannot show it, there is a warning.
    """
    pixels, orientation = _decoded(path, None, _upright_rgb)
    size = pixels.shape[:2]
    if orientation in range(5, 9) and shape == size[::-1] != size:
        raise InputError(
            f"label {label_path} fits {path} only before EXIF orientation {orientation} turns it: "
            "save the image upright and turn the label with it."
        )
    check_sizes(size, shape, label_path)
    if orientation in range(2, 5) or (orientation in range(5, 9) and shape[0] == shape[1]):
        warn(
            f"EXIF turns images in {os.path.dirname(path)}, and nothing says whether their "
            "labels were drawn on upright images: look at some overlays, or save these images "
            "upright before labelling them."
        )
    return pixels


class ImageFiles(Dataset):
    """A data set of files; reads image and label from disk on access."""

    void = VOID  # in the files of the labels

    def __init__(self, name: str, split: str, files: Files):
        self.name, self.split = name, split
        self.names, self.files = tuple(files), files

    def image_file(self, index: int) -> Path:
        return self.files[self.names[operator.index(index)]][0]

    def label_file(self, index: int) -> Path:
        return self.files[self.names[operator.index(index)]][1]

    def read_label(self, index: int) -> np.ndarray:
        """The label uint8 (H, W) of an example; InputError where it is missing or damaged."""
        return read_label(self.label_file(index), len(self.classes), self.void)

    def __getitem__(self, index):
        label = self.read_label(index)
        return read_image_of(label.shape, self.image_file(index), self.label_file(index)), label


def check_sizes(size: tuple[int, ...], shape: tuple[int, ...], where: Any) -> None:
    """Raise InputError unless an image's size and its label's shape, both (H, W), are the same."""
    if size != shape:
        raise InputError(
            f"label {where} is {' x '.join(map(str, shape[::-1]))} pixels, but its image is "
            f"{size[1]} x {size[0]}: make them the same size."
        )


def checked_pair(
    image: Any, label: Any, where: Any, num_classes: int
) -> tuple[np.ndarray, np.ndarray]:
    """The image uint8 (H, W, 3) and the label uint8 (H, W) of an example of anybody's data set.

    InputError, which names `where`, if they are something else, differ in size, or hold another id.
    """
    image, label = as_array("image", image), as_array("label", label)
    bytes_ = image.dtype == label.dtype == np.uint8
    if not bytes_ or image.ndim != 3 or image.shape[2] != 3 or label.ndim != 2:
        raise InputError(
            f"example {where} must be an image uint8 (height, width, 3) and a label uint8 (height, "
            f"width), got {image.dtype} {image.shape} and {label.dtype} {label.shape}."
        )
    check_sizes(image.shape[:2], label.shape, where)
    return image, check_ids(label, where, num_classes)


def write_image(path: str | os.PathLike, image: np.ndarray) -> None:
    """Write an image uint8 (H, W, 3) to a file whose suffix says the format."""
    write_whole(path, Image.fromarray(image).save)


def write_label(path: str | os.PathLike, label: np.ndarray, palette: np.ndarray) -> None:
    """Write a label map uint8 (H, W) as a palette PNG: ids as they are, colours for viewers."""
    write_whole(path, paletted(label, palette).save)


def paletted(label: np.ndarray, palette: np.ndarray) -> Image.Image:
    """A label map uint8 (H, W) as a picture that holds its ids and their colours."""
    image = Image.fromarray(label)
    # With fewer than 256 colours the PNG would have fewer than eight bits, too few for void.
    image.putpalette(color_table(palette).tobytes())
    return image


def _upright(image):
    ImageOps.exif_transpose(image, in_place=True)
    return image


def _upright_rgb(image, where):
    """The pixels uint8 (H, W, 3) of an opened image, and the EXIF orientation that it had."""
    # Of colours in 16 bits, which only PNG and TIFF have, Pillow keeps the upper eight.
    sixteen = image.format in ("PNG", "TIFF") and ";16" in str(image.tile[:1])
    # The orientation is read before it is decoded, when Pillow itself turns a TIFF.
    with quiet() if image.format == "TIFF" else nullcontext():  # libtiff has lines of its own
        orientation = image.getexif().get(ORIENTATION, 1)
        _upright(image)
        image.load()
    white = 65535
    if image.mode == "F":
        white = 1 if image.getextrema()[1] <= 1 else 255
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    # Strip by strip: at once, a large image would lie in memory five times.
    for top in range(0, image.height, STRIP):
        strip = image.crop((0, top, image.width, min(top + STRIP, image.height)))
        pixels[top : top + STRIP] = _rgb(strip, white, where)
    if (sixteen or (image.mode[0] in "IF" and white > 1)) and pixels.max() <= DARKEST:
        raise InputError(
            f"image {where} has nothing brighter than {pixels.max() / 255:.0%} of its type's "
            "white, so its values are on another scale: rescale them, and save eight bits."
        )
    return pixels, orientation


def _rgb(image, white, where):
    if image.mode[0] in "IF":
        values = np.asarray(image)
        low, high = values.min(), values.max()
        if not 0 <= low <= high <= white:  # nor NaN
            raise InputError(
                f"image {where} has values from {low:g} to {high:g}, not from 0 to {white}: "
                "rescale them, and save eight bits."
            )
        image = Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))
    # Converting what is RGB already would copy it.
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _decoded(source, where, read):
    """Decode an image, a path or the bytes of a file, and `read` it, given what errors call it.

    Whatever goes wrong becomes one sentence that says `where`; None = the path.
    """
    if isinstance(source, bytes):  # they would fill a message, and take long to write
        where = where or "given as bytes"
    else:
        check_file(source, "image", LOST)
        where = where or source
    # Broken files make Pillow raise OSError, SyntaxError, ValueError and more.
    bomb, advice = (Image.DecompressionBombError,), "cut it up or make it smaller"
    with (
        explained(f"image {where} cannot be read", "replace it"),
        explained(f"image {where} has more than {LARGEST:,} pixels", advice, bomb),
        # A file that Pillow opens itself it may map, and then turns a TIFF's pixels wrongly.
        BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as stream,
        Image.open(stream, formats=FORMATS) as image,
    ):
        if image.width * image.height > LARGEST:
            raise Image.DecompressionBombError(f"it has {image.width} x {image.height}")
        if getattr(image, "is_animated", False) and image.format != "MPO":
            warn(f"image {where} has several frames: only the first is read.")
        return read(image, where)
