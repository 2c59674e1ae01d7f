"""The built pages, read from their files and in a browser without a network."""

import re
from html.parser import HTMLParser
from urllib.parse import unquote, urljoin, urlsplit

import pytest
import yaml
from rules import ROOT

WIDTHS = [360, 768, 1440]

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


def pages_of_the_book():
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    chapters = [entry["file"] for part in toc["parts"] for entry in part["chapters"]]
    return [f"{name}.html" for name in [toc["root"], *chapters]]


PAGES = pages_of_the_book()
MADE_BY_SPHINX = ["genindex.html", "search.html"]
# sphinx-thebe adds one script twice to every page; the course does not use it.
NOT_OURS = "Identifier 'THEBE_JS_URL' has already been declared"


def launched_url(notebook):
    """Where the launch button of a chapter leads: to the repository's file, in Colab."""
    repository = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["repository"]
    owner_and_name = urlsplit(repository["url"]).path.strip("/")
    where = f"github/{owner_and_name}/blob/{repository['branch']}/{notebook}"
    return f"https://colab.research.google.com/{where}"


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


@pytest.fixture(scope="session")
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
    assert {path: undescribed_images(page) for path, page in pages.items()} == {
        path: [] for path in pages
    }


def test_no_link_is_broken(pages, html):
    assert list(broken_links(pages, lambda path: (html / path).exists())) == []


@pytest.fixture
def load(browser, site):
    """Opens a page at a width, in the light or the dark; returns it and its own errors."""
    contexts = []

    def open_page(path, width, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme)
        contexts.append(context)
        context.route(lambda url: not url.startswith(site), lambda route: route.abort())
        page, errors = context.new_page(), []

        def note(text):
            if NOT_OURS not in text:
                errors.append(text)

        def note_console(message):
            host = urlsplit(message.location["url"]).netloc
            if message.type == "error" and host in ("", urlsplit(site).netloc):
                note(message.text)

        page.on("pageerror", lambda error: note(str(error)))
        page.on("console", note_console)
        page.goto(f"{site}/{path}")
        return page, errors

    yield open_page
    for context in contexts:
        context.close()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", [*PAGES, *MADE_BY_SPHINX])
def test_page_in_a_browser(load, path, width):
    page, errors = load(path, width)
    assert page.evaluate(STICKING_OUT) == []
    assert errors == []


def test_a_formula_too_wide_for_a_phone_shows_its_beginning(load, html):
    cut = """() => [...document.querySelectorAll("div.math")].filter((formula) =>
      [...formula.querySelectorAll(".base")].some((part) =>
        part.getBoundingClientRect().left < formula.getBoundingClientRect().left - 1
      )).map((formula) => formula.textContent)"""
    wide = [path for path in PAGES if 'class="math' in (html / path).read_text(encoding="utf-8")]
    assert len(wide) > 5
    for path in wide:
        page, _ = load(path, 360)
        assert page.evaluate(cut) == [], path


def test_overflow_and_errors_are_noticed(load):
    page, errors = load(PAGES[0], 360)
    page.evaluate(
        """() => {
          const wide = document.createElement("p");
          wide.style.width = "500px";
          document.querySelector("article").append(wide);
          console.error("noticed");
          setTimeout(() => { throw new Error("noticed too"); });
        }"""
    )
    page.wait_for_timeout(100)
    assert page.evaluate(STICKING_OUT)
    assert len(errors) == 2


def test_images_stand_on_white_in_the_dark(load, pages):
    path = next(path for path in PAGES if any("_images" in i["src"] for i in pages[path].images))
    page, _ = load(path, 1440, scheme="dark")
    style = "element => getComputedStyle(element).backgroundColor"
    assert page.locator("article img").first.evaluate(style) == "rgb(255, 255, 255)"
