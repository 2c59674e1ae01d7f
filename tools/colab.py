"""Put the first cell, which installs the library in Colab, into chapters.

python tools/colab.py [CHAPTER...]: all chapters when none is named. The cell is
tools/first_cell.py; it prints nothing where the library is installed, so the stored outputs of a
chapter stay valid.
"""

import sys
from pathlib import Path

import nbformat
from execute import fingerprint
from nbformat.v4 import new_code_cell

TOOLS = Path(__file__).resolve().parent
CHAPTERS = TOOLS.parent / "book" / "chapters"
FIRST_CELL = TOOLS / "first_cell.py"
ID = "install"


def first_cell(source):
    """The cell: the book leaves it out, and Colab shows its title instead of its code."""
    metadata = {"cellView": "form", "tags": ["remove-cell"]}
    return new_code_cell(source, id=ID, metadata=metadata)


def put_first(notebook, source):
    """Make the cell the first of the code cells, in place of the one that is there."""
    valid = notebook.metadata.get("fcn_tutorial", {}).get("fingerprint") == fingerprint(notebook)
    cells = [cell for cell in notebook.cells if cell.get("id") != ID]
    code = [cell for cell in cells if cell.cell_type == "code"]
    cells.insert(cells.index(code[0]), first_cell(source))
    notebook.cells = cells
    if valid:
        number([cells[cells.index(code[0]) - 1], *code])
        notebook.metadata.fcn_tutorial.fingerprint = fingerprint(notebook)


def number(code_cells):
    """Count the code cells through, as if they had been executed in this order."""
    for count, cell in enumerate(code_cells, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if "execution_count" in output:
                output.execution_count = count


def main(names):
    source = FIRST_CELL.read_text(encoding="utf-8").rstrip("\n")
    for path in [Path(name) for name in names] or sorted(CHAPTERS.glob("*.ipynb")):
        notebook = nbformat.read(path, as_version=4)
        put_first(notebook, source)
        nbformat.write(notebook, path)
        print(f"Wrote {path.name} with its first cell")


if __name__ == "__main__":
    main(sys.argv[1:])
