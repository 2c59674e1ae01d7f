"""Welcome, notation, glossary, library reference and teaching notes agree with the chapters."""

import re

import pytest
from rules import FENCE, MATHS, ROOT, TAG, WORD, Chapter

import fcn_tutorial as fcn

PAGES = ROOT / "book" / "pages"
FILES = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))
CHAPTERS = {path.name: Chapter.load(path) for path in FILES}
GLOSSARY = (PAGES / "glossary.md").read_text(encoding="utf-8")
HEADING = re.compile(r"^#{1,3} +(.+?)\s*$", re.M)


def slug(heading):
    """The anchor that MyST gives a heading: lower case, no punctuation, hyphens for spaces."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading.replace("`", ""))
    return re.sub(r"[^\w\- ]", "", text.strip().lower()).replace(" ", "-")


def sections(markdown):
    """{anchor: text of the section under that heading}."""
    parts = HEADING.split(FENCE.sub("", markdown))
    return {slug(heading): text for heading, text in zip(parts[1::2], parts[2::2], strict=True)}


TERMS = sections(GLOSSARY)
TERMS.pop("glossary")


def test_slugs_are_those_of_myst():
    assert slug("Void: pixels that are not counted") == "void-pixels-that-are-not-counted"
    assert slug("What `fc6` sees, and U-Net") == "what-fc6-sees-and-u-net"


@pytest.mark.parametrize("term", TERMS)
def test_a_glossary_entry_links_to_the_section_that_links_back(term):
    links = re.findall(r"\]\(\.\./chapters/(\d\d-[\w-]+\.ipynb)#([\w-]+)\)", TERMS[term])
    assert links, "no link to a section of a chapter"
    for chapter, anchor in links:
        assert f"(../pages/glossary.md#{term})" in sections(CHAPTERS[chapter].markdown)[anchor]


@pytest.mark.parametrize("name", CHAPTERS)
def test_every_link_into_the_glossary_finds_its_entry(name):
    linked = re.findall(r"\(\.\./pages/glossary\.md#([\w-]*)\)", CHAPTERS[name].markdown)
    assert set(linked) <= set(TERMS)


def test_entries_stand_in_alphabetical_order_and_once():
    headings = re.findall(r"^## +(.+?)\s*$", GLOSSARY, re.M)
    assert headings == sorted(set(headings), key=str.lower)


def test_the_welcome_page_lists_every_chapter_with_its_title_and_minutes():
    intro = (PAGES / "intro.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(.+?)\]\(\.\./chapters/(.+?\.ipynb)\) \|.*\| (\S+) \|$", intro, re.M)
    expected = []
    for name, chapter in CHAPTERS.items():
        title = re.match(r"# (.+)", chapter.markdown)[1]
        minutes = re.search(r"about (\d+) minutes?\s+on\s+two\s+CPU\s+cores", chapter.markdown)[1]
        expected.append((title, name, minutes))
    assert rows == expected


def test_notation_links_each_row_to_a_chapter():
    notation = (PAGES / "notation.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!Written|Value|Symbol).*$", notation, re.M)
    assert len(rows) > 15
    for row in rows:
        assert re.search(r"\]\(\.\./chapters/(\d\d-[\w-]+\.ipynb)\) \|$", row)[1] in CHAPTERS, row


def test_the_library_reference_has_every_public_name():
    listed = re.findall(r"auto\w+:: (\S+)", (PAGES / "library.md").read_text())
    homes = {f"fcn_tutorial.{fcn._MODULES[name]}.{name}" for name in fcn.__all__}
    assert homes <= set(listed)


def test_reading_times_follow_from_the_chapters():
    """A hundred words and one code cell a minute, and ten minutes for each exercise."""
    text = (PAGES / "teaching.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+)\. .+?\| (\d+) \| (\d+) \|", text, re.M)
    expected = []
    for chapter in CHAPTERS.values():
        words = len(WORD.findall(TAG.sub(" ", MATHS.sub(" ", FENCE.sub(" ", chapter.markdown)))))
        exercises = len(re.findall(r"\*\*Exercise \d+\.\d+\.\*\*", chapter.markdown))
        reading = words / 100 + len(chapter.code_cells)
        minutes = (5 * round(time / 5) for time in (reading, reading + 10 * exercises))
        expected.append((chapter.number, *minutes))
    assert [tuple(map(int, row)) for row in rows] == expected
