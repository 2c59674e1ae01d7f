"""The first cell of every chapter, and (`make test-colab`) every chapter on a host like Colab."""

import os
import subprocess
import sys
import tarfile
import venv
from importlib import util
from unittest.mock import Mock

import pytest
from colab import first_cell, project
from IPython.core.inputtransformer2 import TransformerManager
from rules import NOTEBOOKS, ROOT, Chapter

RELEASE = "{}/archive/refs/tags/v{}.tar.gz".format(*project())

# What a Colab of 2025 has: older than what the book is built with.
HOST = [
    "tensorflow==2.19.*",
    "keras==3.10.*",
    "numpy==2.0.2",
    "scipy==1.16.*",
    "matplotlib==3.10.*",
    "pillow==11.3.*",
    "ipykernel==6.17.1",
    "ipython==7.34.0",
    "ipywidgets==7.7.1",
    "nbclient",
]
like_colab = pytest.mark.skipif(
    os.environ.get("TEST_COLAB") != "true", reason="takes half an hour: run `make test-colab`"
)


@pytest.mark.parametrize(("found", "asked"), [(None, 1), ("a module", 0)])
def test_the_cell_installs_the_release_where_the_library_is_missing(monkeypatch, found, asked):
    shell = Mock()
    monkeypatch.setattr(util, "find_spec", lambda name: found)
    exec(TransformerManager().transform_cell(first_cell().source), {"get_ipython": lambda: shell})
    asked_for = [call.args for call in shell.run_line_magic.mock_calls]
    assert asked_for == asked * [("pip", f"install --quiet {RELEASE}")]
    assert len(first_cell().source.splitlines()) <= 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_first_code_cell_of_every_chapter_is_this_cell(path):
    cells = Chapter.load(path).notebook.cells
    cell = next(cell for cell in cells if cell.cell_type == "code")
    assert {**cell, "execution_count": None} == first_cell(), "run `make address`"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_book_leaves_the_cell_out(path, html):
    page = (html / "book" / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert "<h1" in page
    assert "find_spec" not in page


def pip(python, *arguments):
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The working tree in an archive like the one that GitHub makes of a tag."""
    path = tmp_path_factory.mktemp("release") / "release.tar.gz"
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    with tarfile.open(path, "w:gz") as archive:
        for name in tracked.stdout.splitlines():
            archive.add(ROOT / name, f"release/{name}")
    return path


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The Python of a fresh environment with the packages of HOST and without fcn_tutorial."""
    if sys.version_info >= (3, 13):
        pytest.skip("TensorFlow 2.19 needs an older Python")
    folder = tmp_path_factory.mktemp("host")
    venv.create(folder, with_pip=True)
    done = pip(folder / "bin" / "python", "install", *HOST)
    assert done.returncode == 0, done.stderr
    return folder / "bin" / "python"


@like_colab
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_chapter_runs_as_in_colab(path, python, release, tmp_path):
    pip(python, "uninstall", "--yes", "fcn-tutorial")
    before, conflicts = set(pip(python, "freeze").stdout.split("\n")), pip(python, "check").stdout
    copy = tmp_path / path.name
    copy.write_text(path.read_text(encoding="utf-8").replace(RELEASE, str(release)))
    done = subprocess.run(
        [python.with_name("jupyter"), "execute", "--inplace", "--timeout=600", copy.name],
        cwd=tmp_path,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert before <= set(pip(python, "freeze").stdout.split("\n"))
    assert pip(python, "check").stdout == conflicts
