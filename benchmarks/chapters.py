"""Time each chapter of the book alone, from the start of its kernel to its last cell.

    python benchmarks/chapters.py

Writes results/chapters/seconds.json. The minutes at the head of the chapters are read from it by a
test, as is the rule that none takes longer than 90 seconds on two CPU cores.
"""

import json
import os
import platform
import sys
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "book"))

from execute import BOOK, execute, report  # noqa: E402


def seconds_of(path):
    notebook = nbformat.read(path, as_version=4)
    started = time.perf_counter()
    error = execute(path, notebook)
    if error:
        report({path: error})
    return round(time.perf_counter() - started, 1)


def main():
    machine = f"{os.cpu_count()} CPUs, {platform.machine()}"
    seconds = {path.stem: seconds_of(path) for path in sorted(BOOK.glob("*.ipynb"))}
    path = ROOT / "results" / "chapters" / "seconds.json"
    path.parent.mkdir(exist_ok=True)
    content = {"machine": machine, "chapters": seconds, "together": round(sum(seconds.values()), 1)}
    path.write_text(json.dumps(content, indent=1) + "\n")
    for name, value in seconds.items():
        print(f"{name:32}{value:6.0f} s")
    print(f"Wrote {path.relative_to(ROOT)}: {content['together']:.0f} s for all, one after another")


if __name__ == "__main__":
    main()
