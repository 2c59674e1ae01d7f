"""The built pages, read from their files, and each opened once in a browser without a network.

Accessibility is WCAG 2.2 AA as axe-core checks it.
"""

import json
import re
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import sphinxcontrib.katex
import yaml
from conftest import Compressed
from rules import ROOT

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
  const result = await axe.run(document, {
    runOnly: {type: "tag", values: rules},
    resultTypes: ["violations"],
  });
  return result.violations.map((each) =>
    `${each.id}: ${each.help} (${each.nodes.length}): ` +
    each.nodes.slice(0, 3).map((node) => `${node.target} ${node.html.slice(0, 120)}`).join(" | "));
}"""
# What sticks out of the page sideways, apart from things that scroll within the article.
STICKING_OUT = """() => {
  const width = document.documentElement.clientWidth;
  const article = document.querySelector("article");
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const inScroller = (element) => {
    while ((element = element.parentElement) !== article) if (scrolls(element)) return true;
    return false;
  };
  const found = document.documentElement.scrollWidth > width ? ["the page itself"] : [];
  for (const element of article ? article.querySelectorAll("*") : []) {
    const box = element.getBoundingClientRect();
    if (box.width && box.right > width + 1 && !inScroller(element))
      found.push(`${element.tagName}.${element.className}: ${element.textContent.slice(0, 40)}`);
  }
  return found;
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
# Icons that a script has not drawn within two seconds.
UNDRAWN = """async () => {
  const icons = document.querySelectorAll("i[class*='fa-'], i[data-fa-i2svg], span[class*='fa-']");
  const undrawn = () => [...icons].filter((icon) => {
    const paths = icon.querySelectorAll("svg path");
    return paths.length !== 1 || !paths[0].getAttribute("d");
  });
  for (let tries = 0; undrawn().length && tries < 20; tries++)
    await new Promise((next) => setTimeout(next, 100));
  return undrawn().map((icon) => icon.outerHTML);
}"""
CUT_FORMULAS = """() => [...document.querySelectorAll("div.math")].filter((formula) =>
  [...formula.querySelectorAll(".base")].some((part) =>
    part.getBoundingClientRect().left < formula.getBoundingClientRect().left - 1
  )).map((formula) => formula.textContent)"""


def pages_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [f"{name}.html" for name in [toc["root"], *chapters]]


PAGES = pages_of_the_book()
MADE_BY_SPHINX = ["genindex.html", "search.html"]


class Page(HTMLParser):
    """The links, anchors and images of a page."""

    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.images = set(), {"", "top"}, []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.anchors |= {attributes.get("id"), attributes.get("name")}
        self.links |= {attributes.get("href"), attributes.get("src")} - {None}
        if tag == "img":
            self.images.append(attributes)


def undescribed_images(page):
    """Images without alt text; Sphinx puts the file's name where there is none."""
    return [
        image.get("src")
        for image in page.images
        if not image.get("alt") or re.search(r"\.(png|jpe?g|svg|gif|webp)$", image["alt"])
    ]


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
    files = [html / name for name in [*PAGES, *MADE_BY_SPHINX]]
    return {str(f.relative_to(html)): Page(f.read_text(encoding="utf-8")) for f in files}


def test_checks_reject_broken_pages():
    page = Page('<img src="a.png"><img alt="../a.png"><img alt="A cat"><a href="b.html#c">b</a>')
    assert len(undescribed_images(page)) == 2
    sound, broken = Page('<p id="c">'), Page('<p id="d">')
    files = {"a.png", "b.html"}
    assert not list(broken_links({"a.html": page, "b.html": sound}, files.__contains__))
    assert list(broken_links({"a.html": page, "b.html": broken}, files.__contains__))
    assert list(broken_links({"a.html": page}, {"a.png"}.__contains__))


def test_no_page_of_a_removed_chapter_stays(html):
    built = {path.relative_to(html).as_posix() for path in (html / "book").rglob("*.html")}
    assert built == set(PAGES)


def test_every_image_is_described(pages):
    assert not {path: found for path, page in pages.items() if (found := undescribed_images(page))}


def test_no_link_is_broken(pages, html):
    assert list(broken_links(pages, lambda path: (html / path).exists())) == []


def test_mathematics_and_its_style_are_of_one_version():
    pinned = json.loads((ROOT / "package.json").read_text())["dependencies"]["katex"]
    assert pinned == sphinxcontrib.katex.katex_version


class Visit:
    """An open page, the addresses it asked for (the site's own as paths), and its errors."""

    def __init__(self, context, site, path):
        self.path, self.site, self.asked, self.errors = path, site, [], []
        self.page = context.new_page()
        self.page.on("request", lambda each: self.asked.append(each.url.removeprefix(site)))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("console", self.hear)
        self.page.goto(f"{site}/{path}", wait_until="networkidle")

    def hear(self, message):
        url = message.location["url"]
        if message.type == "error" and (not url or url.startswith(self.site)):
            self.errors.append(message.text)

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


@pytest.fixture(scope="module", params=[*PAGES, *MADE_BY_SPHINX])
def opened(browser, site, request):
    yield from visits(browser, site, request.param)


@pytest.fixture
def spoiled(browser, site):
    """A page in which everything is wrong."""
    for visit in visits(browser, site, PAGES[0]):
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
    assert "fa-no-icon" in "".join(spoiled.page.evaluate(UNDRAWN))
    found = {line.split(":")[0] for line in spoiled.violations("light")}
    assert {"image-alt", "color-contrast"} <= found


def test_a_page_is_complete_and_light_without_another_host(opened):
    assert opened.elsewhere() == []
    own = [url for url in opened.asked if url.startswith("/")]
    assert [url for url in own if url not in Compressed.sent] == []
    assert sum(Compressed.sent[u] for u in own if not u.startswith(MODELS_AND_RUNTIME)) <= HEAVIEST


def test_mathematics_is_typeset_and_icons_are_drawn(opened, html):
    source = (html / opened.path).read_text(encoding="utf-8")
    assert "katex-error" not in source
    assert source.count('class="math') == len(re.findall('<span class="katex">', source))
    assert opened.page.evaluate(UNDRAWN) == []


def test_a_page_fits_a_laptop_and_a_phone_without_errors(opened):
    for width in WIDTHS:
        opened.page.set_viewport_size({"width": width, "height": 800})
        assert opened.page.evaluate(STICKING_OUT) == [], width
    assert opened.page.evaluate(CUT_FORMULAS) == opened.page.evaluate(ILLEGIBLE) == []
    assert opened.page.evaluate(WITHOUT_A_SIGN) == []
    assert opened.errors == []


def test_a_page_is_accessible(opened):
    opened.page.set_viewport_size({"width": 1440, "height": 800})
    assert opened.violations("light") == []
    opened.page.set_viewport_size({"width": 360, "height": 800})
    opened.page.wait_for_timeout(400)  # the theme finds what scrolls 300 ms after a resize
    assert opened.violations("dark") == []
    images = opened.page.locator("article img[src*='_images']")
    behind = "images => images.map((each) => getComputedStyle(each).backgroundColor)"
    assert set(images.evaluate_all(behind)) <= {"rgb(255, 255, 255)"}
