"""The words of a usage request, categories, fields and metrics, and the vendor's rules for them, each with a name.

Token Flex reference, sections 3.4, 3.7 and 3.8. Only the desktop list is complete; of the other categories the vendor's
page is known in part, so a name that is not here may still be right there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from nightshift.errors import Rejected
from nightshift.tokenflex.source import TOKENFLEX

VENDOR = "Token Flex"
SIGN_IN = "Token Flex sign-in"
"""What the errors of the sign-in name as the vendor."""
PAGE = f"in Airflow open Admin, {SIGN_IN}"
"""Where a person grants access."""
DEFAULT_CONN = TOKENFLEX.default_connection
EXPORT_ADAPTER = "nightshift.tokenflex.adapter.TokenFlexExportAdapter"
"""Named, not imported: a DAG is parsed without an HTTP client."""


class Category(StrEnum):
    """Usage categories as they are sent; answers call some of them by other names."""

    DESKTOP_PRODUCT = "DESKTOP_PRODUCT"
    CLOUD_PRODUCT = "CLOUD_PRODUCT"
    CLOUD_SERVICE = "CLOUD_SERVICE"
    MANUAL_ADJUSTMENT = "MANUAL_ADJUSTMENT"
    MANUAL_CONSUMPTION = "MANUAL_CONSUMPTION"


ANSWER_NAMES: Mapping[str, Category] = {
    "PRODUCT_CONSUMPTION": Category.DESKTOP_PRODUCT,
    "CLOUD_PRODUCT_CONSUMPTION": Category.CLOUD_PRODUCT,
    "CLOUD_CONSUMPTION": Category.CLOUD_SERVICE,
}
"""Names that the vendor's answers use for a category; which of the two cloud names means which is our reading."""

CUSTOM_FIELDS = frozenset(f"customField{number}" for number in range(1, 11))
GENERAL_FIELDS = CUSTOM_FIELDS | {
    "productLineCode",
    "productName",
    "userName",
    "usageDate",
    "usageMonth",
    "contractYear",
    "usageCategory",
    "chargedItemID",
    "tokenPool",
}
DESKTOP_FIELDS = frozenset(
    {
        "chargeCategory",
        "sessionStartDate",
        "sessionEndDate",
        "productVersion",
        "productFeatureCode",
        "machineName",
        "licenseServerName",
        "licenseServerTimeZoneOffset",
        "usageType",
    }
)
CLOUD_PRODUCT_FIELDS = frozenset({"chargeCategory", "hubId", "hubName"})
MANUAL_FIELDS = frozenset({"reasonType", "reasonComment", "transactionDate", "chargeCategory"})
FIELDS_OF: Mapping[Category, frozenset[str]] = {
    Category.DESKTOP_PRODUCT: GENERAL_FIELDS | DESKTOP_FIELDS,
    Category.CLOUD_PRODUCT: GENERAL_FIELDS | CLOUD_PRODUCT_FIELDS,
    Category.CLOUD_SERVICE: GENERAL_FIELDS | {"chargeCategory"},
    Category.MANUAL_ADJUSTMENT: GENERAL_FIELDS | MANUAL_FIELDS,
    Category.MANUAL_CONSUMPTION: GENERAL_FIELDS | MANUAL_FIELDS,
}
FIELDS = frozenset[str]().union(*FIELDS_OF.values())
COMPLETE = frozenset({Category.DESKTOP_PRODUCT})
"""Categories whose list of fields and metrics is known whole."""

SESSION_METRICS = frozenset({"tokensConsumed", "usageMinutes", "usageHours"})
USAGE_METRICS = SESSION_METRICS | {"uniqueProducts", "uniqueUsers", "useCount"}
MANUAL_METRICS = frozenset({"quantity"})
METRICS_OF: Mapping[Category, frozenset[str]] = {
    category: USAGE_METRICS | (MANUAL_METRICS if category.startswith("MANUAL") else frozenset())
    for category in Category
}
METRICS = USAGE_METRICS | MANUAL_METRICS

SESSION_FIELDS = frozenset(
    {
        "chargedItemID",
        "chargeCategory",
        "sessionStartDate",
        "sessionEndDate",
        "licenseServerTimeZoneOffset",
        "hubId",
        "hubName",
    }
)
"""One of these makes an export session-level."""
DESKTOP_SESSION_FIELDS = (GENERAL_FIELDS | DESKTOP_FIELDS) - {"tokenPool"}
"""All that a desktop session-level export may name: the vendor's own list of 27."""

ENUM_FIELDS = frozenset({"tokenPool", "usageCategory", "chargeCategory", "usageType"})
"""Fields on which ``where`` takes no wildcard."""


def plain(name: str) -> str:
    """Return a name as it is compared with a column of the CSV, whose spelling the vendor does not publish.

    >>> plain("Usage Date"), plain("usage_date"), plain("usageDate")
    ('usagedate', 'usagedate', 'usagedate')
    """
    return re.sub(r"[^0-9a-z]", "", name.lower())


class Rule(StrEnum):
    """What is checked before anything is sent; each can be switched off by its name: the vendor may change it."""

    SOMETHING_ASKED = "fields-or-metrics"
    """At least one field or metric."""
    NO_REPEATS = "named-once"
    """No field, metric or category twice."""
    KNOWN_CATEGORY = "known-category"
    KNOWN_FIELD = "known-field"
    """A field of the categories that are asked for."""
    KNOWN_METRIC = "known-metric"
    SESSION_CATEGORY = "session-level-category"
    """A session-level field needs the category in ``usageCategory``; a field or ``where`` is no substitute."""
    SESSION_SINGLE = "session-level-single-category"
    """Session-level usage of different categories may not be mixed."""
    SESSION_DESKTOP = "session-level-desktop-list"
    """A desktop session-level export takes only the vendor's list of fields and metrics."""
    SESSION_QUERY = "session-level-export-only"
    """Session-level usage can be exported, not queried."""
    FILE_NAME = "file-name"
    """``downloadFileName`` has no extension; the vendor adds its own."""
    NIGHT_FIELD = "night-field"
    """A field that holds the first day of a month is compared with as many nights as a month has."""
    WHERE_FIELD = "where-field"
    WHERE_OPERATOR = "where-operator"
    WHERE_VALUE = "where-value"
    WHERE_NOT = "where-not"
    """The keyword ``not`` is not allowed."""
    WHERE_PATTERN = "where-pattern"
    """A ``%`` pattern needs at least three other characters."""
    WHERE_ENUM = "where-enum"
    """No wildcard on a field with fixed values."""
    WHERE_QUOTES = "where-quotes"
    """Quotes and brackets match; values have no quote in them."""


class Violation(NamedTuple):
    """One broken rule; the arguments of :func:`broken`."""

    rule: Rule
    field: str
    problem: str
    advice: str = ""


def broken(rule: Rule, field: str, problem: str, advice: str = "") -> Rejected:
    """Return the error for a request that breaks a rule; nothing was sent.

    :param rule: the rule
    :param field: the field, metric or key of the request that breaks it
    :param problem: what is wrong with it, as the rest of a sentence
    :param advice: what to do; default: correct it, or switch the rule off
    """
    return Rejected(
        f"{field} {problem} [rule {rule}]",
        vendor=VENDOR,
        advice="Nothing was sent. "
        f"{advice or f'Correct it; if the vendor has changed this, add {rule} to skip_rules.'}",
    )
