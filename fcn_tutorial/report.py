"""A run's report: one HTML file with curves, scores and images, which opens without a network.

Scores say how good a network is; only its predictions say why. So the report shows the images that
it labels worst, and those around the median.
"""

import base64
import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from PIL import Image

from fcn_tutorial import plotting
from fcn_tutorial.data.dataset import VOID, Dataset
from fcn_tutorial.errors import InputError
from fcn_tutorial.files import write_text
from fcn_tutorial.inference import evaluate, segment
from fcn_tutorial.metrics import Scores, confusion_matrix, constant_baseline, scores
from fcn_tutorial.runs import Run, read_surroundings

TEMPLATE = Path(__file__).with_name("report.html")
LARGEST = 5_000_000  # bytes of the file
SHOWN = 12  # images of each kind
CONFUSIONS = 10
# Longest side of an image in pixels, and quality as JPEG; the first with which the file is small
# enough is taken.
SIZES = ((640, 85), (640, 60), (480, 60), (320, 50), (160, 40), (80, 30), (16, 30))
ERROR_COLORS = np.array([[225, 225, 225], [213, 94, 0]], np.uint8)  # right, wrong


@dataclass(frozen=True)
class Example:
    """One image of the report, and how well it is labelled.

    score: mean IoU over the classes in the label. wrong: share of the labelled pixels.
    """

    name: str
    score: float
    wrong: float
    image: Image.Image
    truth: np.ndarray
    prediction: np.ndarray


def write_report(
    run: Run, dataset: Dataset, path: str | os.PathLike, overlap: int | None = None
) -> Scores:
    """Evaluate a run on a data set, and write what there is to see as an HTML file.

    Args:
        run: As `load_run` opens it.
        dataset: Its examples; with as many classes as the run.
        path: The file. It has at most 5 MB: images are made smaller where they need more.
        overlap: How many of the examples the run was trained on; None = unknown.

    Returns:
        The scores, the same as `evaluate` gives.

    Raises:
        InputError: The data set is empty or has another number of classes, an example cannot be
            read, or the file cannot be written.
    """
    result, values, images = _scored(run, dataset)
    kinds = [[_example(run, dataset, index, values) for index in each] for each in _chosen(values)]
    colors = [tuple(map(int, color)) for color in run.palette]
    parts = {
        "title": escape(f"{run.folder.resolve().name} on {dataset.name} ({dataset.split})"),
        "lead": _lead(run, dataset, overlap),
        "scores": _scores(result, run.classes),
        "training": _training(run.history),
        "classes": _classes(result, run.classes, colors, images),
        "confusion": _drawn(plotting.plot_confusion, result.confusion, run.classes),
        "confusions": _confusions(result.confusion, run.classes),
        "confusion_width": f"{32 * len(run.classes) + 160}px",
        "legend": _legend(run.classes, colors),
        "recipe": escape(run.recipe.text()),
        "environment": escape(json.dumps(read_surroundings(run.folder), indent=1)),
    }
    template = Template(TEMPLATE.read_text(encoding="utf-8"))
    for side, quality in SIZES:
        worst, typical = (
            "\n".join(_shown(run, each, side, quality) for each in kind) for kind in kinds
        )
        page = template.substitute(parts, worst=worst, typical=typical)
        if len(page.encode()) <= LARGEST:
            write_text(path, page)
            return result
    raise InputError(f"{path} would have more than {LARGEST:,} bytes: report fewer classes.")


def _scored(run: Run, dataset: Dataset) -> tuple[Scores, np.ndarray, np.ndarray]:
    """The scores; the mean IoU of each example, NaN where its label is void; images by class."""
    values: list[float] = []
    images = np.zeros(len(run.classes), np.int64)

    def keep(name: str, prediction: np.ndarray) -> None:
        _, label = dataset[len(values)]
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


def _example(run: Run, dataset: Dataset, index: int, values: np.ndarray) -> Example:
    """Label an image once more, and keep it no larger than it is ever shown."""
    image, label = dataset[index]
    prediction = segment(run.model, image)
    wrong = float((label != prediction)[label != VOID].mean())
    picture = Image.fromarray(image)
    picture.thumbnail((SIZES[0][0],) * 2)
    maps = [_resized(each, picture.size) for each in (label, prediction)]
    return Example(dataset.names[index], values[index], wrong, picture, *maps)


def _resized(ids: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.array(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))


def _lead(run: Run, dataset: Dataset, overlap: int | None) -> str:
    recipe, images = run.recipe, _counted(len(dataset), "image")
    epochs = f" for {_counted(len(run.history), 'epoch')}" if run.history else ""
    text = f"{recipe.variant} over {recipe.backbone}, trained on {recipe.dataset}{epochs}; "
    text += f"scored on {images}."
    seen = f"{overlap} of these images were used for training, so the scores are too high."
    return f"<p>{escape(text)}</p>" + (f'<p class="warning">{seen}</p>' if overlap else "")


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'s' * (count != 1)}"


def _percent(value: float) -> str:
    return "absent" if np.isnan(value) else f"{100 * value:.1f} %"


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of HTML cells: in each row what it is about, then numbers."""
    head = "".join(f'<th scope="col">{each}</th>' for each in heads)
    body = "\n".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{each}</td>" for each in numbers)}</tr>'
        for first, *numbers in rows
    )
    top = f"<caption>{caption}</caption>\n<thead><tr>{head}</tr></thead>"
    return f"<table>{top}\n<tbody>\n{body}\n</tbody></table>"


def _scores(result: Scores, classes: Sequence[str]) -> str:
    constant, baseline = constant_baseline(result.confusion)
    names = {
        "mean_iou": "mean IoU",
        "pixel_accuracy": "pixel accuracy",
        "mean_accuracy": "mean accuracy",
        "frequency_weighted_iou": "frequency-weighted IoU",
    }
    rows = [
        (name, *(_percent(getattr(each, metric)) for each in (result, baseline)))
        for metric, name in names.items()
    ]
    heads = "Score", "Model", f"Always {escape(classes[constant])}"
    return _table("Beside the constant baseline", heads, rows)


def _training(history: Sequence[dict]) -> str:
    if not history:
        return "<p>There is no history of the training.</p>"
    best = max(history, key=lambda row: row.get("val_mean_iou", 0))
    kept = _percent(best.get("val_mean_iou", np.nan))
    curves = _curve(history, "loss", {"training": "loss"})
    curves += _curve(history, "mean IoU", {"training": "mean_iou", "validation": "val_mean_iou"})
    return (
        f"<p>Epoch {best['epoch']} had the best validation mean IoU: {kept}.</p>"
        f'<div class="curves">{curves}</div>'
    )


def _curve(history: Sequence[dict], title: str, columns: Mapping[str, str]) -> str:
    """A figure of some columns of the history, for which `columns` gives names."""
    lines, ends = {}, []
    for name, column in columns.items():
        points = [(row["epoch"], row[column]) for row in history if column in row]
        if points:
            lines[name] = tuple(zip(*points, strict=True))
            ends.append(f"{name} from {points[0][1]:.3g} to {points[-1][1]:.3g}")
    alt = f"Curve of the {title} over {_counted(len(history), 'epoch')}: {', '.join(ends)}."
    return _img(_drawn(plotting.plot_lines, lines, "epoch", title), alt) if lines else ""


def _classes(
    result: Scores, classes: Sequence[str], colors: Sequence[tuple], images: np.ndarray
) -> str:
    shares = result.confusion.sum(axis=1) / max(result.confusion.sum(), 1)
    rows = [
        (
            _named(name, color),
            f'<span class="bar" style="--share:{np.nan_to_num(iou):.3f}">{_percent(iou)}</span>',
            _percent(share),
            f"{count:,}",
        )
        for name, color, iou, share, count in zip(
            classes, colors, result.iou, shares, images, strict=True
        )
    ]
    return _table("IoU and support", ("Class", "IoU", "Pixels", "Images"), rows)


def _named(name: str, color: tuple) -> str:
    """A class's name with its colour before it."""
    return f'<span class="swatch" style="background:rgb{color}"></span>{escape(name)}'


def _legend(classes: Sequence[str], colors: Sequence[tuple]) -> str:
    entries = [*zip(classes, colors, strict=True), ("void", plotting.VOID_COLOR)]
    entries.append(("error, in the fourth picture", tuple(map(int, ERROR_COLORS[1]))))
    return "".join(f"<li>{_named(name, color)}</li>" for name, color in entries)


def _confusions(confusion: np.ndarray, classes: Sequence[str]) -> str:
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    np.fill_diagonal(share, 0)
    cells = [np.unravel_index(place, share.shape) for place in np.argsort(-share, axis=None)]
    rows = [
        (f"{escape(classes[true])} → {escape(classes[guess])}", _percent(share[true, guess]))
        for true, guess in cells[:CONFUSIONS]
        if share[true, guess] > 0
    ]
    return _table("The most frequent confusions", ("True class → predicted", "Pixels"), rows)


def _shown(run: Run, example: Example, side: int, quality: int) -> str:
    """One example: image, truth, prediction and error side by side."""
    picture = example.image.copy()
    picture.thumbnail((side, side))
    truth, guess = (_resized(ids, picture.size) for ids in (example.truth, example.prediction))
    error = np.where(truth == VOID, VOID, truth != guess).astype(np.uint8)
    name, wrong = escape(example.name), f"{_percent(example.wrong)} of the labelled pixels"
    pictures = {
        "image": (_uri(picture, "JPEG", quality=quality), f"image {name}"),
        "truth": (_map(truth, run.palette), f"ground truth: {_content(truth, run.classes)}"),
        "prediction": (_map(guess, run.palette), f"prediction: {_content(guess, run.classes)}"),
        "error": (_map(error, ERROR_COLORS), f"where the prediction is wrong: {wrong}"),
    }
    figures = [
        f"<figure>{_img(uri, alt, '' if kind == 'image' else 'map')}"
        f"<figcaption>{kind}</figcaption></figure>"
        for kind, (uri, alt) in pictures.items()
    ]
    numbers = f"Mean IoU {_percent(example.score)}; {wrong} are wrong."
    return (
        f'<h3>{name}</h3><p class="quiet">{numbers}</p><div class="four">{"".join(figures)}</div>'
    )


def _content(ids: np.ndarray, classes: Sequence[str]) -> str:
    """The classes of a label map, the largest first, in words."""
    counts = np.bincount(ids[ids != VOID], minlength=len(classes))
    order = [index for index in np.argsort(-counts) if counts[index]]
    named = [f"{escape(classes[k])} {100 * counts[k] / ids.size:.0f} %" for k in order[:5]]
    return ", ".join(named) or "only void"


def _drawn(draw: Callable[..., object], *arguments: Any) -> str:
    return _uri(Image.fromarray(plotting.picture_of(draw, *arguments, scale=2)), "PNG")


def _map(ids: np.ndarray, palette: np.ndarray) -> str:
    return _uri(Image.fromarray(plotting.colorize(ids, palette)), "PNG")


def _img(uri: str, alt: str, kind: str = "") -> str:
    return f'<img class="{kind}" src="{uri}" alt="{alt}" decoding="async">'


def _uri(picture: Image.Image, form: str, **options: Any) -> str:
    """A picture as an address that holds all of it."""
    content = BytesIO()
    picture.save(content, form, optimize=True, **options)
    return f"data:image/{form.lower()};base64,{base64.b64encode(content.getvalue()).decode()}"
