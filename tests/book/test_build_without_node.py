"""The plain command builds the book, without Node on the machine and without npm's registry."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from rules import ROOT

VERSION = re.compile(rb"\?v=[0-9a-f]+")


@pytest.fixture
def project(tmp_path):
    """The project's files in another folder, and the exported networks, but no more of a build."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tmp_path / name)
    models = Path("book", "_vendor", "live", "models")
    if (ROOT / models).is_dir():
        shutil.copytree(ROOT / models, tmp_path / models)
    return tmp_path


def build(project, **variables):
    """`jupyter-book build .` with the Python of the tests, and no Node."""
    command = [Path(sys.executable).with_name("jupyter-book"), "build", "."]
    variables |= {"PATH": str(project / "bin"), "PYTHONPATH": str(project)}
    done = subprocess.run(
        command, cwd=project, env=os.environ | variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-5000:]
    return project / "_build" / "html"


def content(html):
    """{path: bytes} of the pages and of all that they load.

    Without `?v=...`, which Sphinx leaves out where a style sheet is not there before the build.
    """
    files = [path for path in html.rglob("*") if path.is_file() and path.name != ".buildinfo"]
    return {f"{path.relative_to(html)}": VERSION.sub(b"", path.read_bytes()) for path in files}


@pytest.mark.slow
def test_the_plain_command_builds_the_same_book_without_node(html, project):
    (project / "node_modules").symlink_to(ROOT / "node_modules")
    (project / "_build").mkdir()
    shutil.copy(ROOT / "_build" / "library.sha256", project / "_build")
    shutil.copytree(ROOT / "_build" / ".jupyter_cache", project / "_build" / ".jupyter_cache")
    made, expected = content(build(project)), content(html)
    assert set(made) == set(expected)
    assert [name for name in made if made[name] != expected[name]] == []


@pytest.mark.slow
def test_without_the_registry_the_book_is_built_and_says_what_is_missing(project):
    pages = ["notation", "live"]
    entries = "".join(f"  - file: book/pages/{name}\n" for name in pages)
    (project / "_toc.yml").write_text(
        f"format: jb-book\nroot: book/pages/intro\nchapters:\n{entries}"
    )
    html = build(project, npm_config_registry="http://127.0.0.1:9/", npm_config_fetch_retries="0")
    for name in ["intro", *pages]:
        page = (html / "book" / "pages" / f"{name}.html").read_text(encoding="utf-8")
        assert "npm's registry" in page
    for name in ("katex/katex.min.css", "widgets.js", "live/live.js"):
        assert (html / "_static" / name).exists()
