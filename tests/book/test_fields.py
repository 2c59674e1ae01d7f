"""The photograph on which a reader clicks: boxes lie where the receptive fields are."""

import re

import pytest

import fcn_tutorial as fcn
from fcn_tutorial import widgets

LAYERS = ["block3_pool", "block5_pool", "fc6"]
BOXES = """figure => [...figure.querySelectorAll("rect")].map((box) =>
  ["x", "y", "width"].map((name) => Number(box.getAttribute(name))))"""


PHOTO, _ = fcn.load_dataset("photos", "all")[0]


@pytest.fixture(scope="module")
def model():
    return fcn.build_fcn("fcn32s", 6, backbone="vgg_narrow")


@pytest.fixture(scope="module")
def source(model):
    return widgets.fields(PHOTO, model, LAYERS, "A photograph.")._repr_html_()


@pytest.fixture
def figure(browser, source):
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.errors = []
    page.on("pageerror", lambda error: page.errors.append(str(error)))
    page.set_content(source)
    yield page.locator("figure")
    assert page.errors == []
    page.close()


def expected(model, row, column):
    """Left, top and size of the field of the cell nearest to a pixel, for each layer."""
    fields = [fcn.receptive_field(model, name) for name in LAYERS]
    for field in fields:
        centres = [
            field.offset + field.stride * round((pixel - field.offset) / field.stride)
            for pixel in (column, row)
        ]
        yield [centre - (field.size - 1) / 2 for centre in centres] + [field.size]


def test_sliders_move_the_boxes_which_start_in_the_middle(figure, model, source):
    row, column = figure.get_by_role("slider").all()
    middle = [int(each.input_value()) for each in (row, column)]
    assert middle == [side // 2 for side in PHOTO.shape[:2]]
    drawn = re.findall(r'<rect x="(\S+)" y="(\S+)" width="(\S+)"', source)
    assert [[float(number) for number in box] for box in drawn] == list(expected(model, *middle))
    row.fill("77")
    column.fill("141")
    assert figure.evaluate(BOXES) == list(expected(model, 77, 141))
    column.press("ArrowRight")
    assert "row 77, column 142" in figure.inner_text()


def test_a_click_and_a_tap_choose_the_pixel_below(figure, model):
    picture = figure.locator("svg")
    place = picture.bounding_box()
    view = [float(number) for number in picture.get_attribute("viewBox").split()]
    scale = place["width"] / view[2]
    for row, column in ((100, 200), (10, 20)):
        point = {"x": (column + 0.5 - view[0]) * scale, "y": (row + 0.5 - view[1]) * scale}
        picture.click(position=point)
        values = [int(each.input_value()) for each in figure.get_by_role("slider").all()]
        a_screen_pixel = 1 / scale
        assert max(abs(values[0] - row), abs(values[1] - column)) <= a_screen_pixel + 1
        assert figure.evaluate(BOXES) == list(expected(model, *values))
