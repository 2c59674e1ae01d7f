"""Networks as diagrams, drawn from a model's layers and shapes: another model, another diagram.

A column for each stride and a box for each map: down the backbone in the first row, and back to
the pixels in the rows below.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np

from fcn_tutorial.diagrams.drawing import COLORS, LINE, Diagram
from fcn_tutorial.diagrams.stages import stages

TILE, STEP, ROW, TOP = 64, 136, 134, 40  # of a map's box, a column, a row, the first row
MOST_CELLS = 16  # of a grid on a box of that size
LONGEST = 14  # characters of a name below it
COURSE_MAP = Path(__file__).with_name("course-map.json")  # tools/course_map.py writes it


def course_map(lit: str | None = None) -> Diagram:
    """The network of the course, FCN-8s on VGG-16, with one part of it lit.

    Args:
        lit: as for `network`.

    Raises:
        InputError: there is no such part.
    """
    stored = json.loads(COURSE_MAP.read_text(encoding="utf-8"))
    drawing = Diagram(**{**stored, "lit": lit})
    drawing.text(1.5 * STEP, TOP + 1.5 * ROW, f"This chapter: {lit or 'all of it'}")
    return drawing


def network(
    model: keras.Model,
    side: int = 96,
    lit: str | None = None,
    pictures: Sequence[np.ndarray] = (),
    offsets: bool = False,
) -> Diagram:
    """Draw a network from the image to the labels: its maps, their sizes, and how they are joined.

    Args:
        model: from an image to scores at its size, such as an FCN.
        side: of the image, in pixels.
        lit: the part that stands out, one of `COLORS`; None: all.
        pictures: an image and its coloured label, each uint8 (H, W, 3), to show in their boxes.
        offsets: whether to give the place of a map's first cell, in pixels, instead of its size.

    Raises:
        InputError: there is no such part, or a layer of the model has no receptive field.
    """
    found = stages(model)
    image = keras.KerasTensor((1, side, side, model.inputs[0].shape[-1]))
    maps = keras.Model(model.inputs, [stage.tensor for stage in found]).compute_output_spec(image)
    sizes = [" × ".join(map(str, each.shape[1:])) for each in maps]
    strides = sorted({stage.cells.stride for stage in found[1:]})
    places = _places(found, strides)
    columns, rows = (max(each) + 1 for each in zip(*places, strict=True))
    names = [each.name for each in found]
    names = [name if len(name) <= LONGEST else f"{name[: LONGEST - 1]}…" for name in names]
    title = f"{model.name}: {', '.join(map(' '.join, zip(names, sizes, strict=True)))}"
    drawing = Diagram(title, columns * STEP, TOP + rows * ROW - 20, lit)
    for column, stride in enumerate(strides, start=1):
        drawing.text(STEP * (column + 0.5), 18, f"stride {float(stride):g}")
    for stage, name, size, place in zip(found, names, sizes, places, strict=True):
        below = f"offset {float(stage.cells.offset):g}" if offsets and stage.sources else size
        _tile(drawing, place, stage.part, int(size.split(" ")[0]), name, below)
        for source, factor in stage.sources:
            _arrow(drawing, places[source], place, factor, stage.part)
    end = 0, places[-1][1]
    _tile(drawing, end, "labels", 1, "labels", f"{side} × {side}")
    _arrow(drawing, places[-1], end, 1, "labels")
    for place, part, picture in zip((places[0], end), ("images", "labels"), pictures, strict=False):
        x, y = _corner(place)
        drawing.picture(x, y, TILE, picture, part)
    return drawing


def _places(found, strides):
    """(column, row) of each map: branches of one stride stand side by side."""
    places = [(0, 0)]
    for stage in found[1:]:
        column = 1 + strides.index(stage.cells.stride)
        sources = [places[number] for number, _ in stage.sources]
        row = max(above + (left == column) for left, above in sources)
        while (column, row) in places:
            column += 1
        places.append((column, row))
    return places


def _corner(place):
    column, row = place
    return STEP * column + (STEP - TILE) / 2, TOP + ROW * row


def _tile(drawing, place, part, cells, *lines):
    """A map: a grid as fine as its cells, if they can be seen, and text below it."""
    x, y = _corner(place)
    visible = cells if cells <= MOST_CELLS else 1
    drawing.grid(x, y, TILE / visible, visible, visible, COLORS[part], part)
    drawing.text(x + TILE / 2, y + TILE + LINE, *lines, part=part)


def _arrow(drawing, start, end, factor, part):
    """An arrow from map to map, with at most one corner; down from below the text of a map."""
    (x, y), (to_x, to_y) = ((a + TILE / 2, b + TILE / 2) for a, b in (_corner(start), _corner(end)))
    edge, foot, head = TILE / 2 + 2, TILE / 2 + 2 * LINE + 8, TILE / 2 + 2
    if start[1] == end[1]:
        way = 1 if to_x > x else -1
        points = [(x + way * edge, y), (to_x - way * edge, to_y)]
    elif to_x == x:
        points = [(x, y + foot), (x, to_y - head)]
    elif to_x > x:
        points = [(x + edge, y), (to_x, y), (to_x, to_y - head)]
    else:
        points = [(x, y + foot), (x, to_y), (to_x + edge, to_y)]
    part = "upsampling" if factor > 1 else part
    drawing.arrow(*points, part=part)
    if factor > 1:
        drawing.text(to_x + edge + 26, to_y - 8, f"× {factor}", part=part)
