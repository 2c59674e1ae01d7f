"""Tables of results: the same cells as HTML and as plain text."""

import re

import numpy as np

import fcn_tutorial as fcn

ROWS = [("road", 0.9312, 1234567), ("sky & <tree>", np.float32(0.5), np.int64(7))]
COLUMNS = ["class", "IoU", "pixels"]


def test_a_table_prints_its_cells_in_columns():
    head, *lines = str(fcn.table(ROWS, COLUMNS)).splitlines()
    assert head.split() == COLUMNS
    assert [re.split(" {2,}", line) for line in lines] == [
        ["road", "93.1%", "1,234,567"],
        ["sky & <tree>", "50.0%", "7"],
    ]
    # Numbers end in one column, and titles above them too.
    assert len({len(line) for line in (head, *lines)}) == 1


def test_a_table_in_html_has_the_same_cells_and_titles_of_rows_and_columns():
    page = fcn.table(ROWS, COLUMNS)._repr_html_()
    cells = re.findall(r"<(t[hd])(?: scope=\"(\w+)\")?[^>]*>([^<]*)</", page)
    assert [text for tag, scope, text in cells if scope == "col"] == COLUMNS
    titles = [text for tag, scope, text in cells if scope == "row"]
    assert titles == ["road", "sky &amp; &lt;tree&gt;"]
    assert [text for tag, _, text in cells if tag == "td"] == ["93.1%", "1,234,567", "50.0%", "7"]


def test_numbers_are_written_as_asked_for_and_pairs_of_a_dictionary_are_rows():
    printed = str(fcn.table({"a": 0.25, "b": -1.5}.items(), ["", "points"], number="+.2f"))
    assert printed.split() == ["points", "a", "+0.25", "b", "-1.50"]
    assert str(fcn.table([("flip", True)], ["", "on"])).split() == ["on", "flip", "True"]


def test_an_empty_table_has_its_titles():
    assert str(fcn.table([], COLUMNS)).split() == COLUMNS


def test_a_row_of_another_length_is_refused(refusal):
    assert "row 1" in refusal(fcn.table, [*ROWS[:1], ("road", 0.5)], COLUMNS)
