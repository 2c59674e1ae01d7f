"""Sphinx extension: a figure that moves shows its still where it cannot move.

myst-nb writes one form of each output into a page, and of a moving figure it takes the widget. Here
the still picture goes behind it; moving-figures.css hides the still once the widget is there.
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform

WIDGET = "application/vnd.jupyter.widget-view+json"


class KeepStill(SphinxPostTransform):
    default_priority = 3  # myst-nb chooses a form at 4
    formats = ("html",)

    def run(self, **kwargs):
        for bundle in self.document.findall(nodes.container):
            if bundle.get("nb_element") == "mime_bundle":
                forms = {form["mime_type"]: form for form in bundle.children}
                if WIDGET in forms and "image/png" in forms:
                    self.add_still(forms[WIDGET], forms["image/png"])

    def add_still(self, widget, picture):
        for image in picture.findall(nodes.image):
            image["classes"].append("still")
        widget.extend(picture.children)


def setup(app):
    app.add_post_transform(KeepStill)
    app.add_css_file("moving-figures.css")
    app.add_js_file("moving-figures.js")
    return {"parallel_read_safe": True, "parallel_write_safe": True}
