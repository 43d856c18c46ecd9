"""What some servers send with a success in the place of a text file: JSON, XML or HTML, told by the text itself."""

from __future__ import annotations

import re

import msgspec

from nightshift.nesting import UNREADABLE, shallow

_MEMBER = re.compile(r'[\[\s]*\{\s*"(?:[^"\\]|\\.)*"\s*:')
_MARKUP = re.compile(
    r"\s*<(?:[?!]|html\b|[a-z][^<>]*/>\s*\Z|[a-z][^>]*>.*(?:</[\w:.-]+\s*|/)>\s*\Z)", re.IGNORECASE | re.DOTALL
)


def is_json(text: str) -> bool:
    """Say whether a text is JSON, be it cut behind its first member.

    A bracket at its beginning says nothing: names in brackets and ids in braces begin so as well.
    """
    if text.lstrip()[:1] not in {"{", "["}:
        return False
    if _MEMBER.match(text):
        return True
    try:
        msgspec.json.decode(shallow(text.encode()))
    except UNREADABLE:
        return False
    return True


def is_markup(text: str) -> bool:
    """Say whether a text is XML or HTML: a declaration, or elements from its beginning to its end.

    A tag at its beginning says nothing: ``<none>`` is a value as well.
    """
    return _MARKUP.match(text) is not None
