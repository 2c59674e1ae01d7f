"""The first page's slider shows one labelling of the photograph after another."""

import pytest

NAMES = ["photo", "FCN-32s", "FCN-16s", "FCN-8s", "our labels"]


@pytest.fixture(params=["served", "opened from disk"])
def page(browser, site, html, request):
    start = site if request.param == "served" else html.as_uri()
    context = browser.new_context()
    context.route(lambda url: not url.startswith(start), lambda route: route.abort())
    page = context.new_page()
    page.goto(f"{start}/book/pages/intro.html")
    yield page
    context.close()


def shown(page):
    """Name, source and caption of the one picture that can be seen and has loaded."""
    page.wait_for_timeout(500)  # pictures fade
    (picture,) = [each for each in page.locator(".first-pictures img").all() if each.is_visible()]
    assert picture.evaluate("image => image.naturalWidth") > 600
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
