"""Every figure that moves, moves on its built page; by mouse and Play button, too, on one.

And where nothing moves, its still picture stands in.
"""

import pytest
from rules import NOTEBOOKS, Chapter

SECONDS_TO_APPEAR = 30
# What is visible: width of the picture's file, source, alt text, caption.
PICTURES = """figure => [...figure.querySelectorAll("img")]
  .filter((image) => image.checkVisibility())
  .map((image) => [image.naturalWidth, image.src, image.alt,
                   image.closest("figure").querySelector("figcaption").textContent])"""


# {page: the number of its moving figures}, from the outputs that the chapters store.
COUNTS = {path.stem: len(list(Chapter.load(path).moving_figures())) for path in NOTEBOOKS}
MOVING = {f"book/chapters/{name}.html": count for name, count in COUNTS.items() if count}
# The same script moves all figures: what needs no frames of a figure's own is tried on one page.
MOST = max(MOVING, key=MOVING.get)
on_one_page = pytest.mark.parametrize("page", [MOST], indirect=True)


@pytest.fixture(scope="module", params=MOVING)
def page(browser, site, request):
    """A page with moving figures."""
    page = browser.new_page()
    page.goto(f"{site}/{request.param}")
    page.count = MOVING[request.param]
    yield page
    page.close()


def figures_of(page):
    """The moving figures of an open page, once they are there."""
    figures = page.locator(".moving-figure")
    figures.first.locator("img").wait_for(timeout=1000 * SECONDS_TO_APPEAR)
    return [figures.nth(number) for number in range(figures.count())]


def shown(figure, before=("", "", "")):
    """Source, alt text and caption of the one picture that a figure shows, another than before."""
    for _ in range(50):
        pictures = figure.evaluate(PICTURES)
        if len(pictures) == 1 and pictures[0][0] > 100:
            _, source, alt, caption = pictures[0]
            assert alt.endswith(caption)
            if source != before[0] and caption != before[2]:
                return source, alt, caption
        figure.page.wait_for_timeout(100)
    pytest.fail(f"the figure shows {[caption for *_, caption in pictures]}")


def test_all_figures_of_the_page_are_there_in_place_of_their_stills(page):
    assert len(figures_of(page)) == page.locator("img.still").count() == page.count
    assert not any(still.is_visible() for still in page.locator("img.still").all())


def test_arrow_keys_move_it(page):
    for figure in figures_of(page):
        figure.get_by_role("slider").focus()
        page.keyboard.press("Home")
        first = shown(figure)
        page.keyboard.press("ArrowRight")
        second = shown(figure, first)
        page.keyboard.press("End")
        last = shown(figure, second)
        assert len({first[0], second[0], last[0]}) == 3
        page.keyboard.press("Home")
        assert shown(figure, last) == first


@on_one_page
def test_the_mouse_moves_it(page):
    for figure in figures_of(page):
        first = shown(figure)
        handle = figure.get_by_role("slider")
        handle.scroll_into_view_if_needed()
        start, bar = handle.bounding_box(), figure.locator(".slider").bounding_box()
        page.mouse.move(start["x"] + start["width"] / 2, start["y"] + start["height"] / 2)
        page.mouse.down()
        page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2, steps=4)
        page.mouse.up()
        middle = shown(figure, first)
        page.mouse.click(bar["x"] + bar["width"] - 2, bar["y"] + bar["height"] / 2)
        shown(figure, middle)


@on_one_page
def test_play_moves_it(page):
    for figure in figures_of(page):
        figure.get_by_role("button", name="Back to the start").click()
        page.wait_for_timeout(300)
        first = shown(figure)
        play = figure.get_by_role("button", name="Play")
        play.focus()
        page.keyboard.press("Enter")
        shown(figure, first)
        play.click()


def test_controls_have_names_and_new_frames_are_announced(page):
    for figure in figures_of(page):
        label = figure.locator(".widget-slider .widget-label").inner_text()
        assert label and figure.get_by_role("slider", name=label).count() == 1
        for name in ("Play or pause", "Back to the start"):
            assert figure.get_by_role("button", name=f"{name}: {label}").count() == 1
        live = figure.locator("figcaption").locator("xpath=ancestor::*[@aria-live='polite']")
        assert live.count() == 1


def test_without_scripts_the_stills_stand_in(browser, site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site}/{MOST}")
    assert page.locator(".moving-figure").count() == 0
    for still in page.locator("img.still").all():
        assert still.is_visible() and still.get_attribute("alt")
        assert still.evaluate("image => image.naturalWidth") > 100
    context.close()
