"""The character set of a landed text: what the configuration says, unless a byte order mark says it better."""

from __future__ import annotations

import codecs

# The marks of UTF-32 come first: that of its little end begins as the one of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PLAIN = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le", "ascii": "utf-8"}


def marked(body: bytes, charset: str) -> tuple[str, int]:
    """Return the character set of a text and the length of its byte order mark.

    A mark is believed before the configuration: no text of another character set begins so. Without one, UTF-16 and UTF-32
    are of the little end, and ASCII is read as UTF-8, which it is.

    :param body: the text, or its beginning
    :param charset: the character set of the configuration
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return name, len(mark)
    name = codecs.lookup(charset).name
    return _PLAIN.get(name, name), 0


def unit_of(charset: str) -> int:
    """Return the bytes of the smallest unit of a character set of :func:`marked`: 4, 2 or 1."""
    return 4 if charset.startswith("utf-32") else 2 if charset.startswith("utf-16") else 1
