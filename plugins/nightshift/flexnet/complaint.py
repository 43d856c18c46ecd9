"""What an answer without rows says of an error: of its shape nothing is published (FlexNet reference, section 5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from nightshift.nesting import UNREADABLE, shallow

_BOM = b"\xef\xbb\xbf"
_ERRORS = ("error", "errors")
_WORDS = ("message", "errorMessage", "errorCode", "detail", "reason")
_FAILED = re.compile(r"error|fail(?:ed|ure)?|[45]\d\d", re.IGNORECASE)
_WELL = re.compile(r"ok|success(?:ful)?|2\d\d", re.IGNORECASE)


def complaint(body: bytes, data_key: str, *, counts_none: bool = False) -> str:
    """Return the vendor's words for what went wrong, in an answer without rows; empty: it tells of nothing.

    What is called an error counts in any case. Where no rows are there, not even none of them (``[]``), any message
    does, unless a status or a count says that all is well.

    :param body: JSON; anything else tells of nothing
    :param data_key: key of the rows
    :param counts_none: whether the vendor counts no rows
    """
    try:
        answer = msgspec.json.decode(shallow(body.removeprefix(_BOM)))
    except UNREADABLE:
        return ""
    if not isinstance(answer, Mapping):
        return ""
    parts = [part for part in (answer, answer.get("header")) if isinstance(part, Mapping)]
    told = [part[name] for part in parts for name in _ERRORS if part.get(name)]
    statuses = [str(part["status"]) for part in parts if part.get("status")]
    is_well = counts_none or any(map(_WELL.fullmatch, statuses))
    if answer.get(data_key) is None and not is_well:
        told += [part[name] for part in parts for name in _WORDS if part.get(name)]
        told += filter(_FAILED.fullmatch, statuses)
    return " · ".join(dict.fromkeys(said if isinstance(said, str) else _text(said) for said in told))


def _text(said: Any) -> str:
    return msgspec.json.encode(said).decode()
