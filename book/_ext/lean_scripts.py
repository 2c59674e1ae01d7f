"""Sphinx extension: a script stands on a page once, in no attribute, and only if it is used.

Jupyter Book always loads sphinx-thebe, which would run code of the page on another host, and whose
script the page would hold twice. What the theme's buttons do is in header-buttons.js.
"""

from pathlib import Path

HANDLERS = ('onclick="window.print()"', 'onclick="toggleFullScreen()"')
# Folded code says what a click does; this name would hide it from a screen reader.
LABEL = 'aria-label="Toggle hidden content"'


def leave_out(app, page, template, context, doctree):
    scripts = {}
    for script in context["script_files"]:
        body = getattr(script, "attributes", {}).get("body", "")
        key = f"{getattr(script, 'filename', script)} {body}"
        if "thebe" not in key.lower():
            scripts.setdefault(key, script)
    context["script_files"] = list(scripts.values())


def remove_attributes(app, error):
    for path in [] if error else Path(app.outdir).rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        for attribute in (*HANDLERS, LABEL):
            text = text.replace(attribute, "")
        path.write_text(text, encoding="utf-8")


def setup(app):
    app.connect("html-page-context", leave_out, priority=900)
    app.connect("build-finished", remove_attributes)
    app.add_js_file("header-buttons.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
