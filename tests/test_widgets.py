"""Figures that a reader moves: frames, links, the picture and the words beside them."""

import re
from base64 import b64decode
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from ipywidgets.embed import dependency_state
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


def test_button_slider_and_frames_are_joined_in_the_browser(figure):
    (play, slider), stack = figure.children[0].children, figure.children[1]
    state = dependency_state(figure)
    links = [model["state"] for model in state.values() if model["model_name"] == "LinkModel"]
    joined = {(tuple(link["source"]), tuple(link["target"])) for link in links}
    name = {each: f"IPY_MODEL_{each.model_id}" for each in (play, slider, stack)}
    assert joined == {
        ((name[play], "value"), (name[slider], "value")),
        ((name[slider], "value"), (name[stack], "selected_index")),
    }
    for control in (play, slider):
        assert (control.value, control.min, control.max) == (0, 0, len(GREYS) - 1)
    assert slider.description == "grey level" and stack.selected_index == 0


def test_the_output_holds_the_widget_a_picture_and_words(figure):
    bundle = figure._repr_mimebundle_()
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == figure.model_id
    assert all(caption in bundle["text/plain"] for caption in CAPTIONS)
    still = np.array(Image.open(BytesIO(b64decode(bundle["image/png"]))).convert("L")).astype(int)
    assert still.shape[1] <= 800
    for grey in (0, 60, 180, 240):  # four of the five frames
        assert abs(still - grey).min() < 10


def test_the_frames_of_the_picture_can_be_chosen():
    shades = [np.array(Image.open(BytesIO(made(stills=[n]).still)).convert("L")) for n in (0, 4)]
    assert shades[0][100, 200] < 10 and abs(int(shades[1][100, 200]) - 240) < 10


def test_a_photograph_stays_small():
    grain = np.random.default_rng(0).normal(0, 20, (200, 300, 3))
    photo = np.clip(np.linspace(40, 200, 300)[:, None] + grain, 0, 255).astype(np.uint8)
    figure = made(
        draw=lambda share: plotting.show([(share * photo).astype(np.uint8)], width=3.6),
        values=[0.3, 1],
        captions="ab",
    )
    assert all(len(page) < picture_in(page).size / 4 for page in pages(figure))


def test_without_a_stack_the_kernel_exchanges_the_frames(monkeypatch, figure):
    monkeypatch.delattr(ipywidgets, "Stack")
    seven = made()
    (_, slider), page = seven.children[0].children, seven.children[1]
    for index in (0, 3, 1):
        slider.value = index
        assert page.value == pages(figure)[index]


def test_nothing_is_shown_and_no_figure_stays_open():
    plt.close("all")
    mine = plt.figure()
    made()
    assert plt.get_fignums() == [mine.number]
    plt.close("all")


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
