"""Keep what frozen layers make of an image, so that they see each image only once in a run.

Where only the layers above a frozen trunk learn, as in the paper's FCN-32s-fixed, and images are
not augmented, an epoch would compute the same maps as the one before, and they take most of its
time.

Source: Long, Shelhamer and Darrell 2015, Table 2 ("FCN-32s-fixed").
"""

import hashlib
import math
from pathlib import Path

import keras
import numpy as np
from tqdm import tqdm

from fcn_tutorial.data.dataset import Dataset
from fcn_tutorial.data.pipeline import Batches
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import write_whole


class KeptFeatures:
    """A network cut in two behind its layer `last`, the last frozen one.

    The first part, `trunk`, turns an image into maps, which stay in files of a folder, named by a
    hash of the image's pixels. The second, `head`, turns [the maps that it needs ..., image] into
    logits. Both share their layers with the model. InputError where the layers up to `last` are not
    frozen, or none is left to keep or to train.
    """

    def __init__(self, model: keras.Model, last: str, folder: Path):
        self.folder = folder
        self.inputs, self.layers = model.inputs, model.layers
        self._functional = model  # where geometry looks for the graph, as in a Sequential
        self.output_shape = model.output_shape
        image, self.maps = model.inputs[0], _between(model, last)
        self.trunk = keras.Model(image, self.maps)
        self.head = keras.Model([*self.maps, image], model.outputs[0], name=model.name)

    def of(self, images: np.ndarray) -> list[np.ndarray]:
        """The maps [float32 (N, h, w, C), ...] of images (N, H, W, 3), computed or read."""
        kept = [self._of_one(np.asarray(image, np.float32)) for image in images]
        return [np.stack(maps) for maps in zip(*kept, strict=True)]

    def _of_one(self, image):
        name = hashlib.blake2b(np.array(image.shape).tobytes() + image.tobytes(), digest_size=16)
        path = self.folder / f"{name.hexdigest()}.npz"
        if not path.is_file():
            found = keras.tree.flatten(self.trunk.predict_on_batch(image[None]))
            # NumPy's files know no bfloat16.
            maps = [np.asarray(each)[0].astype(np.float32) for each in found]
            write_whole(path, lambda unfinished: np.savez(unfinished, *maps))
        with np.load(path, allow_pickle=False) as file:
            return [file[key] for key in file.files]

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Logits (N, H, W, C) of images (N, H, W, 3), as the complete model gives them."""
        return self.head.predict_on_batch([*self.of(images), images])

    def batches(
        self, data: Batches, count: int, batch_size: int, progress: bool = False
    ) -> Batches:
        """Batches for `head.fit`: ((maps ..., images), labels ...) from (images, labels ...).

        The maps of the first pass, `count` examples in batches of `batch_size`, are computed here.
        """
        total = math.ceil(count / batch_size)
        for number in tqdm(range(total), "frozen layers", leave=False, disable=not progress):
            self.of(data[number][0])

        def make(number: int) -> tuple:
            images, *rest = data.make(number)
            return (*self.of(images), images), *rest

        return Batches(make)


def _between(model, last):
    """Outputs of the layers up to the one named `last` that layers behind it take as inputs."""
    names = [layer.name for layer in model.layers]
    frozen = model.layers[: names.index(last) + 1]
    behind = [layer for layer in model.layers if layer not in frozen]
    taken = [tensor for layer in behind for tensor in keras.tree.flatten(layer.input)]
    maps = [layer.output for layer in frozen[1:] if any(layer.output is each for each in taken)]
    if any(layer.trainable_weights for layer in frozen):
        raise InputError(f"keep_features needs the layers up to {last!r} to be frozen.")
    if not maps:
        raise InputError(
            f"keep_features needs frozen layers and layers that learn: freeze = {last!r} "
            "leaves none of one kind."
        )
    return maps


def check_crops(dataset: Dataset, crop_size: int) -> None:
    """Raise InputError unless every image fits into a crop, which then is the same each time."""
    for index, name in enumerate(dataset.names):
        height, width = dataset.read_label(index).shape
        if max(height, width) > crop_size:
            raise InputError(
                f"keep_features needs complete images, and {name} is {width} x {height} pixels: "
                f"set crop_size to at least {max(height, width)}."
            )
