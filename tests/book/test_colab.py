"""The first cell of every chapter, and (`make test-colab`) every chapter on a host like Colab."""

import os
import re
import subprocess
import sys
import tarfile
import venv

import nbformat
import pytest
from address import project
from colab import FIRST_CELL, first_cell, put_first
from execute import fingerprint
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import ROOT

import fcn_tutorial as fcn

CHAPTERS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))
ADDRESS = project()[0]
SOURCE = FIRST_CELL.read_text(encoding="utf-8").rstrip("\n")

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

# Stands in for pip: says what it was asked for, and does what the test put into the variable PIP.
PIP = """
import os, pathlib, sys
folder = pathlib.Path(__file__).parent.parent
print(sys.argv[1:], file=open(folder / "asked", "w"))
exec(os.environ["PIP"])
"""
INSTALLS = "(folder / 'fcn_tutorial.py').write_text('__version__ = \"{version}\"')"


@pytest.fixture
def host(tmp_path):
    """Runs the first cell in a Python that has no fcn_tutorial; `pip` is what its pip does."""
    for name, version in {"tensorflow": "2.19.0", "numpy": "2.0.2", "other": "1.0"}.items():
        metadata = tmp_path / f"{name}-{version}.dist-info" / "METADATA"
        metadata.parent.mkdir()
        metadata.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (tmp_path / "pip").mkdir()
    (tmp_path / "pip" / "__init__.py").touch()  # without it the real pip would go before this one
    (tmp_path / "pip" / "__main__.py").write_text(PIP)

    def run(pip, **source):
        environment = {"PYTHONPATH": str(tmp_path), "PIP": pip} | source
        command = [sys.executable, "-S", "-c", SOURCE]
        folder = tmp_path / "empty"
        folder.mkdir()
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)

    return run


def test_the_cell_says_nothing_where_the_library_is(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", SOURCE], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_cell_installs_the_library_and_keeps_tensorflow_and_numpy(host, tmp_path):
    done = host(INSTALLS.format(version=fcn.__version__))
    release = f"{ADDRESS}/archive/refs/tags/v{fcn.__version__}.tar.gz"
    assert done.stdout == f"Installed {release}, and kept tensorflow==2.19.0 numpy==2.0.2\n"
    assert (done.returncode, done.stderr) == (0, "")
    asked = ["install", "--quiet", release, "tensorflow==2.19.0", "numpy==2.0.2"]
    assert (tmp_path / "asked").read_text() == f"{asked}\n"


@pytest.mark.parametrize(
    ("pip", "complaint"),
    [
        ("sys.exit('no network')", "could not install the.whl and keep .*: no network"),
        (
            "(folder / 'numpy-2.0.2.dist-info').rename(folder / 'gone')",
            "could not install the.whl and keep .*'numpy==2.0.2'",
        ),
        ("pass", "No module named 'fcn_tutorial'"),
        (INSTALLS.format(version="99"), f"needs fcn-tutorial {fcn.__version__}, not .* 99"),
    ],
)
def test_the_cell_fails_loudly(host, pip, complaint):
    done = host(pip, FCN_TUTORIAL_SOURCE="the.whl")
    assert done.returncode
    assert re.search(complaint, done.stderr.strip().splitlines()[-1])


def chapter():
    image = new_output("execute_result", {"text/plain": "2"}, execution_count=1)
    code = new_code_cell("1 + 1", outputs=[image], execution_count=1)
    notebook = new_notebook(cells=[new_markdown_cell("# Toy"), code])
    notebook.metadata.fcn_tutorial = {"fingerprint": fingerprint(notebook)}
    return notebook


def test_the_cell_goes_before_the_code_and_the_outputs_stay_valid():
    notebook = chapter()
    put_first(notebook, "old")
    put_first(notebook, "new")
    assert [cell.source for cell in notebook.cells] == ["# Toy", "new", "1 + 1"]
    assert notebook.cells[1] == first_cell("new") | {"execution_count": 1}
    assert notebook.cells[2].outputs[0].execution_count == notebook.cells[2].execution_count == 2
    assert notebook.metadata.fcn_tutorial.fingerprint == fingerprint(notebook)
    nbformat.validate(notebook)


def test_stale_outputs_stay_stale():
    notebook = chapter()
    notebook.cells[1].source = "1 + 2"
    put_first(notebook, "new")
    assert notebook.metadata.fcn_tutorial.fingerprint != fingerprint(notebook)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_first_code_cell_of_every_chapter_is_this_cell(path):
    notebook = nbformat.read(path, as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    cell.execution_count = None
    assert cell == first_cell(SOURCE), "run `make address`"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_book_leaves_the_cell_out(path, html):
    page = (html / "book" / "chapters" / f"{path.stem}.html").read_text(encoding="utf-8")
    assert "<h1" in page
    assert "importlib" not in page


def pip(python, *arguments):
    command = [python, "-m", "pip", "--disable-pip-version-check", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    """The working tree in an archive like the one that GitHub makes of a tag; links stay links."""
    path = tmp_path_factory.mktemp("release") / "release.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("fcn_tutorial", "results", "pyproject.toml", "README.md", "LICENSE"):
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
@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter_runs_as_in_colab(path, python, release, tmp_path):
    pip(python, "uninstall", "--yes", "fcn-tutorial")
    before, conflicts = set(pip(python, "freeze").stdout.split("\n")), pip(python, "check").stdout
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    environment = os.environ | {"FCN_TUTORIAL_SOURCE": str(release), "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [python.with_name("jupyter"), "execute", "--inplace", "--timeout=600", copy.name],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    cells = nbformat.read(copy, as_version=4).cells
    first = next(cell for cell in cells if cell.cell_type == "code")
    assert "and kept tensorflow==2.19" in first.outputs[0].text
    assert before <= set(pip(python, "freeze").stdout.split("\n"))
    assert pip(python, "check").stdout == conflicts
