"""What the chapters say about their minutes is what was measured."""

import json
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
MEASURED = json.loads((ROOT / "results" / "chapters" / "seconds.json").read_text())["chapters"]
CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))


def test_every_chapter_has_been_timed():
    assert set(MEASURED) == {path.stem for path in CHAPTERS}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_takes_90_seconds_at_most_and_says_how_long(path):
    opening = nbformat.read(path, as_version=4).cells[0].source
    minutes = int(re.search(r"about (\d+) minutes?\s+on\s+two\s+CPU\s+cores", opening)[1])
    assert MEASURED[path.stem] <= 90
    assert -0.5 <= minutes - MEASURED[path.stem] / 60 <= 1
