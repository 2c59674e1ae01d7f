"""What the pages keep on one line."""

import re

import pytest
from docutils import nodes
from docutils.utils import new_document
from line_breaks import KeepTogether


def kept(*children):
    """What the transform keeps on one line of a paragraph, which keeps its text."""
    document, paragraph = new_document("page"), nodes.paragraph("", "", *children)
    document.append(paragraph)
    before = paragraph.astext()
    KeepTogether(document).run()
    assert paragraph.astext() == before
    spans = document.findall(nodes.inline)
    return [span.astext() for span in spans if span["classes"] == ["together"]]


COMMAND = "fcn-tutorial train x --set dataset=a/long/folder/of/data"  # breaks between its words
REST = nodes.Text("), the loss")


@pytest.mark.parametrize(
    "children, expected",
    [
        ([nodes.Text("FCN-8s scores 62.5 % at stride 8.")], ["FCN-8s", "62.5 %", "stride 8"]),
        ([nodes.Text("A map of 7 × 7 × 512 cells, chapter 3.")], ["7 × 7 × 512", "chapter 3"]),
        ([nodes.Text("Figure 8.12 and appendix A")], ["Figure 8.12", "appendix A"]),
        ([nodes.Text("well-known words, chapters and percent")], []),
        ([nodes.literal("", COMMAND)], ["fcn-tutorial", "--set"]),
        ([nodes.math("", r"\log C"), REST], [r"\log C),"]),
        ([nodes.math("", "x + " * 9), REST], []),  # too long
    ],
)
def test_names_quantities_references_and_formulas_keep_together(children, expected):
    assert kept(*children) == expected


def test_cells_of_tables_keep_their_tags_and_numbers():
    html = '<table class="FCN-8s">\n<tr><th>FCN-8s, best</th><td>24 epochs</td></tr></table>'
    document = new_document("page")
    document.append(nodes.raw("", html, format="html"))
    KeepTogether(document).run()
    found = document[0].astext()
    assert re.findall(r'<span class="together">(.*?)</span>', found) == ["FCN-8s", "24 epochs"]
    assert re.sub(r"</?span.*?>", "", found) == html
