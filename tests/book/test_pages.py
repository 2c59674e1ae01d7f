"""The built pages, read from their files, and each opened once in a browser without a network.

Accessibility is WCAG 2.2 AA as axe-core checks it, which takes seconds a page: since one process
takes a file, the chapters are opened in another one, test_pages_of_chapters.py.
"""

import gzip
import json
import re
from functools import cache
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import sphinxcontrib.katex
from rules import PAGES_IN_ORDER, ROOT

WIDTHS = [1440, 768, 360]
HEAVIEST = 1_500_000  # bytes of a page and of all it loads
# What a reader waits for only when asking the live page for labels.
MODELS_AND_RUNTIME = ("/_static/live/models/", "/_static/litert/")
AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]

# Of plain spans of the same classes on the way down, all but one become text: code has thousands,
# and axe-core takes a millisecond for each.
THIN_OUT = """() => {
  const seen = new Set();
  for (const span of [...document.querySelectorAll("span")].reverse()) {
    let way = "";
    for (let each = span; each; each = each.parentElement)
      way += `${each.tagName}.${each.className} `;
    const plain = !span.firstElementChild && `${span.getAttributeNames()}` === "class";
    if (plain && seen.has(way)) span.replaceWith(...span.childNodes);
    seen.add(way);
  }
}"""
CHECK = """async (rules) => {
  const {violations} = await axe.run({runOnly: rules, resultTypes: ["violations"]});
  return violations.map(({id, nodes}) =>
    `${id}, ${nodes.length} times: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 120))}`);
}"""
# What sticks out of the page sideways, apart from things that scroll within the article.
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const scrollers = [...document.querySelectorAll("article *")]
    .filter((each) => ["auto", "scroll"].includes(getComputedStyle(each).overflowX));
  const found = [...document.querySelectorAll("article *")].filter((element) => {
    const box = element.getBoundingClientRect();
    const scrolls = () => scrollers.some((each) => each !== element && each.contains(element));
    return box.width && box.right > width + 1 && !scrolls();
  });
  if (document.documentElement.scrollWidth > width) found.push(document.documentElement);
  return found.map((e) => `${e.tagName}.${e.className}: ${e.textContent.slice(0, 40)}`);
}"""
# Tables and figures that scroll sideways without a sign that there is more of them.
WITHOUT_A_SIGN = """() => [...document.querySelectorAll(".bd-article :is(table, .cell_output)")]
  .filter((e) => e.scrollWidth > e.clientWidth + 1 && !e.hasAttribute("data-more"))
  .map((e) => e.outerHTML.slice(0, 80))"""
# Figures have text of 20 pixels, twice that in the file; a phone must show 9 of them.
ILLEGIBLE = """() => [...document.querySelectorAll("article .cell_output img")].filter((image) => {
  const {width} = image.getBoundingClientRect();
  return width && width < 0.45 * image.naturalWidth / 2;
}).map((image) => image.alt)"""
# Images without alt text; Sphinx puts the file's name where there is none.
UNDESCRIBED = r"""() => [...document.images]
  .filter(({alt}) => !alt || /\.(png|jpe?g|svg|gif|webp)$/.test(alt)).map(({src}) => src)"""
# Icons that no script has drawn.
UNDRAWN = """() => [...document.querySelectorAll(":is(i, span)[class*='fa-']")]
  .filter((icon) => !icon.querySelector("svg path[d]:not([d=''])")).map((icon) => icon.outerHTML)"""
CUT_FORMULAS = """() => [...document.querySelectorAll("div.math")].filter((formula) =>
  [...formula.querySelectorAll(".base")].some((part) =>
    part.getBoundingClientRect().left < formula.getBoundingClientRect().left - 1
  )).map((formula) => formula.textContent)"""


MADE_BY_SPHINX = ["genindex.html", "search.html"]


class Page(HTMLParser):
    """The links and anchors of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors = set(), {"", "top"}
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        self.links |= {attributes.get("href"), attributes.get("src")} - {None}


def broken_links(pages, exists):
    """(page, link) for each link to a file or an anchor of the book that is not there.

    `pages`: {path: Page}; `exists` tells whether the book holds a file of that path.
    """
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = urljoin(path, unquote(parts.path)) if parts.path else path
            known = pages[target].anchors if target in pages else None
            if not exists(target) or (known and unquote(parts.fragment) not in known):
                yield path, link


@pytest.fixture(scope="module")
def pages(html):
    files = [html / name for name in [*PAGES_IN_ORDER, *MADE_BY_SPHINX]]
    return {str(f.relative_to(html)): Page(f.read_text(encoding="utf-8")) for f in files}


def test_broken_links_are_noticed():
    page = Page('<img src="a.png"><a href="b.html#c">b</a>')
    sound, broken = Page('<p id="c">'), Page('<p id="d">')
    files = {"a.png", "b.html"}
    assert not list(broken_links({"a.html": page, "b.html": sound}, files.__contains__))
    assert list(broken_links({"a.html": page, "b.html": broken}, files.__contains__))
    assert list(broken_links({"a.html": page}, {"a.png"}.__contains__))


def test_no_page_of_a_removed_chapter_stays(html):
    built = {path.relative_to(html).as_posix() for path in (html / "book").rglob("*.html")}
    assert built == set(PAGES_IN_ORDER)


def test_no_link_is_broken(pages, html):
    assert list(broken_links(pages, lambda path: (html / path).exists())) == []


def test_mathematics_and_its_style_are_of_one_version():
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]["katex"]
    assert pinned == sphinxcontrib.katex.katex_version


class Visit:
    """An open page, the addresses it asked for (the site's own as paths), and its errors."""

    def __init__(self, context, site, path):
        self.path, self.asked, self.errors = path, [], []
        self.page = context.new_page()
        self.page.on("request", lambda each: self.asked.append(each.url.removeprefix(site)))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.goto(f"{site}/{path}", wait_until="networkidle")

    def elsewhere(self):
        return [url for url in self.asked if not url.startswith(("/", "data:", "blob:"))]

    def violations(self, mode):
        """What axe-core finds on the whole page, folded parts opened, in "light" or "dark"."""
        if not self.page.evaluate("'axe' in window"):
            self.page.add_script_tag(path=AXE)
            self.page.evaluate("document.querySelectorAll('details').forEach((d) => d.open = true)")
            self.page.evaluate(THIN_OUT)
        self.page.emulate_media(color_scheme=mode)
        self.page.wait_for_function(f"document.documentElement.dataset.theme === '{mode}'")
        return self.page.evaluate(CHECK, WCAG)


def visits(browser, site, path):
    context = browser.new_context(viewport={"width": 1440, "height": 800}, color_scheme="light")
    yield Visit(context, site, path)
    context.close()


@pytest.fixture
def spoiled(browser, site):
    """A page in which everything is wrong."""
    for visit in visits(browser, site, PAGES_IN_ORDER[0]):
        visit.page.evaluate("""() => {
          document.querySelector("article").insertAdjacentHTML("beforeend",
            '<img src="a.png"><p style="color: #ccc; background: #fff; width: 3000px">faint</p>' +
            '<i class="fa-no-icon"></i>');
          console.error("noticed");
          setTimeout(() => { throw new Error("noticed too"); });
          return fetch('http://localhost:9/').catch(() => 0);
        }""")
        yield visit


def test_what_is_wrong_is_noticed(spoiled):
    assert spoiled.elsewhere() == ["http://localhost:9/"]
    assert {"noticed", "noticed too"} <= set(spoiled.errors)
    assert spoiled.page.evaluate(STICKING_OUT)
    assert spoiled.page.evaluate(UNDESCRIBED)
    assert "fa-no-icon" in "".join(spoiled.page.evaluate(UNDRAWN))
    found = {line.split(",")[0] for line in spoiled.violations("light")}
    assert {"image-alt", "color-contrast"} <= found


@cache
def weight(path):
    """Bytes of a file as hosts of static pages send it."""
    return len(gzip.compress(path.read_bytes()))


class OfEveryPage:
    """What holds for every page."""

    @pytest.fixture(scope="class")
    @staticmethod
    def opened(browser, site, request):
        yield from visits(browser, site, request.param)

    def test_it_is_complete_and_light_without_another_host(self, opened, html):
        assert opened.elsewhere() == []
        own = [url for url in opened.asked if url.startswith("/")]
        files = {url: html / unquote(urlsplit(url).path)[1:] for url in own}
        assert [url for url, file in files.items() if not file.is_file()] == []
        at_once = (file for url, file in files.items() if not url.startswith(MODELS_AND_RUNTIME))
        assert sum(map(weight, at_once)) <= HEAVIEST

    def test_its_mathematics_is_typeset_and_its_icons_are_drawn(self, opened, html):
        source = (html / opened.path).read_text(encoding="utf-8")
        assert "katex-error" not in source
        assert source.count('class="math') == len(re.findall('<span class="katex">', source))
        opened.page.wait_for_function(f"!({UNDRAWN})().length")

    def test_it_fits_a_laptop_and_a_phone_without_errors(self, opened):
        for width in WIDTHS:
            opened.page.set_viewport_size({"width": width, "height": 800})
            assert opened.page.evaluate(STICKING_OUT) == [], width
        assert opened.page.evaluate(CUT_FORMULAS) == opened.page.evaluate(ILLEGIBLE) == []
        assert opened.page.evaluate(WITHOUT_A_SIGN) == []
        assert opened.errors == []

    def test_it_is_accessible(self, opened):
        opened.page.set_viewport_size({"width": 1440, "height": 800})
        assert opened.violations("light") == []
        opened.page.set_viewport_size({"width": 360, "height": 800})
        opened.page.wait_for_timeout(400)  # the theme finds what scrolls 300 ms after a resize
        assert opened.violations("dark") == []
        assert opened.page.evaluate(UNDESCRIBED) == []
        images = opened.page.locator("article img[src*='_images']")
        behind = "images => images.map((each) => getComputedStyle(each).backgroundColor)"
        assert set(images.evaluate_all(behind)) <= {"rgb(255, 255, 255)"}


OTHERS = [page for page in PAGES_IN_ORDER if "/chapters/" not in page]


@pytest.mark.parametrize("opened", [*OTHERS, *MADE_BY_SPHINX], indirect=True)
class TestPages(OfEveryPage):
    """All but the chapters."""
