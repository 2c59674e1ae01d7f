"""What the tests of images share."""

import numpy as np

from fcn_tutorial.data.images import read_image_of, read_label

# What EXIF's orientation numbers do to the pixels of a file, by their definition.
TURNED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def read_pair(image, label, num_classes):
    """An image and its label, read from files as data sets read them."""
    ids = read_label(label, num_classes)
    return read_image_of(ids.shape, image, label), ids
