"""Sphinx extension: a script stands on a page once, and only if it is used.

Jupyter Book always loads sphinx-thebe, which would run code of the page on another host, and whose
script the page would hold twice.
"""


def leave_out(app, page, template, context, doctree):
    scripts = {}
    for script in context["script_files"]:
        body = getattr(script, "attributes", {}).get("body", "")
        key = f"{getattr(script, 'filename', script)} {body}"
        if "thebe" not in key.lower():
            scripts.setdefault(key, script)
    context["script_files"] = list(scripts.values())


def setup(app):
    app.connect("html-page-context", leave_out, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
