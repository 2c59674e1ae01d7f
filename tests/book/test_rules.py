"""Each rule passes a sound chapter and rejects a broken one."""

import base64

import pytest
from execute import fingerprint
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rules import RULES, WIDGET, WIDGET_STATE, Chapter

OPENING = """# Toy

**What you will be able to do:** check chapters. **What you need:** chapter 1.
**Time:** 3 minutes on two CPU cores, 1 minute on a Colab GPU."""
EXERCISES = """## Exercises

**Exercise 3.1.** Why?

<details><summary>Solution</summary>

```python
answer = 2 * kernel_size()
```

</details>

**Exercise 3.2.** How many?

<details><summary>Solution</summary>

```python
answer = math.floor(4.5)
```

</details>"""
# A picture 594 pixels wide: the start of a PNG file, as far as its width.
PICTURE = base64.b64encode(bytes(16) + (594).to_bytes(4, "big")).decode()
WIDE_PICTURE = base64.b64encode(bytes(16) + (900).to_bytes(4, "big")).decode()


class Toy(Chapter):
    """A chapter whose exercises have other self-checks than the book's."""

    @property
    def checks(self):
        def is_six(answer):
            return None if answer == 6 else "No."

        def is_four(answer):
            return None if answer == 4 else "No."

        return {"3.1": is_six, "3.2": is_four}


def sound_chapter():
    """A chapter that keeps every rule. Its cells: opening, figure, caption, prose, code, ending."""
    image = new_output("display_data", {"image/png": PICTURE})
    figure = new_code_cell(
        "import math", outputs=[image], metadata={"mystnb": {"image": {"alt": "A spot"}}}
    )
    code = [new_code_cell("kernel = 1\nkernel + 1") for _ in range(15)]
    code[1].source = "def kernel_size():\n    return 3"
    code[2].source = "run = fcn.train(recipe)"
    code[3].source = "fcn.beat_baseline(scores)"
    code[3].outputs = [new_output("stream", text="0.843 of 1024")]
    code[4].source = 'fcn.check("3.1", answer)'
    code[5].source = 'fcn.check("3.2", answer)'
    cells = [
        new_markdown_cell(OPENING),
        figure,
        new_markdown_cell("**Figure 3.1.** A spot."),
        new_markdown_cell("Plain `{names}` and $\\frac{1}{2}$ `code`. " + "word " * 1500),
        *code,
        new_markdown_cell("That is 84.3 %, of 1,024.\n\nIt is 62.7 % in Table 2."),
        new_markdown_cell(f"## Summary\n\nDone.\n\n{EXERCISES}\n\n## What to read next\n\nMore."),
    ]
    for count, cell in enumerate([figure, *code], start=1):
        cell.execution_count = count
    notebook = new_notebook(cells=cells)
    figure.outputs.append(moving_figure(notebook))
    notebook.metadata.fcn_tutorial = {"fingerprint": fingerprint(notebook)}
    return Toy(3, notebook, size=1000)


FRAME = '<figure><img src="data:" alt="A spot"><figcaption>at 1</figcaption></figure>'


def moving_figure(notebook):
    """An output whose two frames are stored in the notebook's metadata."""
    children = {"children": ["IPY_MODEL_1", "IPY_MODEL_2"]}
    models = {"0": children, "1": {"value": FRAME}, "2": {"value": FRAME}}
    state = {key: {"state": model} for key, model in models.items()}
    notebook.metadata.widgets = {WIDGET_STATE: {"state": state}}
    data = {WIDGET: {"model_id": "0"}, "image/png": PICTURE, "text/plain": "A spot."}
    return new_output("display_data", data)


def change_frame(old, new):
    def damage(chapter):
        model = chapter.notebook.metadata.widgets[WIDGET_STATE]["state"]["2"]["state"]
        assert old in model["value"]
        model["value"] = model["value"].replace(old, new)

    return damage


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


DAMAGES = {
    "opens_with_goals_needs_and_minutes": [
        replace(0, "# Toy", "Toy"),
        replace(0, "two CPU cores", "a laptop"),
    ],
    "ends_with_summary_exercises_and_reading": [
        replace(-1, "## Exercises", "### Exercises"),
        replace(-1, "## What to read next", "```\n## What to read next\n```"),
    ],
    "has_1200_to_2500_words": [
        replace(3, "word " * 1500, "\n```\n" + "word " * 1500 + "\n```"),
        add_markdown("word " * 1500),
    ],
    "has_15_to_35_short_code_cells": [
        lambda chapter: chapter.notebook.cells.__delitem__(slice(10, 18)),
        lambda chapter: chapter.notebook.cells.extend(2 * chapter.code_cells),
        lambda chapter: [cell.update(source="1\n" * 6) for cell in chapter.code_cells],
        add_code("1\n" * 26),
    ],
    "is_plain_markdown": [
        add_markdown(":::{note}\nA box.\n:::"),
        add_markdown("See {cite}`long2015`."),
        add_markdown("(a-label)=\n### Section"),
    ],
    "weighs_at_most_600_kb": [lambda chapter: setattr(chapter, "size", 600_001)],
    "is_executed_in_order": [
        lambda chapter: chapter.code_cells[0].update(execution_count=2),
        lambda chapter: [cell.update(outputs=[]) for cell in chapter.code_cells],
        add_output(output_type="error", ename="ValueError", evalue="", traceback=[]),
        add_output(output_type="stream", name="stderr", text="Warning"),
    ],
    "holds_the_outputs_of_its_code": [replace(1, "import math", "import cmath")],
    "describes_every_image": [
        lambda chapter: chapter.notebook.cells[1].metadata.clear(),
        add_output(output_type="display_data", data={"text/html": '<img src="a.png" alt="">'}),
    ],
    "describes_and_stores_what_moves": [
        change_frame(' alt="A spot"', ' alt=""'),
        change_frame("data:", "data:" + 120_000 * "x"),
        lambda chapter: chapter.notebook.metadata.pop("widgets"),
        lambda chapter: chapter.code_cells[0].outputs[1].data.pop("image/png"),
    ],
    "captions_every_figure": [
        replace(2, "3.1", "3.2"),
        lambda chapter: chapter.notebook.cells.append(chapter.notebook.cells.pop(1)),
    ],
    "solves_every_exercise": [
        replace(-1, "<details>", "<p>"),
        replace(-1, "Exercise 3.1", "Exercise 2.1"),
    ],
    "draws_with_plotting": [
        add_code("import matplotlib.pyplot as plt"),
        add_output(output_type="display_data", data={"image/png": WIDE_PICTURE}),
    ],
    "compares_what_it_trains_with_a_baseline": [add_code("model.fit(data)")],
    "takes_its_numbers_from_cells_or_tables": [
        replace(19, "84.3 %", "84.4 %"),
        replace(19, "1,024", "1,023"),
        replace(19, "in Table 2.", "in the paper."),
    ],
    "checks_two_exercises": [
        replace(9, "check", "show"),
        add_code('fcn.check("3.9", answer)'),
    ],
    "has_solutions_that_its_self_checks_accept": [
        replace(-1, "math.floor", "math.ceil"),
        replace(-1, "```python\nanswer = 2 * kernel_size()\n```", "Six."),
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
