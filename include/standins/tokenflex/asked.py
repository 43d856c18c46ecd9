"""What an export or a query asks for, and the vendor's rules for it (reference 3.1, 3.4, 3.5)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from include.standins.tokenflex.catalogue import (
    AT,
    DAY_FIELDS,
    DESKTOP_SESSION_FIELDS,
    DESKTOP_SESSION_METRICS,
    METRICS,
    SESSION_FIELDS,
    Category,
)
from include.standins.tokenflex.switches import CsvInName, Taken, TokenFlexSwitches
from include.standins.tokenflex.where import Allowed, BadWhere, Test, parsed

_LISTS: Final = ("fields", "metrics", "usageCategory")
_CATEGORIES: Final = frozenset(category.value for category in Category)
_KEYS: Final = frozenset({*_LISTS, "where", "downloadFileName"})
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


def asked(body: Any, switches: TokenFlexSwitches, names: tuple[tuple[str, str], ...], *, export: bool) -> Asked:
    """Read the body of an export or a query.

    :param names: the customer's own names of custom fields → ``customFieldN``
    :param export: ``False``: an ad-hoc query, which has no session level
    :raises Wrong: the body breaks a rule
    """
    if not isinstance(body, dict):
        raise Wrong("the body has to be a JSON object")
    if switches.unknown_keys is Taken.REFUSE and body.keys() - _KEYS:
        raise Wrong(f"unknown attributes: {', '.join(sorted(body.keys() - _KEYS))}")
    fields, metrics, categories = (_strings(body, key) for key in _LISTS)
    if not fields and not metrics:
        raise Wrong("at least one of 'fields' and 'metrics' is required")
    own = dict(names)
    columns = tuple(own.get(name, name) for name in fields)
    if switches.unknown_fields is Taken.REFUSE:
        _known(columns, metrics)
    wanted = _categories(categories)
    session_level = not SESSION_FIELDS.isdisjoint(columns)
    if session_level:
        _session_level(columns, metrics, wanted, lift=not switches.session_rules)
        if not export and _EXPORT_ONLY.intersection(wanted):
            raise Wrong(f"session-level usage of {wanted[0]} cannot be queried, only exported")
    return Asked(
        fields=fields,
        columns=columns,
        metrics=metrics,
        categories=wanted,
        where=_text(body, "where"),
        test=_where(_text(body, "where"), switches, names),
        session_level=session_level,
        file_name=_file_name(body, switches) if export else "",
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


def _known(columns: tuple[str, ...], metrics: tuple[str, ...]) -> None:
    unknown = [name for name in columns if name not in AT] + [name for name in metrics if name not in METRICS]
    if unknown:
        raise Wrong(f"unknown fields or metrics: {', '.join(unknown)}")


def _categories(given: tuple[str, ...]) -> tuple[Category, ...]:
    unknown = [name for name in given if name not in _CATEGORIES]
    if unknown:
        raise Wrong(f"'usageCategory' has unknown values: {', '.join(unknown)}")
    return tuple(Category(name) for name in given)


def _session_level(
    columns: tuple[str, ...], metrics: tuple[str, ...], categories: tuple[Category, ...], *, lift: bool
) -> None:
    if not categories:
        raise Wrong("session-level fields need the attribute 'usageCategory'; the field and 'where' do not replace it")
    if len(categories) > 1:
        raise Wrong("usage of different categories cannot be mixed at session level")
    if categories[0] is not Category.DESKTOP_PRODUCT or lift:
        return
    refused = [name for name in columns if name not in DESKTOP_SESSION_FIELDS]
    refused += [name for name in metrics if name not in DESKTOP_SESSION_METRICS]
    if refused:
        raise Wrong(f"not possible in a session-level export of desktop usage: {', '.join(refused)}")


def _where(text: str, switches: TokenFlexSwitches, names: tuple[tuple[str, str], ...]) -> Test:
    allowed = Allowed(switches.where_sql, switches.where_constant, switches.unknown_fields, names)
    try:
        return parsed(text, allowed, DAY_FIELDS)
    except BadWhere as error:
        raise Wrong(f"'where' is not valid: {error}") from None


def _file_name(body: dict[str, Any], switches: TokenFlexSwitches) -> str:
    name = _text(body, "downloadFileName") or switches.default_file_name
    if name.lower().endswith(".csv"):
        if switches.csv_in_name is CsvInName.REFUSED:
            raise Wrong("'downloadFileName' goes without extension")
        if switches.csv_in_name is CsvInName.KEPT:
            return name
    return f"{name}.csv"
