"""Welcome page, glossary, library reference and teaching notes name what there is."""

import re
from functools import cache
from pathlib import Path

import minutes
import pytest
from rules import CODE_SPAN, FENCE, MATHS, NOTEBOOKS, PAGES_IN_ORDER, ROOT, Chapter

import fcn_tutorial as fcn

PAGES = ROOT / "book" / "pages"
CHAPTERS = {path.name: Chapter.load(path) for path in NOTEBOOKS}
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
SECTIONS = {name: sections(chapter.markdown) for name, chapter in CHAPTERS.items()}


@pytest.mark.parametrize("term", TERMS)
def test_a_glossary_entry_links_to_the_section_that_links_back(term):
    links = re.findall(r"\]\(\.\./chapters/([\w-]+\.ipynb)#([\w-]+)\)", TERMS[term])
    assert links, "no link to a section of a chapter"
    for chapter, anchor in links:
        assert f"(../pages/glossary.md#{term})" in SECTIONS[chapter][anchor]


ORDER = [f"{Path(page).stem}.ipynb" for page in PAGES_IN_ORDER if "/chapters/" in page]
# Words of everyday English, which a chapter may use before the course makes terms of them.
EVERYDAY = {"export", "mask", "precision", "recall", "record", "seed", "split", "step", "warm-up"}
# Terms that a reader may meet in code first.
IN_CODE = {"adamw", "beat_baseline", "dropout"}


@cache
def paragraphs(name):
    """(whether it is code, source, words) of a chapter's paragraphs and of its cells of code."""
    found = []
    for cell in CHAPTERS[name].notebook.cells:
        code = cell.cell_type == "code"
        text = cell.source if code else MATHS.sub(" ", FENCE.sub(" ", cell.source))
        for paragraph in [text] if code else re.split(r"\n\s*\n", text):
            words = re.sub(r"\]\([^)]*\)", "]", CODE_SPAN.sub(" ", paragraph))
            found.append((code, paragraph, words))
    return found


@pytest.mark.parametrize("term", sorted(TERMS.keys() - EVERYDAY))
def test_a_chapter_before_the_one_that_explains_a_term_links_to_it(term):
    explained = re.search(r"\]\(\.\./chapters/([\w-]+\.ipynb)", TERMS[term])[1]
    named = re.compile(rf"\b{term.replace('-', '[ -]')}(e?s)?\b", re.I)
    for name in ORDER[: ORDER.index(explained)]:
        for code, source, words in paragraphs(name):
            if (not code or term in IN_CODE) and named.search(words):
                there = f"glossary.md#{term})" in source or f"({explained}" in source
                assert there, f"{name} names {term} without a link: {source[:200]}"
                break  # the first mention is the one with the link


def test_entries_stand_in_alphabetical_order_and_once():
    headings = re.findall(r"^## +(.+?)\s*$", GLOSSARY, re.M)
    assert headings == sorted(set(headings), key=str.lower)


def test_the_welcome_page_lists_every_chapter():
    intro = (PAGES / "intro.md").read_text(encoding="utf-8")
    assert set(CHAPTERS) <= set(re.findall(r"\]\(\.\./chapters/([\w-]+\.ipynb)", intro))


def test_the_library_reference_has_every_public_name():
    listed = re.findall(r"auto\w+:: ([\w.]+)", (PAGES / "library.md").read_text())
    homes = {f"fcn_tutorial.{fcn._MODULES[name]}.{name}" for name in fcn.__all__}
    assert homes <= set(listed)


@pytest.mark.parametrize("path", minutes.PAGES, ids=lambda path: path.stem)
def test_heads_and_pages_say_the_minutes_that_a_chapter_takes(path):
    text, found = minutes.filled(path)
    assert found == (1 if path.suffix == ".ipynb" else len(CHAPTERS))
    assert text == path.read_text(encoding="utf-8"), "run make tables"
