"""The built pages, a server for them and a browser, for the book's own tests."""

import gzip
import os
import sys
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "book" / "_ext")]


compressed = cache(lambda path: gzip.compress(path.read_bytes()))  # pages load the same scripts


class Compressed(SimpleHTTPRequestHandler):
    """Serves files as hosts of static pages do, text in gzip; notes how many bytes each has."""

    sent: ClassVar[dict[str, int]] = {}

    def do_GET(self):
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return self.send_error(404)
        kind = self.guess_type(path)
        text = kind.startswith("text/") or kind.endswith(("javascript", "json", "xml"))
        content = compressed(path) if text else path.read_bytes()
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


def lacking(reason, required):
    """Skip the test; fail it where the environment variable `required` is set."""
    if os.environ.get(required) == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def html():
    """The folder of the built pages."""
    folder = ROOT / "_build" / "html"
    if not (folder / "index.html").exists():
        lacking("the pages are not there: run `make book` first", required="REQUIRE_BOOK")
    return folder


@pytest.fixture(scope="session")
def site(html):
    """The address at which the built pages are served."""
    handler = partial(Compressed, directory=html)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser():
    """Chromium, headless."""
    if not CHROMIUM.exists():
        lacking(f"no browser at {CHROMIUM}: install the package chromium", required="CI")
    from playwright.sync_api import sync_playwright

    arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()
