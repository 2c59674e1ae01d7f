"""The live page labels pictures as Keras does, by pointer and keyboard, and asks no other host."""

import json

import numpy as np
import pytest
from live_models import EXAMPLES, MODELS, SHAPES, SIDE, VARIANTS, network

import fcn_tutorial as fcn

READY = "#live-{}[data-state=ready]"
MILLISECONDS = 120_000
# Playwright takes long over lists: numbers come as text.
ARRAY = """(name) => {
  const values = name.split(".").reduce((value, key) => value[key], window.fcnLive);
  return JSON.stringify(Array.from(values));
}"""
COLORS = """(canvas) => {
  const {data} = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return JSON.stringify(Array.from(data));
}"""


@pytest.fixture(scope="module")
def live(browser, site):
    """The page, once it has labelled its first scene; `asked` and `said` collect what it did."""
    page = browser.new_page()
    page.asked, page.said = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("console", lambda line: page.said.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: page.said.append(str(error)))
    page.goto(f"{site}/book/pages/live.html")
    done(page)
    yield page
    page.close()


def done(page, part="shapes"):
    page.locator(READY.format(part)).wait_for(timeout=MILLISECONDS)


def click(page, name, part="shapes"):
    """Click on a button, and wait for the labels."""
    page.get_by_role("button", name=name, exact=True).click()
    done(page, part)


def array(page, name):
    """What the page keeps under a name, as float32."""
    return np.array(json.loads(page.evaluate(ARRAY, name)), np.float32)


def labels_of(page, name):
    return array(page, f"labels.{name}").reshape(SIDE, SIDE)


def picture(page, name="rgb"):
    return array(page, name).reshape(1, SIDE, SIDE, 3)


def test_three_scenes_are_labelled_as_by_keras(live):
    models = {name: network(name) for name in SHAPES}
    scenes = []
    for _ in range(3):
        scenes.append(picture(live))
        for name, model in models.items():
            expected = model.predict_on_batch(scenes[-1])[0].argmax(axis=-1)
            labels = labels_of(live, name)
            # Weights in 8 bits move an outline by a pixel here and there.
            assert (labels == expected).mean() > 0.99
            assert len(np.unique(labels)) > 3
        click(live, "Another scene")
    assert not np.array_equal(scenes[0], scenes[1])


@pytest.fixture(scope="module")
def photo(live):
    """The page, once it has labelled an example."""
    click(live, "Jockey", "photos")
    return live


def test_a_photo_is_labelled_as_by_keras_by_three_networks(photo):
    for name in VARIANTS:
        scores = fcn.load_trained(f"voc_{name}").predict_on_batch(picture(photo, "photo"))
        labels = labels_of(photo, f"photo_{name}")
        # In the file, weights and maps have 8 bits, which moves the outlines.
        assert (labels == scores[0].argmax(axis=-1)).mean() > 0.95
    assert len(photo.locator("#live-photos .live-legend li").all()) == len(np.unique(labels))


def colors(page, part):
    """The pixels that a canvas of the photographs shows."""
    return np.array(json.loads(page.locator(f"#live-photos {part}").evaluate(COLORS)))


def test_the_slider_sets_how_much_of_the_photo_shows_through(photo):
    slider, canvas = photo.locator("#live-opacity"), "[data-network=fcn8s] canvas"
    seen = {}
    for share in ("0", "50", "100"):
        slider.fill(share)
        seen[share] = colors(photo, canvas)
    assert np.array_equal(seen["0"], colors(photo, "#live-photo"))
    away = [abs(seen[share] - seen["0"]).mean() for share in ("50", "100")]
    assert 0 < 1.5 * away[0] < away[1]


def test_a_point_gets_class_and_probability_by_pointer_and_keyboard(photo):
    said = photo.locator("#live-point")
    canvas = photo.locator("#live-photos [data-network=fcn8s] canvas")
    box = canvas.bounding_box()
    canvas.click(position={"x": box["width"] / 2, "y": box["height"] / 2})
    first = said.inner_text()
    assert first.count("%") == 6 and "FCN-32s horse" in first and "FCN-8s horse" in first
    for _ in range(60):
        canvas.press("ArrowUp")
    assert "FCN-8s background" in said.inner_text()


def test_a_readers_photo_is_labelled_and_another_file_refused(live, tmp_path):
    status = live.locator("#live-photos .live-status")
    live.set_input_files("#live-file", EXAMPLES[0])
    live.get_by_text("cat.jpg, by FCN-8s:").wait_for(timeout=MILLISECONDS)
    (tmp_path / "notes.txt").write_text("no picture")
    live.set_input_files("#live-file", tmp_path / "notes.txt")
    live.locator("#live-photos[data-state=failed]").wait_for()
    assert "notes.txt" in status.inner_text()


def test_of_two_photos_the_one_chosen_last_is_shown(live):
    for name in ("Cat", "Jockey"):
        live.get_by_role("button", name=name, exact=True).click()
    done(live, "photos")
    assert "jockey.jpg" in live.locator("#live-photos .live-status").inner_text()


@pytest.mark.parametrize(
    "way", ["Larger", "Turn", "Smaller", "Remove", "ArrowLeft", "+", "r", "n", "Backspace"]
)
def test_the_chosen_shape_changes_by_buttons_and_by_keyboard(live, way):
    scene = live.locator("#live-scene")
    for name in ("Clear", "Disc", "Triangle"):
        click(live, name)
    before = picture(live), scene.get_attribute("aria-label")
    if live.get_by_role("button", name=way, exact=True).count():
        click(live, way)
    else:
        scene.press(way)
        done(live)
    after = picture(live), scene.get_attribute("aria-label")
    assert np.array_equal(before[0], after[0]) == (way == "n")
    assert (before[1] == after[1]) == (way not in ("n", "Remove", "Backspace"))


def test_a_shape_is_dragged_by_the_pointer(live):
    click(live, "Clear")
    # An empty scene has no score.
    assert "%" not in live.locator("#live-shapes").inner_text()
    click(live, "Disc")
    rows, columns = (np.flatnonzero(labels_of(live, "fcn8s").any(axis=axis)) for axis in (1, 0))
    box = live.locator("#live-scene").bounding_box()
    scale = box["width"] / SIDE
    x, y = box["x"] + columns.mean() * scale, box["y"] + rows.mean() * scale
    to_left = columns.mean() > SIDE / 2
    live.mouse.move(x, y)
    live.mouse.down()
    live.mouse.move(x + (-60 if to_left else 60) * scale, y, steps=3)
    live.mouse.up()
    done(live)
    moved = np.flatnonzero(labels_of(live, "fcn8s").any(axis=0))
    assert abs(abs(moved.mean() - columns.mean()) - 60) < 8


def test_nothing_is_asked_of_other_hosts_and_nothing_fails(live, site):
    assert any(url.endswith(".tflite") for url in live.asked)
    assert all(url.startswith((site, "blob:", "data:")) for url in live.asked)
    assert live.said == []


def test_all_networks_together_weigh_10_mebibytes_at_most():
    assert sum(path.stat().st_size for path in MODELS.glob("*.tflite")) <= 10 * 2**20
