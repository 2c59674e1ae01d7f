"""The book as a PDF file: answers unfolded, tagged and with an outline for readers."""

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from pdf import for_print, print_page

PAGE = """<html lang="en" data-theme="auto"><head><title>Toy</title></head><body><p>Hello.</p>
<span id="document-one"></span><section><h1>One</h1><p>First.</p></section>
<span id="document-two"></span><section><h1>Two</h1>
<details><summary>Solution</summary><p>Forty-two.</p></details></section>
<script>document.body.remove()</script></body></html>"""


@pytest.fixture
def printed(tmp_path, browser):
    """The bytes of the PDF file that is made of the toy page."""
    (tmp_path / "toy.html").write_text(for_print(PAGE))
    with ThreadPoolExecutor() as thread:  # `browser` holds this one
        thread.submit(print_page, tmp_path / "toy.html", tmp_path / "toy.pdf", "1.2.3").result()
    return (tmp_path / "toy.pdf").read_bytes()


def test_a_chapter_starts_on_a_new_page_and_is_in_the_outline(printed):
    assert "<details open>" in for_print(PAGE) and printed.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", printed)) == 3
    assert b"/Title (One)" in printed and b"/Title (Two)" in printed
    assert b"/StructTreeRoot" in printed and b"/Lang (en)" in printed
