"""`fcn-tutorial classify`."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Argument, Option

from fcn_tutorial.cli.common import percent, quiet_import


def classify(
    photos: Annotated[list[Path], Argument(help="Image files.")],
    weights: Annotated[
        str, Option(help="imagenet, or a weights file of Keras's VGG16.")
    ] = "imagenet",
) -> None:
    """Name what is in the middle of photos, in three guesses by a convolutionalized VGG-16."""
    with quiet_import():
        from fcn_tutorial.backbones import vgg16
        from fcn_tutorial.data.images import read_image
        from fcn_tutorial.surgery import convolutionize, top_classes
    images = [_middle(read_image(photo)) for photo in photos]
    network = convolutionize(vgg16(weights))
    names = _imagenet_names()
    for photo, image in zip(photos, images, strict=True):
        guesses = [
            f"{names[index] if names else f'class {index}'} {percent(probability)}"
            for index, probability in top_classes(network, image)
        ]
        print(f"{photo}: {', '.join(guesses)}")
    if not names:
        print("The names of the classes could not be downloaded; classes are given by number.")


def _middle(photo: np.ndarray) -> np.ndarray:
    """The photo, its shorter side resized to 224 pixels, cropped to what its centre cell sees.

    With sides of 224 plus a multiple of 64 the centre cell lies in the middle; it sees 404 pixels,
    so 416 are enough.
    """
    from PIL import Image

    height, width = photo.shape[:2]
    scale = 224 / min(height, width)
    rows, columns = (224 + 64 * min(int(scale * side - 224) // 64, 3) for side in (height, width))
    top, left = max(0, height - rows / scale) / 2, max(0, width - columns / scale) / 2
    box = (left, top, width - left, height - top)
    resized = Image.fromarray(photo).resize((columns, rows), Image.Resampling.BILINEAR, box)
    return np.asarray(resized)


def _imagenet_names() -> list[str] | None:
    """The names of ImageNet's 1000 classes, which Keras downloads once; None if it cannot."""
    from keras.applications.imagenet_utils import decode_predictions

    try:
        with redirect_stdout(io.StringIO()):
            decoded = decode_predictions(np.eye(1000), top=1)
    except Exception:  # Keras raises plain Exceptions when a download fails
        return None
    return [name.replace("_", " ") for ((_, name, _),) in decoded]
