"""How the book is built: by one plain command; what is executed again, and what is reported."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import up_to_date
from execute import main, outputs_are_its_own
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rules import ROOT
from sphinx.errors import ExtensionError
from up_to_date import drop_stale, execute_chapters, fill_cache, library_fingerprint

VERSION = re.compile(rb"\?v=[0-9a-f]+")
KEPT = {"tags": ["hide-input"], "fcn_tutorial": {"equals": {"f": "fcn_tutorial.g"}}}


@pytest.fixture
def chapter(tmp_path):
    path = tmp_path / "01-toy.ipynb"
    noise = {"collapsed": True, **KEPT}
    cells = [new_markdown_cell("# Toy"), new_code_cell("1 + 1", metadata=noise)]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def edit(path, change):
    notebook = nbformat.read(path, as_version=4)
    change(notebook.cells[1])
    nbformat.write(notebook, path)


def test_executed_chapters_are_dropped_when_the_library_or_a_study_changes(tmp_path):
    recipe, cache = tmp_path / "fcn_tutorial" / "shapes.toml", tmp_path / "_build" / "cache"
    recipe.parent.mkdir()
    recipe.write_text("steps = 1")
    table = tmp_path / "studies" / "seeds" / "table.csv"
    table.parent.mkdir(parents=True)
    (tmp_path / "requirements.txt").write_text("keras")
    assert drop_stale(cache, library_fingerprint(tmp_path))
    cache.mkdir()
    assert not drop_stale(cache, library_fingerprint(tmp_path)) and cache.exists()
    for path, content in ((recipe, "steps = 2"), (table, "run\n")):
        path.write_text(content)
        assert drop_stale(cache, library_fingerprint(tmp_path)) and not cache.exists()
        cache.mkdir()


def test_chapters_are_read_again_until_a_build_with_the_library_has_succeeded(
    tmp_path, monkeypatch
):
    kept = SimpleNamespace(execution_mode="cache", execution_cache_path=tmp_path / "cache")
    paths = {name: f"{tmp_path / name}" for name in ("one.ipynb", "two.ipynb", "page.md")}
    env = SimpleNamespace(found_docs=set(paths), doc2path=paths.get, mystnb_config=kept)
    failed = {tmp_path / "two.ipynb": "an error"}
    monkeypatch.setattr(up_to_date, "fill_cache", lambda cache, chapters: failed)
    for _ in range(2):
        with pytest.raises(ExtensionError, match="an error"):
            execute_chapters(None, env, set(), set(), set())
    failed.clear()
    assert execute_chapters(None, env, set(), set(), set()) == {"one.ipynb", "two.ipynb"}
    assert execute_chapters(None, env, set(), set(), set()) == set()
    assert execute_chapters(None, env, set(), {"two.ipynb", "page.md"}, set()) == {"two.ipynb"}


def test_a_chapter_is_executed_again_only_when_it_changed(tmp_path, chapter, capsys):
    cache = get_cache(tmp_path / "cache")
    assert fill_cache(cache, [chapter]) == {}
    assert "Executing" in capsys.readouterr().out
    assert fill_cache(cache, [chapter]) == {}
    assert "Executing" not in capsys.readouterr().out
    edit(chapter, lambda cell: cell.update(source="2 + 2"))
    assert fill_cache(cache, [chapter]) == {}
    notebook = cache.merge_match_into_notebook(nbformat.read(chapter, as_version=4))[1]
    assert notebook.cells[1].outputs[0].data["text/plain"] == "4"


def test_a_failing_chapter_is_named(tmp_path, chapter):
    edit(chapter, lambda cell: cell.update(source="1 / 0"))
    failed = fill_cache(get_cache(tmp_path / "cache"), [chapter])
    assert list(failed) == [chapter]
    assert "ZeroDivisionError" in failed[chapter]
    with pytest.raises(SystemExit, match=r"(?s)ZeroDivisionError.*failed: 01-toy\.ipynb"):
        main([str(chapter)])


def test_a_chapter_is_executed_in_place(chapter):
    source = "import os, time\nos.write(2, b'note')\nprint('one', end='', flush=True)\n"
    source += "time.sleep(1)\nprint(' line')\nos.listdir()"
    edit(chapter, lambda cell: cell.update(source=source))
    main([str(chapter)])
    notebook = nbformat.read(chapter, as_version=4)
    cell = notebook.cells[1]
    assert cell.execution_count == 1
    printed, found = cell.outputs
    assert printed.text == "one line\n" and found.data["text/plain"] == "[]"
    assert cell.metadata == KEPT
    assert outputs_are_its_own(notebook)
    main(["--check", str(chapter)])
    edit(chapter, lambda cell: cell.update(source="1"))
    with pytest.raises(SystemExit, match=r"01-toy\.ipynb"):
        main(["--check", str(chapter)])


def test_the_lock_file_pins_what_requirements_txt_pins():
    pin = re.compile(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;\\]+)", re.M)
    plain, locked = (
        set(pin.findall((ROOT / name).read_text()))
        for name in ("requirements.txt", "requirements.lock")
    )
    assert plain == locked, "run `make requirements`"


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
    files = {path.relative_to(html).as_posix(): path for path in html.rglob("*") if path.is_file()}
    found = {name: path.read_bytes() for name, path in files.items() if name != ".buildinfo"}
    return {name: VERSION.sub(b"", each) for name, each in found.items()}


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
