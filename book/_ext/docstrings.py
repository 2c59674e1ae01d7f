"""Sphinx extension: in the library reference each argument starts a new paragraph."""

import re

STARTS = re.compile(r"(\w+(, \w+)*: |Returns |Raises |Source: )")


def split_paragraphs(app, what, name, obj, options, lines):
    lines[:] = [part for line in lines for part in (["", line] if STARTS.match(line) else [line])]


def setup(app):
    app.connect("autodoc-process-docstring", split_paragraphs)
    return {"parallel_read_safe": True}
