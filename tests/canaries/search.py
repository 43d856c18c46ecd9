"""Look for secrets in any amount of bytes: each in every piece that cannot be there by chance, in every spelling.

Of a text of 64 bits and more every window of 8 bytes is compared with the beginnings of all needles at once, by a table
of their hashes; what the table lets through is compared in full.
"""

from __future__ import annotations

import base64
import html
import json
import math
import re
import secrets
import string
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, quote_plus

import numpy as np

PIECE: Final = 8
"""Characters of a piece; of a secret of few kinds of characters, such as hexadecimal digits, as many more as it takes
that a piece is as rare as 8 letters and digits.
"""
RARE_BITS: Final = 44.0
WINDOW: Final = 8
"""Bytes by which a needle is first looked for; none is shorter."""
CHUNK: Final = 1 << 22
_TABLE_BITS: Final = 24
_HASH: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(64 - _TABLE_BITS)
_MARKED: Final = "+/&<\"'%~="
"""Characters that URLs, JSON and HTML write in another way."""


@dataclass(frozen=True)
class Found:
    """A piece of a secret that was found; never the secret itself.

    :param where: the place
    :param what: which secret
    :param spelling: how it is written there
    """

    where: str
    what: str
    spelling: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what} ({self.spelling})"


def canary(*, marked: bool = True, length: int = 30) -> str:
    """Return a secret that is nowhere by chance, in none of its pieces.

    :param marked: with characters in each piece that other spellings change; a header's token has none
    """
    letters = string.ascii_letters + string.digits
    drawn = [secrets.choice(letters) for _ in range(length)]
    if marked:
        for at in range(3, length, PIECE - 2):
            drawn[at] = secrets.choice(_MARKED)
    return "".join(drawn)


def _lower(text: str) -> str:
    first, *rest = text.split("%")
    return "%".join([first, *(part[:2].lower() + part[2:] for part in rest)])


def spelled(text: str) -> Iterator[tuple[str, bytes]]:
    """Return each way in which a text, or a piece of one, may be written: name of the spelling, bytes."""
    raw = text.encode()
    yield "plain", raw
    for name, found in (("URL", quote(text, safe="")), ("form", quote_plus(text)), ("path", quote(text))):
        yield name, found.encode()
        yield name, _lower(found).encode()
    yield "URL twice", quote(quote(text, safe=""), safe="").encode()
    each = "".join(f"%{byte:02X}" for byte in raw)
    yield "URL, each byte", each.encode()
    yield "URL, each byte", each.lower().encode()
    inner = json.dumps(text)[1:-1]
    yield "JSON", inner.encode()
    yield "JSON", inner.replace("/", "\\/").encode()
    for marks in ("<>&", "<>&='", "<>&'+"):
        escaped = "".join(f"\\u{ord(one):04x}" if one in marks else one for one in inner)
        yield "JSON", escaped.encode()
        yield "JSON", re.sub(r"(?<=\\u)....", lambda found: found[0].upper(), escaped).encode()
    yield "JSON, each mark", "".join(one if one.isalnum() else f"\\u{ord(one):04X}" for one in text).encode()
    yield "JSON twice", json.dumps(inner)[1:-1].encode()
    yield "repr", repr(text)[1:-1].encode()
    marked = html.escape(text, quote=False)
    for page in (marked, html.escape(text), marked.replace('"', "&#34;").replace("'", "&#39;")):
        yield "HTML", page.encode()
    yield "HTML", marked.replace('"', "&quot;").replace("'", "&apos;").encode()
    yield "HTML", marked.replace('"', "&quot;").replace("'", "&#039;").encode()
    yield "HTML, each mark", "".join(one if one.isalnum() else f"&#x{ord(one):x};" for one in text).encode()
    yield "HTML, each mark", "".join(one if one.isalnum() else f"&#{ord(one)};" for one in text).encode()
    yield "hexadecimal", raw.hex().encode()
    yield "hexadecimal", raw.hex().upper().encode()
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + raw).decode().rstrip("=")
        middle = whole[math.ceil(before * 8 / 6) : (before + len(raw)) * 8 // 6]
        yield f"base64, alignment {before}", middle.encode()
        yield f"base64, alignment {before}", middle.replace("+", "-").replace("/", "_").encode()


SPELLINGS: Final = tuple(dict.fromkeys(name for name, _ in spelled("+/&<\"'%~=abc")))


def pieces(secret: str) -> Iterator[str]:
    """Return each piece of a secret that cannot be anywhere by chance; of a short one itself."""
    length = max(PIECE, math.ceil(RARE_BITS / math.log2(_kinds(secret))))
    for at in range(max(1, len(secret) - length + 1)):
        yield secret[at : at + length]


def _kinds(secret: str) -> int:
    groups = (string.digits, "abcdef", "ABCDEF", string.ascii_lowercase[6:], string.ascii_uppercase[6:])
    return max(10, sum(len(group) for group in groups if set(group) & set(secret)))


class Search:
    """All needles, and how many bytes were searched for them.

    :param wanted: what it is, and the secret, which is random in each piece
    :param whole: likewise, of those that are not: they are looked for as a whole
    """

    def __init__(self, wanted: Iterable[tuple[str, str]], *, whole: Iterable[tuple[str, str]] = ()) -> None:
        self.secrets = sorted({(what, value) for what, value in wanted if len(value) >= PIECE})
        self.bytes, self.places = 0, 0
        self._needles: dict[bytes, list[tuple[bytes, str, str]]] = defaultdict(list)
        seen: set[bytes] = set()
        looked_for = [(what, piece) for what, value in self.secrets for piece in pieces(value)]
        for what, piece in (*looked_for, *whole):
            for spelling, needle in spelled(piece):
                if len(needle) >= WINDOW and needle not in seen:
                    seen.add(needle)
                    self._needles[needle[:WINDOW]].append((needle, what, spelling))
        self.needles = len(seen)
        self._table = np.zeros(1 << _TABLE_BITS, dtype=bool)
        if self._needles:
            self._table[_hashed(np.frombuffer(b"".join(self._needles), dtype="<u8"))] = True

    def look(self, texts: Iterable[tuple[str, bytes]]) -> list[Found]:
        """Return what is found in texts, each once: where it is, and the text."""
        found: dict[Found, None] = {}
        for where, text in texts:
            self.bytes += len(text)
            self.places += 1
            for what, spelling in self._in(text):
                found[Found(where, what, spelling)] = None
        return list(found)

    def _in(self, text: bytes) -> Iterator[tuple[str, str]]:
        for begin in range(0, len(text), CHUNK):
            part = text[begin : begin + CHUNK + WINDOW - 1]
            for first in range(WINDOW):
                count = (len(part) - first) // WINDOW
                if count < 1:
                    continue
                windows = np.frombuffer(part, dtype="<u8", count=count, offset=first)
                for at in np.flatnonzero(self._table[_hashed(windows)]):
                    place = begin + first + int(at) * WINDOW
                    for needle, what, spelling in self._needles.get(text[place : place + WINDOW], ()):
                        if text.startswith(needle, place):
                            yield what, spelling


def _hashed(windows: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
    return (windows * _HASH) >> _SHIFT
