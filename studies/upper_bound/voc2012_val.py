"""How good can a coarse grid be? True labels of VOC 2012 brought down to a grid and up again.

    FCN_DATA=DATA python -m studies.upper_bound.voc2012_val

DATA is the folder that holds VOCdevkit. Two ways down and up are scored at each stride: the
classes' shares in each cell, upsampled bilinearly, as in chapter 6, and a majority vote in each
cell, repeated. Neither is a bound: best.py finds the best scores.

Source: the idea is that of Long, Shelhamer and Darrell 2015, Appendix A.
"""

import numpy as np

import fcn_tutorial as fcn
from studies.common import write

STRIDES = (4, 8, 16, 32, 64, 128)


def class_shares(label, stride, num_classes):
    """Share of each class among the pixels of each cell that are not void: (rows, columns, C)."""
    below, right = -label.shape[0] % stride, -label.shape[1] % stride
    padded = np.pad(label, ((0, below), (0, right)), constant_values=255)
    cells = padded.reshape(len(padded) // stride, stride, -1, stride)
    counts = np.stack([(cells == k).sum(axis=(1, 3)) for k in range(num_classes)], axis=-1)
    return counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)


def through_a_grid(label, stride, num_classes):
    """Down by shares, up bilinearly; each pixel takes the class with the largest share: (H, W)."""
    shares = class_shares(label, stride, num_classes)
    blurred = np.array(fcn.BilinearUpsampling(stride)(shares[None])[0])
    return blurred.argmax(axis=-1)[: label.shape[0], : label.shape[1]]


def through_a_vote(label, stride, num_classes):
    """Down by a majority vote, up by repeating each cell's winner: (H, W)."""
    winners = class_shares(label, stride, num_classes).argmax(axis=-1)
    blocks = winners.repeat(stride, axis=0).repeat(stride, axis=1)
    return blocks[: label.shape[0], : label.shape[1]]


def scores_through(way, labels, stride, num_classes):
    """`Scores` of the labels that went down and up, against the labels themselves."""
    pairs = ((label, way(label, stride, num_classes)) for label in labels)
    return fcn.scores(sum(fcn.confusion_matrix(*pair, num_classes) for pair in pairs))


WAYS = {"shares": through_a_grid, "majority": through_a_vote}


def measure(labels, num_classes, strides=STRIDES):
    """{"mean_iou": {way: one value for each stride}, "pixel_accuracy": the same}."""
    metrics = {"mean_iou": {}, "pixel_accuracy": {}}
    for name, way in WAYS.items():
        results = [scores_through(way, labels, stride, num_classes) for stride in strides]
        for metric, rows in metrics.items():
            rows[name] = [round(getattr(result, metric), 4) for result in results]
    return metrics


def main():
    dataset = fcn.load_dataset("voc2012", "val")
    labels = [label for _, label in dataset]
    found = {"dataset": "PASCAL VOC 2012, val", "images": len(labels), "strides": list(STRIDES)}
    write(__file__, {**found, **measure(labels, len(dataset.classes))})


if __name__ == "__main__":
    main()
