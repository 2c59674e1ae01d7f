"""Time each chapter of the book alone, from the start of its kernel to its last cell.

    python -m studies.chapters.seconds [CHAPTER...]

Without names it times all of them, else those, and keeps the times of the others.
"""

import json
import sys
import time
from pathlib import Path

import nbformat

from studies.common import STUDIES, write

sys.path.insert(0, str(STUDIES.parent / "tools"))
from execute import BOOK, execute, report


def seconds_of(path):
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    error = execute(path, notebook)
    if error:
        report({path: error})
    return round(time.perf_counter() - started, 1)


def main(names):
    stored = Path(__file__).with_suffix(".json")
    seconds = json.loads(stored.read_text())["chapters"] if names else {}
    for chapter in map(Path, names or sorted(BOOK.glob("*.ipynb"))):
        seconds[chapter.stem] = seconds_of(chapter)
        print(f"{chapter.stem:32}{seconds[chapter.stem]:6.0f} s", flush=True)
    write(__file__, {"chapters": seconds, "together": round(sum(seconds.values()), 1)})


if __name__ == "__main__":
    main(sys.argv[1:])
