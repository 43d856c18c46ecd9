"""How a text reads once its escapes are taken off, whoever wrote them: JSON, JavaScript, HTML, XML, URLs and forms, in
any order and inside of each other. It is for comparing texts, not for showing them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html.entities import html5

LAYERS = 4
"""How often escapes are taken off that stand inside of others of another kind; those of one kind count as one."""

# Any number of backslashes counts as one, and what is percent- or HTML-encoded again and again is one escape. No run of
# marks is looked at from each of its characters.
_ESCAPE = re.compile(
    r"""(?ix)
    (?P<units> (?<!\\) (?: \\+ u [0-9a-f]{4} )+ | (?: % (?:25)* u [0-9a-f]{4} )+ )
    | (?P<bytes> (?<!\\) (?: \\+ x [0-9a-f]{2} )+ | (?: % (?:25)* [0-9a-f]{2} )+ )
    | (?<!\\) \\+ u \{ 0{0,8} (?P<point> [0-9a-f]{1,6} ) \}
    | (?P<ampersand> & (?: amp; | \#0{0,8}38; | \#x0{0,8}26; )* )
        (?: \# 0{0,8} (?P<decimal> [0-9]{1,7} ) ; | \# x 0{0,8} (?P<hex> [0-9a-f]{1,6} ) ;
        | (?P<name> [a-z][a-z0-9]{1,30} ; ) )
    """
)
_UNIT = re.compile(r"(?i)(?:\\+|%(?:25)*)u([0-9a-f]{4})")
_BYTE = re.compile(r"(?i)(?:\\+x|%(?:25)*)([0-9a-f]{2})")
# A form writes a blank as a plus; of a control character and its escape (\n) the letter is left.
_ALIKE = str.maketrans("+\n\r\t\b\f\v\0", " nrtbfv0")


@dataclass(frozen=True)
class Reading:
    """A text without its escapes.

    :param text: as it reads. Plus signs are blanks, backslashes are left out, control characters are letters
    :param begins: of each of its characters, where it begins in the text that was read
    :param ends: likewise, where it ends
    """

    text: str
    begins: Sequence[int]
    ends: Sequence[int]


def read(text: str) -> Reading:
    """Return a text without its escapes. The time grows with its length alone.

    Whatever of a text is escaped, and how, it reads alike.
    """
    begins: Sequence[int] = range(len(text))
    ends: Sequence[int] = range(1, len(text) + 1)
    for _ in range(LAYERS):
        found = list(_taken_off(text))
        if not found:
            break
        text, begins, ends = _put(text, begins, ends, found)
    if "\\" in text:
        kept = [at for at, one in enumerate(text) if one != "\\"]
        text, begins, ends = text.replace("\\", ""), [begins[at] for at in kept], [ends[at] for at in kept]
    return Reading(text.translate(_ALIKE), begins, ends)


_Escape = tuple[int, int, list[tuple[str, int, int]]]


def _taken_off(text: str) -> Iterator[_Escape]:
    """Return the escapes of a text: begin, end, and its characters with theirs."""
    if not ("\\" in text or "%" in text or "&" in text):
        return
    for found in _ESCAPE.finditer(text):
        kind, (begin, end) = found.lastgroup, found.span()
        if kind == "units":
            yield begin, end, list(_units(found))
        elif kind == "bytes":
            yield begin, end, list(_bytes(found))
        elif (character := _character(found)) is not None:
            yield begin, end, [(character, begin, end)]
        elif (stop := found.end("ampersand")) > begin + 1:
            yield begin, stop, [("&", begin, stop)]


def _character(found: re.Match[str]) -> str | None:
    """Return the character that an escape names; ``None``: it is none."""
    if found["name"]:
        return next((html5[name] for name in (found["name"], found["name"].lower()) if name in html5), None)
    number = int(found["decimal"]) if found["decimal"] else int(found["hex"] or found["point"], 16)
    return chr(number) if number < 0x110000 else None


def _units(found: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """Return the characters of a run of UTF-16 units."""
    units = list(_UNIT.finditer(found.string, *found.span()))
    raw = b"".join(int(one[1], 16).to_bytes(2) for one in units)
    at = 0
    for character in raw.decode("utf-16-be", "surrogatepass"):
        last = at + (2 if ord(character) > 0xFFFF else 1)
        yield character, units[at].start(), units[last - 1].end()
        at = last


def _bytes(found: re.Match[str]) -> Iterator[tuple[str, int, int]]:
    """Return the characters of a run of bytes: UTF-8, and Latin-1 where they are none."""
    units = list(_BYTE.finditer(found.string, *found.span()))
    raw = bytes(int(one[1], 16) for one in units)
    at = 0
    for character in raw.decode("utf-8", "surrogateescape"):
        if "\udc80" <= character <= "\udcff":
            character, size = chr(ord(character) - 0xDC00), 1
        else:
            size = len(character.encode())
        yield character, units[at].start(), units[at + size - 1].end()
        at += size


def _put(
    text: str, begins: Sequence[int], ends: Sequence[int], escapes: Sequence[_Escape]
) -> tuple[str, list[int], list[int]]:
    """Return the text with the escapes' characters in their place."""
    kept, first, last, at = list[str](), list[int](), list[int](), 0
    for begin, end, characters in escapes:
        kept.append(text[at:begin])
        first.extend(begins[at:begin])
        last.extend(ends[at:begin])
        for character, one, other in characters:
            kept.append(character)
            first.extend([begins[one]] * len(character))
            last.extend([ends[other - 1]] * len(character))
        at = end
    kept.append(text[at:])
    first.extend(begins[at:])
    last.extend(ends[at:])
    return "".join(kept), first, last
