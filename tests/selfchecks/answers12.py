import numpy as np

import fcn_tutorial as fcn


def mirrored(image, label):
    return np.flip(image, axis=1), np.flip(label, axis=1)


def pooled(labels, predictions, num_classes):
    pairs = zip(labels, predictions, strict=True)
    return fcn.scores(sum(fcn.confusion_matrix(y, p, num_classes) for y, p in pairs)).mean_iou


def over_images(labels, predictions, num_classes):
    pairs = zip(labels, predictions, strict=True)
    return np.mean([fcn.scores(fcn.confusion_matrix(y, p, num_classes)).mean_iou for y, p in pairs])


def pixel_accuracy(labels, predictions, num_classes):
    pairs = zip(labels, predictions, strict=True)
    return fcn.scores(sum(fcn.confusion_matrix(y, p, num_classes) for y, p in pairs)).pixel_accuracy


RIGHT = {
    "12.1": [mirrored],
    "12.2": [pooled],
    "12.3": [["input range", "shared weights", "leak"], ("input range", "shared weights", "leak")],
}
WRONG = {
    "12.1": [
        lambda image, label: (np.flip(image), np.flip(label, axis=1)),  # as in the exercise
        lambda image, label: (np.flip(image, axis=1), label),
        lambda image, label: (image[:, ::-1, ::-1], label[:, ::-1]),
    ],
    "12.2": [over_images, pixel_accuracy],
    "12.3": [["learning rate", "shared weights", "leak"], ["input range", "leak", "leak"], "leak"],
}
