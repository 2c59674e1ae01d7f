"""Figures that a reader moves: frames, the still picture and the words beside them."""

import re
from base64 import b64decode
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from fcn_tutorial import plotting, widgets

GREYS = [0, 60, 120, 180, 240]
CAPTIONS = [f"grey {grey} < 255" for grey in GREYS]


def draw(grey):
    plotting.show([np.full((4, 6, 3), grey, np.uint8)], width=2)


def made(**changes):
    given = {"draw": draw, "values": GREYS, "captions": CAPTIONS, "label": "grey level"}
    return widgets.frames(**{**given, "alt": 'A "plain" field.', **changes})


@pytest.fixture(scope="module")
def figure():
    return made()


def pages(figure):
    return [page.value for page in figure.children[1].children]


def picture_in(page):
    source = re.search(r'src="data:image/webp;base64,([^"]+)"', page)[1]
    return np.array(Image.open(BytesIO(b64decode(source))).convert("RGB")).astype(int)


def test_each_value_has_its_frame_without_a_margin_and_with_its_words(figure):
    for page, grey in zip(pages(figure), GREYS, strict=True):
        picture = picture_in(page)
        height, width = picture.shape[:2]
        np.testing.assert_allclose(picture[20, 20], grey, atol=2)
        assert picture[0].min() < 250 and picture[-1].min() < 250
        assert f'width="{width // 2}" height="{height // 2}"' in page  # for sharp screens
        assert f"<figcaption>grey {grey} &lt; 255</figcaption>" in page
        assert f'alt="A &quot;plain&quot; field. grey {grey} &lt; 255"' in page


def test_the_output_holds_the_widget_a_picture_and_words(figure):
    bundle = figure._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert all(caption in bundle["text/plain"] for caption in CAPTIONS)
    still = np.array(Image.open(BytesIO(b64decode(bundle["image/png"]))).convert("L")).astype(int)
    assert still.shape[1] <= 800
    for grey in (0, 60, 180, 240):  # four of the five frames
        assert abs(still - grey).min() < 10


def test_without_a_stack_the_kernel_exchanges_the_frames(monkeypatch, figure):
    monkeypatch.delattr(ipywidgets, "Stack")
    seven = made()
    (_, slider), page = seven.children[0].children, seven.children[1]
    for index in (0, 3, 1):
        slider.value = index
        assert page.value == pages(figure)[index]


@pytest.mark.parametrize(
    "changes",
    [
        {"label": " "},
        {"alt": ""},
        {"captions": [*CAPTIONS[:4], ""]},
        {"draw": lambda grey: None},
        {"draw": lambda grey: plotting.show([np.ones((2, 2))], width=2 + grey / 240)},
    ],
)
def test_what_cannot_move_is_refused(refusal, changes):
    refusal(made, **changes)
    plt.close("all")
