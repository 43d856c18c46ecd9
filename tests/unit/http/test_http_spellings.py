"""A password that a vendor quotes as its own library writes it: no piece of 8 characters of it is told."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from urllib.parse import quote

import pytest

from include.standins.scripted import Scripted, answer
from nightshift.errors import VendorError
from nightshift.escapes import read
from nightshift.known_secrets import PIECE, hide, remember
from nightshift.redaction import redact, redact_quote, redact_words
from tests.unit.http.acme import MakeHook

PASSWORDS = ["Tr0ub+4dor&3x=Q7z", "Wint'er<24>Sün+shine", "p+q&r<s'T=u9!\"\\x41%41&lt;y"]


def _numbered(secret: str, form: str, marks: str, *, also: str = "") -> str:
    return "".join(
        form % ord(one) if one in marks or one > "~" else f"\\{one}" if one in also else one for one in secret
    )


def _html(secret: str, form: str, marks: str) -> str:
    return "".join(form % ord(one) if one in marks or one > "~" else html.escape(one, quote=False) for one in secret)


SPELLED: dict[str, Callable[[str], str]] = {
    "System.Text.Json": lambda one: _numbered(one, "\\u%04X", "\"&'+<>`", also="\\"),
    "Gson": lambda one: _numbered(one, "\\u%04x", "<>&='", also='\\"'),
    "Go": lambda one: _numbered(one, "\\u%04x", "<>&", also='\\"'),
    "Gson in JSON": lambda one: json.dumps(SPELLED["Gson"](one))[1:-1],
    "Gson in HTML": lambda one: html.escape(SPELLED["Gson"](one)),
    "OWASP for JavaScript": lambda one: "".join(c if c.isalnum() and c < "~" else f"\\x{ord(c):02x}" for c in one),
    "OWASP for HTML": lambda one: "".join(c if c.isalnum() and c < "~" else f"&#x{ord(c):x};" for c in one),
    "ASP.NET": lambda one: _html(one, "&#x%X;", "+'\""),
    "HttpUtility": lambda one: _html(one, "&#%d;", "'\""),
    "PHP": lambda one: html.escape(one).replace("&#x27;", "&#039;"),
    "encodeURIComponent": lambda one: quote(one, safe="!*'()"),
    "encodeURI": lambda one: quote(one, safe="!*'();/?:@&=+$,#"),
    "encodeURI in a URL": lambda one: quote(quote(one, safe="!*'();/?:@&=+$,#"), safe=""),
    "escape": lambda one: _numbered(one, "%%u%04X", "%+&<>=\"'\\"),
}


def _told(text: str, password: str) -> list[str]:
    shown, secret = read(text).text, read(password).text
    return [secret[at : at + PIECE] for at in range(len(secret) - PIECE + 1) if secret[at : at + PIECE] in shown]


@pytest.mark.parametrize("password", PASSWORDS)
@pytest.mark.parametrize("way", SPELLED)
def test_no_library_spells_a_known_secret_so_that_it_is_told(way: str, password: str) -> None:
    remember(password)
    spelled = SPELLED[way](password)
    for said in (f"user reporting with key {spelled} is locked", f'{{"message": "{spelled}"}}', f"<b>{spelled}</b>"):
        for clean in (hide(said), redact(said), redact_quote(said), redact_words(said, 300)):
            assert clean == said.replace(spelled, "***"), said
    for cut in (spelled[: len(spelled) * 2 // 3], spelled[len(spelled) // 3 :]):
        assert not _told(redact_words(f"it was …{cut}… that", 300), password)


async def test_an_error_tells_no_password_that_the_vendor_has_escaped(connect: MakeHook, vendor: Scripted) -> None:
    """Neither in a message inside of another, nor in a list: there its library alone decides how it is written."""
    password = PASSWORDS[0]
    connection = {"login": "reporting", "password": password}
    for way, spelled in SPELLED.items():
        said = f"User reporting with {spelled(password)} is locked"
        for body in (f'{{"error": {{"code": "Locked", "message": "{said}"}}}}', f'[{{"message": "{said}"}}]', said):
            vendor.plays(answer(401, body.encode()))
            with pytest.raises(VendorError) as caught:
                async with connect(conn=connection) as hook:
                    await hook.request("GET", "/x")
            told = f"{caught.value} {caught.value!r} {caught.value.serialize()}"
            assert "User reporting with *** is locked" in told, way
            assert not _told(told, password), way


def test_what_only_looks_like_a_spelling_stays() -> None:
    remember("swordfish-97")
    for text in ("sword fish \\u0039", "100% of &swordfish; &#x2d;97", "C:\\swordfish\\97", "swordfish+97"):
        assert hide(text) == text


def test_of_a_secret_of_backslashes_its_own_spellings_are_hidden() -> None:
    remember("a\\b\\\\\\")
    for text in ("say a\\b\\\\\\ now", f"say {json.dumps('a' + chr(92) + 'b' + chr(92) * 3)[1:-1]} now"):
        assert hide(text) == "say *** now"
    assert hide("say ab now") == "say ab now"
