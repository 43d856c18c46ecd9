"""JSON as vendors send it, decoded without a surprise: what is wrong with it is said in one sentence."""

from __future__ import annotations

import codecs
from collections.abc import Callable
from typing import TypeVar

import msgspec

from nightshift.nesting import shallow

T = TypeVar("T")

BLOCK = 1 << 16
"""Bytes that are looked at together: a text of a whole page would be made in four times its size and time."""

_BOM = b"\xef\xbb\xbf"


class NotJson(ValueError):
    """A text is not JSON, or not of the shape that is due; the message continues "the page …"."""


def decoded(decode: Callable[[bytes], T], body: bytes, charset: str = "") -> T:
    """Return what ``decode`` makes of a body; a byte order mark is passed over (RFC 8259, section 8.1).

    A decoder that leaves values as they are looks at no text, so the whole body is looked at here: what cannot be read
    later is not taken now.

    :raises NotJson: empty, cut, not UTF-8, nested too deep, or of another shape
    """
    text = body[len(_BOM) :] if body.startswith(_BOM) else body
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
