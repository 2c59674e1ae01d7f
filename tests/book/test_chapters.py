"""Every chapter keeps every rule of the book (rules.py)."""

import pytest
import yaml
from rules import ROOT, RULES, Chapter

CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))


def test_every_chapter_is_in_the_table_of_contents():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    listed = {entry["file"] for part in toc["parts"] for entry in part["chapters"]}
    assert CHAPTERS
    assert {f"book/chapters/{path.stem}" for path in CHAPTERS} <= listed


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path):
    chapter = Chapter.load(path)
    complaints = [f"{path.name} {complaint}" for rule in RULES for complaint in rule(chapter)]
    assert not complaints, "\n".join(complaints)
