"""What a person or a template may write into a parameter, and the one form in which it is sent.

FlexDeploy reference, sections 3.2 to 3.5 and 6: types differ between the vendor's tables and examples; what the table
says is sent. Whatever cannot be right is refused here, before anything is started.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from nightshift.fields import whole_number
from nightshift.flexdeploy.vocabulary import broken

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:Z|[+-]\d\d:\d\d)\Z", re.ASCII)
_TIME_ADVICE = "Give it as 2019-03-16T21:17:52-06:00: whole seconds, and an offset of hours and minutes or Z."


class Pair(msgspec.Struct, frozen=True, omit_defaults=True):
    """The value of a workflow input or of a FlexField.

    :param code: code of the input or FlexField, not its display name
    :param value: as text; ``None`` sends the code alone
    """

    code: str
    value: str | None = None


def identifier(field: str, value: Any) -> int:
    """Return an id: a whole number above 0, also as text, as a template gives it.

    :raises Rejected: it is something else; an empty text or ``None`` never means "any"
    """
    number = whole_number(value.strip()) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise broken(field, f"is {value!r:.100}, but an id is a whole number above 0; a name is not an id")
    return number


def identifiers(field: str, values: Any) -> tuple[int, ...]:
    """Return several ids, each once.

    :raises Rejected: one of them is none, or is there twice
    """
    found = tuple(identifier(f"{field}[{index}]", one) for index, one in enumerate(_listed(field, values)))
    if len(set(found)) < len(found):
        raise broken(field, "names an id twice")
    return found


def job_id_of(ids: Any) -> str:
    """Return the job that these workflow requests make up: their ids, joined by commas.

    :param ids: one id or several, as numbers or texts; or such a joined text
    :raises Rejected: one of them is no id, or there is none
    """
    listed = ids.split(",") if isinstance(ids, str) else ids
    listed = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else [listed]
    found = dict.fromkeys(str(identifier("workflow_request_id", one)) for one in listed)
    if not found:
        raise broken("workflow_request_id", "names no workflow request")
    return ",".join(found)


def ids_of(job_id: str) -> tuple[str, ...]:
    """Return the ids of the workflow requests of a job, as :func:`job_id_of` joined them or a person wrote them.

    :raises Rejected: one of them is no id
    """
    return tuple(job_id_of(job_id).split(","))


def switch(field: str, value: Any) -> bool:
    """Return true or false, also as text, as a template gives it.

    :raises Rejected: it is something else
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise broken(field, f"is {value!r}, but must be true or false")


def text(field: str, value: Any) -> str:
    """Return a text that is not blank.

    :raises Rejected: it is blank, is not a text, or is what a template makes of nothing
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise broken(field, f"is {value!r}, but must be a text")
    found = str(value).strip()
    if not found or found == "None":
        raise broken(field, "is blank; leave it out where nothing is meant")
    return found


def texts(field: str, values: Any) -> tuple[str, ...]:
    """Return several texts; one alone may be given without a list.

    :raises Rejected: one of them is blank
    """
    listed = [values] if isinstance(values, str) else _listed(field, values)
    return tuple(text(f"{field}[{index}]", one) for index, one in enumerate(listed))


def start_time(field: str, value: Any) -> str:
    """Return a time as ``yyyy-MM-dd'T'HH:mm:ssXXX``.

    :param value: a text of that form, or an aware ``datetime``, whose fractions of a second are cut off
    :raises Rejected: it has no offset, has fractions of a second, or is no time
    """
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise broken(field, "has no time zone", _TIME_ADVICE)
        value = value.isoformat(timespec="seconds")
        value = value.replace("+00:00", "Z")
    found = value.strip() if isinstance(value, str) else ""
    if not _TIME.match(found):
        raise broken(field, f"is {value!r}, which is not of the form yyyy-MM-dd'T'HH:mm:ssXXX", _TIME_ADVICE)
    try:
        datetime.fromisoformat(found).astimezone(UTC)
    except (ValueError, OverflowError):
        raise broken(field, f"is {value!r}, and there is no such time", _TIME_ADVICE) from None
    return found


def pairs(field: str, values: Any) -> tuple[Pair, ...]:
    """Return codes with their values.

    :param values: a list of ``{"code": …, "value": …}``, or an object of codes and values
    :raises Rejected: a code is blank or there twice, a key is not known, or a value is not a scalar
    """
    if isinstance(values, Mapping) and not ("code" in values and set(values) <= {"code", "value"}):
        values = [{"code": code, "value": value} for code, value in values.items()]
    elif isinstance(values, Mapping):
        values = [values]
    found = tuple(_pair(f"{field}[{index}]", one) for index, one in enumerate(_listed(field, values)))
    seen: set[str] = set()
    for one in found:
        if one.code in seen:
            raise broken(field, f"has the code {one.code!r} twice")
        seen.add(one.code)
    return found


def objects(field: str, values: Any, known: Iterable[str]) -> list[Mapping[str, Any]]:
    """Return several objects that have none but the known keys.

    :raises Rejected: one is no object, or has another key
    """
    names = tuple(known)
    found = _listed(field, values)
    for index, one in enumerate(found):
        if not isinstance(one, Mapping):
            raise broken(f"{field}[{index}]", f"is {one!r}, but must be an object with {', '.join(names)}")
        if unknown := [key for key in one if key not in names]:
            raise broken(f"{field}[{index}]", f"has {unknown[0]!r}; known: {', '.join(names)}")
    return found


def _pair(field: str, one: Any) -> Pair:
    if isinstance(one, Pair):
        return one
    (row,) = objects(field, [one], ("code", "value"))
    value = row.get("value")
    if isinstance(value, bool):
        value = str(value).lower()
    if value is not None and not isinstance(value, str | int | float):
        raise broken(f"{field}.value", f"is of the type {type(value).__name__}, but must be a text or a number")
    return Pair(text(f"{field}.code", row.get("code", "")), None if value is None else str(value))


def _listed(field: str, values: Any) -> list[Any]:
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise broken(field, f"is of the type {type(values).__name__}, but must be a list")
    return list(values)
