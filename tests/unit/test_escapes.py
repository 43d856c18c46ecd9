"""Two texts that differ in what is escaped, and how, read alike; each character is told where it stands."""

from __future__ import annotations

import html
import json
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.escapes import read

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON, in lower case": lambda one: f"\\u{ord(one):04x}",
    "JSON, in upper case": lambda one: f"\\u{ord(one):04X}",
    "JSON in JSON in JSON": lambda one: f"\\\\\\\\u{ord(one):04x}",
    "JSON with a backslash": lambda one: json.dumps(one)[1:-1],
    "JavaScript": lambda one: f"\\x{ord(one):02x}",
    "JavaScript, by its number": lambda one: f"\\u{{{ord(one):x}}}",
    "HTML": lambda one: html.escape(one),
    "HTML, decimal": lambda one: f"&#{ord(one)};",
    "HTML, with noughts": lambda one: f"&#0{ord(one)};",
    "HTML, hexadecimal": lambda one: f"&#x{ord(one):X};",
    "HTML in HTML": lambda one: html.escape(f"&#{ord(one)};"),
    "a URL": lambda one: "".join(f"%{byte:02X}" for byte in one.encode()),
    "a URL in a URL in a URL": lambda one: "".join(f"%2525{byte:02x}" for byte in one.encode()),
    "a URL, as old scripts write it": lambda one: f"%u{ord(one):04X}",
    "a form": quote_plus,
}


@settings(max_examples=300, deadline=None)
@given(
    secret=st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters="\\"), max_size=20),
    ways=st.lists(st.sampled_from(sorted(WAYS)), min_size=20, max_size=20),
)
def test_whatever_is_escaped_and_how_it_reads_alike(secret: str, ways: list[str]) -> None:
    spelled = "".join(WAYS[way](one) for one, way in zip(secret, ways, strict=False))
    assert read(spelled).text == read(secret).text


@pytest.mark.parametrize("way", WAYS)
def test_backslashes_are_left_out(way: str) -> None:
    secret = 'C:\\new "1\\\\2\\'
    assert read("".join(map(WAYS[way], secret))).text == read(secret).text == 'C:new "12'


@pytest.mark.parametrize("way", WAYS)
def test_no_way_loses_a_character_beyond_ascii(way: str) -> None:
    assert read("".join(map(WAYS[way], "zwölf ÿ"))).text == "zwölf ÿ"


@pytest.mark.parametrize(
    ("spelled", "reads"),
    [
        ("caf\\u00e9 \\ud83d\\ude00", "café 😀"),
        ("caf%E9 caf%C3%A9 %F0%9F%98%80", "café café 😀"),
        ("caf&eacute; &LT;b&gt; &apos;&quot;", "café <b> '\""),
        (quote(html.escape(json.dumps({"a": 'x"y'}))), '{"a": "x"y"}'),
        ("line\nline\\nline\\\\nline", "linenlinenlinenline"),
        ("a &nothing; of 100% & more &#x110000; \\u12 \\", "a &nothing; of 100% & more &#x110000; u12 "),
    ],
)
def test_what_is_no_escape_stays(spelled: str, reads: str) -> None:
    assert read(spelled).text == reads


def test_each_character_says_where_it_stands() -> None:
    text = 'a \\"p\\u0026%C3%A4\\ud83d\\ude00&amp;lt;q\\"'
    seen = read(text)
    at = seen.text.index("p")
    spans = [text[begin:end] for begin, end in zip(seen.begins[at:], seen.ends[at:], strict=True)]
    assert spans == ["p", "\\u0026", "%C3%A4", "\\ud83d\\ude00", "&amp;lt;", "q", '"']


@pytest.mark.parametrize(
    "part",
    ["\\", "\\u", "\\x4", "%", "%25", "%2", "%u", "&", "&amp;", "&#", "&#0", "&#x0", "&#38;", "&a", "\\u{0", "\\a"],
)
@pytest.mark.parametrize("before", ["", "\\", "%", "&", "&#", "\\u{"])
def test_the_time_grows_with_the_length_alone(before: str, part: str) -> None:
    text = before + part * (65_536 // len(part))
    began = time.process_time()
    read(text)
    assert time.process_time() - began < 2
