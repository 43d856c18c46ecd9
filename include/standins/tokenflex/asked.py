"""What an export or a query asks for, and the vendor's rules for it (reference 3.1, 3.4, 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from include.standins.tokenflex.catalogue import (
    DAY_FIELDS,
    DESKTOP_SESSION_FIELDS,
    DESKTOP_SESSION_METRICS,
    SESSION_FIELDS,
    Category,
)
from include.standins.tokenflex.where import BadWhere, Test, parsed

_LISTS: Final = ("fields", "metrics", "usageCategory")
_CATEGORIES: Final = frozenset(category.value for category in Category)
DEFAULT_FILE_NAME: Final = "API_Custom_Export"
_EXPORT_ONLY: Final = frozenset({Category.DESKTOP_PRODUCT, Category.CLOUD_PRODUCT})


class Wrong(ValueError):
    """The request breaks a rule: 400, says which."""


@dataclass(frozen=True)
class Asked:
    """A request that is in order.

    :param fields: names as sent; a customer's own category name stays as it is
    :param columns: the same as names of the catalogue
    :param categories: empty: all
    :param session_level: one row for each session or transaction, no grouping
    :param file_name: with ``.csv``; empty for a query
    """

    fields: tuple[str, ...]
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    categories: tuple[Category, ...]
    where: str
    test: Test
    session_level: bool
    file_name: str = ""


def asked(body: Any, names: tuple[tuple[str, str], ...], *, export: bool) -> Asked:
    """Read the body of an export or a query.

    :param names: the customer's own names of custom fields → ``customFieldN``
    :param export: ``False``: an ad-hoc query, which has no session level
    :raises Wrong: the body breaks a rule
    """
    if not isinstance(body, dict):
        raise Wrong("the body has to be a JSON object")
    fields, metrics, categories = (_strings(body, key) for key in _LISTS)
    if not fields and not metrics:
        raise Wrong("at least one of 'fields' and 'metrics' is required")
    own = dict(names)
    columns = tuple(own.get(name, name) for name in fields)
    wanted = _categories(categories)
    session_level = not SESSION_FIELDS.isdisjoint(columns)
    if session_level:
        _session_level(columns, metrics, wanted)
        if not export and _EXPORT_ONLY.intersection(wanted):
            raise Wrong(f"session-level usage of {wanted[0]} cannot be queried, only exported")
    return Asked(
        fields=fields,
        columns=columns,
        metrics=metrics,
        categories=wanted,
        where=_text(body, "where"),
        test=_where(_text(body, "where"), names),
        session_level=session_level,
        file_name=f"{_text(body, 'downloadFileName') or DEFAULT_FILE_NAME}.csv" if export else "",
    )


def _strings(body: dict[str, Any], key: str) -> tuple[str, ...]:
    value = body.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
        raise Wrong(f"'{key}' has to be an array of strings")
    if len(set(value)) < len(value):
        raise Wrong(f"'{key}' names something twice")
    return tuple(value)


def _text(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise Wrong(f"'{key}' has to be a string")
    return value


def _categories(given: tuple[str, ...]) -> tuple[Category, ...]:
    unknown = [name for name in given if name not in _CATEGORIES]
    if unknown:
        raise Wrong(f"'usageCategory' has unknown values: {', '.join(unknown)}")
    return tuple(Category(name) for name in given)


def _session_level(columns: tuple[str, ...], metrics: tuple[str, ...], categories: tuple[Category, ...]) -> None:
    if not categories:
        raise Wrong("session-level fields need the attribute 'usageCategory'; the field and 'where' do not replace it")
    if len(categories) > 1:
        raise Wrong("usage of different categories cannot be mixed at session level")
    if categories[0] is not Category.DESKTOP_PRODUCT:
        return
    refused = [name for name in columns if name not in DESKTOP_SESSION_FIELDS]
    refused += [name for name in metrics if name not in DESKTOP_SESSION_METRICS]
    if refused:
        raise Wrong(f"not possible in a session-level export of desktop usage: {', '.join(refused)}")


def _where(text: str, names: tuple[tuple[str, str], ...]) -> Test:
    try:
        return parsed(text, names, DAY_FIELDS)
    except BadWhere as error:
        raise Wrong(f"'where' is not valid: {error}") from None
