"""Measure what each chapter of the book takes to run, from its first cell to its last.

    python -m studies.chapters.seconds [CHAPTER...]

Without names it measures all of them, else those, and keeps the seconds of the others. They are
seconds of a processor: other programs on the machine change them little, and on two cores a chapter
takes no longer than that.
"""

import json
import os
import sys
from pathlib import Path

import nbformat

from studies.common import STUDIES, write

sys.path.insert(0, str(STUDIES.parent / "tools"))
from execute import CHAPTERS, execute, failures


def spent():
    """Processor seconds of all processes that this one has started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def seconds_of(path):
    before = spent()
    error = execute(path, nbformat.read(path, as_version=4))
    if error:
        sys.exit(failures({path: error}))
    return round(spent() - before, 1)


def main(names):
    stored = Path(__file__).with_suffix(".json")
    seconds = json.loads(stored.read_text())["chapters"] if names else {}
    for chapter in map(Path, names or sorted(CHAPTERS.glob("*.ipynb"))):
        seconds[chapter.stem] = seconds_of(chapter)
        print(f"{chapter.stem:44}{seconds[chapter.stem]:6.0f} s", flush=True)
        seconds = dict(sorted(seconds.items()))
        write(__file__, {"chapters": seconds, "together": round(sum(seconds.values()), 1)})


if __name__ == "__main__":
    main(sys.argv[1:])
