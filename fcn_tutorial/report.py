"""A run's report: one HTML file with curves, scores and images, which opens without a network.

Scores say how good a network is; only its predictions say why. So the report shows the images that
it labels worst, and those around the median. What it says around them is in report.html.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from PIL import Image

from fcn_tutorial import plotting
from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.data.images import data_uri, paletted
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import write_text
from fcn_tutorial.inference import evaluate, segment
from fcn_tutorial.metrics import Scores, confusion_matrix, constant_baseline, scores
from fcn_tutorial.runs import Run, read_surroundings
from fcn_tutorial.tables import counted, percent

LARGEST = 5_000_000  # bytes of the file
SHOWN = 12  # images of each kind
CONFUSIONS = 10
# Longest side of an image in pixels, and quality as JPEG; the first with which the file is small
# enough is taken.
SIZES = ((640, 85), (640, 60), (480, 60), (320, 50), (160, 40), (80, 30), (16, 30))
CURVES = (
    ("loss", {"training": "loss"}),
    ("mean IoU", {"training": "mean_iou", "validation": "val_mean_iou"}),
)
FORM = {"RGB": "JPEG", "P": "PNG"}
ERROR_COLORS = np.array([[225, 225, 225], [213, 94, 0]], np.uint8)  # right, wrong


Pictures = list[tuple[str, Image.Image, str]]  # kind, picture, text alternative

HERE = jinja2.FileSystemLoader(Path(__file__).parent)
PAGES = jinja2.Environment(loader=HERE, autoescape=True, trim_blocks=True, lstrip_blocks=True)
PAGES.undefined = jinja2.StrictUndefined
PAGES.filters |= {"percent": percent, "counted": counted}


def write_report(
    run: Run, dataset: Dataset, path: str | os.PathLike, overlap: int | None = None
) -> Scores:
    """Evaluate a run on a data set, and write what there is to see as an HTML file.

    Args:
        run: as `load_run` opens it.
        dataset: its examples; with as many classes as the run.
        path: the file. It has at most 5 MB: images are made smaller where they need more.
        overlap: how many of the examples the run was trained on; None = unknown.

    Returns:
        The scores, the same as `evaluate` gives.

    Raises:
        InputError: the data set is empty or has another number of classes, an example cannot be
            read, or the file cannot be written.
    """
    result, values, images = _scored(run, dataset)
    kinds = [[_example(run, dataset, index, values) for index in each] for each in _chosen(values)]
    constant, baseline = constant_baseline(result.confusion)
    colors = [tuple(map(int, color)) for color in (*run.palette, ERROR_COLORS[1])]
    shares = result.confusion.sum(axis=1) / max(result.confusion.sum(), 1)
    parts = {
        **{"run": run, "dataset": dataset, "overlap": overlap},
        **{"result": result, "baseline": baseline, "constant": run.classes[constant]},
        "curves": [_curve(run.history, *each) for each in CURVES] if run.history else [],
        "rows": list(zip(run.classes, colors, result.iou, shares, images, strict=False)),
        "legend": [
            *zip(run.classes, colors, strict=False),
            ("void", plotting.VOID_COLOR),
            ("error, in the fourth picture", colors[-1]),
        ],
        "matrix": _drawn(plotting.plot_confusion, result.confusion, run.classes),
        "confusions": _confusions(result.confusion, run.classes),
        "environment": json.dumps(read_surroundings(run.folder), indent=1),
    }
    template = PAGES.get_template("report.html")
    for side, quality in SIZES:
        worst, typical = ([_shown(each, side, quality) for each in kind] for kind in kinds)
        page = template.render(parts, worst=worst, typical=typical)
        if len(page.encode()) <= LARGEST:
            write_text(path, page)
            return result
    raise InputError(f"{path} would have more than {LARGEST:,} bytes: report fewer classes.")


def _scored(run: Run, dataset: Dataset) -> tuple[Scores, np.ndarray, np.ndarray]:
    """The scores; the mean IoU of each example, NaN where its label is void; images by class."""
    values: list[float] = []
    images = np.zeros(len(run.classes), np.int64)

    def keep(name: str, prediction: np.ndarray) -> None:
        label = dataset.read_label(len(values))
        counts = confusion_matrix(label, prediction, len(run.classes))
        there = counts.sum(axis=1) > 0
        images[there] += 1
        values.append(float(scores(counts).iou[there].mean()) if there.any() else np.nan)

    return evaluate(run.model, dataset, progress=True, keep=keep), np.array(values), images


def _chosen(values: np.ndarray) -> tuple[list[int], list[int]]:
    """The worst examples, the worst first, and those around the median that are not among them."""
    order = [int(index) for index in np.argsort(values) if not np.isnan(values[index])]
    worst = min(SHOWN, (len(order) + 1) // 2)
    first = max(worst, min(len(order) // 2 - SHOWN // 2, len(order) - SHOWN))
    return order[:worst], order[first : first + SHOWN]


def _example(run: Run, dataset: Dataset, index: int, values: np.ndarray) -> dict[str, Any]:
    """One example, labelled once more; its pictures are no larger than they are ever shown."""
    image, label = dataset[index]
    prediction, name = segment(run.model, image), dataset.names[index]
    error = np.where(label == VOID, VOID, label != prediction).astype(np.uint8)
    wrong = f"{percent(error[label != VOID].mean())} of the labelled pixels"
    truth, guess = (_content(ids, run.classes) for ids in (label, prediction))
    pictures = [
        ("image", Image.fromarray(image), f"image {name}"),
        ("truth", paletted(label, run.palette), f"ground truth: {truth}"),
        ("prediction", paletted(prediction, run.palette), f"prediction: {guess}"),
        ("error", paletted(error, ERROR_COLORS), f"where the prediction is wrong: {wrong}"),
    ]
    small = _smaller(pictures, SIZES[0][0])
    return {"name": name, "score": values[index], "wrong": wrong, "pictures": small}


def _smaller(pictures: Pictures, side: int) -> Pictures:
    copies = [(kind, picture.copy(), alt) for kind, picture, alt in pictures]
    for _, picture, _ in copies:
        picture.thumbnail((side, side))
    return copies


def _shown(example: dict[str, Any], side: int, quality: int) -> dict[str, Any]:
    """An example with its pictures as (kind, address, text alternative), as small as asked for."""
    pictures = [
        (kind, data_uri(small, FORM[small.mode], quality=quality, optimize=True), alt)
        for kind, small, alt in _smaller(example["pictures"], side)
    ]
    return example | {"pictures": pictures}


def _curve(history: Sequence[dict], title: str, columns: Mapping[str, str]) -> tuple[str, str]:
    """A figure of some columns of the history, for which `columns` gives names."""
    epochs = [row["epoch"] for row in history]
    lines = {name: (epochs, [row[column] for row in history]) for name, column in columns.items()}
    ends = [f"{name} from {y[0]:.3g} to {y[-1]:.3g}" for name, (_, y) in lines.items()]
    alt = f"Curve of the {title} over {counted(len(history), 'epoch')}: {', '.join(ends)}."
    return _drawn(plotting.plot_lines, lines, "epoch", title), alt


def _confusions(confusion: np.ndarray, classes: Sequence[str]) -> list[tuple[str, str, float]]:
    """The most frequent confusions: true class, predicted class, share of the true one's pixels."""
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(share, 0)
    cells = [np.unravel_index(place, share.shape) for place in np.argsort(-share, axis=None)]
    found = [(classes[true], classes[guess], share[true, guess]) for true, guess in cells]
    return [each for each in found[:CONFUSIONS] if each[2] > 0]


def _content(ids: np.ndarray, classes: Sequence[str]) -> str:
    """The classes of a label map, the largest first, in words."""
    counts = np.bincount(ids[ids != VOID], minlength=len(classes))
    order = [index for index in np.argsort(-counts) if counts[index]]
    named = [f"{classes[k]} {100 * counts[k] / ids.size:.0f} %" for k in order[:5]]
    return ", ".join(named) or "only void"


def _drawn(draw: Any, *arguments: Any) -> str:
    picture = plotting.picture_of(draw, *arguments, scale=2)
    return data_uri(Image.fromarray(picture), "PNG", optimize=True)
