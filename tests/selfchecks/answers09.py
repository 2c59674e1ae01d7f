import numpy as np


def dice(confusion):
    return 2 * np.diag(confusion) / (confusion.sum(axis=0) + confusion.sum(axis=1))


def iou(confusion):
    found = np.diag(confusion)
    return found / (confusion.sum(axis=0) + confusion.sum(axis=1) - found)


def paired(a, b):
    difference = np.array(a) - np.array(b)
    return difference.mean(), difference.std(ddof=1) / len(difference) ** 0.5


def spread(a, b):
    difference = np.array(a) - np.array(b)
    return difference.mean(), difference.std(ddof=1)


def unpaired(a, b):
    return np.mean(a) - np.mean(b), ((np.var(a, ddof=1) + np.var(b, ddof=1)) / len(a)) ** 0.5


def without_ddof(a, b):
    difference = np.array(a) - np.array(b)
    return difference.mean(), difference.std() / len(difference) ** 0.5


RIGHT = {"9.1": [dice], "9.2": [paired]}
WRONG = {
    "9.1": [iou, lambda confusion: dice(confusion).mean(), 0.8],
    "9.2": [spread, unpaired, without_ddof, lambda a, b: (0.1, 0.1)],
}
