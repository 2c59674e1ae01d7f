"""How good could a coarse grid be, if the scores of its cells were the best there are?

    FCN_DATA=DATA python -m studies.upper_bound.best

DATA is the folder that holds VOCdevkit. For each label the scores of a grid are fitted by Adam to
the cross-entropy after bilinear upsampling, as chapter 6 does: 60 validation scenes of the shapes,
and the first 30 images of VOC 2012's validation split that DATA has. On the shapes they are fitted
to the soft Jaccard index of chapter 8 too, which is nearer to mean IoU.
"""

import keras
import numpy as np

import fcn_tutorial as fcn
from studies.common import write

STRIDES = (8, 16, 32)


def interpolation(cells, stride):
    """The matrix (pixels, cells) that upsamples a row of cells linearly."""
    centres = (np.arange(cells) + 0.5) * stride - 0.5
    pixels = np.arange(cells * stride)
    columns = [np.interp(pixels, centres, cell) for cell in np.eye(cells)]
    return np.stack(columns, axis=1).astype("float32")


def fitted(labels, stride, num_classes, steps=100):
    """Upsampled scores (N, C, H, W) that fit labels (N, H, W), whose sides the stride divides."""
    sides = [side // stride for side in labels.shape[1:]]
    rows, columns = (interpolation(side, stride) for side in sides)
    truth = labels[:, None] == np.arange(num_classes)[:, None, None]
    counted = (labels != 255)[:, None]
    scores = keras.Variable(np.zeros((len(labels), num_classes, *sides)))
    optimizer = keras.optimizers.Adam(1.0)
    for _ in range(steps):
        upsampled = rows @ keras.ops.convert_to_numpy(scores) @ columns.T
        powers = np.exp(upsampled - upsampled.max(axis=1, keepdims=True))
        probs = powers / powers.sum(axis=1, keepdims=True)
        gradient = rows.T @ (counted * probs - truth) @ columns
        optimizer.apply([gradient], [scores])
    return rows @ keras.ops.convert_to_numpy(scores) @ columns.T


def fitted_to_mean_iou(labels, stride, num_classes, steps=400):
    """As `fitted`, to the soft Jaccard index of all labels together."""
    sides = [side // stride for side in labels.shape[1:]]
    rows, columns = (interpolation(side, stride) for side in sides)
    counted = (labels != 255)[:, None]
    truth = labels[:, None] == np.arange(num_classes)[:, None, None]
    scores = keras.Variable(np.zeros((len(labels), num_classes, *sides)))
    optimizer = keras.optimizers.Adam(1.0)
    for _ in range(steps):
        upsampled = rows @ keras.ops.convert_to_numpy(scores) @ columns.T
        powers = np.exp(upsampled - upsampled.max(axis=1, keepdims=True))
        probs = powers / powers.sum(axis=1, keepdims=True)
        both, either = (
            (counted * each).sum(axis=(0, 2, 3))[:, None, None]
            for each in (probs * truth, probs + truth - probs * truth)
        )
        slope = labels.size * counted * np.where(truth, -1 / either, both / either**2)
        inner = (slope * probs).sum(axis=1, keepdims=True)
        optimizer.apply([rows.T @ (probs * (slope - inner)) @ columns], [scores])
    return rows @ keras.ops.convert_to_numpy(scores) @ columns.T


def through_best_scores(label, stride):
    """The classes (H, W) that a label's best scores give; only its own classes need any."""
    below, right = -label.shape[0] % stride, -label.shape[1] % stride
    padded = np.pad(label, ((0, below), (0, right)), constant_values=255)
    own = np.unique(label[label != 255])
    ids = np.where(padded == 255, 255, np.searchsorted(own, padded))
    found = fitted(ids[None], stride, len(own))[0].argmax(axis=0)
    return own[found][: label.shape[0], : label.shape[1]]


def of_shapes(labels, stride, num_classes, fit=fitted):
    """Mean IoU of the best scores of labels that are all of one size."""
    predictions = fit(np.stack(labels), stride, num_classes).argmax(axis=1)
    return fcn.scores(fcn.confusion_matrix(np.stack(labels), predictions, num_classes)).mean_iou


def of_voc(labels, stride, num_classes):
    """Mean IoU of the best scores of labels that each have a size of their own."""
    pairs = ((label, through_best_scores(label, stride)) for label in labels)
    return fcn.scores(sum(fcn.confusion_matrix(*pair, num_classes) for pair in pairs)).mean_iou


def main():
    found = {"strides": list(STRIDES)}
    for name, count, measure in (("shapes", 60, of_shapes), ("voc2012", 30, of_voc)):
        dataset = fcn.load_dataset(name, "val")
        labels = [dataset[index][1] for index in range(count)]
        ious = [measure(labels, stride, len(dataset.classes)) for stride in STRIDES]
        found[name] = {"images": count, "mean_iou": [round(iou, 4) for iou in ious]}
        if name == "shapes":
            ious = [of_shapes(labels, stride, 6, fitted_to_mean_iou) for stride in STRIDES]
            found[name]["mean_iou_fitted_to_it"] = [round(iou, 4) for iou in ious]
        print(name, found[name], flush=True)
    write(__file__, found)


if __name__ == "__main__":
    main()
