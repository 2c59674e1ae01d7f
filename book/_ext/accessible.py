"""Sphinx extension: fix what keeps screen readers from the HTML of Sphinx and the theme.

Scripts in attributes go, too: what the theme's buttons do is in header-buttons.js.
"""

from pathlib import Path

FIXES = {
    # An accessible name must begin with the text that the button shows.
    'title="Search" aria-label="Search"': 'title="Search" aria-label="Search Ctrl+K"',
    # The button has a name; titles of its icons would give it others.
    'data-mode="light" title="Light"': 'data-mode="light"',
    'data-mode="dark"  title="Dark"': 'data-mode="dark"',
    'data-mode="auto"  title="System Settings"': 'data-mode="auto"',
    # doc-biblioentry is deprecated; what stands in a list is an item of it.
    'role="doc-biblioentry"': 'role="listitem"',
    # Folded code says what a click does; this name would hide it.
    'aria-label="Toggle hidden content"': "",
    'onclick="window.print()"': "",
    'onclick="toggleFullScreen()"': "",
}


def fix(app, error):
    if error:
        return
    for path in Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for wrong, right in FIXES.items():
            text = text.replace(wrong, right)
        path.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("build-finished", fix)
    app.add_js_file("header-buttons.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
