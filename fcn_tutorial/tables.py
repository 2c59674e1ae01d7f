"""Tables of results: HTML where a page can show it, plain text elsewhere."""

from collections.abc import Iterable, Sequence
from html import escape
from numbers import Integral, Real
from typing import Any

from fcn_tutorial.errors import InputError


class Table:
    """A table that a notebook shows as HTML and `print` as plain text."""

    def __init__(self, rows: list[list[str]], columns: list[str]) -> None:
        self.rows, self.columns = rows, columns
        across = list(zip(*rows, strict=True)) or [()] * len(columns)
        self.numbers = [any(cells) and all(map(_is_number, cells)) for cells in across]

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        texts = ("  ".join(map(_aligned, line, widths, self.numbers)) for line in lines)
        return "\n".join(text.rstrip() for text in texts)

    def _repr_html_(self) -> str:
        scopes = ["row", *[""] * (len(self.columns) - 1)]
        head = "".join(_cell(*each, "col") for each in zip(self.columns, self.numbers, strict=True))
        rows = ("".join(map(_cell, row, self.numbers, scopes)) for row in self.rows)
        body = "\n".join(f"<tr>{row}</tr>" for row in rows)
        return (
            f'<table class="table">\n<thead><tr>{head}</tr></thead>\n'
            f"<tbody>\n{body}\n</tbody>\n</table>"
        )


def table(rows: Iterable[Sequence[Any]], columns: Sequence[str], number: str = ".1%") -> Table:
    """Lay out results as a table.

    Args:
        rows: one sequence of cells a row; whole numbers get commas, other numbers the format
            `number`, and anything else is shown as its text.
        columns: their titles.
        number: how numbers that are not whole are written, as in `format(0.5, ".1%")`.

    Returns:
        What a notebook shows as an HTML table, and `print` as plain text.

    Raises:
        InputError: a row has more or fewer cells than there are columns.
    """
    cells = [[_text(value, number) for value in row] for row in rows]
    for place, row in enumerate(cells):
        if len(row) != len(columns):
            raise InputError(
                f"row {place} has {len(row)} cells, but there are {len(columns)} columns: "
                "give one cell for each column."
            )
    return Table(cells, list(columns))


def percent(value: float) -> str:
    """A share as a percentage; NaN, the score of a class that does not occur, as "absent"."""
    return "absent" if value != value else f"{100 * value:.1f} %"


def counted(count: int, what: str) -> str:
    """A number of things: "1 image", "2,857 images"."""
    return f"{count:,} {what}" + ("" if count == 1 else "s")


def _text(value: Any, number: str) -> str:
    if isinstance(value, bool) or not isinstance(value, Real):
        return str(value)
    return f"{value:,}" if isinstance(value, Integral) else format(value, number)


def _is_number(text: str) -> bool:
    """Whether a text starts as a number does, or is empty: a column of numbers may have gaps."""
    return not text or text.lstrip("+-")[:1].isdigit()


def _aligned(text: str, width: int, number: bool) -> str:
    return text.rjust(width) if number else text.ljust(width)


def _cell(text: str, number: bool, scope: str = "") -> str:
    """A cell in HTML; one with a scope, "row" or "col", is a title."""
    tag, where = ("th", f' scope="{scope}"') if scope else ("td", "")
    side = "right" if number else "left"
    return f'<{tag}{where} style="text-align:{side}">{escape(text)}</{tag}>'
