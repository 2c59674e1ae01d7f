"""Time each chapter of the book alone, from the start of its kernel to its last cell.

    python benchmarks/chapters.py [CHAPTER...]

Without names it times all of them. Writes results/chapters/seconds.json, by which a test holds the
minutes at the head of the chapters, and the rule that none takes longer than 90 seconds.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))

from execute import BOOK, execute, report  # noqa: E402


def seconds_of(path):
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    error = execute(path, notebook)
    if error:
        report({path: error})
    return round(time.perf_counter() - started, 1)


def main(names):
    machine = f"{os.cpu_count()} CPUs, {platform.machine()}"
    path = ROOT / "results" / "chapters" / "seconds.json"
    path.parent.mkdir(exist_ok=True)
    seconds = json.loads(path.read_text())["chapters"] if names and path.is_file() else {}
    chapters = [Path(name) for name in names] or sorted(BOOK.glob("*.ipynb"))
    seconds |= {chapter.stem: seconds_of(chapter) for chapter in chapters}
    content = {"machine": machine, "chapters": seconds, "together": round(sum(seconds.values()), 1)}
    path.write_text(json.dumps(content, indent=1) + "\n")
    for name, value in seconds.items():
        print(f"{name:32}{value:6.0f} s")
    print(f"Wrote {path.relative_to(ROOT)}: {content['together']:.0f} s for all, one after another")


if __name__ == "__main__":
    main(sys.argv[1:])
