"""Figures of the book: label maps, predictions, scores, curves.

Colours come from the data set's palette; figures have a white ground, so that they read on dark
pages too, and are narrow, so that their letters are legible on a phone.
"""

from itertools import cycle
from unittest.mock import patch

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.patches import Patch, Rectangle

from fcn_tutorial.data.dataset import VOID, VOID_COLOR
from fcn_tutorial.errors import InputError

# In inches: on a phone 360 pixels wide a figure is shrunk to 3, and its letters must stay legible.
WIDTH = 5.4
STYLE = {
    "figure.facecolor": "white",
    "figure.dpi": 110,
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "savefig.bbox": "tight",
}
# Okabe and Ito's colours, told apart by colour-blind readers too.
LINE_COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")


def colorize(label, palette):
    """Colours of a label map (H, W): uint8 (H, W, 3); void gets PASCAL VOC's cream colour."""
    lookup = np.empty((256, 3), np.uint8)
    lookup[:] = VOID_COLOR
    lookup[: len(palette)] = palette
    return lookup[np.asarray(label, np.uint8)]


def overlay(image, label, palette, alpha=0.5):
    """The image with the label's colours over it: uint8 (H, W, 3); void shows the image alone.

    image: uint8 (H, W, 3). label: uint8 (H, W). alpha: share of the label's colour, 0..1.
    Raises InputError when image and label differ in size, or the image is not (H, W, 3).
    """
    if np.shape(image) != (*np.shape(label), 3):
        raise InputError(
            f"image {np.shape(image)} and label {np.shape(label)} differ in height or width, or "
            "the image is not RGB, (height, width, 3)."
        )
    # In 32 bits and in place: a photo of many megapixels would take gigabytes otherwise.
    share = np.where(np.asarray(label) == VOID, 0, alpha).astype(np.float32)[..., None]
    blended = (1 - share) * image
    blended += share * colorize(label, palette)
    return np.round(blended, out=blended).astype(np.uint8)


def show(images, titles=None, columns=None, width=WIDTH):
    """Draw images (H, W, 3) or maps (H, W) side by side, in rows of `columns`."""
    columns = columns or len(images)
    rows = -(-len(images) // columns)
    shape = np.shape(images[0])
    height = width / columns * shape[0] / shape[1] * rows + 0.35 * rows
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for axis, image in zip(axes.flat, images, strict=False):
            axis.imshow(image, interpolation="nearest")
        for axis, title in zip(axes.flat, titles or [], strict=False):
            axis.set_title(title)
        _finish(figure)


def show_ids(maps, palette, titles=None, width=WIDTH):
    """Draw small label maps (H, W) side by side, with the class id of each pixel on its colour."""
    rows, columns = np.shape(maps[0])
    with plt.rc_context(STYLE):
        size = (width, width / len(maps) * rows / columns + 0.35)
        figure, axes = plt.subplots(1, len(maps), figsize=size, squeeze=False)
        for axis, ids in zip(axes.flat, maps, strict=True):
            colors = colorize(ids, palette)
            axis.imshow(colors, interpolation="nearest")
            axis.axis("off")
            for (row, column), class_id in np.ndenumerate(ids):
                ink = "white" if colors[row, column].mean() < 90 else "black"
                axis.text(column, row, class_id, color=ink, ha="center", va="center")
        for axis, title in zip(axes.flat, titles or [], strict=False):
            axis.set_title(title)
        _finish(figure)


def show_examples(dataset, indices, width=WIDTH):
    """Images of a data set in one row, their labels in the next, and a legend of the classes."""
    pairs = [dataset[index] for index in indices]
    pictures = [image for image, _ in pairs]
    pictures += [colorize(label, dataset.palette) for _, label in pairs]
    _grid(pictures, len(indices), dataset, width)


def show_predictions(dataset, indices, predictions, width=WIDTH):
    """One row for each example: image, label, and a column for each of `predictions`.

    predictions: dict from a title to a list of label maps, one for each index.
    """
    pictures = []
    for row, index in enumerate(indices):
        image, label = dataset[index]
        maps = [label, *(maps[row] for maps in predictions.values())]
        pictures += [image, *(colorize(each, dataset.palette) for each in maps)]
    titles = ["image", "label", *predictions]
    _grid(pictures, len(titles), dataset, width, titles)


def _grid(pictures, columns, dataset, width, titles=()):
    rows = len(pictures) // columns
    ratio = np.mean([np.shape(p)[0] / np.shape(p)[1] for p in pictures])
    with plt.rc_context(STYLE):
        size = (width, width / columns * ratio * rows + 0.9)
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
        for axis, picture in zip(axes.flat, pictures, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.axis("off")
        for axis, title in zip(axes[0], titles, strict=False):
            axis.set_title(title)
        handles = legend_handles(dataset.classes, dataset.palette)
        figure.legend(handles=handles, loc="lower center", ncols=4, frameon=False, fontsize=11)
        figure.tight_layout(pad=0.4, rect=(0, 0.45 / size[1], 1, 1))
        plt.show()


def legend_handles(classes, palette):
    """Coloured patches with the classes' names, and one for void."""
    colors = [*np.asarray(palette) / 255, np.array(VOID_COLOR) / 255]
    names = [*classes, "void"]
    return [
        Patch(facecolor=color, edgecolor="0.4", label=name.replace("_", " "))
        for color, name in zip(colors, names, strict=True)
    ]


def draw_legend(classes, palette, path):
    """Write the legend of a palette as a picture file."""
    with plt.rc_context(STYLE):
        figure = plt.figure(figsize=(2.2, 0.26 * len(classes) + 0.5))
        figure.legend(handles=legend_handles(classes, palette), loc="center", frameon=False)
        figure.savefig(path)
        plt.close(figure)


def plot_history(histories, metric="val_mean_iou", label="mean IoU (validation)", width=WIDTH):
    """Curves over epochs: histories is a dict from a name to a run's history (list of dicts)."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(width, 0.6 * width))
        for (name, rows), color in zip(histories.items(), cycle(LINE_COLORS), strict=False):
            epochs = [row["epoch"] for row in rows]
            values = [row[metric] for row in rows]
            axis.plot(epochs, values, marker="o", markersize=3, color=color, label=name)
        axis.set(xlabel="epoch", ylabel=label)
        axis.legend(frameon=False)
        _finish(figure)


def plot_iou(results, classes, width=WIDTH):
    """Bars of IoU for each class; results is a dict from a name to `Scores`."""
    with plt.rc_context(STYLE):
        height = (0.16 * len(results) + 0.15) * len(classes) + 0.8
        figure, axis = plt.subplots(figsize=(width, height))
        places = np.arange(len(classes))
        thickness = 0.8 / len(results)
        for row, (name, result) in enumerate(results.items()):
            offset = (row - (len(results) - 1) / 2) * thickness
            values = 100 * np.nan_to_num(result.iou)
            color = LINE_COLORS[row % len(LINE_COLORS)]
            axis.barh(places + offset, values, thickness * 0.9, color=color, label=name)
        axis.set_yticks(places, [name.replace("_", " ") for name in classes])
        axis.invert_yaxis()
        axis.set(xlabel="IoU (%)", xlim=(0, 100))
        axis.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=3)
        _finish(figure)


def plot_confusion(confusion, classes, width=5.0):
    """Confusion matrix: each row (a true class) in per cent of its pixels."""
    share = 100 * confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    names = [name.replace("_", " ") for name in classes]
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(width, width))
        axis.imshow(share, cmap="Blues", vmin=0, vmax=100)
        for (row, column), value in np.ndenumerate(share):
            color = "white" if value > 60 else "black"
            axis.text(column, row, f"{value:.0f}", ha="center", va="center", color=color)
        axis.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axis.set_yticks(range(len(names)), names)
        axis.set(xlabel="predicted", ylabel="true")
        _finish(figure)


def show_score_maps(scores, classes, columns=3, width=WIDTH):
    """One map for each class of scores (H, W, C), all on one colour scale."""
    rows = -(-len(classes) // columns)
    low, high = float(np.min(scores)), float(np.max(scores))
    ratio = scores.shape[0] / scores.shape[1]
    with plt.rc_context(STYLE):
        size = (width, (width / columns * ratio + 0.35) * rows)
        figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
        for axis in axes.flat:
            axis.axis("off")
        for index, (axis, name) in enumerate(zip(axes.flat, classes, strict=False)):
            axis.imshow(scores[..., index], cmap="viridis", vmin=low, vmax=high)
            axis.set_title(name.replace("_", " "))
        _finish(figure)


def _finish(figure):
    figure.tight_layout(pad=0.4)
    plt.show()


def plot_lines(lines, x_label, y_label, width=WIDTH):
    """Lines with a dot at each point: lines is a dict from a name to a pair (x, y) of sequences."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(width, 0.6 * width))
        for (name, (x, y)), color in zip(lines.items(), cycle(LINE_COLORS), strict=False):
            axis.plot(x, y, marker="o", markersize=4, color=color, label=name)
        axis.set(xlabel=x_label, ylabel=y_label)
        axis.legend(frameon=False)
        _finish(figure)


def plot_spread(groups, label, width=WIDTH):
    """A dot for each value, a bar at the mean: groups is a dict from a name to several values."""
    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(width, 0.45 * len(groups) + 0.7))
        for row, (values, color) in enumerate(
            zip(groups.values(), cycle(LINE_COLORS), strict=False)
        ):
            axis.plot(values, [row] * len(values), "o", color=color, alpha=0.6)
            axis.plot(2 * [np.mean(values)], [row - 0.3, row + 0.3], color=color, linewidth=3)
        axis.set_yticks(range(len(groups)), groups)
        axis.invert_yaxis()
        axis.set(xlabel=label)
        _finish(figure)


def show_boxes(pictures, boxes, titles=None, width=WIDTH):
    """Draw square boxes on pictures (H, W, 3) or maps (H, W) side by side, with a legend below.

    boxes: for each picture a dict from a name to (top, left, side), in pixels.
    """
    names = list(dict.fromkeys(name for each in boxes for name in each))
    colors = dict(zip(names, cycle(LINE_COLORS), strict=False))
    ratio = np.shape(pictures[0])[0] / np.shape(pictures[0])[1]
    with plt.rc_context(STYLE):
        size = (width, width / len(pictures) * ratio + 0.9)
        figure, axes = plt.subplots(1, len(pictures), figsize=size, squeeze=False)
        for axis, picture, each in zip(axes.flat, pictures, boxes, strict=True):
            axis.imshow(picture, interpolation="nearest")
            axis.axis("off")
            for name, (top, left, side) in each.items():
                # A white line below the coloured one, so that it shows on any ground.
                for color, thickness in (("white", 5), (colors[name], 2.5)):
                    corner, style = (left - 0.5, top - 0.5), {"ec": color, "lw": thickness}
                    axis.add_patch(Rectangle(corner, side, side, fill=False, **style))
        for axis, title in zip(axes.flat, titles or [], strict=False):
            axis.set_title(title)
        handles = [Patch(facecolor=color, label=name) for name, color in colors.items()]
        figure.legend(handles=handles, loc="lower center", ncols=3, frameon=False)
        figure.tight_layout(pad=0.4, rect=(0, 0.35 / size[1], 1, 1))
        plt.show()


def picture_of(draw, *arguments):
    """The figure that draw(*arguments) shows, as a picture: uint8 (H, W, 3); nothing is shown.

    Raises InputError when `draw` draws no figure.
    """
    before = set(plt.get_fignums())
    with patch.object(plt, "show"):
        draw(*arguments)
    drawn = sorted(set(plt.get_fignums()) - before)
    if not drawn:
        raise InputError("no figure was drawn: draw each frame with a function of plotting.")
    canvas = FigureCanvasAgg(plt.figure(drawn[-1]))
    canvas.draw()
    for number in drawn:
        plt.close(number)
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def fade_outside(image, box, share=0.85):
    """The image (H, W, 3), uint8, faded towards white outside a box (top, left, side) in pixels."""
    top, left, side = (round(number) for number in box)
    faded = np.round(image + share * (255.0 - image)).astype(np.uint8)
    inside = slice(max(top, 0), top + side), slice(max(left, 0), left + side)
    faded[inside] = image[inside]
    return faded


def heat(values, low, high):
    """Colours of a map (H, W) on the scale from low to high: uint8 (H, W, 3)."""
    share = np.clip((np.asarray(values) - low) / (high - low), 0, 1)
    return plt.get_cmap("viridis")(share, bytes=True)[..., :3]
