"""The secrets that this process has used, and how a text is freed of them in whatever spelling it quotes them."""

from __future__ import annotations

import base64
import html
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from urllib.parse import quote, quote_plus

from nightshift.escapes import Reading, read

HIDDEN = "***"
SHORTEST = 5
"""Characters from which on a text counts as a secret; anything shorter would make every message unreadable."""
PIECE = 8
"""A piece of so many characters of a secret is hidden as well where a vendor quotes it."""
MOST = 256
"""Secrets that are remembered: those used last."""
_SHORTEST_BASE64 = 6


@dataclass(frozen=True)
class _Forms:
    """Secrets in the forms that they are looked for in.

    :param as_it_is: in any text
    :param read: in one without its escapes
    :param spellings: with escapes, whose pieces are looked for, too: one that was cut may end within an escape
    """

    as_it_is: frozenset[str] = frozenset()
    read: frozenset[str] = frozenset()
    spellings: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.as_it_is)

    @classmethod
    def of_all(cls, secrets: Iterable[_Forms]) -> _Forms:
        """Return the forms of several secrets."""
        found = [(one.as_it_is, one.read, one.spellings) for one in secrets]
        return cls(*(frozenset().union(*forms) for forms in zip(*found, strict=True)))

    @classmethod
    def of(cls, secret: str) -> _Forms:
        spelled, plain = frozenset(_spelled(secret)), read(secret).text
        packed = {read(one).text for one in _base64(secret.encode("utf-8", "surrogatepass"))}
        spellings = frozenset(one for one in spelled if read(one).text != one)
        # Of a few characters between backslashes too little may be left.
        if len(plain) < SHORTEST:
            return cls(spelled, frozenset(packed), spellings)
        return cls(frozenset({secret}), frozenset({plain, *packed}), spellings)


_lock = threading.Lock()
_secrets: OrderedDict[str, _Forms] = OrderedDict()
_known = _Forms()


def remember(secret: str) -> bool:
    """Keep a text out of every error, log line and page that this process makes from now on.

    :param secret: a password, token, session id or the like; one of fewer than 5 characters is left alone
    :return: whether it is new
    """
    secret = secret.strip()
    if len(secret) < SHORTEST:
        return False
    global _known
    with _lock:
        if is_new := secret not in _secrets:
            _secrets[secret] = _Forms.of(secret)
            while len(_secrets) > MOST:
                _secrets.popitem(last=False)
            _known = _Forms.of_all(_secrets.values())
        _secrets.move_to_end(secret)
    return is_new


def forget_all() -> None:
    """Forget every secret; for a process that serves one owner after another."""
    global _known
    with _lock:
        _secrets.clear()
        _known = _Forms()


def hide(text: str) -> str:
    """Return the text with each known secret replaced by ``***``: as it is, base64-encoded, and with any of its
    characters escaped, as JSON, JavaScript, HTML, XML and URLs do, also inside of each other.
    """
    known = _known
    return _without(text, _wholes(text, read(text), known)) if known else text


def hide_pieces(text: str) -> str:
    """Return the text without any piece of 8 characters of a known secret either; for words of a vendor, who may cut.

    :param text: at most a few thousand characters; the cost grows with its length and with the number of secrets
    """
    known = _known
    if not known:
        return text
    seen = read(text)
    spans = [*_wholes(text, seen, known), *((at, at + PIECE) for at in _pieces(text, known.spellings))]
    spans += [(seen.begins[at], seen.ends[at + PIECE - 1]) for at in _pieces(seen.text, known.read)]
    return _without(text, spans)


def _wholes(text: str, seen: Reading, known: _Forms) -> Iterator[tuple[int, int]]:
    """Return where secrets stand in a text, begin and end."""
    for form in known.as_it_is:
        for at in _found(form, text):
            yield at, at + len(form)
    for form in known.read:
        for at in _found(form, seen.text):
            yield seen.begins[at], seen.ends[at + len(form) - 1]


def _found(form: str, text: str) -> Iterator[int]:
    at = text.find(form)
    while at >= 0:
        yield at
        at = text.find(form, at + len(form))


def _pieces(text: str, forms: Iterable[str]) -> Iterator[int]:
    """Return where pieces of the forms begin in a text."""
    places: dict[str, list[int]] = {}
    for at in range(len(text) - PIECE + 1):
        places.setdefault(text[at : at + PIECE], []).append(at)
    hit: set[str] = set()
    for form in forms if places else ():
        hit.update(one for at in range(len(form) - PIECE + 1) if (one := form[at : at + PIECE]) in places)
    for one in hit:
        yield from places[one]


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    kept, at = list[str](), 0
    for begin, end in sorted(set(spans)):
        if begin > at or not kept:
            kept += (text[at:begin], HIDDEN)
        at = max(at, end)
    return "".join((*kept, text[at:]))


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
