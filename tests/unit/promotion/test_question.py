"""Texts of others inside of Markdown, read by a parser of it."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from nightshift.promotion.question import code, link, visible

READER = MarkdownIt("gfm-like", {"linkify": False}).enable("table")
NASTY = [
    "`",
    "``x",
    "a`b``c```",
    " lead",
    "trail ",
    "  ",
    "`both`",
    "[a](javascript:alert(1))",
    "![x](http://evil.example/p.png)",
    "<script>alert(1)</script>",
    "**bold** _em_",
    "line\nbreak",
    "\r\n# title",
    "a|b",
    "\\",
    "\\`",
    "https://evil.example/?a=b",
    "www.evil.example",
    "ann@evil.example",
    "\u202etxt.exe",
    "\x00\x1b[2J",
    "&lt;&#60;",
    "~~x~~",
    "1. one",
    "> quote",
    "é漢🙂",
]


def spans(line: str) -> list[tuple[str, str]]:
    """Return the inline parts of a line: kind and text."""
    blocks = READER.parse(line)
    [inline] = [one for one in blocks if one.type == "inline"]
    return [(one.type, one.content) for one in inline.children or ()]


@pytest.mark.parametrize("text", NASTY)
def test_a_text_is_shown_as_it_is_and_does_nothing(text: str) -> None:
    assert spans(f"* before {code(text)} after") == [
        ("text", "before "),
        ("code_inline", visible(text)),
        ("text", " after"),
    ]


@given(st.text(min_size=1))
@example("`")
@example("```` ")
def test_any_text_is_one_code_span(text: str) -> None:
    found = spans(f"x {code(text)} y")
    assert found == [("text", "x "), ("code_inline", visible(text)), ("text", " y")]


@given(st.text())
def test_nothing_invisible_is_left(text: str) -> None:
    assert visible(text).isprintable()


def test_an_empty_text_is_told() -> None:
    assert code("") == "(empty)"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://fd.example/flexdeploy/#/request/12", "[words](<https://fd.example/flexdeploy/#/request/12>)"),
        ("https://fd.example/a>b)c d\n<x", "[words](<https://fd.example/a%3Eb%29c%20d%0A%3Cx>)"),
        ("javascript:alert(1)", "words"),
        ("https:///nowhere", "words"),
        ("http://[broken", "words"),
        (None, "words"),
    ],
)
def test_a_link_leads_to_a_web_page_or_is_none(url: str | None, expected: str) -> None:
    assert link("words", url) == expected
