"""Print the book into one PDF file: python tools/pdf.py, after the pages were built.

Sphinx joins the chapters into one page, and Chromium prints it.
"""

import subprocess
import sys
from pathlib import Path

from colab import project

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "_build" / "singlehtml"
PDF = ROOT / "_build" / "fcn-tutorial.pdf"
CHROMIUM = "/usr/bin/chromium"

# Answers unfold, a chapter starts on a page of its own, and nothing is cut at the margin.
STYLE = """<style>
html { font-size: 11.5px; }
.headerlink, .copybtn, button { display: none !important; }
[id^="document-"] + section { break-before: page; }
h1, h2, h3, h4, summary, .admonition-title { break-after: avoid; }
img, svg, figure, tr, pre, .cell_input, .cell_output { break-inside: avoid; }
img { max-height: 200mm; }
pre { white-space: pre-wrap !important; overflow-wrap: anywhere; }
.bd-main .bd-content .bd-article-container { max-width: none; padding: 0; }
.bd-article table { display: table; }
</style>"""
FOOTER = """<div style="width: 100%; font-size: 8px; text-align: center">
<span class="pageNumber"></span></div>"""


def for_print(text):
    """The page in the light, with its answers unfolded and the style above."""
    changes = {"</head>": f"{STYLE}</head>", "<details>": "<details open>", '"auto"': '"light"'}
    for old, new in changes.items():
        text = text.replace(old, new)
    return text


def join():
    """Build all chapters as one page; returns its file."""
    jupyter_book = Path(sys.executable).with_name("jupyter-book")
    command = [jupyter_book, "build", "-n", "--builder", "singlehtml", "."]
    if subprocess.run(command, cwd=ROOT).returncode:
        sys.exit("The chapters were not joined: see the messages above, and run `make book` first.")
    text = (PAGE / "book" / "pages" / "intro.html").read_text(encoding="utf-8")
    page = PAGE / "book.html"  # its links start in this folder, not in the one of intro.html
    page.write_text(for_print(text), encoding="utf-8")
    return page


def print_page(page, path, version):
    """Print a page without its scripts: figures that move then show their stills."""
    from playwright.sync_api import sync_playwright

    head = f'<div style="width: 100%; font-size: 8px; text-align: center">Version {version}</div>'
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_context(java_script_enabled=False, offline=True).new_page()
        tab.goto(page.as_uri())
        tab.pdf(
            path=path,
            format="A4",
            margin={"top": "18mm", "bottom": "18mm", "left": "18mm", "right": "18mm"},
            display_header_footer=True,
            header_template=head,
            footer_template=FOOTER,
            print_background=True,
            outline=True,
            tagged=True,
        )
        browser.close()


def main():
    if not Path(CHROMIUM).exists():
        sys.exit(f"No Chromium at {CHROMIUM} to print with: install the package chromium.")
    print_page(join(), PDF, project()[1])
    print(f"The book is in {PDF.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
