"""Figures of the book: label maps, predictions, scores, curves.

Colours come from the data set's palette. Figures have a white background, so that they can be read
on dark pages too. A notebook gets them with twice the pixels, for sharp screens, in small files.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle
from pathlib import Path
from typing import Any
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
import PIL.Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Patch, Rectangle

from fcn_tutorial.data.dataset import VOID, VOID_COLOR, Dataset, color_table
from fcn_tutorial.data.images import STRIP, encoded
from fcn_tutorial.errors import InputError, as_array, check_number, shown
from fcn_tutorial.metrics import Scores

# In inches of 110 pixels: the column of a page, a graph, whose text a phone must show too, and the
# widest picture of a row.
WIDTH, GRAPH, WIDEST = 8.1, 6.0, 4.05
SHARP = 2  # pixels in a file for each on the page
PALETTE, QUALITY = 256, 70  # colours of a PNG file, quality of a JPEG file
LEGEND_CHARACTERS = 100  # of the names in a row, and four for each patch
# Okabe and Ito's colours, which colour-blind readers can tell apart.
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
STYLE: Any = {
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "font.size": 13,
    "axes.titlesize": 13,
    "axes.prop_cycle": plt.cycler(color=LINE_COLORS),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "savefig.bbox": "tight",
}
LUMINANCE = (0.30, 0.59, 0.11)  # of red, green and blue
GAP = 4  # pixels between two pictures of a gallery's strip
FEW_CELLS = 64  # of a map on which numbers can be read
LEGIBLE = 40  # classes of a confusion matrix whose percentages can be read

Maps = Sequence[np.ndarray]
Titles = Sequence[str] | None
Box = tuple[float, float, float]  # top, left, side, in pixels
Line = tuple[Sequence[float], Sequence[float]]  # x, y


def colorize(label: np.ndarray, palette: np.ndarray) -> np.ndarray:
    """Colours of a label map (H, W): uint8 (H, W, 3); void gets PASCAL VOC's cream colour."""
    label, table = as_array("label", label), color_table(palette)
    if label.dtype.kind == "f" or (label.size and not 0 <= label.min() <= label.max() <= VOID):
        raise InputError(f"a label must hold class ids from 0 to {VOID}, got {shown(label)}.")
    return table[label.astype(np.uint8)]


def overlay(
    image: np.ndarray, label: np.ndarray, palette: np.ndarray, alpha: float = 0.5
) -> np.ndarray:
    """Draw a label's colours over its image; void shows only the image.

    Args:
        image: RGB, uint8 (H, W, 3).
        label: class ids, uint8 (H, W); 255 = void.
        palette: colours of the classes, uint8 (C, 3).
        alpha: share of the label's colour, 0..1.

    Returns:
        The blend, uint8 (H, W, 3).

    Raises:
        InputError: image and label differ in size, the image is not (H, W, 3), the palette is not
            (C, 3) with at most 255 colours, or alpha is not a share.
    """
    image, label = as_array("image", image), as_array("label", label)
    if image.shape != (*label.shape, 3):
        raise InputError(
            f"image {image.shape} and label {label.shape} differ in height or width, or the image "
            "is not RGB, (height, width, 3)."
        )
    alpha = check_number("alpha", alpha, 0, 1)
    blended = np.empty(image.shape, np.uint8)
    # Some rows at a time: as numbers, a photo of many megapixels takes gigabytes.
    for top in range(0, len(image), STRIP):
        rows = slice(top, top + STRIP)
        share = np.where(label[rows] == VOID, 0, alpha).astype(np.float32)[..., None]
        mixed = (1 - share) * image[rows] + share * colorize(label[rows], palette)
        blended[rows] = np.round(mixed)
    return blended


@contextmanager
def _figure(width, height, rows=1, columns=1, below=0.0, path=None):
    """A figure in the book's style and its axes, with `below` inches to spare.

    At the end it is shown or, where a path is given, written as a PNG file.
    """
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
        yield figure, list(axes.flat)
        figure.tight_layout(pad=0.4, rect=(0, below / height, 1, 1))
        if path is None:
            _present(figure)
        else:
            figure.savefig(path, format="png")
            plt.close(figure)


def _present(figure):
    """Show a figure; a notebook gets the smaller of two files, one flat and one for photographs."""
    if "inline" not in plt.get_backend():
        return plt.show()
    from IPython.display import Image, display  # only notebooks need it

    drawn = BytesIO()
    figure.savefig(drawn, dpi=SHARP * figure.dpi)
    plt.close(figure)
    picture = PIL.Image.open(drawn).convert("RGB")
    flat = encoded(picture.quantize(PALETTE), "PNG", optimize=True)
    photo = encoded(picture, "JPEG", quality=QUALITY, optimize=True, progressive=True)
    return display(Image(min(flat, photo, key=len), width=picture.width // SHARP))


def _draw(axes, pictures, titles=None):
    for axis in axes:
        axis.axis("off")
    for axis, picture in zip(axes, pictures, strict=False):
        axis.imshow(picture, interpolation="nearest")
    for axis, title in zip(axes, titles or [], strict=False):
        axis.set_title(title)


def _plain(names):
    # A dollar would begin a formula.
    return [name.replace("_", " ").replace("$", r"\$") for name in names]


def show(
    images: Maps, titles: Titles = None, columns: int | None = None, width: float | None = None
) -> None:
    """Draw images (H, W, 3) or maps (H, W) in rows of `columns`, by default four at most."""
    columns = columns or -(-len(images) // -(-len(images) // 4))
    rows, width = -(-len(images) // columns), width or min(WIDTH, WIDEST * columns)
    ratio = np.shape(images[0])[0] / np.shape(images[0])[1]
    titled = -(-len(titles or ()) // columns)  # rows
    height = width / columns * ratio * rows + 0.35 * titled + 0.1
    with _figure(width, height, rows, columns) as (_, axes):
        _draw(axes, images, titles)


def show_strip(strip: np.ndarray, height: int) -> None:
    """Draw a gallery's picture of three: a photograph, what FCN-8s predicts, the true label.

    strip: the three side by side, GAP pixels apart, uint8 (H, 3 * side + 2 * GAP, 3).
    height: pixels that each is given, so that strips of other heights are drawn to the same scale.
    """
    strip = np.pad(strip, [(0, height - len(strip)), (0, 0), (0, 0)], constant_values=255)
    side = (strip.shape[1] - 2 * GAP) // 3
    photo, *maps = (strip[:, left : left + side] for left in range(0, 3 * side, side + GAP))
    # Smooth, unlike labels: as blocks, so small a photograph is hard to recognise.
    smooth = PIL.Image.fromarray(photo).resize((4 * side, 4 * height), PIL.Image.Resampling.BICUBIC)
    show([np.asarray(smooth), *maps], ["photo", "FCN-8s", "truth"])


def show_ids(
    maps: Maps, palette: np.ndarray, titles: Titles = None, width: float | None = None
) -> None:
    """Draw small label maps (H, W) side by side, with each pixel's class id on its colour."""
    _numbered(maps, [colorize(ids, palette) for ids in maps], titles, width)


def show_numbers(maps: Maps, titles: Titles = None) -> None:
    """Draw small maps (H, W) side by side, brighter for larger numbers, and write these on them."""
    _numbered(maps, [heat(values, 0, np.max(values)) for values in maps], titles)


def _numbered(maps, pictures, titles, width=None):
    (rows, columns), width = np.shape(maps[0]), width or min(WIDTH, WIDEST * len(maps))
    with _figure(width, width / len(maps) * rows / columns + 0.35, 1, len(maps)) as (_, axes):
        _draw(axes, pictures, titles)
        for axis, values, shades in zip(axes, maps, pictures, strict=True):
            for cell, value in np.ndenumerate(values if np.size(values) <= FEW_CELLS else []):
                ink = "white" if shades[cell] @ LUMINANCE < 100 else "black"
                text = f"{round(float(value), 2):g}"
                axis.text(cell[1], cell[0], text, color=ink, ha="center", va="center")


def show_predictions(
    dataset: Dataset, indices: Sequence[int], predictions: Mapping[str, Maps]
) -> None:
    """Draw a row for each example: image, label, and a column for each of `predictions`.

    These map a column's title to its label maps (H, W), one for each index. Below is a legend of
    the classes that occur.
    """
    pictures, titles, seen = [], ["image", "label", *predictions], set()
    for row, index in enumerate(indices):
        image, label = dataset[index]
        labels = [label, *(maps[row] for maps in predictions.values())]
        pictures += [image, *(colorize(each, dataset.palette) for each in labels)]
        seen |= {int(each) for label in labels for each in np.unique(label)}
    handles = legend_handles(dataset.classes, dataset.palette)
    handles = [handles[-1 if each == VOID else each] for each in sorted(seen)]
    longest = max(len(str(handle.get_label())) for handle in handles)
    across = max(1, LEGEND_CHARACTERS // (4 + longest))
    ratio = np.mean([np.shape(p)[0] / np.shape(p)[1] for p in pictures])
    below = 0.15 + 0.28 * -(-len(handles) // across)
    height = WIDTH / len(titles) * ratio * len(indices) + 0.35 + below
    with _figure(WIDTH, height, len(indices), len(titles), below) as (figure, axes):
        _draw(axes, pictures, titles)
        look = {"ncols": across, "columnspacing": 1, "handlelength": 1.5, "fontsize": 12}
        figure.legend(handles=handles, loc="lower center", frameon=False, **look)


def legend_handles(classes: Sequence[str], palette: np.ndarray) -> list[Patch]:
    """Coloured patches with the classes' names, and one for void."""
    colors = [*np.asarray(palette) / 255, np.array(VOID_COLOR) / 255]
    named = zip(colors, _plain([*classes, "void"]), strict=True)
    return [Patch(facecolor=color, edgecolor="0.4", label=name) for color, name in named]


def draw_legend(classes: Sequence[str], palette: np.ndarray, path: Path) -> None:
    """Write the legend of a palette as a picture file."""
    with _figure(2.2, 0.26 * len(classes) + 0.5, path=path) as (figure, [axis]):
        axis.axis("off")
        figure.legend(handles=legend_handles(classes, palette), loc="center", frameon=False)


def draw_contact_sheet(rows: Sequence[tuple[str, Maps]], path: Path) -> None:
    """Write a picture file with a row of pictures (H, W, 3) for each title."""
    columns = max(len(pictures) for _, pictures in rows)
    with _figure(2.4 * columns, 2 * len(rows), len(rows), columns, path=path) as (_, axes):
        for start, (title, pictures) in enumerate(rows):
            _draw(axes[start * columns : (start + 1) * columns], pictures, [title])


def plot_history(histories: Mapping[str, Sequence[dict]]) -> None:
    """Validation mean IoU over epochs; `histories` maps a name to a run's history."""
    lines = {
        name: ([row["epoch"] for row in rows], [100 * row["val_mean_iou"] for row in rows])
        for name, rows in histories.items()
    }
    plot_lines(lines, "epoch", "mean IoU, validation (%)")


def plot_lines(lines: Mapping[str, Line], x_label: str, y_label: str) -> None:
    """Lines with a dot at each point: `lines` maps a name to a pair (x, y) of sequences."""
    with _figure(GRAPH, 0.6 * GRAPH) as (_, [axis]):
        _plot(axis, lines, x_label, y_label)
        axis.legend(frameon=False)


def plot_panels(panels: Mapping[str, Mapping[str, Line]], x_label: str) -> None:
    """Graphs of the same names side by side: `panels` maps what is measured to lines."""
    with _figure(WIDTH, 0.55 * WIDTH / len(panels) + 1, 1, len(panels), 0.4) as (figure, axes):
        for axis, (y_label, lines) in zip(axes, panels.items(), strict=True):
            _plot(axis, lines, x_label, y_label)
        handles = axes[0].get_legend_handles_labels()
        figure.legend(*handles, loc="lower center", ncols=len(handles[0]), frameon=False)


def _plot(axis, lines, x_label, y_label):
    for name, (x, y) in lines.items():
        axis.plot(x, y, marker="o", markersize=4, label=name)
    axis.set(xlabel=x_label, ylabel=y_label)
    if all(float(each).is_integer() for x, _ in lines.values() for each in x):
        axis.xaxis.get_major_locator().set_params(integer=True)


def plot_iou(results: Mapping[str, Scores], classes: Sequence[str]) -> None:
    """Bars of IoU for each class; `results` maps a name to `Scores`."""
    height = (0.16 * len(results) + 0.15) * len(classes) + 0.8
    places, thickness = np.arange(len(classes)), 0.8 / len(results)
    with _figure(GRAPH, height) as (_, [axis]):
        for row, (name, result) in enumerate(results.items()):
            offset = (row - (len(results) - 1) / 2) * thickness
            values = 100 * np.nan_to_num(result.iou)
            axis.barh(places + offset, values, thickness * 0.9, label=name)
        axis.set_yticks(places, _plain(classes))
        axis.invert_yaxis()
        axis.set(xlabel="IoU (%)", xlim=(0, 100))
        axis.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)


def plot_confusion(confusion: np.ndarray, classes: Sequence[str]) -> None:
    """Confusion matrix (C, C): each row, a true class, as percentages of its pixels."""
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    names = _plain(classes)
    side = np.clip(0.4 * len(names), 5.0, 16.0)
    with _figure(side, side) as (_, [axis]):
        axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for cell, value in np.ndenumerate(share if len(names) <= LEGIBLE else share[:0]):
            color = "white" if value > 60 else "black"
            axis.text(cell[1], cell[0], f"{value:.0f}", ha="center", va="center", color=color)
        small = {"fontsize": min(12.0, 50 * side / len(names))}
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right", **small)
        axis.set_yticks(range(len(names)), names, **small)
        axis.set(xlabel="predicted", ylabel="true")


def plot_spread(groups: Mapping[str, Sequence[float]], label: str) -> None:
    """A dot for each value and a bar at the mean: `groups` maps a name to several values."""
    with _figure(GRAPH, 0.45 * len(groups) + 0.8) as (_, [axis]):
        for row, values in enumerate(groups.values()):
            (dots,) = axis.plot(values, [row] * len(values), "o", alpha=0.6)
            bar = 2 * [np.mean(values)], [row - 0.3, row + 0.3]
            axis.plot(*bar, color=dots.get_color(), linewidth=3)
        axis.set_yticks(range(len(groups)), groups)
        axis.invert_yaxis()
        axis.set(xlabel=label)


def show_score_maps(scores: np.ndarray, classes: Sequence[str], columns: int = 3) -> None:
    """One map for each class of scores (H, W, C), all on one colour scale."""
    low, high = float(np.min(scores)), float(np.max(scores))
    maps = [heat(scores[..., index], low, high) for index in range(len(classes))]
    show(maps, _plain(classes), columns, min(WIDTH, 3.0 * columns))


def show_boxes(pictures: Maps, boxes: Sequence[Mapping[str, Box]], titles: Titles = None) -> None:
    """Draw square boxes on pictures (H, W, 3) or (H, W) side by side, with a legend below.

    boxes: for each picture, from a name to (top, left, side) in pixels.
    """
    names = list(dict.fromkeys(name for each in boxes for name in each))
    colors = dict(zip(names, cycle(LINE_COLORS), strict=False))
    height = WIDTH / len(pictures) * np.shape(pictures[0])[0] / np.shape(pictures[0])[1] + 0.9
    with _figure(WIDTH, height, 1, len(pictures), 0.35) as (figure, axes):
        _draw(axes, pictures, titles)
        for axis, each in zip(axes, boxes, strict=True):
            for name, (top, left, side) in each.items():
                # A white line below the coloured one, so that it shows on any background.
                for color, thickness in (("white", 5), (colors[name], 2.5)):
                    corner = left - 0.5, top - 0.5
                    box = Rectangle(corner, side, side, fill=False, ec=color, lw=thickness)
                    axis.add_patch(box)
        handles = [Patch(facecolor=color, label=name) for name, color in colors.items()]
        figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)


def picture_of(draw: Callable[..., object], *arguments: Any, scale: float = 1) -> np.ndarray:
    """A figure as a picture, uint8 (H, W, 3); `draw`, called with the arguments, would show it.

    scale: how many times as many pixels as a figure of the book has, for sharp screens. InputError
    where `draw` draws no figure.
    """
    drawn: list[Any] = []
    finer = patch.dict(STYLE, {"figure.dpi": scale * STYLE["figure.dpi"]})
    with patch(f"{__name__}._present", drawn.append), finer:
        draw(*arguments)
    if not drawn:
        raise InputError("no figure was drawn: draw each frame with a function of plotting.")
    canvas = FigureCanvasAgg(drawn[-1])
    canvas.draw()
    for figure in drawn:
        plt.close(figure)
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def fade_outside(image: np.ndarray, box: Box) -> np.ndarray:
    """Fade an image, uint8 (H, W, 3), towards white outside a box (top, left, side) in pixels."""
    top, left, side = (round(number) for number in box)
    faded = np.round(image + 0.85 * (255.0 - image)).astype(np.uint8)
    inside = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
    faded[inside] = image[inside]
    return faded


def heat(values: np.ndarray, low: float, high: float) -> np.ndarray:
    """Colours of a map (H, W) on the scale from low to high: uint8 (H, W, 3)."""
    share = np.clip((np.asarray(values) - low) / ((high - low) or 1), 0, 1)
    return plt.get_cmap("viridis")(share, bytes=True)[..., :3]
