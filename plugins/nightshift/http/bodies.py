"""What a body holds, told by the body itself: JSON, decoded without a surprise, or JSON or markup in the place of a
file of text, as some servers send it with a success.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from nightshift.nesting import UNREADABLE, shallow

T = TypeVar("T")

BOM = codecs.BOM_UTF8
BLOCK = 1 << 16
"""Bytes that are looked at together: a text of a whole page would be made in four times its size and time."""

_MEMBER = re.compile(rb'[\[\s]*\{\s*"(?:[^"\\]|\\.)*"\s*:')
_MARKUP = re.compile(
    r"\s*<(?:[?!]|html\b|[a-z][^<>]*/>\s*\Z|[a-z][^>]*>.*(?:</[\w:.-]+\s*|/)>\s*\Z)", re.IGNORECASE | re.DOTALL
)


class NotJson(ValueError):
    """A text is not JSON, or not of the shape that is due; the message continues "the page …"."""


def decoded(decode: Callable[[bytes], T], body: bytes, charset: str = "") -> T:
    """Return what ``decode`` makes of a body; a byte order mark is passed over (RFC 8259, section 8.1).

    A decoder that leaves values as they are looks at no text, so the whole body is looked at here: what cannot be read
    later is not taken now.

    :raises NotJson: empty, cut, not UTF-8, nested too deep, or of another shape
    """
    text = body.removeprefix(BOM)
    if not text or text.isspace():
        raise NotJson("is empty where JSON is due")
    try:
        if not text.isascii() and (wrong := _not_utf8(text)) is not None:
            named = f"; the answer calls itself {charset}" if charset else ""
            raise NotJson(f"is not in UTF-8, as JSON has to be (byte 0x{text[wrong]:02x} at {wrong}{named})")
        return decode(shallow(text))
    except RecursionError:
        raise NotJson("is nested too deep") from None
    except msgspec.DecodeError as error:
        raise NotJson(f"is not the JSON that is due ({error})") from None


def _not_utf8(text: bytes) -> int | None:
    """Return the offset of the first byte that is not UTF-8, or ``None``."""
    view, at = memoryview(text), 0
    try:
        while at < len(view):
            at += codecs.utf_8_decode(view[at : at + BLOCK], "strict", at + BLOCK >= len(view))[1]
    except UnicodeDecodeError as error:
        return at + error.start
    return None


def json_object(text: bytes) -> dict[str, Any] | None:
    """Return the JSON object that a text is; ``None``: it is something else."""
    try:
        found = msgspec.json.decode(shallow(text))
    except UNREADABLE:
        return None
    return found if isinstance(found, dict) else None


def is_json(text: str) -> bool:
    """Say whether a text is JSON, be it cut behind its first member.

    A bracket at its beginning says nothing: names in brackets and ids in braces begin so as well.
    """
    return text.lstrip()[:1] in {"{", "["} and is_json_value(text.encode("utf-8", "replace"))


def is_json_value(text: bytes) -> bool:
    """Say whether bytes are any value of JSON, be they cut behind the first member of an object."""
    text = text.removeprefix(BOM)
    if _MEMBER.match(text):
        return True
    try:
        msgspec.json.decode(shallow(text))
    except UNREADABLE:
        return False
    return True


def is_markup(text: str) -> bool:
    """Say whether a text is XML or HTML: a declaration, or elements from its beginning to its end.

    A tag at its beginning says nothing: ``<none>`` is a value as well.
    """
    return _MARKUP.match(text) is not None
