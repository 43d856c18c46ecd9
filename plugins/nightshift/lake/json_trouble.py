"""Where in a page the JSON is that cannot be read, and what a person can do about it. Slow, for the way into an error only."""

from __future__ import annotations

import re

import msgspec

from nightshift.lake.charset import marked
from nightshift.lake.errors import UnreadablePage

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]', re.DOTALL)
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_CUT = "Extract the night again if the vendor's answer was cut."


def text_of_page(body: bytes) -> bytes:
    """Return a JSON page in UTF-8 without a byte order mark.

    :raises UnicodeDecodeError: it is not UTF-8, nor what its byte order mark says
    """
    charset, mark = marked(body, "utf-8")
    if charset != "utf-8":
        return body[mark:].decode(charset).encode()
    if not body.isascii():
        body.decode()
    return body[mark:] if mark else body


def unreadable(report: str, page: int, body: bytes, data_key: str, error: Exception) -> UnreadablePage:
    """Return the error of a page whose JSON cannot be read, with row and column where they can be told.

    :param report: name of the report
    :param page: number of the page
    :param body: the page as received
    :param data_key: key of the rows
    :param error: what the decoder said
    """
    mark = marked(body, "utf-8")[1]
    text = body[mark:]
    at, why, advice = _cause(text, mark, error)
    row, column = _place(text, at, data_key) if at is not None else (None, None)
    where = f"page {page}" + (f", row {row}" if row else "") + (f", column {column!r}" if column is not None else "")
    return UnreadablePage(
        f"{report}: {where} is not the JSON of rows ({why}). Nothing was published; the landed night is untouched. {advice}",
        page=page,
        row=row,
        column=column,
    )


def _cause(text: bytes, mark: int, error: Exception) -> tuple[int | None, str, str]:
    if isinstance(error, RecursionError):
        return (
            _deepest(text),
            "a value is nested too deep",
            "Have the vendor leave it out, then extract the night again.",
        )
    if isinstance(error, UnicodeDecodeError):
        why = f"byte {error.start} is no character of {error.encoding}: {error.reason}"
        return error.start - mark, why, "Have the vendor send UTF-8, then extract the night again."
    for found in _SURROGATE.finditer(text):
        if found["alone"]:
            why = f"{found[0].decode()} is one half of a character, and no text"
            return found.start(), why, "Have the vendor correct this value, then extract the night again."
    byte = re.search(r"\(byte (\d+)\)", str(error))
    return int(byte[1]) if byte else None, str(error), _CUT


def _deepest(text: bytes) -> int:
    depth = most = at = 0
    for token in _TOKEN.finditer(text):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > most:
            most, at = depth, token.start()
    return at


def _place(text: bytes, at: int, data_key: str) -> tuple[int | None, str | None]:
    """Return the row, from 1, and the column of a place in a page; ``None`` where it is in no row."""
    depth, rows, row = 0, 0, 0
    last = column = key = b""
    for token in _TOKEN.finditer(text):
        if token.start() > at:
            break
        match token[0]:
            case b"[" | b"{" as opening:
                depth += 1
                if opening == b"[" and not rows and (depth == 1 or (depth == 2 and _name(key) == data_key)):
                    rows, row = depth, 1
            case b"]" | b"}":
                depth -= 1
                if rows and depth < rows:
                    return None, None
            case b",":
                row += depth == rows > 0
                column = b"" if depth == rows else column
            case b":":
                key = last if depth == 1 else key
                column = last if depth == rows + 1 else column
            case name:
                last = name
    return (row, _name(column)) if rows else (None, None)


def _name(text: bytes) -> str | None:
    try:
        return msgspec.json.decode(text, type=str) if text else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return text.decode("utf-8", "replace")
