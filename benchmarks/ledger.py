"""The page "Published numbers, and ours" of the book, from results/ledger.csv and the score files.

    python benchmarks/ledger.py

Each line of the ledger is a published result; its column `answer` names the file below results/
that holds what was measured here (with the place in it, as a JSON pointer), or is empty, and then
`note` says why there is none. Writes the tables into book/pages/ledger.md, between its two markers.
"""

import csv
import itertools
import json
from pathlib import Path

from fcn_tutorial.runs import METRICS

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "results", ROOT / "book" / "pages" / "ledger.md"
BEGIN, END = "<!-- tables: python benchmarks/ledger.py -->", "<!-- end of tables -->"
COLUMNS = ("Pixel accuracy", "Mean accuracy", "Mean IoU", "F.w. IoU", "Mean IoU here")


def lines():
    """The ledger's lines, as dictionaries."""
    with (RESULTS / "ledger.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def measured(answer):
    """{metric: percent} of the result that `answer` names, "FILE" or "FILE#/key/key/index"."""
    file, _, pointer = answer.partition("#")
    content = json.loads((RESULTS / file).read_text(encoding="utf-8"))
    if not pointer:
        return {metric: 100 * content[metric] for metric in METRICS}
    for key in pointer.strip("/").split("/"):
        content = content[int(key) if isinstance(content, list) else key]
    return {"mean_iou": 100 * content}


def tables(rows):
    """Markdown: a section for each source, and in it a table for each pair of data sets."""
    parts = []
    for source, group in itertools.groupby(rows, lambda row: row["source"]):
        parts.append(f"## {source}")
        data = itertools.groupby(group, lambda row: (row["training_data"], row["evaluated_on"]))
        for (training, evaluated), results in data:
            trained = "" if training == "none" else f"Trained on {training}, scored"
            parts.append(f"{trained or 'Scored'} on {evaluated}.")
            parts += _table_and_notes(list(results))
    return "\n\n".join(parts)


def _table_and_notes(rows):
    """A table with a line for each result, then where ours is from, or why there is none."""
    head = ["", *COLUMNS]
    yield "\n".join(map(_line, [head, ["---"] * len(head), *map(_cells, rows)]))
    yield from dict.fromkeys(_origin(row) for row in rows if row["answer"])
    for note, group in itertools.groupby((r for r in rows if not r["answer"]), lambda r: r["note"]):
        commands = "\n".join(dict.fromkeys(row["command"] for row in group))
        yield f"Not run here: {note}. What would run it, or comes nearest:"
        yield f"```bash\n{commands}\n```"


def _origin(row):
    file, command = row["answer"].partition("#")[0], row["command"].replace("; ", "` and `")
    return f"Here: {row['note']}; `results/{file}`, made by `{command}`."


def _cells(row):
    published = [f"{float(row[metric]):.1f} %" if row[metric] else "" for metric in METRICS]
    here = f"{measured(row['answer'])['mean_iou']:.1f} %" if row["answer"] else "not run here"
    return [row["method"], *published, here]


def _line(cells):
    return f"| {' | '.join(cells)} |"


def page(text, rows):
    """The text of the page with the tables anew between its markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{tables(rows)}\n\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), lines()), encoding="utf-8")
    print(f"Wrote {PAGE}.")
