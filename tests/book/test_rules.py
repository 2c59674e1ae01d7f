"""Each rule passes a sound chapter and rejects a broken one."""

import pytest
from execute import fingerprint
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import RULES, Chapter, definitions, library_definitions

OPENING = """# Toy

**What you will be able to do:** check chapters. **What you need:** chapter 1.
**Time:** 3 minutes on two CPU cores, 1 minute on a Colab GPU."""
EXERCISES = """## Exercises

**Exercise 3.1.** Why?

<details><summary>Solution</summary>

Because.

</details>"""


def sound_chapter():
    """A chapter that keeps every rule. Its cells: opening, figure, caption, prose, code, ending."""
    image = new_output("display_data", {"image/png": "AA=="})
    figure = new_code_cell(
        "show(kernel)", outputs=[image], metadata={"mystnb": {"image": {"alt": "A spot"}}}
    )
    code = [new_code_cell("kernel = 1\nkernel + 1") for _ in range(20)]
    cells = [
        new_markdown_cell(OPENING),
        figure,
        new_markdown_cell("**Figure 3.1.** A spot."),
        new_markdown_cell("Plain `{names}` and $\\frac{1}{2}$ `code`. " + "word " * 1500),
        *code,
        new_markdown_cell(f"## Summary\n\nDone.\n\n{EXERCISES}\n\n## What to read next\n\nMore."),
    ]
    for count, cell in enumerate([figure, *code], start=1):
        cell.execution_count = count
    notebook = new_notebook(cells=cells)
    notebook.metadata.fcn_tutorial = {"fingerprint": fingerprint(notebook)}
    return Chapter(3, notebook, size=1000)


def replace(cell, old, new):
    def damage(chapter):
        source = chapter.notebook.cells[cell].source
        assert old in source
        chapter.notebook.cells[cell].source = source.replace(old, new)

    return damage


def add_code(source):
    return lambda chapter: chapter.notebook.cells.append(new_code_cell(source))


def add_markdown(source):
    return lambda chapter: chapter.notebook.cells.append(new_markdown_cell(source))


def add_output(**output):
    return lambda chapter: chapter.code_cells[1].outputs.append(new_output(**output))


def lengthen_code(chapter):
    for cell in chapter.code_cells:
        cell.source = "1\n" * 6


def drop_outputs(chapter):
    for cell in chapter.code_cells:
        cell.outputs = []


def grow(chapter):
    chapter.size = 600_001


def swap_counts(chapter):
    first, second = chapter.code_cells[:2]
    first.execution_count, second.execution_count = 2, 1


def put_figure_last(chapter):
    chapter.notebook.cells.append(chapter.notebook.cells.pop(1))


DAMAGES = {
    "opens_with_goals_needs_and_minutes": [
        replace(0, "# Toy", "Toy"),
        replace(0, "you will be able to", "you may"),
        replace(0, "you need", "is used"),
        replace(0, "minute", "hour"),
        replace(0, "two CPU cores", "a laptop"),
        replace(0, "Colab GPU", "GPU"),
    ],
    "ends_with_summary_exercises_and_reading": [
        replace(-1, "## Summary", "## Overview"),
        replace(-1, "## Exercises", "### Exercises"),
        replace(-1, "## What to read next", "```\n## What to read next\n```"),
        add_markdown("## One more thing"),
    ],
    "has_1200_to_2500_words": [
        replace(3, "word " * 1500, "word " * 900),
        replace(3, "word " * 1500, "\n```\n" + "word " * 1500 + "\n```"),
        add_markdown("word " * 1500),
    ],
    "has_15_to_35_short_code_cells": [
        lambda chapter: chapter.notebook.cells.__delitem__(slice(6, 16)),
        lambda chapter: chapter.notebook.cells.extend(chapter.code_cells),
        lengthen_code,
        add_code("1\n" * 26),
    ],
    "is_plain_markdown": [
        add_markdown("```{note}\nA box.\n```"),
        add_markdown(":::{note}\nA box.\n:::"),
        add_markdown("See {cite}`long2015`."),
        add_markdown("(a-label)=\n### Section"),
    ],
    "weighs_at_most_600_kb": [grow],
    "is_executed_in_order": [
        swap_counts,
        add_code("not_executed()"),
        drop_outputs,
        add_output(output_type="error", ename="ValueError", evalue="", traceback=[]),
        add_output(output_type="stream", name="stderr", text="Warning"),
    ],
    "holds_the_outputs_of_its_code": [
        replace(1, "show(kernel)", "show(other)"),
        lambda chapter: chapter.notebook.metadata.pop("fcn_tutorial"),
    ],
    "describes_every_image": [
        lambda chapter: chapter.notebook.cells[1].metadata.clear(),
        add_output(output_type="display_data", data={"text/html": '<img src="a.png" alt="">'}),
    ],
    "captions_every_figure": [
        replace(2, "**Figure 3.1.**", "Figure 3.1."),
        replace(2, "3.1", "3.2"),
        put_figure_last,
    ],
    "shows_the_librarys_code": [
        add_code("def bilinear_kernel(factor):\n    return 1"),
        add_code("%matplotlib inline\nclass BilinearUpsampling:\n    pass"),
    ],
    "solves_every_exercise": [
        replace(-1, "<details>", "<p>"),
        replace(-1, "**Exercise 3.1.**", "Exercise:"),
        replace(-1, "Exercise 3.1", "Exercise 2.1"),
        add_markdown("**Exercise 3.2.** And how?"),
    ],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_sound_chapter_passes(rule):
    assert list(rule(sound_chapter())) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_broken_chapters_are_rejected(rule):
    for number, damage in enumerate(DAMAGES[rule.__name__]):
        chapter = sound_chapter()
        damage(chapter)
        assert list(rule(chapter)), f"damage {number} went unnoticed"


def test_definitions_are_compared_without_docstrings_and_comments():
    shown = 'def f(x):\n    """Says what."""\n    # and why\n    return x'
    assert list(definitions(shown)) == list(definitions("def f(x): return x"))
    assert list(definitions(shown)) != list(definitions("def f(x): return -x"))


def test_the_librarys_definitions_are_found():
    assert {"bilinear_kernel", "convolutionize"} <= set(library_definitions())
