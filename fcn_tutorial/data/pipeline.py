"""From a data set to augmented batches, with tf.data.

Everything random is a function of (seed, position in the stream), so that a run that resumes at
step k sees the very batches that it would have seen without the interruption.

Source: random scale, crop and flip as in Long, Shelhamer and Darrell 2015, section 4.3, and the
recipes that followed it.
"""

import numpy as np
import tensorflow as tf

from fcn_tutorial.data.dataset import VOID
from fcn_tutorial.errors import InputError

# ImageNet's mean colour: what a network's preprocessing turns into about zero.
PAD_COLOR = (124, 117, 104)
NOTHING = np.empty((0, 0, 3), np.uint8), np.empty((0, 0), np.uint8)


def batches(
    dataset,
    batch_size,
    crop_size,
    scale=(1, 1),
    flip=False,
    color=0.0,
    seed=0,
    class_weights=None,
    first_batch=0,
    part=(0, 1),
):
    """Endless batches of random crops: images uint8 (N, crop, crop, 3), labels (N, crop, crop).

    Every pass over the data set shuffles all of it anew. scale: smallest and largest factor by
    which an example is resized before its crop. flip: mirror half of the examples. color: largest
    relative change of brightness and contrast. What a crop has beyond the image is void.
    class_weights: (C,); with them each batch also has weights, float32 (N, crop, crop), the weight
    of each pixel's class. first_batch: start at this batch of the stream. part: (number,
    of how many); make this part of each batch only, for one of several processes that share it.
    Returns a tf.data.Dataset; its attribute `errors` collects the InputErrors that stopped it.
    Raises InputError for an empty data set or settings that make no sense.
    """
    _check(dataset, batch_size, crop_size, scale)
    errors, alike = [], set()

    def example(position):
        index = _shuffled(position, len(dataset), seed)
        random = iter(tf.unstack(tf.random.stateless_uniform((6,), seed=[seed, position])))
        image, label = _load(dataset, index, errors, alike)
        image, label = _random_crop(image, label, crop_size, scale, random)
        mirrored = next(random) < 0.5
        image = _jitter(image, color, random)
        return _mirrored(image, label, mirrored) if flip else (image, label)

    positions = tf.data.Dataset.range(first_batch * batch_size, np.iinfo(np.int64).max)
    share = batch_size // part[1]
    if part[1] > 1:
        positions = positions.filter(lambda each: each % batch_size // share == part[0])
    stream = positions.map(example, num_parallel_calls=tf.data.AUTOTUNE)
    stream = stream.batch(share, drop_remainder=True).prefetch(tf.data.AUTOTUNE)
    if class_weights is not None:
        weights = tf.constant(np.pad(class_weights, (0, 256 - len(class_weights))), tf.float32)
        stream = stream.map(lambda x, y: (x, y, tf.gather(weights, tf.cast(y, tf.int32))))
    stream.errors = errors
    return stream


def names_in_batch(dataset, batch_size, seed, number):
    """Names of the examples in one batch of the stream that `batches` gives; the first is 0."""
    positions = range(number * batch_size, (number + 1) * batch_size)
    indices = [_shuffled(tf.constant(p, tf.int64), len(dataset), seed) for p in positions]
    return [dataset.names[int(index)] for index in indices]


def _check(dataset, batch_size, crop_size, scale):
    if len(dataset) == 0:
        raise InputError(f"data set {dataset.name!r} ({dataset.split}) has no examples.")
    for field, value in (("batch_size", batch_size), ("crop_size", crop_size)):
        if value < 1:
            raise InputError(f"{field} must be at least 1, got {value}.")
    if not 0 < scale[0] <= scale[1]:
        raise InputError(f"scale must be [smallest, largest] with 0 < smallest, got {scale}.")


def _shuffled(position, length, seed):
    """Index of the example at `position`: pass after pass, each a permutation of the data set."""
    seeds = [seed, position // length]
    return tf.random.experimental.index_shuffle(position % length, seeds, max_index=length - 1)


def _load(dataset, index, errors, alike):
    """Read an example: image uint8 (H, W, 3) and label uint8 (H, W).

    What a data set has encoded, TensorFlow decodes, without waiting for Python; but only what it
    has been seen to read as the data set does. `alike` collects the indices of these examples.
    """

    def read(index):
        try:
            if index in alike:
                return *dataset.encoded(index), *NOTHING
            image, label = dataset[index]
            if _reads_alike(dataset.encoded(index), image, label):
                alike.add(index)
            return b"", b"", image, label
        except InputError as error:
            errors.append(error)
            raise

    kinds = (tf.string, tf.string, tf.uint8, tf.uint8)
    content = tf.numpy_function(lambda i: read(int(i)), [index], kinds, stateful=False)
    photo, ids, image, label = content
    image, label = tf.ensure_shape(image, (None, None, 3)), tf.ensure_shape(label, (None, None))
    return tf.cond(
        tf.strings.length(photo) > 0,
        lambda: _decoded(photo, ids),
        lambda: (image, label),
    )


def _decoded(photo, ids):
    """Image and label in the bytes of a photo (JPEG or PNG) and of a grey PNG of ids."""
    image = tf.io.decode_jpeg(photo, 3, dct_method="INTEGER_ACCURATE")
    return image, tf.squeeze(tf.io.decode_png(ids, 1), 2)


def _reads_alike(encoded, image, label):
    """Whether TensorFlow reads these files, if there are any, as this image and label."""
    try:
        return bool(encoded) and all(map(np.array_equal, _decoded(*encoded), (image, label)))
    except tf.errors.OpError:  # it is stricter than Pillow, or knows less
        return False


def _window(image, label, side, down, across):
    """A square window of an image (H, W, 3) and its label (H, W); what lies beyond both is void.

    down and across: where the window lies, from 0 (top or left) to 1.
    """
    top, left = (
        tf.cast(place * tf.cast(tf.maximum(length - side, 0) + 1, tf.float32), tf.int32)
        for place, length in zip((down, across), tf.unstack(tf.shape(label)), strict=True)
    )
    image, label = (each[top : top + side, left : left + side] for each in (image, label))
    height, width = tf.unstack(tf.shape(label))
    label = tf.pad(label, ((0, side - height), (0, side - width)), constant_values=VOID)
    # As rows of numbers, which are copied several times as fast as pixels of three.
    row = tf.tile(tf.constant([PAD_COLOR], tf.uint8), (1, side))
    right = tf.tile(row[:, 3 * width :], (height, 1))
    rows = tf.concat([tf.reshape(image, (height, 3 * width)), right], axis=1)
    rows = tf.concat([rows, tf.tile(row, (side - height, 1))], axis=0)
    return tf.reshape(rows, (side, side, 3)), label


def _random_crop(image, label, crop_size, scale, random):
    """Cut a random window and resize it to crop x crop, which equals resizing and then cropping.

    The image is resized bilinearly, the label by nearest neighbour: class ids are never blended.
    """
    low, high = np.log(scale[0]), np.log(scale[1])
    factor = tf.exp(low + (high - low) * next(random))
    side = tf.maximum(tf.cast(tf.round(crop_size / factor), tf.int32), 1)
    image, label = _window(image, label, side, next(random), next(random))
    size = (crop_size, crop_size)
    if tuple(scale) == (1, 1):
        return tf.ensure_shape(image, (*size, 3)), tf.ensure_shape(label, size)
    image = tf.image.resize(tf.ensure_shape(image, (None, None, 3)), size)
    # Nearest neighbours of numbers, then of rows and columns: faster than those of each pixel.
    numbers = tf.range(side)[:, None, None]
    nearest = tf.image.resize(numbers, (crop_size, 1), method="nearest")[:, 0, 0]
    label = tf.gather(tf.gather(tf.ensure_shape(label, (None, None)), nearest), nearest, axis=1)
    return image, label


def _mirrored(image, label, mirrored):
    """Both as they are, or both from right to left."""
    return tf.cond(
        mirrored,
        lambda: (tf.reverse(image, [1]), tf.reverse(label, [1])),
        lambda: (image, label),
    )


def _jitter(image, color, random):
    """Change contrast and brightness by up to `color`, and round to uint8."""
    if image.dtype == tf.uint8 and not color:
        return image
    contrast = 1 + color * (2 * next(random) - 1)
    brightness = 255 * color * (2 * next(random) - 1)
    image = (tf.cast(image, tf.float32) - 127.5) * contrast + 127.5 + brightness
    return tf.cast(tf.clip_by_value(tf.round(image), 0, 255), tf.uint8)
