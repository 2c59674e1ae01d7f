"""Put the first cell, which installs the library in Colab, into chapters.

python tools/colab.py [CHAPTER...]: all chapters when none is named. The cell prints nothing where
the library is installed, so the stored outputs of a chapter stay valid.
"""

import sys
import tomllib
from pathlib import Path

import nbformat
from execute import CHAPTERS, fingerprint, outputs_are_its_own
from nbformat.v4 import new_code_cell

ROOT = Path(__file__).resolve().parent.parent
ID = "install"
# pip leaves packages alone that are new enough, so Colab keeps its own TensorFlow.
SOURCE = """\
# @title Run this first: it installs the course's library where that is missing
from importlib.util import find_spec

if not find_spec("fcn_tutorial"):
    %pip install --quiet {address}/archive/refs/tags/v{version}.tar.gz"""


def project(root=ROOT):
    """(address, version) as pyproject.toml has them."""
    table = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return table["urls"]["Repository"], table["version"]


def first_cell():
    """The cell: the book leaves it out, and Colab shows its title instead of its code."""
    address, version = project()
    metadata = {"cellView": "form", "tags": ["remove-cell"]}
    return new_code_cell(SOURCE.format(address=address, version=version), id=ID, metadata=metadata)


def put_first(notebook):
    """Replace the first of the code cells, or insert the cell before them."""
    valid = outputs_are_its_own(notebook)
    cells = [cell for cell in notebook.cells if cell.get("id") != ID]
    code = [cell for cell in cells if cell.cell_type == "code"]
    cells.insert(cells.index(code[0]), first_cell())
    notebook.cells = cells
    if valid:
        number([cells[cells.index(code[0]) - 1], *code])
        notebook.metadata.fcn_tutorial.fingerprint = fingerprint(notebook)


def number(code_cells):
    """Number the code cells as if they had been executed in this order."""
    for count, cell in enumerate(code_cells, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


def main(names):
    for path in [Path(name) for name in names] or sorted(CHAPTERS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        put_first(notebook)
        nbformat.write(notebook, path)
        print(f"Wrote {path.name} with its first cell")


if __name__ == "__main__":
    main(sys.argv[1:])
