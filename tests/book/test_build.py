"""tools/build.py and tools/execute.py: what is executed again, and what is reported."""

import re

import nbformat
import pytest
from build import drop_stale, fill_cache, library_fingerprint
from execute import main, outputs_are_its_own
from jupyter_cache import get_cache
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from rules import ROOT

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


def test_a_change_of_the_library_changes_its_fingerprint(tmp_path):
    recipe = tmp_path / "fcn_tutorial" / "recipes" / "shapes.toml"
    recipe.parent.mkdir(parents=True)
    recipe.write_text("steps = 1")
    (tmp_path / "requirements.txt").write_text("keras")
    before = library_fingerprint(tmp_path)
    assert library_fingerprint(tmp_path) == before
    recipe.write_text("steps = 2")
    assert library_fingerprint(tmp_path) != before


def test_executed_chapters_are_dropped_with_the_library_that_they_used(tmp_path):
    drop_stale(tmp_path, "first")
    (tmp_path / ".jupyter_cache").mkdir()
    (tmp_path / "html").mkdir()
    drop_stale(tmp_path, "first")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [".jupyter_cache"]
    drop_stale(tmp_path, "second")
    assert [path for path in tmp_path.iterdir() if path.is_dir()] == []


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


def test_a_failing_chapter_is_named(tmp_path, chapter, capsys):
    edit(chapter, lambda cell: cell.update(source="1 / 0"))
    failed = fill_cache(get_cache(tmp_path / "cache"), [chapter])
    assert list(failed) == [chapter]
    assert "ZeroDivisionError" in failed[chapter]
    with pytest.raises(SystemExit, match=r"01-toy\.ipynb"):
        main([str(chapter)])
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_a_chapter_is_executed_in_place(chapter):
    source = "import os\nos.write(2, b'note')\nos.listdir()"
    edit(chapter, lambda cell: cell.update(source=source))
    main([str(chapter)])
    notebook = nbformat.read(chapter, as_version=4)
    cell = notebook.cells[1]
    assert cell.execution_count == 1
    assert [output.data["text/plain"] for output in cell.outputs] == ["[]"]
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
