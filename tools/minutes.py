"""The minutes that a chapter takes, at its head and in the tables of the book's pages.

To read: 200 words a minute and five seconds a line of code, to the nearest five minutes; ten
minutes more for each exercise. To run: what studies/chapters/seconds.py has measured, in full
minutes. `make tables` writes them, so none is typed in.
"""

import json
import math
import re
from functools import cache
from pathlib import Path

import nbformat
from execute import CHAPTERS

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    *(ROOT / "book" / "pages" / name for name in ("intro.md", "teaching.md")),
    *sorted(CHAPTERS.glob("*.ipynb")),
]
WORDS_A_MINUTE, SECONDS_A_LINE, MINUTES_AN_EXERCISE, STEP = 200, 5, 10, 5
EXERCISES = "\n## Exercises\n"
EXERCISE = re.compile(r"^\*\*Exercise [\dA-Z]+\.\d+\.\*\*", re.M)
UNREAD = re.compile(r"^ *```.*?^ *```|<[^>]*>|\]\([^)]*\)", re.M | re.S)  # code, tags, addresses
WORD = re.compile(r"[^\W\d_][\w'-]*")
FOLDED = {"hide-input", "remove-cell", "remove-input"}
# A row of the intro's table, one of the teaching page's, and the line at a chapter's head.
INTRO = re.compile(r"^(\| \[([\dA-Z]+)\. .* )\| \d+ \| \d+ \|$", re.M)
TEACHING = re.compile(r"^(\| ([\dA-Z]+)\. [^|]* )\| \d+ \| \d+ \|", re.M)
HEAD = re.compile(r"(\*\*Time:\*\*) about \d+ minutes to read, \d+ minutes? to run\b")


@cache
def chapters():
    """{number or letter: (minutes to read, with exercises, to run)} of all chapters."""
    seconds = json.loads((ROOT / "studies" / "chapters" / "seconds.json").read_text())["chapters"]
    return {
        number_of(path): (
            *reading(nbformat.read(path, as_version=4)),
            math.ceil(seconds[path.stem] / 60),
        )
        for path in CHAPTERS.glob("*.ipynb")
    }


def number_of(path):
    first, second, *_ = path.stem.split("-")
    return second.upper() if first == "appendix" else str(int(first))


def reading(notebook):
    """Minutes to read a chapter, without its exercises and with them."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    prose, _, exercises = text.partition(EXERCISES)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [cell for cell in code if FOLDED.isdisjoint(cell.metadata.get("tags", []))]
    lines = sum(bool(line.strip()) for cell in shown for line in cell.source.splitlines())
    words = len(WORD.findall(UNREAD.sub(" ", prose)))
    minutes = words / WORDS_A_MINUTE + lines * SECONDS_A_LINE / 60
    alone = max(STEP, STEP * round(minutes / STEP))
    return alone, alone + MINUTES_AN_EXERCISE * len(EXERCISE.findall(exercises))


def filled(path):
    """The text of a page or a chapter, with its minutes as they are, and how many were found."""
    text, found = path.read_text(encoding="utf-8"), chapters()
    if path.suffix == ".ipynb":
        alone, _, run = found[number_of(path)]
        plural = "s" * (run > 1)
        return HEAD.subn(rf"\1 about {alone} minutes to read, {run} minute{plural} to run", text)
    if INTRO.search(text):
        return INTRO.subn(lambda row: "{}| {} | {} |".format(row[1], *found[row[2]][::2]), text)
    return TEACHING.subn(lambda row: "{}| {} | {} |".format(row[1], *found[row[2]][:2]), text)
