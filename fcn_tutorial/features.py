"""Keep what frozen layers make of an image, so that they see each image only once in a run.

Where only the layers above a frozen trunk learn, as in the paper's FCN-32s-fixed, and images are
not augmented, an epoch would compute the same maps as the one before, and they take most of its
time.

Source: Long, Shelhamer and Darrell 2015, Table 2 ("FCN-32s-fixed").
"""

import hashlib
import math

import keras
import numpy as np
import tensorflow as tf
from tqdm import tqdm

from fcn_tutorial.errors import InputError
from fcn_tutorial.files import make_folder, write_whole


class KeptFeatures:
    """A network cut in two behind its frozen layers; what the first part gives stays in files.

    model: its layers up to the one named `last` are frozen. folder: for the files, one for each
    image (as a hash of its pixels).
    `head` is the second part, from [the maps that it needs ..., image] to logits; it shares its
    layers with the model.
    """

    def __init__(self, model, last, folder):
        self.folder = folder
        self.inputs, self.layers = model.inputs, model.layers
        self.output_shape = model.output_shape
        image, self.maps = model.inputs[0], _between(model, last)
        self.trunk = keras.Model(image, self.maps)
        self.head = keras.Model([*self.maps, image], model.outputs[0], name=model.name)

    def of(self, images):
        """The maps [(N, h, w, C) float32, ...] of images (N, H, W, 3), computed or read."""
        kept = [self._of_one(np.asarray(image, np.float32)) for image in images]
        return [np.stack(maps) for maps in zip(*kept, strict=True)]

    def _of_one(self, image):
        name = hashlib.blake2b(np.array(image.shape).tobytes() + image.tobytes(), digest_size=16)
        path = self.folder / f"{name.hexdigest()}.npz"
        if not path.is_file():
            make_folder(self.folder)
            found = self.trunk.predict_on_batch(image[None])
            found = found if len(self.maps) > 1 else [found]
            # NumPy's files know no bfloat16.
            maps = [np.asarray(each)[0].astype(np.float32) for each in found]
            write_whole(path, lambda unfinished: _save(unfinished, maps))
        with np.load(path, allow_pickle=False) as file:
            return [file[key] for key in file.files]

    def predict_on_batch(self, images):
        """Logits (N, H, W, C), as of the whole model."""
        return self.head.predict_on_batch([*self.of(images), images])

    def batches(self, data, count, batch_size, progress=False):
        """Batches for `head.fit` from those of `pipeline.batches`: ((maps ..., images), labels).

        The first pass over the `count` examples is made here; progress shows a bar.
        """
        total = math.ceil(count / batch_size)
        first = data.take(total)
        for images, *_ in tqdm(first, "frozen layers", total, leave=False, disable=not progress):
            self.of(keras.ops.convert_to_numpy(images))
        shapes = [(None, *each.shape[1:]) for each in self.trunk.outputs]

        def with_maps(images, *rest):
            maps = tf.numpy_function(self.of, [images], [tf.float32] * len(shapes), stateful=False)
            maps = [tf.ensure_shape(each, shape) for each, shape in zip(maps, shapes, strict=True)]
            return ((*maps, images), *rest)

        stream = data.map(with_maps, num_parallel_calls=2).prefetch(2)
        stream.errors = data.errors
        return stream


def _save(path, maps):
    with path.open("wb") as file:
        np.savez(file, *maps)


def _between(model, last):
    """Outputs of the layers up to the one named `last` that layers behind it take as inputs."""
    names = [layer.name for layer in model.layers]
    frozen = model.layers[: names.index(last) + 1]
    behind = [layer for layer in model.layers if layer not in frozen]
    taken = [tensor for layer in behind for tensor in _inputs(layer)]
    maps = [layer.output for layer in frozen[1:] if any(layer.output is each for each in taken)]
    if any(layer.trainable_weights for layer in frozen):
        raise InputError(f"keep_features needs the layers up to {last!r} to be frozen.")
    if not maps:
        raise InputError(
            f"keep_features needs layers that stay as they are and others that learn: freeze = "
            f"{last!r} leaves none of one kind."
        )
    return maps


def _inputs(layer):
    return layer.input if isinstance(layer.input, (list, tuple)) else [layer.input]


def check_crops(dataset, crop_size):
    """Raise InputError unless every image fits into a crop, which then is the same each time."""
    for name, (_, label) in zip(dataset.names, dataset, strict=True):
        if max(label.shape) > crop_size:
            raise InputError(
                f"keep_features needs whole images, and {name} is {label.shape[1]} x "
                f"{label.shape[0]} pixels: set crop_size to at least {max(label.shape)}."
            )
