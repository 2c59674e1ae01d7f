"""`fcn-tutorial classify`."""

from functools import partial
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
        from PIL import Image, ImageOps
        from scipy.special import softmax

        from fcn_tutorial.data.images import read_image
        from fcn_tutorial.pretrained import imagenet_classes, load_trained
    middle = partial(ImageOps.fit, size=(CROPPED, CROPPED), bleed=(1 - CROPPED / RESIZED) / 2)
    images = np.stack([np.asarray(middle(Image.fromarray(read_image(photo)))) for photo in photos])
    with quiet():
        logits = load_trained("efficientnet_lite0").predict(images, verbose=0).astype(float)
    names = imagenet_classes()
    for photo, probabilities in zip(photos, softmax(logits, axis=-1), strict=True):
        best = np.argsort(-probabilities, kind="stable")[:3]
        print(f"{photo}: {', '.join(f'{names[i]} {percent(probabilities[i])}' for i in best)}")
