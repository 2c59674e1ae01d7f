"""Sphinx extension: mend what in the theme's and Sphinx' own HTML keeps a screen reader from it."""

from pathlib import Path

MENDED = {
    # A name must begin with what is to be seen on the button.
    'title="Search" aria-label="Search"': 'title="Search" aria-label="Search Ctrl+K"',
    # The button has a name; its icons' titles would be others.
    'data-mode="light" title="Light"': 'data-mode="light"',
    'data-mode="dark"  title="Dark"': 'data-mode="dark"',
    'data-mode="auto"  title="System Settings"': 'data-mode="auto"',
    # What stands in a list is an item of it; the other role is deprecated.
    'role="doc-biblioentry"': 'role="listitem"',
}


def mend(app, error):
    if error:
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for wrong, right in MENDED.items():
            text = text.replace(wrong, right)
        path.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
