import numpy as np


def dice(confusion):
    return 2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))


def iou(confusion):
    return dice(confusion) / (2 - dice(confusion))


def unpaired(a, b, ddof=1):
    squares = [np.var(each, ddof=ddof) / len(each) for each in (a, b)]
    return np.mean(a) - np.mean(b), sum(squares) ** 0.5


def paired(a, b):
    difference = np.array(a[: len(b)]) - np.array(b)
    return difference.mean(), difference.std(ddof=1) / len(difference) ** 0.5


def spread(a, b):
    return np.mean(a) - np.mean(b), (np.var(a, ddof=1) + np.var(b, ddof=1)) ** 0.5


def added(a, b):
    return np.mean(a) - np.mean(b), sum(np.std(each, ddof=1) / len(each) ** 0.5 for each in (a, b))


RIGHT = {"9.1": [dice], "9.2": [unpaired]}
WRONG = {
    "9.1": [iou, lambda confusion: dice(confusion).mean(), 0.8],
    "9.2": [paired, spread, added, lambda a, b: unpaired(a, b, ddof=0), lambda a, b: (0.1, 0.1)],
}
