"""The built book asks nothing of any other host, and its buttons work: checked in a browser.

Pages are served compressed, as hosts of static pages serve them.
"""

import gzip
import json
import re
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import sphinxcontrib.katex
from rules import ROOT
from test_pages import MADE_BY_SPHINX, PAGES, launched_url

HEAVIEST = 1_500_000  # bytes of a page and of all it loads
# What a reader waits for only when asking the live page for labels.
MODELS_AND_RUNTIME = ("/_static/live/models/", "/_static/litert/")
CODE = "book/chapters/01-pixels-as-classes.html"


class Compressed(SimpleHTTPRequestHandler):
    """Serves files, text in gzip; notes how many bytes each answer has."""

    sent: ClassVar[dict[str, int]] = {}

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return self.send_error(404)
        content, kind = path.read_bytes(), self.guess_type(path)
        text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        content = gzip.compress(content) if text else content
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        if text:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(content)
        self.sent[self.path] = len(content)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server(html):
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Compressed, directory=html)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def visit(browser, server):
    """Opens a page; returns it with the addresses that it asked for, the server's own as paths."""
    contexts = []

    def open_page(path, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page, asked = context.new_page(), []
        page.on("request", lambda request: asked.append(request.url.removeprefix(server)))
        page.goto(f"{server}/{path}", wait_until="networkidle")
        return page, asked

    yield open_page
    for context in contexts:
        context.close()


def elsewhere(asked):
    return [url for url in asked if not url.startswith(("/", "data:", "blob:"))]


@pytest.mark.parametrize("path", [*PAGES, *MADE_BY_SPHINX, "index.html"])
def test_a_page_is_whole_and_light_without_another_host(visit, path):
    _, asked = visit(path)
    assert elsewhere(asked) == []
    weights = {url: Compressed.sent.get(url) for url in asked if url.startswith("/")}
    assert [url for url, size in weights.items() if size is None and "favicon" not in url] == []
    counted = (s for url, s in weights.items() if s and not url.startswith(MODELS_AND_RUNTIME))
    assert sum(counted) <= HEAVIEST


def test_a_request_to_another_host_is_noticed(visit):
    page, asked = visit(PAGES[0])
    page.evaluate("() => fetch('http://localhost:9/').catch(() => 0)")
    assert elsewhere(asked) == ["http://localhost:9/"]


@pytest.mark.parametrize("path", PAGES)
def test_mathematics_is_typeset_and_icons_are_drawn(html, visit, path):
    source = (html / path).read_text(encoding="utf-8")
    assert "katex-error" not in source
    assert source.count('class="math') == len(re.findall('<span class="katex">', source))
    page, _ = visit(path)
    for icon in page.locator("i[class*='fa-'], i[data-fa-i2svg], span[class*='fa-']").all():
        drawn = icon.locator("svg path")
        assert drawn.count() == 1 and drawn.get_attribute("d"), icon.evaluate("e => e.outerHTML")


def test_mathematics_and_its_style_are_of_one_version():
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]["katex"]
    assert pinned == sphinxcontrib.katex.katex_version


def test_the_search_finds_a_term_and_leads_to_it(visit):
    page, _ = visit("search.html?q=transposed+convolution")
    found = page.locator("#search-results li a")
    found.first.wait_for()
    titles = found.all_inner_texts()
    assert any("Upsampling is a transposed convolution" in title for title in titles)
    found.filter(has_text="Upsampling is a transposed convolution").first.click()
    page.wait_for_load_state()
    assert "transposed convolution" in page.locator("article").inner_text()


def test_the_search_button_opens_a_field_that_searches(visit):
    page, _ = visit(CODE)
    page.locator("button.search-button__button:visible").first.click()
    page.locator("dialog input[type=search], .search-button__search-container input").first.fill(
        "bilinear"
    )
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=bilinear*")
    page.locator("#search-results li").first.wait_for()


def test_next_and_previous_lead_through_the_whole_book(visit):
    page, _ = visit(PAGES[0])
    for path in PAGES[1:]:
        page.locator("a.right-next").click()
        page.wait_for_url(f"**/{path}")
    for path in reversed(PAGES[:-1]):
        page.locator("a.left-prev").click()
        page.wait_for_url(f"**/{path}")


@pytest.mark.parametrize("path", [path for path in PAGES if re.match(r"book/chapters/\d\d-", path)])
def test_a_chapter_is_launched_and_downloaded_as_its_notebook(visit, html, path):
    page, _ = visit(path)
    notebook = path.replace(".html", ".ipynb")
    launch = page.locator("a[href*='colab.research.google.com']")
    assert launch.first.get_attribute("href") == launched_url(notebook)
    page.locator(".dropdown-download-buttons button").first.click()
    link = page.locator(".dropdown-download-buttons a[href$='.ipynb']").first
    with page.expect_download() as download:
        link.click()
    assert Path(download.value.path()).read_bytes() == (ROOT / notebook).read_bytes()


def test_the_copy_button_copies_the_code_of_its_cell(visit):
    page, _ = visit(CODE, permissions=["clipboard-read", "clipboard-write"])
    block = page.locator("div.cell_input div.highlight").nth(1)
    block.hover()
    block.locator("button.copybtn").click()
    page.wait_for_timeout(200)
    copied = page.evaluate("() => navigator.clipboard.readText()")
    assert copied.strip() == block.locator("pre").inner_text().strip()
