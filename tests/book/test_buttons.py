"""Searching and printing work on the built pages; chapters are launched and downloaded."""

import filecmp
import re
from urllib.parse import urlsplit

import pytest
import yaml
from rules import NOTEBOOKS, ROOT

CHAPTER = "book/chapters/01-pixels-as-classes"
LAPTOP, PHONE = {"width": 1280, "height": 720}, {"width": 360, "height": 800}


@pytest.fixture(scope="module")
def page(browser, site):
    """A chapter's page; whoever goes elsewhere or changes its size comes back."""
    page = browser.new_page(viewport=LAPTOP)
    page.goto(f"{site}/{CHAPTER}.html")
    yield page
    page.close()


def test_one_search_box_is_in_sight(page):
    for size in (PHONE, LAPTOP):
        page.set_viewport_size(size)
        assert page.locator("button.search-button__button:visible").count() == 1


def test_the_buttons_of_the_header_work_without_scripts_in_attributes(page):
    assert page.locator("[onclick]").count() == 0
    page.evaluate("() => { window.print = () => (window.printed = true); }")
    page.locator(".btn-download-pdf-button").dispatch_event("click")
    assert page.evaluate("window.printed")
    page.locator(".btn-fullscreen-button").click()
    page.wait_for_function("document.fullscreenElement !== null")
    page.locator(".btn-fullscreen-button").click()
    page.wait_for_function("document.fullscreenElement === null")


def test_the_search_button_opens_a_field_that_searches(page):
    page.locator("button.search-button__button:visible").first.click()
    field = "dialog input[type=search], .search-button__search-container input"
    page.locator(field).first.fill("bilinear")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=bilinear*")
    page.locator("#search-results li").first.wait_for()


def test_the_courses_own_scores_are_in_sight_on_a_phone(page, site):
    page.set_viewport_size(PHONE)
    page.goto(f"{site}/book/pages/ledger.html")
    # Tables of more columns scroll.
    cells = page.locator("table:not(:has(th:nth-child(4))) th:last-child").all()
    boxes = [cell.bounding_box() for cell in cells]
    assert boxes and min(box["x"] for box in boxes) >= 0
    assert max(box["x"] + box["width"] for box in boxes) <= PHONE["width"]


def test_every_chapter_is_launched_and_downloaded_as_its_notebook(html):
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    course = urlsplit(repository["url"]).path.strip("/")
    for path in NOTEBOOKS:
        notebook = path.relative_to(ROOT).as_posix()
        page = (html / notebook).with_suffix(".html")
        text = page.read_text(encoding="utf-8")
        binder = f"mybinder.org/v2/gh/{course}/{repository['branch']}?urlpath=lab/tree/{notebook}"
        colab = f"colab.research.google.com/github/{course}/blob/{repository['branch']}/{notebook}"
        for address in (binder, colab):
            assert f'href="https://{address}"' in text, notebook
        (copy,) = set(re.findall(r'href="([^":]*_sources/[^":]*\.ipynb)"', text))
        assert filecmp.cmp(page.parent / copy, path, shallow=False), notebook
