"""Sphinx extension: no line ends inside a name, a quantity or a reference, nor before a comma.

Browsers end lines after any hyphen and at any space, also in FCN-8s and 62.5 %, and between a
formula and the comma behind it. What stays on one line gets the class `together` (book.css).
"""

import re

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

PHRASE = re.compile(
    r"\b(?:FCN-\d+s|VGG-16|U-Net)|\d[\d.,]* %|\d+(?: [×x] \d+)+|"
    r"\b(?:[Cc]hapter|[Aa]ppendix|Exercise|Figure|[Ss]ection|Table) (?:[AB]|\d+(?:\.\d+)*)\b|"
    r"\bstride \d+|\b\d+ (?:epochs|pixels)\b"
)
WORD = re.compile(r"(?<!\S)(?=\S{2,20}(?!\S))\S*[-/]\S*")  # of code; a longer one may not fit
CELL = re.compile(r"(?<=>)[^<>\n]+(?=</t[dh]>)")
CLOSING = re.compile(r"[,.;:)?!]+")
SHORT = 24  # characters of TeX; a longer formula needs its line breaks
OTHERS = (nodes.FixedTextElement, nodes.math, nodes.math_block, nodes.raw, nodes.Invisible)


def together(*children):
    return nodes.inline("", "", *children, classes=["together"])


def split(text, pattern):
    """The nodes of a text in which what the pattern finds stays together."""
    parts, end = [], 0
    for match in pattern.finditer(text):
        parts += [nodes.Text(text[end : match.start()]), together(nodes.Text(match[0]))]
        end = match.end()
    return [part for part in [*parts, nodes.Text(text[end:])] if part.astext()]


def in_cell(text):
    return PHRASE.sub(r'<span class="together">\g<0></span>', text[0])


class KeepTogether(SphinxPostTransform):
    default_priority = 500
    formats = ("html",)

    def run(self, **kwargs):
        for formula in list(self.document.findall(nodes.math)):
            self.close(formula)
        for text in list(self.document.findall(nodes.Text)):
            parent = text.parent
            if isinstance(parent, OTHERS) or "together" in parent.get("classes", ()):
                continue
            pattern = WORD if isinstance(parent, nodes.literal) else PHRASE
            if pattern.search(text):
                parent.replace(text, split(text, pattern))

        for table in self.document.findall(nodes.raw):
            if table.astext().startswith("<table"):
                table[0] = nodes.Text(CELL.sub(in_cell, table.astext()))

    def close(self, formula):
        """Put a short formula and the punctuation that follows it on one line."""
        parent = formula.parent
        place = parent.index(formula)
        following = parent[place + 1] if place + 1 < len(parent) else None
        mark = CLOSING.match(following) if isinstance(following, nodes.Text) else None
        if mark and len(formula.astext()) <= SHORT:
            rest = nodes.Text(following[mark.end() :])
            parent[place : place + 2] = [together(formula, nodes.Text(mark[0])), rest]


def setup(app):
    app.add_post_transform(KeepTogether)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
