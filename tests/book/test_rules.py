"""Each rule notices a chapter that breaks it."""

import base64
import copy

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output
from rules import ROOT, RULES, WIDGET_STATE, Chapter, shows_an_image

SOUND = Chapter.load(ROOT / "book" / "chapters" / "05-fcn-32s.ipynb")
# The start of a PNG file, as far as its width.
WIDE_PICTURE = base64.b64encode(bytes(16) + (2000).to_bytes(4, "big")).decode()


def replace(old, new):
    def damage(chapter):
        cells = [cell for cell in chapter.notebook.cells if old in cell.source]
        assert cells
        for cell in cells:
            cell.source = cell.source.replace(old, new)

    return damage


def add_code(source):
    return lambda chapter: chapter.notebook.cells.append(new_code_cell(source))


def add_markdown(source):
    return lambda chapter: chapter.notebook.cells.append(new_markdown_cell(source))


def add_output(**output):
    return lambda chapter: chapter.code_cells[1].outputs.append(new_output(**output))


def forget_alt_texts(chapter):
    for cell in chapter.code_cells:
        if shows_an_image(cell):
            cell.metadata.clear()


def spoil_frames(chapter):
    for model in chapter.notebook.metadata.widgets[WIDGET_STATE]["state"].values():
        if "value" in model["state"]:
            model["state"]["value"] = str(model["state"]["value"]).replace("figcaption", "p")


def forget_still(chapter):
    next(chapter.moving_figures())[0].pop("image/png")


DAMAGES = {
    "opens_with_goals_needs_and_minutes": [replace("two CPU cores", "a laptop")],
    "ends_with_summary_exercises_and_reading": [
        replace("## Exercises", "### Exercises"),
        replace("## What to read next", "```\n## What to read next\n```"),
    ],
    "has_1200_to_2500_words": [
        add_markdown("word " * 1500),
        lambda chapter: chapter.notebook.cells.__delitem__(slice(46)),
    ],
    "has_15_to_35_short_code_cells": [
        lambda chapter: chapter.notebook.cells.extend(2 * chapter.code_cells),
        lambda chapter: [cell.update(source="1\n" * 6) for cell in chapter.code_cells],
        add_code("1\n" * 26),
        add_code("x = " + "1" * 77),
    ],
    "asks_before_it_shows": [replace("**Predict, then run.**", "Here it is.")],
    "leaves_open_exercises_without_output": [
        add_code('fcn.check("5.9", answer)'),
        lambda chapter: chapter.code_cells[-1].outputs.append(new_output("stream", text="Put")),
    ],
    "is_plain_markdown": [
        add_markdown(":::{note}\nA box.\n:::"),
        add_markdown("See {cite}`long2015`."),
        add_markdown("(a-label)=\n### Section"),
    ],
    "weighs_at_most_1_mb": [lambda chapter: setattr(chapter, "size", 1_000_001)],
    "is_executed_in_order": [
        lambda chapter: chapter.code_cells[0].update(execution_count=9),
        lambda chapter: [cell.update(outputs=[]) for cell in chapter.code_cells],
        add_output(output_type="error", ename="ValueError", evalue="", traceback=[]),
        add_output(output_type="stream", name="stderr", text="Warning"),
    ],
    "holds_the_outputs_of_its_code": [lambda chapter: chapter.notebook.metadata.clear()],
    "describes_every_image": [
        forget_alt_texts,
        add_output(output_type="display_data", data={"text/html": '<img src="a.png" alt="">'}),
    ],
    "describes_and_stores_what_moves": [
        spoil_frames,
        forget_still,
        lambda chapter: chapter.notebook.metadata.pop("widgets"),
    ],
    "captions_every_figure": [replace("**Figure 5.1.**", "**Figure 5.2.**")],
    "solves_every_exercise": [replace("<details>", "<p>"), replace("Exercise 5.1", "Exercise 4.1")],
    "draws_with_plotting": [
        add_code("import matplotlib.pyplot as plt"),
        add_output(output_type="display_data", data={"image/png": WIDE_PICTURE}),
    ],
    "compares_what_it_trains_with_a_baseline": [add_code("model.fit(data)")],
    "takes_its_numbers_from_cells_or_tables": [
        add_markdown("It is 98.7654 here."),
        add_markdown("Of 9,876,543 pixels."),
    ],
    "checks_two_exercises": [add_code('fcn.check("5.9", answer)')],
    "has_solutions_that_its_self_checks_accept": [replace("answer = np.log(21)", "answer = 1")],
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_broken_chapters_are_rejected(rule):
    known = set() if rule.__name__ == "holds_the_outputs_of_its_code" else set(rule(SOUND))
    for number, damage in enumerate(DAMAGES[rule.__name__]):
        chapter = copy.deepcopy(SOUND)
        damage(chapter)
        assert set(rule(chapter)) - known, f"damage {number} went unnoticed"
