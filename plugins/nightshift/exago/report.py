"""What a report is asked for with, and the rows that came (Exago reference, section 3.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import msgspec

from nightshift.errors import BadResponse
from nightshift.exago.paths import VENDOR

_NIGHT = re.compile(r"\{night(?::([^{}]*))?\}")


def for_night(filters: Sequence[Mapping[str, Any]], night: str) -> list[dict[str, Any]]:
    """Return filters with ``{night}`` in their values replaced by the night.

    :param filters: the vendor's objects; a value may have ``{night}`` (``2026-11-21``) or ``{night:%m/%d/%Y}``, because
        the server reads days as its own culture writes them
    :param night: ``YYYY-MM-DD``
    """
    day = date.fromisoformat(night)

    def told(value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return _NIGHT.sub(lambda found: day.strftime(found[1]) if found[1] else night, value)

    return [{**one, **{key: [told(value) for value in one[key]] for key in one if key == "Values"}} for one in filters]


def names_night(filters: Sequence[Mapping[str, Any]]) -> bool:
    """Tell whether a filter depends on the night, so that past nights can be asked for."""
    values = [value for one in filters for value in one.get("Values", ())]
    return any(isinstance(value, str) and _NIGHT.search(value) for value in values)


def json_rows(content: bytes, data_key: str) -> int:
    """Return how many rows a report in JSON has: an array, or an object with the array under ``data_key``.

    :raises BadResponse: neither
    """
    try:
        whole = msgspec.json.decode(content, type=list[msgspec.Raw] | dict[str, msgspec.Raw])
        rows = whole if isinstance(whole, list) else msgspec.json.decode(whole[data_key], type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        problem = f"it has no {data_key!r}" if isinstance(error, KeyError) else str(error)
        raise BadResponse(
            f"the report is no JSON of rows: {problem}",
            vendor=VENDOR,
            advice="Nothing was taken over. Set data_key of the report in reports.yaml, or ask for csv.",
        ) from None
    return len(rows)
