"""Self-checks of chapter 12."""

from typing import Any

import numpy as np


def mirrors_both(answer: Any) -> str | None:
    """Exercise 12.1: a function (image, label) that returns an image and a label."""
    rng = np.random.default_rng(11)
    image = rng.integers(0, 256, (4, 5, 3)).astype(np.uint8)
    label = rng.integers(0, 6, (4, 5)).astype(np.uint8)
    new_image, new_label = answer(image.copy(), label.copy())
    if not np.array_equal(new_label, label[:, ::-1]):
        return "The label has to come back with its columns in the opposite order."
    if np.array_equal(new_image, image[::-1, ::-1, ::-1]):
        return "The image is still reversed along all of its axes: name the one to reverse."
    if not np.array_equal(new_image, image[:, ::-1]):
        return "The label is right now; in the image only one axis should change."
    return None


def pools_over_images(answer: Any) -> str | None:
    """Exercise 12.2: a function (labels, predictions, num_classes) that returns a number."""
    from fcn_tutorial.metrics import confusion_matrix, scores

    rng = np.random.default_rng(11)
    labels = [rng.integers(0, 3, (size, size)) for size in (4, 9)]
    labels.append(np.where(rng.random((6, 6)) < 0.2, 255, 1))
    predictions = [np.where(rng.random(y.shape) < 0.7, y % 255, 0) for y in labels]
    each = [confusion_matrix(y, p, 3) for y, p in zip(labels, predictions, strict=True)]
    found = float(answer(labels, predictions, 3))
    if np.isclose(found, scores(sum(each)).mean_iou):
        return None
    if np.isclose(found, np.mean([scores(counts).mean_iou for counts in each])):
        return "This is still a mean over images: what should be added up over the images first?"
    return "Return what fcn.evaluate would: mean IoU is a mean over classes, without void."


def names_three_causes(answer: Any) -> str | None:
    """Exercise 12.3: a list of three causes."""
    causes = ["input range", "shared weights", "leak"]
    if isinstance(answer, str) or len(answer) != len(causes):
        return "Give a list of three causes, one for each patient, spelt as in the exercise."
    wrong = [i for i, cause in enumerate(causes, start=1) if answer[i - 1] != cause]
    if wrong:
        return f"Look again at patient {wrong[0]}: which cause would make just that difference?"
    return None
