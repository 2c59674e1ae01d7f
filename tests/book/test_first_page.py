"""The first page's slider shows one labelling of the photograph after another."""

import pytest

NAMES = ["photo", "FCN-32s", "FCN-16s", "FCN-8s", "our labels"]


@pytest.fixture(params=["served", "opened from disk"])
def page(browser, site, html, request):
    served = request.param == "served"
    page = browser.new_page(reduced_motion="reduce", offline=not served)  # pictures do not fade
    page.goto(f"{site if served else html.as_uri()}/book/pages/intro.html")
    yield page
    page.close()


def shown(page):
    """Name, source and caption of the one picture that can be seen and has loaded."""
    (picture,) = [each for each in page.locator(".first-pictures img").all() if each.is_visible()]
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 600
    assert picture.get_attribute("alt")
    name = page.locator(".first-figure input").get_attribute("aria-valuetext")
    return name, picture.get_attribute("src"), page.locator(".first-figure figcaption").inner_text()


def test_every_labelling_is_reached_by_keyboard(page):
    slider = page.locator(".first-figure input")
    slider.press("Home")
    found = [shown(page)]
    for _ in NAMES[1:]:
        slider.press("ArrowRight")
        found.append(shown(page))
    names, pictures, captions = zip(*found, strict=True)
    assert list(names) == NAMES
    assert len(set(pictures)) == len(set(captions)) == len(NAMES)
