"""Every chapter keeps every rule of the book (rules.py)."""

import pytest
from rules import NOTEBOOKS, RULES, Chapter


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter(path):
    chapter = Chapter.load(path)
    complaints = [f"{path.name} {complaint}" for rule in RULES for complaint in rule(chapter)]
    assert not complaints, "\n".join(complaints)
