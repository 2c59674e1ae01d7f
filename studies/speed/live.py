"""How long the live page takes for a picture of 256 x 256, in Chromium, in one thread.

    python -m studies.speed.live

Needs the built book and Chromium. Each of twelve scenes is labelled by the three networks, and a
photograph as often, by its three at once; the first time of each network, which includes its
loading, does not count.
"""

import sys

import numpy as np
from playwright.sync_api import sync_playwright

from studies.common import STUDIES, served, write

TIMES = 13


def times(page):
    """{network: milliseconds of each picture but the first}."""
    found = []
    for _ in range(TIMES):
        page.locator("#live-shapes[data-state=ready]").wait_for()
        page.get_by_role("button", name="Cat").click()
        page.locator("#live-photos[data-state=ready]").wait_for()
        found.append(page.evaluate("({...fcnLive.milliseconds})"))
        page.get_by_role("button", name="Another scene").click()
    return {name: [each[name] for each in found[1:]] for name in found[0]}


def main():
    built = STUDIES.parent / "_build" / "html"
    if not (built / "book" / "pages" / "live.html").is_file():
        sys.exit(f"{built} holds no live page: build the book with `jupyter-book build .`")
    with served(built) as address, sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=arguments)
        page = browser.new_page()
        page.goto(f"{address}/book/pages/live.html")
        measured = times(page)
        version = browser.version
        browser.close()
    rows = {
        name: {"median": float(np.median(each)), "slowest": max(each)}
        for name, each in measured.items()
    }
    print(rows)
    content = {"chromium": version, "pictures": TIMES - 1, "side": 256, "milliseconds": rows}
    write(__file__, content)


if __name__ == "__main__":
    main()
