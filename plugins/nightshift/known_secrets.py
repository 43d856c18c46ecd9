"""The secrets that this process has used, and how a text is freed of them in whatever spelling it quotes them."""

from __future__ import annotations

import base64
import html
import json
import threading
from collections import OrderedDict
from collections.abc import Iterator
from urllib.parse import quote, quote_plus

HIDDEN = "***"
SHORTEST = 5
"""Characters from which on a text counts as a secret; anything shorter would make every message unreadable."""
PIECE = 8
"""A piece of so many characters of a secret is hidden as well where a vendor quotes it."""
MOST = 256
"""Secrets that are remembered: those used last."""
_SHORTEST_BASE64 = 6

_lock = threading.Lock()
_spellings: OrderedDict[str, frozenset[str]] = OrderedDict()
_longest_first: tuple[str, ...] = ()


def remember(secret: str) -> bool:
    """Keep a text out of every error, log line and page that this process makes from now on.

    :param secret: a password, token, session id or the like; one of fewer than 5 characters is left alone
    :return: whether it is new
    """
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return False
    global _longest_first
    with _lock:
        if is_new := secret not in _spellings:
            _spellings[secret] = frozenset(_spelled(secret))
            while len(_spellings) > MOST:
                _spellings.popitem(last=False)
            # One secret may be the beginning of another.
            _longest_first = tuple(sorted(frozenset().union(*_spellings.values()), key=len, reverse=True))
        _spellings.move_to_end(secret)
    return is_new


def forget_all() -> None:
    """Forget every secret; for a process that serves one owner after another."""
    global _longest_first
    with _lock:
        _spellings.clear()
        _longest_first = ()


def hide(text: str) -> str:
    """Return the text with each known secret replaced by ``***``: as it is, and percent-, base64-, JSON- and
    HTML-encoded.
    """
    for spelling in _longest_first:
        if spelling in text:
            text = text.replace(spelling, HIDDEN)
    return text


def hide_pieces(text: str) -> str:
    """Return the text without any piece of 8 characters of a known secret either; for words of a vendor, who may cut.

    :param text: at most a few thousand characters; the cost grows with its length and with the number of secrets
    """
    known = _longest_first
    if not known or len(text) < PIECE:
        return hide(text)
    places: dict[str, list[int]] = {}
    for at in range(len(text) - PIECE + 1):
        places.setdefault(text[at : at + PIECE], []).append(at)
    hit: set[int] = set()
    for spelling in known:
        for at in range(len(spelling) - PIECE + 1):
            for place in places.get(spelling[at : at + PIECE], ()):
                hit.update(range(place, place + PIECE))
    return hide(_without(text, hit)) if hit else hide(text)


def _without(text: str, hit: set[int]) -> str:
    kept: list[str] = []
    for at, character in enumerate(text):
        if at not in hit:
            kept.append(character)
        elif at - 1 not in hit:
            kept.append(HIDDEN)
    return "".join(kept)


def _spelled(secret: str) -> Iterator[str]:
    """Return each spelling in which a secret is quoted by a URL, a header, a JSON or an HTML body."""
    yield secret
    encoded = quote(secret, safe="")
    for spelling in (encoded, quote(secret), quote_plus(secret), quote(encoded, safe=""), _each_byte(secret)):
        yield spelling
        yield _lower_hex(spelling)
    for ascii_only in (True, False):
        escaped = json.dumps(secret, ensure_ascii=ascii_only)[1:-1]
        yield escaped
        yield escaped.replace("/", "\\/")
        yield json.dumps(escaped, ensure_ascii=ascii_only)[1:-1]
    marked = html.escape(secret, quote=False)
    yield marked
    yield html.escape(secret)
    yield marked.replace('"', "&#34;").replace("'", "&#39;")
    yield marked.replace('"', "&quot;").replace("'", "&apos;")
    yield from _base64(secret.encode("utf-8", "surrogatepass"))


def _each_byte(secret: str) -> str:
    return "".join(f"%{byte:02X}" for byte in secret.encode("utf-8", "surrogatepass"))


def _lower_hex(text: str) -> str:
    parts = text.split("%")
    return "%".join([parts[0], *(part[:2].lower() + part[2:] for part in parts[1:])])


def _base64(secret: bytes) -> Iterator[str]:
    """Return what base64 makes of a secret that stands anywhere in a longer text: its three alignments, without the
    characters at both ends that depend on the neighbours.
    """
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + secret).decode("ascii").rstrip("=")
        first, last = -(-before * 8 // 6), (before + len(secret)) * 8 // 6
        middle = whole[first:last]
        if len(middle) >= _SHORTEST_BASE64:
            yield middle
            yield middle.replace("+", "-").replace("/", "_")
