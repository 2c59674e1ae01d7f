"""The built pages, a server for them and a browser, for the book's own tests."""

import os
from pathlib import Path

import pytest

from studies.common import served

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
LONGEST = ("build_without_node", "live", "moving_figures", "pages", "pages_of_chapters")


def pytest_collection_modifyitems(items):
    """With --no-loadscope-reorder, processes take the files in this order: none is left at last."""
    items.sort(key=lambda item: item.path.stem.removeprefix("test_") not in LONGEST)


def lacking(reason, required):
    """Skip the test; fail it where the environment variable `required` is set."""
    if os.environ.get(required) == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def html():
    """The folder of the built pages."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").exists():
        lacking("the pages are not there: run `make book` first", required="REQUIRE_BOOK")
    return folder


@pytest.fixture(scope="session")
def site(html):
    """The address at which the built pages are served."""
    with served(html) as address:
        yield address


@pytest.fixture(scope="session")
def browser():
    """Chromium, headless."""
    if not CHROMIUM.exists():
        lacking(f"no browser at {CHROMIUM}: install the package chromium", required="CI")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()
