"""Searching, printing, launching and downloading work on the built pages."""

from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml
from rules import ROOT
from test_pages import PAGES

CODE = "book/chapters/01-pixels-as-classes.html"
NOTEBOOKS = [path for path in PAGES if path.startswith("book/chapters/")]


@pytest.fixture(scope="module")
def page(browser, site):
    page = browser.new_page()
    page.visit = lambda path: page.goto(f"{site}/{path}", wait_until="networkidle")
    yield page
    page.close()


def test_the_search_button_opens_a_field_that_searches(page):
    page.visit(CODE)
    page.locator("button.search-button__button:visible").first.click()
    field = "dialog input[type=search], .search-button__search-container input"
    page.locator(field).first.fill("bilinear")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=bilinear*")
    page.locator("#search-results li").first.wait_for()


@pytest.mark.parametrize("width", [360, 1440])
def test_one_search_box_is_in_sight(page, width):
    page.set_viewport_size({"width": width, "height": 800})
    page.visit(CODE)
    assert page.locator("button.search-button__button:visible").count() == 1
    page.set_viewport_size({"width": 1280, "height": 720})


def test_the_buttons_of_the_header_work_without_scripts_in_attributes(page):
    page.visit(CODE)
    assert page.locator("[onclick]").count() == 0
    page.evaluate("() => { window.print = () => (window.printed = true); }")
    page.locator(".btn-download-pdf-button").dispatch_event("click")
    assert page.evaluate("window.printed")
    page.locator(".btn-fullscreen-button").click()
    page.wait_for_function("document.fullscreenElement !== null")
    page.locator(".btn-fullscreen-button").click()


def test_the_courses_own_scores_are_in_sight_on_a_phone(page):
    page.set_viewport_size({"width": 360, "height": 800})
    page.visit("book/pages/ledger.html")
    # Tables of more columns scroll.
    cells = page.locator("table:not(:has(th:nth-child(4))) th:last-child").all()
    assert cells
    for cell in cells:
        box = cell.bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    page.set_viewport_size({"width": 1280, "height": 720})


@pytest.mark.parametrize("path", NOTEBOOKS)
def test_a_chapter_is_launched_and_downloaded_as_its_notebook(page, html, path):
    page.visit(path)
    notebook = path.replace(".html", ".ipynb")
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    owner_and_name = urlsplit(repository["url"]).path.strip("/")
    where = f"github/{owner_and_name}/blob/{repository['branch']}/{notebook}"
    launch = page.locator("a[href*='colab.research.google.com']")
    assert launch.first.get_attribute("href") == f"https://colab.research.google.com/{where}"
    binder = page.locator("a[href*='mybinder.org']").first.get_attribute("href")
    start = f"https://mybinder.org/v2/gh/{owner_and_name}/{repository['branch']}"
    assert binder == f"{start}?urlpath=lab/tree/{notebook}"
    page.locator(".dropdown-download-buttons button").first.click()
    link = page.locator(".dropdown-download-buttons a[href$='.ipynb']").first
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes() == (ROOT / notebook).read_bytes()
