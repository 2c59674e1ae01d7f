"""Answers to the exercises of chapter 2."""

import numpy as np


def color(class_id):
    channels = [0, 0, 0]
    for k in range(8):
        channels[k % 3] |= (class_id >> k & 1) << (7 - k // 3)
    return tuple(channels)


def first_bits_only(class_id):
    return tuple(128 * (class_id >> k & 1) for k in range(3))


def strays(label, num_classes):
    return [int(each) for each in np.unique(label) if num_classes <= each < 255]


RIGHT = {
    "2.1": [color, lambda class_id: np.array(color(class_id))],
    "2.2": [strays, lambda label, count: np.array(strays(label, count))],
}
WRONG = {
    "2.1": [first_bits_only, lambda class_id: color(class_id)[::-1], lambda class_id: (0,)],
    "2.2": [
        lambda label, count: [each for each in np.unique(label) if each >= count],
        lambda label, count: [each for each in np.unique(label) if count < each < 255],
        lambda label, count: [each for each in label.flat if count <= each < 255],
        lambda label, count: strays(label, count)[::-1],
    ],
}
