"""Welcome page, glossary, library reference and teaching notes name what there is."""

import re

import pytest
from rules import FENCE, ROOT, Chapter

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


def test_the_welcome_page_lists_every_chapter():
    intro = (PAGES / "intro.md").read_text(encoding="utf-8")
    assert set(CHAPTERS) <= set(re.findall(r"\]\(\.\./chapters/([\w-]+\.ipynb)", intro))


def test_the_library_reference_has_every_public_name():
    listed = re.findall(r"auto\w+:: (\S+)", (PAGES / "library.md").read_text())
    homes = {f"fcn_tutorial.{fcn._MODULES[name]}.{name}" for name in fcn.__all__}
    assert homes <= set(listed)
