"""Every page in light on a laptop and in dark on a phone, by WCAG 2.2 AA as axe-core checks it."""

import pytest
from rules import ROOT
from test_pages import MADE_BY_SPHINX, PAGES

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
CHECK = """async (rules) => {
  const result = await axe.run(document, {
    runOnly: {type: "tag", values: rules},
    resultTypes: ["violations"],
  });
  return result.violations.map((each) =>
    `${each.id}: ${each.help} (${each.nodes.length}): ` +
    each.nodes.slice(0, 3).map((node) => `${node.target} ${node.html.slice(0, 120)}`).join(" | "));
}"""


@pytest.fixture(scope="module")
def opened(browser, site):
    """Opens a page of the book in light or dark, with axe-core in it."""
    contexts = {
        mode: browser.new_context(color_scheme=mode, viewport={"width": width, "height": 800})
        for mode, width in (("light", 1440), ("dark", 360))
    }
    pages = {mode: context.new_page() for mode, context in contexts.items()}

    def open_page(path, mode):
        page = pages[mode]
        page.goto(f"{site}/{path}")
        page.wait_for_function(f"document.documentElement.dataset.theme === '{mode}'")
        page.add_script_tag(path=AXE)
        # axe-core leaves out what is folded, such as the solutions of exercises.
        page.evaluate("document.querySelectorAll('details').forEach((part) => (part.open = true))")
        return page

    yield open_page
    for context in contexts.values():
        context.close()


@pytest.mark.parametrize("mode", ["light", "dark"])
@pytest.mark.parametrize("path", [*PAGES, *MADE_BY_SPHINX])
def test_a_page_is_accessible(opened, path, mode):
    assert opened(path, mode).evaluate(CHECK, RULES) == []


def test_the_check_notices_what_is_wrong(opened):
    page = opened(PAGES[0], "light")
    page.evaluate("""() => document.querySelector("article").insertAdjacentHTML("beforeend",
      '<img src="a.png"><p style="color: #ccc; background: #fff">faint</p><button></button>')""")
    found = {line.split(":")[0] for line in page.evaluate(CHECK, RULES)}
    assert {"image-alt", "color-contrast", "button-name"} <= found
