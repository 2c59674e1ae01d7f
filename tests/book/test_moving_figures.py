"""Every figure that moves, moves on its built page: by keyboard, by mouse and by its Play button.

And where nothing moves, its still picture stands in.
"""

import copy
from pathlib import Path

import execute
import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from nbformat.v4 import new_code_cell, new_notebook
from rules import ROOT, WIDGET, WIDGET_STATE, Chapter, moving_figures

SECONDS_TO_APPEAR = 30
# What is visible: width of the picture's file, source, alt text, caption.
PICTURES = """figure => [...figure.querySelectorAll("img")]
  .filter((image) => image.checkVisibility())
  .map((image) => [image.naturalWidth, image.src, image.alt,
                   image.closest("figure").querySelector("figcaption").textContent])"""


def chapters_that_move():
    """{page: the number of its moving figures}, from the outputs that the chapters store."""
    files = (ROOT / "book" / "chapters").glob("*.ipynb")
    chapters = {path.stem: Chapter.load(path) for path in files}
    counts = {name: len(list(moving_figures(chapter))) for name, chapter in chapters.items()}
    return {f"book/chapters/{name}.html": count for name, count in sorted(counts.items()) if count}


MOVING = chapters_that_move()


def test_seven_chapters_have_a_figure_that_moves():
    assert [page[5:7] for page in MOVING] == ["01", "02", "04", "05", "06", "07", "09"]


@pytest.fixture
def open_page(browser, site):
    """Opens a page that reaches nothing but the site itself, with or without JavaScript."""
    contexts = []

    def open_it(path, scripts=True):
        context = browser.new_context(java_script_enabled=scripts)
        contexts.append(context)
        context.route(lambda url: not url.startswith(site), lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{site}/{path}")
        return page

    yield open_it
    for context in contexts:
        context.close()


def figures_of(page):
    """The moving figures of an open page, once they are there."""
    figures = page.locator(".moving-figure")
    figures.first.locator("img").wait_for(timeout=1000 * SECONDS_TO_APPEAR)
    return [figures.nth(number) for number in range(figures.count())]


def shown(figure):
    """Source, alt text and caption of the one picture that a figure shows."""
    for _ in range(20):
        pictures = figure.evaluate(PICTURES)
        if len(pictures) == 1 and pictures[0][0] > 100:
            _, source, alt, caption = pictures[0]
            assert alt.endswith(caption)
            return source, alt, caption
        figure.page.wait_for_timeout(100)
    pytest.fail(f"the figure shows {len(pictures)} pictures, not one")


def until_it_changes(page, figure, before, seconds=5):
    for _ in range(10 * seconds):
        page.wait_for_timeout(100)
        now = shown(figure)
        if now[0] != before[0] and now[2] != before[2]:
            return now
    pytest.fail(f"the figure still shows {before[2]}")


@pytest.mark.parametrize("path", MOVING)
def test_all_figures_of_the_page_are_there(open_page, path):
    assert len(figures_of(open_page(path))) == MOVING[path]


@pytest.mark.parametrize("path", MOVING)
def test_arrow_keys_move_it(open_page, path):
    page = open_page(path)
    for figure in figures_of(page):
        first = shown(figure)
        figure.get_by_role("slider").focus()
        page.keyboard.press("ArrowRight")
        second = until_it_changes(page, figure, first)
        page.keyboard.press("End")
        last = until_it_changes(page, figure, second)
        assert len({first[0], second[0], last[0]}) == 3
        page.keyboard.press("Home")
        assert until_it_changes(page, figure, last) == first


@pytest.mark.parametrize("path", MOVING)
def test_the_mouse_moves_it(open_page, path):
    page = open_page(path)
    for figure in figures_of(page):
        first = shown(figure)
        handle = figure.get_by_role("slider")
        handle.scroll_into_view_if_needed()
        start, bar = handle.bounding_box(), figure.locator(".slider").bounding_box()
        page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
        page.mouse.down()
        page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2, steps=4)
        page.mouse.up()
        middle = until_it_changes(page, figure, first)
        page.mouse.click(bar["x"] + bar["width"] - 2, bar["y"] + bar["height"] / 2)
        until_it_changes(page, figure, middle)


@pytest.mark.parametrize("path", MOVING)
def test_play_moves_it_and_stops(open_page, path):
    page = open_page(path)
    for figure in figures_of(page):
        first = shown(figure)
        play = figure.get_by_role("button", name="Play")
        play.focus()
        page.keyboard.press("Enter")
        second = until_it_changes(page, figure, first)
        until_it_changes(page, figure, second)
        play.click()
        page.wait_for_timeout(200)
        paused = shown(figure)
        page.wait_for_timeout(1500)
        assert shown(figure) == paused
        figure.get_by_role("button", name="Back to the start").click()
        assert until_it_changes(page, figure, paused) == first


@pytest.mark.parametrize("path", MOVING)
def test_controls_have_names_and_new_frames_are_announced(open_page, path):
    for figure in figures_of(open_page(path)):
        label = figure.locator(".widget-slider .widget-label").inner_text()
        assert label and figure.get_by_role("slider", name=label).count() == 1
        assert figure.get_by_role("button").count() == 2
        for name in ("Play or pause", "Back to the start"):
            assert figure.get_by_role("button", name=f"{name}: {label}").count() == 1
        live = figure.locator("figcaption").locator("xpath=ancestor::*[@aria-live='polite']")
        assert live.count() == 1


@pytest.mark.parametrize("path", MOVING)
def test_the_still_stands_in_until_the_figure_is_there(open_page, path):
    page = open_page(path)
    figures_of(page)
    stills = page.locator("img.still")
    assert stills.count() == MOVING[path]
    assert not any(still.is_visible() for still in stills.all())
    plain = open_page(path, scripts=False)
    assert plain.locator(".moving-figure").count() == 0
    for still in plain.locator("img.still").all():
        assert still.is_visible() and len(still.get_attribute("alt")) > 40
        assert still.evaluate("image => image.naturalWidth") > 100


SOURCE = """import numpy as np
from fcn_tutorial import plotting, widgets
draw = lambda grey: plotting.show([np.full((2, 2, 3), grey)])
widgets.frames(draw, [0, 200], ["dark", "light"], "grey", "A field.")"""


def run(notebook):
    """Execute a notebook and tidy it, as tools/execute.py does; returns the models it stores."""
    assert execute.execute(Path("small.ipynb"), notebook) is None
    execute.tidy(notebook)
    return notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})


def test_execution_stores_the_state_of_its_own_figures_only():
    notebook = new_notebook(cells=[new_code_cell(SOURCE)])
    first, again = run(notebook), run(notebook)
    assert len(first) == len(again) and not set(first) & set(again)
    ((bundle, values),) = moving_figures(Chapter(1, notebook))
    assert bundle[WIDGET]["model_id"] in again
    assert [caption in str(values) for caption in ("dark", "light")] == [True, True]
    notebook.cells[0].source = "1"
    assert run(notebook) == {}


def test_the_cache_of_executed_chapters_keeps_the_state(tmp_path):
    notebook = new_notebook(cells=[new_code_cell(SOURCE)])
    state = run(notebook)
    cache = get_cache(tmp_path)
    bundle = CacheBundleIn(copy.deepcopy(notebook), "small.ipynb")
    cache.cache_notebook_bundle(bundle, check_validity=False)
    notebook.metadata.widgets = {WIDGET_STATE: {"state": {"of an earlier run": {}}}}
    _, merged = cache.merge_match_into_notebook(notebook)
    assert set(merged.metadata.widgets[WIDGET_STATE]["state"]) == set(state)
