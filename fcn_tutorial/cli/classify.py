"""`fcn-tutorial classify`."""

from pathlib import Path
from typing import Annotated

import numpy as np
from typer import Argument

from fcn_tutorial.cli.common import quiet_import
from fcn_tutorial.errors import check_file
from fcn_tutorial.files import quiet
from fcn_tutorial.tables import percent

RESIZED, CROPPED = 256, 224  # pixels: the shorter side, and the middle that the classifier sees


def classify(photos: Annotated[list[Path], Argument(help="Image files.")]) -> None:
    """Print EfficientNet-Lite0's three best guesses at what is in the middle of each photo."""
    for photo in photos:
        check_file(photo, "image", "give the path of an image file")
    with quiet_import():
        from fcn_tutorial.data.images import read_image
        from fcn_tutorial.pretrained import imagenet_classes, load_trained
    images = np.stack([_middle(read_image(photo)) for photo in photos])
    with quiet():
        logits = load_trained("efficientnet_lite0").predict(images, verbose=0).astype(float)
    names = imagenet_classes()
    for photo, scores in zip(photos, logits, strict=True):
        probabilities = np.exp(scores - scores.max())
        probabilities /= probabilities.sum()
        best = np.argsort(-probabilities, kind="stable")[:3]
        print(f"{photo}: {', '.join(f'{names[i]} {percent(probabilities[i])}' for i in best)}")


def _middle(photo: np.ndarray) -> np.ndarray:
    """The square in the middle of a photo whose shorter side is resized, uint8 (224, 224, 3)."""
    from PIL import Image

    height, width = photo.shape[:2]
    side = min(height, width) * CROPPED / RESIZED
    left, top = (width - side) / 2, (height - side) / 2
    box = (left, top, left + side, top + side)
    resized = Image.fromarray(photo).resize((CROPPED,) * 2, Image.Resampling.BICUBIC, box)
    return np.asarray(resized)
