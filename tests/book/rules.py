"""The rules for chapters: each yields one complaint for each thing that is wrong."""

import ast
import base64
import contextlib
import io
import re
from dataclasses import dataclass
from functools import cache
from inspect import isgeneratorfunction
from itertools import pairwise, takewhile
from pathlib import Path
from statistics import median

import nbformat
import yaml
from colab import ID
from execute import outputs_are_its_own
from IPython.core.inputtransformer2 import TransformerManager
from minutes import FOLDED, WORD, number_of

from fcn_tutorial.selfchecks import checks_of

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "book" / "chapters").glob("*.ipynb"))

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
LISTED = [entry["file"] for part in TOC["parts"] for entry in part["chapters"]]
PAGES_IN_ORDER = [f"{name}.html" for name in [TOC["root"], *LISTED]]
OPENING = ["you will be able to", "you need", "minute", "two CPU cores", "Colab GPU"]
ENDING = ["Summary", "Exercises", "What to read next"]
FENCE = re.compile(r"^ *(```+|~~~+).*?^ *\1`*~*\s*?$", re.M | re.S)
CAPTION = re.compile(r"^\*\*Figure [\dA-Z].*?(?=\n\n|\Z)", re.M | re.S)
MATHS = re.compile(r"\$\$.*?\$\$|\$[^$\n]+\$", re.S)
TAG = re.compile(r"</?[a-zA-Z][^>]*>|<!--.*?-->", re.S)
DIRECTIVE = re.compile(r"^ *(?:```+|~~~+|:::+) *\{[^}]+\}.*$", re.M)
LABEL = re.compile(r"^\([\w:.-]+\)=\s*$", re.M)
CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.S)
ROLE_NAME = re.compile(r"\{[a-zA-Z][\w:.+-]*\}$")
NUMBER = re.compile(r"(?<![\w.,-])(?:\d[\d,]*(?:\.\d+)? ?%|\d[\d,]*\.\d+|\d{1,3}(?:,\d{3})+)(?!\w)")
NAMED_SOURCE = re.compile(r"\b([Tt]able|[Ss]ections?|Figure|Appendix|README|Exercise)\b")
TRAINS = re.compile(r"\bfcn\.train\(|\.fit\(|\.train_on_batch\(")
DRAWS_ITSELF = re.compile(r"\bmatplotlib|\bplt\.")
WIDEST_FIGURE = 1800  # twice the pixels of the column, for sharp screens
WIDEST_LINE = 80  # what a page shows without scrolling
MAP = "diagrams.course_map("  # at the head of a chapter, without a number
WIDGET = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
PROMPT = "**Predict, then run.**"
HEAVIEST_MOVING_FIGURE = 500_000
EXERCISE = re.compile(r"\*\*Exercise ((?:\d+|[A-Z])\.\d+)\.\*\*")


@dataclass
class Chapter:
    """A notebook, its number (an appendix's is a letter) and its size on the disk in bytes."""

    number: str
    notebook: nbformat.NotebookNode
    size: int = 0

    @classmethod
    @cache
    def load(cls, path):
        return cls(number_of(path), nbformat.read(path, as_version=4), path.stat().st_size)

    @property
    def code_cells(self):
        """The chapter's own: all but the first, which installs the library in Colab."""
        cells = (cell for cell in self.notebook.cells if cell.get("id") != ID)
        return [cell for cell in cells if cell.cell_type == "code"]

    @property
    def markdown(self):
        cells = self.notebook.cells
        return "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")

    @property
    def exercises(self):
        """(number, text up to the next one) of each."""
        parts = EXERCISE.split(self.markdown)[1:]
        return list(zip(parts[::2], parts[1::2], strict=True))

    @property
    def checks(self):
        return checks_of(self.number)

    @property
    def outputs(self):
        return [output for cell in self.code_cells for output in cell.outputs]

    def moving_figures(self):
        """(bundle of the output, values of its HTML widgets) of each figure that a reader moves."""
        for output in self.outputs:
            if WIDGET in output.get("data", {}):
                models = self.models_below(output.data[WIDGET]["model_id"])
                yield output.data, [model["value"] for model in models if "value" in model]

    def models_below(self, model_id):
        """The states of a widget's model and of all that are its children."""
        state = self.notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
        if model_id in state:
            model = state[model_id]["state"]
            yield model
            for child in model.get("children", []):
                yield from self.models_below(child.removeprefix("IPY_MODEL_"))


def opens_with_goals_needs_and_minutes(chapter):
    cells = takewhile(lambda cell: cell.cell_type != "code", chapter.notebook.cells)
    opening = "\n".join(cell.source for cell in cells)
    if not opening.startswith("# "):
        yield "does not open with its title"
    opening = " ".join(opening.split()).lower()
    for phrase in OPENING:
        if phrase.lower() not in opening:
            yield f"says nothing of “{phrase}” before its first code cell"


def ends_with_summary_exercises_and_reading(chapter):
    headings = re.findall(r"^## +(.+?)\s*$", FENCE.sub("", chapter.markdown), re.M)
    if headings[-3:] != ENDING:
        yield f"ends with the sections {headings[-3:]}, not {ENDING}"


def has_1200_to_2500_words(chapter):
    """Captions, which are read beside their figures, do not count."""
    prose = TAG.sub(" ", MATHS.sub(" ", FENCE.sub(" ", CAPTION.sub(" ", chapter.markdown))))
    words = len(WORD.findall(prose))
    if words > 2500 or (words < 1200 and chapter.number.isdigit()):
        yield f"has {words} words of prose"


def has_15_to_35_short_code_cells(chapter):
    """Short is what is said in few statements, each of which may take several short lines."""
    shown = [statements(cell) for cell in chapter.code_cells if not is_folded(cell)]
    if len(shown) > 35 or (len(shown) < 15 and chapter.number.isdigit()):
        yield f"shows {len(shown)} code cells"
    if shown and median(shown) > 5:
        yield f"shows code cells of {median(shown)} statements in the median"
    for number, cell in enumerate(chapter.code_cells, start=1):
        lines = cell.source.splitlines()
        if len(lines) > 25 and not is_folded(cell):
            yield f"shows {len(lines)} lines in code cell {number}"
        for line in lines:
            if len(line) > WIDEST_LINE:
                yield f"has a line of {len(line)} characters in code cell {number}: {line}"


def asks_before_it_shows(chapter):
    asked = chapter.markdown.count(PROMPT)
    if asked < 2:
        yield f"asks {asked} times {PROMPT!r}, not twice"


def statements(cell):
    tree = ast.parse(TransformerManager().transform_cell(cell.source))
    return sum(isinstance(node, ast.stmt) for node in ast.walk(tree))


def is_folded(cell):
    """Whether a page shows no code of the cell unless the reader asks for it."""
    return not FOLDED.isdisjoint(cell.metadata.get("tags", []))


def leaves_open_exercises_without_output(chapter):
    for number, cell in enumerate(chapter.code_cells, start=1):
        silent = not cell.outputs and "remove-output" in cell.metadata.get("tags", [])
        if "fcn.check(" in cell.source and not silent:
            yield f"shows what an open exercise prints in code cell {number}"


def is_plain_markdown(chapter):
    for directive in DIRECTIVE.findall(chapter.markdown):
        yield f"holds a MyST directive: {directive}"
    prose = FENCE.sub("", chapter.markdown)
    for label in LABEL.findall(prose):
        yield f"holds a MyST label: {label}"
    for span in CODE_SPAN.finditer(prose):
        role = ROLE_NAME.search(prose[: span.start()])
        if role:
            yield f"holds a MyST role: {role.group()}{span.group()}"


def weighs_at_most_1_mb(chapter):
    if chapter.size > 1_000_000:
        yield f"weighs {chapter.size} bytes"


def is_executed_in_order(chapter):
    cells = chapter.notebook.cells
    counts = [cell.execution_count for cell in cells if cell.cell_type == "code"]
    if counts != list(range(1, len(counts) + 1)):
        yield f"was not executed once from top to bottom: {counts}"
    if not chapter.outputs:
        yield "stores no outputs"
    for output in chapter.outputs:
        if output.output_type == "error":
            yield f"stores an error: {output.ename}"
        if output.get("name") == "stderr":
            yield f"stores text from stderr: {output.text[:100]}"


def holds_the_outputs_of_its_code(chapter):
    if not outputs_are_its_own(chapter.notebook):
        yield "holds outputs of other code: run `make notebooks`"


def shows_an_image(cell):
    """Whether a cell shows a picture, a diagram other than the course map, or what moves."""
    diagram = any("<svg" in page for page in html_of(cell)) and MAP not in cell.source
    return diagram or holds_image(cell)


def holds_image(cell):
    return any(kind.startswith(("image/", WIDGET)) for data in data_of(cell) for kind in data)


def html_of(cell):
    return [data.get("text/html", "") for data in data_of(cell)]


def data_of(cell):
    return [output.get("data", {}) for output in cell.get("outputs", [])]


def describes_every_image(chapter):
    for number, cell in enumerate(chapter.code_cells, start=1):
        alt = cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "")
        if holds_image(cell) and not alt.strip():
            yield f"shows an image without metadata mystnb.image.alt in code cell {number}"
        for page in html_of(cell):
            if re.search(r"<svg(?!.*?<title>[^<])", page, re.S):
                yield f"shows a diagram without a title in code cell {number}"
            if re.search(r"<img(?![^>]*\balt=[\"'][^\"'])", page):
                yield f"shows an <img> without alt text in code cell {number}"


def describes_and_stores_what_moves(chapter):
    """A frame has alt text and a caption; where nothing moves, a picture and words stand in."""
    for number, (bundle, values) in enumerate(chapter.moving_figures(), start=1):
        frames = [value for value in values if "<img" in str(value)]
        if len(frames) < 2:
            yield f"stores {len(frames)} frames of moving figure {number}"
        for frame in frames:
            if not re.search(r"<img[^>]* alt=\"[^\"]+\"", frame) or "<figcaption>" not in frame:
                yield f"has a frame without alt text or caption in moving figure {number}"
        for kind in ("image/png", "text/plain"):
            if not bundle.get(kind):
                yield f"has no {kind} to stand in for moving figure {number}"
        weight = len("".join(frames)) + len(bundle.get("image/png", ""))
        if weight > HEAVIEST_MOVING_FIGURE:
            yield f"has {weight} bytes of pictures in moving figure {number}"


def captions_every_figure(chapter):
    cells = [*chapter.notebook.cells, nbformat.v4.new_markdown_cell()]
    after_images = [after for cell, after in pairwise(cells) if shows_an_image(cell)]
    for figure, after in enumerate(after_images, start=1):
        caption = f"**Figure {chapter.number}.{figure}.**"
        if after.cell_type != "markdown" or not after.source.startswith(caption):
            yield f"has no Markdown cell that starts with {caption} after image {figure}"


def solves_every_exercise(chapter):
    numbers = [number for number, _ in chapter.exercises]
    if numbers != [f"{chapter.number}.{i + 1}" for i in range(len(numbers))] or not numbers:
        yield f"has the exercises {numbers}, not {chapter.number}.1, {chapter.number}.2, ..."
    for number, text in chapter.exercises:
        if not re.search(r"<details>.*<summary>.*</details>", text, re.S):
            yield f"has no solution in <details> after exercise {number}"


def draws_with_plotting(chapter):
    for number, cell in enumerate(chapter.code_cells, start=1):
        if DRAWS_ITSELF.search(cell.source):
            yield f"draws by itself in code cell {number}: use fcn_tutorial.plotting"
        for data in data_of(cell):
            picture = base64.b64decode(data.get("image/png", ""))
            width = int.from_bytes(picture[16:20], "big")
            if width > WIDEST_FIGURE:
                yield f"shows a figure of {width} pixels in code cell {number}: too wide"


def compares_what_it_trains_with_a_baseline(chapter):
    """A classifier of shapes has no background: there the printed baseline is guessing."""
    sources = [cell.source for cell in chapter.code_cells]
    trained = [index for index, source in enumerate(sources) if TRAINS.search(source)]
    for index in trained:
        after = "\n".join(sources[index:])
        if "beat_baseline(" not in after and "guessing" not in after:
            yield f"trains in code cell {index + 1} and prints no baseline after it"


def takes_its_numbers_from_cells_or_tables(chapter):
    """Decimals and percentages in prose: printed by a cell above, or from a table that is named."""
    above = ""
    for cell in chapter.notebook.cells:
        if cell.cell_type == "code":
            above += cell.source + "".join(output.get("text", "") for output in cell.outputs)
            above += "".join(data.get("text/plain", "") for data in data_of(cell))
            continue
        prose = re.sub(r"<details>.*?</details>", " ", FENCE.sub(" ", cell.source), flags=re.S)
        for paragraph in re.split(r"\n\s*\n", MATHS.sub(" ", CODE_SPAN.sub(" ", prose))):
            if NAMED_SOURCE.search(paragraph):
                continue
            for number in NUMBER.findall(re.sub(r"\]\([^)]*\)", "]", paragraph)):
                if not stands_in(above, number):
                    yield f"states {number} without a cell above or a named table: {paragraph[:60]}"


def stands_in(text, number):
    """Whether the text has the number; one in per cent may stand there as a fraction too."""
    digits = number.rstrip("% ").replace(",", "")
    forms = {digits}
    if number.endswith("%"):
        forms |= {f"{float(digits) / 100:.{places}f}" for places in (2, 3, 4)}
    plain = re.sub(r"(?<=\d)[,_](?=\d)", "", text)
    return any(re.search(rf"(?<![\d.]){re.escape(form)}(?!\.?\d)", plain) for form in forms)


def checks_two_exercises(chapter):
    asked = re.findall(r"fcn\.check\(\"([\w.]+)\"", "\n".join(c.source for c in chapter.code_cells))
    if len(asked) < 2:
        yield f"has self-checks of {len(asked)} exercises, not of two or more"
    if sorted(asked) != sorted(chapter.checks):
        yield f"asks {asked}, but has the self-checks {sorted(chapter.checks)}"


def has_solutions_that_its_self_checks_accept(chapter):
    for number, text in chapter.exercises:
        if number in chapter.checks:
            code = re.search(r"<details>.*?```python\n(.*?)```", text, re.S)
            found = chapter.checks[number](solve(chapter, code[1])) if code else "no code in it"
            if found:
                yield f"has a solution of exercise {number} that is not accepted: {found}"


def solve(chapter, code):
    """`answer`, after the chapter's imports, the functions that it defines, and the solution."""
    sources = [TransformerManager().transform_cell(cell.source) for cell in chapter.code_cells]
    nodes = [node for source in sources for node in ast.parse(source).body]
    kinds = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef
    kept = [ast.unparse(node) for node in nodes if isinstance(node, kinds)]
    names = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec("\n".join([*kept, code]), names)
    return names.get("answer", ...)


# All functions above that yield complaints.
RULES = [each for each in list(globals().values()) if isgeneratorfunction(each)]
