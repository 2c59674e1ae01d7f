"""Answers to the exercises of chapter 1."""

import numpy as np

import fcn_tutorial as fcn


def correct(confusion):
    iou = fcn.scores(confusion).iou
    return np.nanmean(2 * iou / (1 + iou))


def fails_on_absent_classes(confusion):
    return (2 * confusion.diagonal() / (confusion.sum(axis=1) + confusion.sum(axis=0))).mean()


def leaves_out_what_is_only_predicted(confusion):
    there = confusion.sum(axis=1) > 0
    areas = confusion.sum(axis=1) + confusion.sum(axis=0)
    return (2 * confusion.diagonal()[there] / areas[there]).mean()


RIGHT = {"1.1": [6 / 26, 0.23], "1.2": [0.7, 0.70000001], "1.3": [correct]}
WRONG = {
    "1.1": [6 / 16, 6 / 32, 0.5],
    "1.2": [0.681, 0.65],
    "1.3": [
        lambda confusion: fcn.scores(confusion).mean_iou,
        lambda confusion: fcn.scores(confusion).pixel_accuracy,
        fails_on_absent_classes,
        leaves_out_what_is_only_predicted,
    ],
}
