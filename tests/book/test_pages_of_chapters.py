"""The pages of the chapters are as every page is (test_pages.py)."""

import pytest
from rules import NOTEBOOKS
from test_pages import OfEveryPage

PAGES = [f"book/chapters/{path.stem}.html" for path in NOTEBOOKS]


@pytest.mark.parametrize("opened", PAGES, indirect=True)
class TestChapters(OfEveryPage):
    """Each chapter's page."""
