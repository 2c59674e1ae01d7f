"""What a layer does, as a diagram: a kernel that slides, a receptive field, a mask, stamps."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import keras
import numpy as np

from fcn_tutorial.diagrams.drawing import COLORS, Diagram
from fcn_tutorial.geometry import receptive_field


def sliding_kernel(layer: keras.layers.Conv2D, cells: tuple[int, int]) -> Diagram:
    """Draw how a fully-connected layer's matrix, as a kernel, slides over a larger map.

    Args:
        layer: the convolution that it has become (section 3.1).
        cells: height and width of the map, in cells.
    """
    height, width, channels, outputs = layer.kernel.shape
    rows, columns = cells[0] - height + 1, cells[1] - width + 1
    places = f"{cells[0]} x {cells[1]} cells and gives {rows} x {columns}"
    title = f"{layer.name}, as a kernel of {height} x {width} cells, slides over {places}."
    drawing, side, middle = Diagram(title, 860, 270), 180 / max(cells), 120
    kernel = side * height
    drawing.box(40, 30, 60, 180, COLORS["scores"])
    drawing.text(70, 236, "the matrix", f"{height * width * channels} × {outputs}")
    for back in (16, 8):
        place = 230 + back, middle - kernel / 2 - back
        drawing.box(*place, side * width, kernel, COLORS["scores"], fill="none")
    drawing.grid(230, middle - kernel / 2, side, height, width, COLORS["scores"])
    drawing.text(230 + side * width / 2, 236, "as a kernel", f"{height} × {width} × {channels}")
    left, right = 420, 860 - 40 - side * columns
    dashed: dict[str, Any] = {"fill": "none", "stroke_width": 3, "stroke_dasharray": "6 4"}
    for x, name, (down, across), wide, high, color in (
        (left, "on a larger map", cells, side * width, kernel, "maps"),
        (right, "one output per position", (rows, columns), side, side, "skips"),
    ):
        y = middle - side * down / 2
        drawing.grid(x, y, side, down, across, COLORS[color])
        drawing.box(x + side, y, wide, high, COLORS["scores"], **dashed)
        drawing.box(x, y, wide, high, COLORS["scores"], stroke_width=3)
        drawing.text(x + side * across / 2, 236, name, f"{down} × {across} cells")
    drawing.arrow((112, middle), (218, middle))
    drawing.text(165, middle - 12, "reshape")
    drawing.arrow((230 + side * width + 20, middle), (left - 10, middle))
    drawing.arrow((left + side * cells[1] + 10, middle), (right - 10, middle))
    return drawing


def cone(model: keras.Model, layers: Sequence[str]) -> Diagram:
    """Draw the cells of each layer that one cell of the last one sees, along one axis (section 3).

    Args:
        model: any whose receptive fields are known.
        layers: names of its layers, from the first to the last.
    """
    fields = [receptive_field(model, name) for name in layers]
    seen = [int((fields[-1].size - each.size) / each.stride) + 1 for each in fields]
    lines = [("image", fields[-1].size, 1.0, f"{fields[-1].size} pixels")]
    for name, each, cells in zip(layers, fields, seen, strict=True):
        who = "1 cell sees" if cells == 1 else f"{cells} cells, each sees"
        lines.append((name, cells, each.stride, f"{who} {each.size} pixels"))
    title = "Seen by one cell of the last layer: " + "; ".join(f"{a} {d}" for a, _, _, d in lines)
    drawing, scale = Diagram(title, 860, 56 * len(lines) + 10), 440 / fields[-1].size
    edges = []
    for row, (name, cells, stride, text) in enumerate(reversed(lines)):
        y, side = 56.0 * row + 14, scale * stride
        x = 340 - cells * side / 2
        part = "scores" if row == 0 else "images" if name == "image" else "maps"
        drawing.box(x, y, cells * side, 22, COLORS[part])
        for cell in range(1, cells if side > 4 else 0):
            drawing.mark("path", d=f"M{x + cell * side:.1f} {y}v22", stroke=COLORS[part])
        drawing.text(10, y + 16, name, text_anchor="start")
        drawing.text(590, y + 16, text, text_anchor="start")
        edges.append((x, x + cells * side, y))
    for (a, b, above), (c, d, below) in pairwise(edges):
        path = f"M{a:.1f} {above + 22}L{c:.1f} {below}M{b:.1f} {above + 22}L{d:.1f} {below}"
        drawing.mark("path", d=path, stroke="currentColor", opacity="0.5")
    return drawing


def masked_loss(losses: Any, label: Any) -> Diagram:
    """Draw the loss of each pixel times the mask that is 0 at void.

    Args:
        losses: of each pixel, (H, W).
        label: class ids, (H, W); 255 = void.
    """
    losses, mask = np.asarray(losses), (np.asarray(label) != 255).astype(int)
    counted = losses * mask
    grids = {"loss": losses.round(1), "0 at void, else 1": mask, "counted loss": counted.round(1)}
    rows, columns = mask.shape
    side, mean = 52, counted.sum() / mask.sum()
    wide = side * columns
    title = f"The loss of {mask.size} pixels, of which {mask.sum()} count: mean {mean:.3g}"
    drawing = Diagram(title, 3 * wide + 280, side * rows + 60)
    for number, (name, values) in enumerate(grids.items()):
        x = 10 + number * (wide + 50)
        drawing.numbers(x, 36, side, values, COLORS[("scores", "labels", "skips")[number]])
        drawing.text(x + wide / 2, 22, name)
        if number:
            drawing.text(x - 25, 36 + side * rows / 2 + 5, " ×="[number])
    lines = f"sum / {mask.sum()}", f"= {mean:.3g}"
    drawing.text(3 * wide + 190, 36 + side * rows / 2 - 4, *lines)
    return drawing


def stamps(cells: Sequence[float], kernel: Sequence[float], stride: int) -> Diagram:
    """Draw a transposed convolution: each cell stamps the kernel times its value (section 3.3).

    Args:
        cells: values of a row.
        kernel: weights of the stamp.
        stride: pixels from one stamp to the next.
    """
    length = (len(cells) - 1) * stride + len(kernel)
    rows = np.zeros((len(cells), length))
    for row, value in enumerate(cells):
        rows[row, row * stride : row * stride + len(kernel)] = value * np.asarray(kernel)
    title = (
        f"{len(cells)} cells stamp {len(kernel)} weights, {stride} pixels apart, on {length} pixels"
    )
    side, left = 54, 130
    drawing = Diagram(title, left + side * length + 10, (side + 12) * (len(cells) + 1) + 24)
    for row, values in enumerate([*rows, rows.sum(axis=0)]):
        y, last = 10 + (side + 12) * row, row == len(cells)
        stamped = np.arange(length) if last else row * stride + np.arange(len(kernel))
        color = COLORS["skips" if last else "scores"]
        drawing.numbers(left + side * stamped[0], y, side, values[None, stamped], color)
        name = "sum" if last else f"{cells[row]:g} × stamp"
        drawing.text(10, y + side / 2 + 5, name, text_anchor="start")
    return drawing
