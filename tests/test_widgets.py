"""Figures that a reader moves: frames, links, names, the picture and the words beside them."""

import re
from base64 import b64decode
from io import BytesIO

import ipywidgets
import matplotlib.pyplot as plt
import numpy as np
import pytest
from ipywidgets.embed import dependency_state
from PIL import Image

import fcn_tutorial as fcn
from fcn_tutorial import plotting, widgets

GREYS = [0, 60, 120, 180, 240]
CAPTIONS = [f"grey {grey} < 255" for grey in GREYS]


def draw(grey):
    plotting.show([np.full((4, 6, 3), grey, np.uint8)], width=2)


@pytest.fixture(scope="module")
def figure():
    return widgets.frames(draw, GREYS, CAPTIONS, "grey level", 'A "plain" field.')


def pages(figure):
    return [page.value for page in figure.children[1].children]


def picture_in(page):
    source = re.search(r'src="data:image/webp;base64,([^"]+)"', page)[1]
    return np.array(Image.open(BytesIO(b64decode(source))).convert("RGB")).astype(int)


def test_each_value_has_the_frame_that_draw_draws(figure):
    centres = [picture_in(page)[20, 20] for page in pages(figure)]
    np.testing.assert_allclose(centres, np.repeat(GREYS, 3).reshape(-1, 3), atol=2)


def test_frames_keep_no_white_margin_and_their_size_is_stated(figure):
    for page in pages(figure):
        picture = picture_in(page)
        assert picture[0].min() < 250 and picture[-1].min() < 250
        height, width = picture.shape[:2]
        assert f'width="{width}" height="{height}"' in page


def test_each_frame_has_its_caption_and_alt_text_escaped(figure):
    for page, grey in zip(pages(figure), GREYS, strict=True):
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
    view = bundle["application/vnd.jupyter.widget-view+json"]
    assert view["model_id"] == figure.model_id
    still = Image.open(BytesIO(b64decode(bundle["image/png"])))
    assert still.format == "PNG" and still.width <= 640
    greys = set(np.array(still.convert("L")).flat)
    for grey in (0, 60, 180, 240):  # four of the five frames
        assert min(abs(int(each) - grey) for each in greys) < 10
    assert bundle["text/plain"].startswith('A "plain" field. grey level: grey 0 < 255; grey 60')


def test_the_frames_of_the_picture_can_be_chosen():
    dark = widgets.frames(draw, GREYS, CAPTIONS, "grey level", "A field.", stills=(0,))
    light = widgets.frames(draw, GREYS, CAPTIONS, "grey level", "A field.", stills=(4,))
    shades = [np.array(Image.open(BytesIO(each.still)).convert("L")) for each in (dark, light)]
    assert shades[0][100, 200] < 10 and abs(int(shades[1][100, 200]) - 240) < 10


def test_a_photograph_stays_small():
    grain = np.random.default_rng(0).normal(0, 20, (200, 300, 3))
    photo = np.clip(np.linspace(40, 200, 300)[:, None] + grain, 0, 255).astype(np.uint8)
    figure = widgets.frames(
        lambda share: plotting.show([(share * photo).astype(np.uint8)], width=3.6),
        np.linspace(0.3, 1, 3),
        "abc",
        "light",
        "Noise.",
    )
    pixels = picture_in(pages(figure)[0]).size
    assert all(len(page) < pixels / 4 for page in pages(figure))


def test_without_a_stack_the_kernel_exchanges_the_frames(monkeypatch, figure):
    monkeypatch.delattr(ipywidgets, "Stack")
    seven = widgets.frames(draw, GREYS, CAPTIONS, "grey level", 'A "plain" field.')
    (_, slider), page = seven.children[0].children, seven.children[1]
    for index in (0, 3, 1):
        slider.value = index
        assert page.value == pages(figure)[index]


def test_nothing_is_shown_and_no_figure_stays_open(figure):
    plt.close("all")
    mine = plt.figure()
    widgets.frames(draw, GREYS[:2], CAPTIONS[:2], "grey level", "A field.")
    assert plt.get_fignums() == [mine.number]
    plt.close("all")


def test_styles_of_the_frames_are_shared(figure):
    models = [type(widget) for widget in figure.children[1].children]
    assert set(models) == {ipywidgets.HTML}
    assert len({page.layout.model_id for page in figure.children[1].children}) == 1
    assert len({page.style.model_id for page in figure.children[1].children}) == 1


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"values": [0], "captions": ["a"]}, "1 values"),
        ({"values": range(21), "captions": "abcdefghijklmnopqrstu"}, "21 values"),
        ({"captions": CAPTIONS[:4]}, "4 captions for 5 values"),
        ({"label": " "}, "label, alt or a caption is empty"),
        ({"alt": ""}, "label, alt or a caption is empty"),
        ({"captions": [*CAPTIONS[:4], ""]}, "label, alt or a caption is empty"),
        ({"draw": lambda grey: None}, "no figure was drawn"),
        ({"draw": lambda grey: plotting.show([np.ones((2, 2))], width=2 + grey / 240)}, "in size"),
        ({"draw": lambda grey: plotting.show([np.full((2, 2, 3), 255)])}, "all frames are white"),
    ],
)
def test_what_cannot_move_is_refused(changes, message):
    given = {
        "draw": draw,
        "values": GREYS,
        "captions": CAPTIONS,
        "label": "grey",
        "alt": "A field.",
    }
    with pytest.raises(fcn.InputError, match=message):
        widgets.frames(**given | changes)
    plt.close("all")
