"""Figures that a reader moves: a slider and a Play button step through frames drawn beforehand.

Slider, button and frames are linked in the browser, so a figure moves without a kernel too, on a
page of the book as in Jupyter. Where nothing can move, it shows some of its frames.
"""

from base64 import b64encode
from collections.abc import Callable, Sequence
from hashlib import sha256
from html import escape
from itertools import cycle
from pathlib import Path
from textwrap import fill
from typing import Any

import ipywidgets
import jinja2
import keras
import numpy as np
from PIL import Image

from fcn_tutorial import plotting
from fcn_tutorial.data.images import data_uri, encoded
from fcn_tutorial.errors import InputError
from fcn_tutorial.geometry import receptive_field

STILLS = 4
MILLISECONDS_A_FRAME = 900
STILL_COLORS = 32
STILL_WIDTH, STILL_CHARACTERS = 7.0, 36  # inches; of a line above one of two pictures
FIELDS = Path(__file__).with_name("fields.html")
MARGIN = 64  # pixels around a photograph, where a field may reach
WIDE = 2.2  # frames wider than this many times their height are stacked in the still picture


class MovingFigure(ipywidgets.VBox):
    """Slider, Play button and frames; a notebook shows them on the last line of a cell.

    The still picture (PNG bytes) and the description in words are for tools that show no widgets:
    GitHub, print, a terminal.
    """

    def __init__(self, children: Sequence[ipywidgets.Widget], still: bytes, description: str):
        super().__init__(children, layout=ipywidgets.Layout(max_width="100%"))
        self.still, self.description = still, description
        self.add_class("moving-figure")

    def _repr_mimebundle_(self, **kwargs):
        view = super()._repr_mimebundle_(**kwargs)
        still = b64encode(self.still).decode()
        return {**view, "image/png": still, "text/plain": self.description}


def frames(
    draw: Callable[[Any], object],
    values: Sequence[Any],
    captions: Sequence[str],
    label: str,
    alt: str,
    stills: Sequence[int] | None = None,
) -> MovingFigure:
    """Make a figure with one frame for each value, which a slider and a Play button step through.

    Args:
        draw: draws the frame of a value, with a function of `plotting`.
        values: 2 of them or more; 20 make a heavy page.
        captions: for each value a line below its frame that says what it shows.
        label: the name of what the slider changes.
        alt: the frames in words, for those who cannot see them.
        stills: numbers of the frames, from 0, in the picture for tools that show no widgets; by
            default four, including the first and the last.

    Raises:
        InputError: a text is empty, or `draw` draws nothing or frames of different sizes.
    """
    values, captions = list(values), list(captions)
    if not all(text.strip() for text in (label, alt, *captions)):
        raise InputError("label, alt or a caption is empty: say in words what the figure shows.")
    pictures = _trimmed([plotting.picture_of(draw, each, scale=plotting.SHARP) for each in values])
    pages = [_page(*pair, alt) for pair in zip(pictures, captions, strict=True)]
    few = np.linspace(0, len(values) - 1, min(STILLS, len(values))).round().astype(int)
    chosen = few.tolist() if stills is None else stills
    still = _still([pictures[i] for i in chosen], [captions[i] for i in chosen])
    description = f"{alt} {label}: {'; '.join(captions)}."
    return MovingFigure(_joined(pages, label), still, description)


def _trimmed(pictures):
    """Crop the white margin that all pictures share."""
    if len({picture.shape for picture in pictures}) > 1:
        raise InputError("frames differ in size: draw all of them with the same width and layout.")
    inked = np.any([picture.min(axis=-1) < 255 for picture in pictures], axis=0)
    left, top, right, bottom = Image.fromarray(inked).getbbox()
    return [picture[top:bottom, left:right] for picture in pictures]


def _joined(pages, label):
    """Play button and slider, and below them the page that the slider points to."""
    last = len(pages) - 1
    slider = ipywidgets.IntSlider(0, 0, last, description=label, readout=False)
    slider.style.description_width = "initial"
    slider.layout = ipywidgets.Layout(flex="1 1 8rem", max_width="24rem")
    play = ipywidgets.Play(0, 0, last, interval=MILLISECONDS_A_FRAME, show_repeat=False)
    ipywidgets.jslink((play, "value"), (slider, "value"))
    controls = ipywidgets.Layout(flex_flow="row wrap", max_width="100%")
    if hasattr(ipywidgets, "Stack"):  # of all pages the browser shows one; it needs no kernel
        layout = ipywidgets.Layout(margin="0", max_width="100%")
        first = ipywidgets.HTML(pages[0], layout=layout)
        others = [ipywidgets.HTML(page, layout=layout, style=first.style) for page in pages[1:]]
        shown = ipywidgets.Stack([first, *others], selected_index=0)
        ipywidgets.jslink((slider, "value"), (shown, "selected_index"))
    else:  # Colab has ipywidgets 7: the kernel replaces the page
        shown = ipywidgets.HTML(pages[0])
        slider.observe(lambda change: setattr(shown, "value", pages[change["new"]]), "value")
    shown.add_class("moving-frames")
    return [ipywidgets.HBox([play, slider], layout=controls), shown]


def _page(picture, caption, alt):
    height, width = (side // plotting.SHARP for side in picture.shape[:2])
    # The smaller of two: flat colours compress better without loss, photographs with it.
    image, looks = Image.fromarray(picture), ({"lossless": True}, {"quality": 40})
    source = min((data_uri(image, "WEBP", method=6, **look) for look in looks), key=len)
    return (
        f'<figure style="margin:0"><img src="{source}" width="{width}" height="{height}" '
        f'style="max-width:100%;height:auto" alt="{escape(f"{alt} {caption}")}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _still(pictures, captions):
    """The bytes of a PNG file that shows the pictures with their captions."""
    height, width = pictures[0].shape[:2]
    columns = 1 if width > WIDE * height else min(2, len(pictures))
    titles = [fill(caption, 2 * STILL_CHARACTERS // columns) for caption in captions]
    sheet = plotting.picture_of(plotting.show, pictures, titles, columns, STILL_WIDTH)
    return encoded(Image.fromarray(sheet).quantize(STILL_COLORS), "PNG", optimize=True)


class Page:
    """What a notebook shows as HTML on the last line of a cell, and elsewhere as words."""

    def __init__(self, html: str, description: str) -> None:
        self.html, self.description = html, description

    def _repr_html_(self):
        return self.html

    def __repr__(self):
        return self.description


def fields(image: np.ndarray, model: keras.Model, layers: Sequence[str], alt: str) -> Page:
    """Make a photograph on which a click, or two sliders, show what a cell of each layer sees.

    The cell is the one whose centre is nearest to the chosen pixel. No kernel is needed.

    Args:
        image: RGB, uint8 (H, W, 3).
        model: any whose receptive fields are known.
        layers: names of the layers to show.
        alt: the photograph in words, for those who cannot see it.

    Raises:
        InputError: there is no such layer, see `receptive_field`.
    """
    found = {name: receptive_field(model, name) for name in layers}
    colors = dict(zip(found, cycle(plotting.LINE_COLORS), strict=False))
    photo, (rows, columns) = data_uri(Image.fromarray(image), "JPEG", quality=85), image.shape[:2]
    html = jinja2.Template(FIELDS.read_text(encoding="utf-8"), autoescape=True).render(
        name=f"fields-{sha256(photo.encode()).hexdigest()[:8]}",
        alt=alt,
        photo=photo,
        **{"margin": MARGIN, "rows": rows, "columns": columns},
        fields=[
            (name, each, colors[name], _start(each, columns // 2), _start(each, rows // 2))
            for name, each in found.items()
        ],
    )
    return Page(html, f"{alt} " + "; ".join(f"{name} {each}" for name, each in found.items()))


def _start(field, pixel):
    """Where the box begins of the cell nearest to a pixel, along one axis."""
    cell = round((pixel - field.offset) / field.stride)
    return field.offset + cell * field.stride - (field.size - 1) / 2
