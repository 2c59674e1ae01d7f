"""A drawing in SVG: boxes, grids, arrows and text that suit light and dark pages.

Lines and text take the colour of the page around them; colours are see-through.
"""

from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from fcn_tutorial.data.images import data_uri
from fcn_tutorial.errors import check_choice

# Okabe and Ito's colours, which colour-blind readers can tell apart, for the parts of a network.
COLORS = {
    "images": "#888888",
    "maps": "#0072B2",
    "scores": "#D55E00",
    "skips": "#009E73",
    "upsampling": "#E69F00",
    "labels": "#CC79A7",
}
STYLE = (
    "fill:currentColor;font:15px/1 system-ui,sans-serif;height:auto;width:100%;"
    "min-width:{least}px;max-width:{most}px"
)
LINE = 18  # units from line to line
FAINT = 0.35  # opacity of what is not lit
NARROWEST = 640  # pixels; narrower pages scroll, so that text stays legible
SHARP = 2  # pixels of a picture for each unit

Point = tuple[float, float]


@dataclass
class Diagram:
    """A drawing of `width` x `height` units; a notebook shows it on the last line of a cell.

    title: what it shows, for those who cannot see it.
    lit: the part that stands out, while other parts are faint; None: all stand out.
    most: how many pixels wide it is at most on a page; None: its width.
    marks: SVG elements, each with the part that it belongs to.
    """

    title: str
    width: int
    height: int
    lit: str | None = None
    most: int | None = None
    marks: list[tuple[str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.lit is not None:
            check_choice("lit", self.lit, COLORS)

    def mark(self, tag: str, text: object = "", part: str = "", **attributes: object) -> None:
        """Add an SVG element that belongs to a part of the drawing."""
        values = {
            name.replace("_", "-"): round(value, 1) if isinstance(value, float) else value
            for name, value in attributes.items()
        }
        pairs = " ".join(f'{name}="{value}"' for name, value in values.items())
        self.marks.append((part, f"<{tag} {pairs}>{escape(str(text))}</{tag}>"))

    def text(self, x: float, y: float, *lines: object, part: str = "", **look: object) -> None:
        """Lines of text around x, the first one's foot at y."""
        for number, line in enumerate(lines):
            place = {"x": x, "y": y + LINE * number, "text_anchor": "middle"}
            self.mark("text", line, part, **{**place, **look})

    def box(self, x: float, y: float, width: float, height: float, color: str, **rest: Any) -> None:
        """A rectangle with a border, filled with its colour."""
        place = {"x": x, "y": y, "width": width, "height": height, "stroke": color}
        self.mark("rect", **{**place, "fill": color, "fill_opacity": "0.28", **rest})

    def grid(
        self, x: float, y: float, side: float, rows: int, columns: int, color: str, part: str = ""
    ) -> None:
        """A box of rows x columns of square cells."""
        self.box(x, y, columns * side, rows * side, color, part=part)
        lines = [f"M{x + side * n:.1f} {y:.1f}v{rows * side:.1f}" for n in range(1, columns)]
        lines += [f"M{x:.1f} {y + side * n:.1f}h{columns * side:.1f}" for n in range(1, rows)]
        if lines:
            self.mark("path", part=part, d="".join(lines), stroke=color, opacity="0.6")

    def numbers(self, x: float, y: float, side: float, values: Any, color: str) -> None:
        """A grid with an array's numbers (rows, columns) in its cells."""
        values = np.asarray(values, dtype=float)
        rows, columns = values.shape
        self.grid(x, y, side, rows, columns, color)
        for (row, column), value in np.ndenumerate(values):
            self.text(x + side * (column + 0.5), y + side * (row + 0.5) + 5, f"{value:.3g}")

    def arrow(self, *points: Point, part: str = "") -> None:
        """An arrow along straight lines from the first point (x, y) to the last one."""
        (*_, before), tip = (np.array(each, float) for each in (points[-2:-1], points[-1]))
        ahead = (tip - before) / np.linalg.norm(tip - before)
        aside = 4 * ahead[::-1] * (-1, 1)
        head = [tip - 8 * ahead + aside, tip, tip - 8 * ahead - aside]
        d = "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in line) for line in (points, head))
        look = {"fill": "none", "stroke": "currentColor", "stroke_width": "1.5"}
        self.mark("path", part=part, d=d, **look)

    def picture(self, x: float, y: float, side: float, image: np.ndarray, part: str = "") -> None:
        """The square in the middle of an image, uint8 (H, W, 3)."""
        square = ImageOps.fit(Image.fromarray(image), (round(SHARP * side),) * 2)
        source = data_uri(square, "WEBP", quality=70)
        self.mark("image", part=part, x=x, y=y, width=side, height=side, href=source)

    def svg(self) -> str:
        """The drawing as the text of an SVG element."""
        # Two thirds of the width: letters of 15 units stay 10 pixels high.
        least = min(self.width, max(NARROWEST, 2 * self.width // 3))
        style = STYLE.format(least=least, most=self.most or self.width)
        marks = (
            f'<g opacity="{FAINT}">{mark}</g>' if self.lit and part not in ("", self.lit) else mark
            for part, mark in self.marks
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" class="diagram" '
            f'viewBox="0 0 {self.width} {self.height}" style="{style}">'
            f"<title>{escape(self.title)}</title>{''.join(marks)}</svg>"
        )

    def _repr_html_(self):
        return self.svg()

    def __repr__(self):
        return self.title
