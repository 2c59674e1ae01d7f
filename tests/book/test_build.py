"""What is executed again when the book is built, and what is reported."""

import re
from itertools import product
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
    cache = tmp_path / "_build" / "cache"
    files = ("requirements.txt", "fcn_tutorial/shapes.toml", "studies/seeds/table.csv")
    for name, content in product(files, ("1", "2")):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
        cache.mkdir(parents=True, exist_ok=True)
        assert drop_stale(cache, library_fingerprint(tmp_path)) and not cache.exists()
        cache.mkdir()
        assert not drop_stale(cache, library_fingerprint(tmp_path)) and cache.exists()


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
