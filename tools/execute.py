"""Execute chapters in place and store their outputs: python tools/execute.py [--check] [CHAPTER...]

The notebook's metadata then holds a fingerprint of the code that made the outputs, so that a test
can tell whether they are the outputs of the code beside them; with --check, that is all it does.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

CHAPTERS = Path(__file__).resolve().parent.parent / "book" / "chapters"
SECONDS_FOR_A_CELL = 600
WORKERS = 2

# TensorFlow's C++ code writes start-up notes to stderr. The variable silences some of them; the
# others stay out of the outputs because the kernel stores only what Python code writes.
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
KERNEL_ARGUMENTS = ["--IPKernelApp.capture_fd_output=False"]


def fingerprint(notebook):
    """Sha256 over the sources of the code cells."""
    sources = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(sources).encode()).hexdigest()


def execute(path, notebook):
    """Execute a notebook (changed in place) from an empty folder; return its error, or None."""
    print(f"Executing {path.name}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook,
            timeout=SECONDS_FOR_A_CELL,
            record_timing=False,
            coalesce_streams=True,  # myst-nb would begin a line where the kernel paused
            extra_arguments=KERNEL_ARGUMENTS,
            resources={"metadata": {"path": folder}},
        )
        notebook.metadata.pop("widgets", None)  # of an earlier run
        try:
            client.execute(stderr=subprocess.DEVNULL)
        except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
            return str(error)


def execute_all(notebooks):
    """Execute {path: notebook} in place, two at a time; return {path: error} of the failures."""
    with ThreadPoolExecutor(WORKERS) as pool:
        errors = pool.map(execute, notebooks, notebooks.values())
        return {path: error for path, error in zip(notebooks, errors, strict=True) if error}


def failures(failed):
    """The errors of the chapters that failed, and last their names."""
    errors = [f"{path.name}:\n{error}\n" for path, error in failed.items()]
    names = ", ".join(path.name for path in failed)
    return "\n".join([*errors, f"These chapters failed: {names}"])


def tidy(notebook):
    """Keep of the metadata what a reader's tool needs, and add the fingerprint."""
    kept = {key: notebook.metadata[key] for key in ["colab", "widgets"] if key in notebook.metadata}
    notebook.metadata = nbformat.from_dict(
        kept
        | {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python"},
            "fcn_tutorial": {"fingerprint": fingerprint(notebook)},
        }
    )
    for cell in notebook.cells:
        keep = {"cellView", "fcn_tutorial", "mystnb", "tags"} & set(cell.metadata)
        cell.metadata = nbformat.from_dict({key: cell.metadata[key] for key in sorted(keep)})
        if "remove-output" in cell.metadata.get("tags", []):
            cell.outputs = []


def outputs_are_its_own(notebook):
    """Whether the stored outputs are those of the code beside them."""
    stored = notebook.metadata.get("fcn_tutorial", {}).get("fingerprint")
    return stored == fingerprint(notebook)


def check(notebooks):
    """Stop the program when chapters hold outputs of other code."""
    stale = [path.name for path, notebook in notebooks.items() if not outputs_are_its_own(notebook)]
    if stale:
        sys.exit(f"These chapters hold outputs of other code: {', '.join(stale)}: make notebooks")


def main(arguments):
    names = [name for name in arguments if name != "--check"]
    chapters = [Path(name) for name in names] or sorted(CHAPTERS.glob("*.ipynb"))
    notebooks = {path: nbformat.read(path, as_version=4) for path in chapters}
    if "--check" in arguments:
        return check(notebooks)
    failed = execute_all(notebooks)
    for path, notebook in notebooks.items():
        if path not in failed:
            tidy(notebook)
            nbformat.write(notebook, path)
            print(f"Wrote {path.name} with its outputs")
    if failed:
        sys.exit(failures(failed))


if __name__ == "__main__":
    main(sys.argv[1:])
