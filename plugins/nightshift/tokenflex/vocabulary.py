"""The words of a usage request: categories, fields and metrics, and what type a column of them has.

Token Flex reference, sections 3.4, 3.7 and 3.8. Only the desktop list is complete; of the other categories the vendor's
page is known in part, so a name that is not here may still be right there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum


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
GENERAL_FIELDS = frozenset(
    {
        "productLineCode", "productName", "userName", "usageDate", "usageMonth", "contractYear", "usageCategory",
        "chargedItemID", "tokenPool",
    }
) | CUSTOM_FIELDS  # fmt: skip
DESKTOP_FIELDS = frozenset(
    {
        "chargeCategory", "sessionStartDate", "sessionEndDate", "productVersion", "productFeatureCode", "machineName",
        "licenseServerName", "licenseServerTimeZoneOffset", "usageType",
    }
)  # fmt: skip
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
        "chargedItemID", "chargeCategory", "sessionStartDate", "sessionEndDate", "licenseServerTimeZoneOffset", "hubId",
        "hubName",
    }
)  # fmt: skip
"""One of these makes an export session-level."""
DESKTOP_SESSION_FIELDS = (GENERAL_FIELDS | DESKTOP_FIELDS) - {"tokenPool"}
"""All that a desktop session-level export may name: the vendor's own list of 27."""

ENUM_FIELDS = frozenset({"tokenPool", "usageCategory", "chargeCategory", "usageType"})
"""Fields on which ``where`` takes no wildcard."""

TYPES: Mapping[str, str] = {
    "usageDate": "date",
    "usageMonth": "date",
    "transactionDate": "date",
    "contractYear": "int64",
    "sessionStartDate": "timestamp",
    "sessionEndDate": "timestamp",
    "uniqueProducts": "int64",
    "uniqueUsers": "int64",
    "useCount": "int64",
    "tokensConsumed": "float64",
    "usageMinutes": "float64",
    "usageHours": "float64",
    "quantity": "float64",
}
"""Column types; whatever is not here is text. Session times carry no zone: they are the license server's own wall
clock, whose offset is in ``licenseServerTimeZoneOffset``, and are read in the time zone of the configuration."""

_BY_PLAIN_NAME = {name.lower(): name for name in FIELDS | METRICS}


def plain(name: str) -> str:
    """Return a name as it is compared with a column of the CSV, whose spelling the vendor does not publish.

    >>> plain("Usage Date"), plain("usage_date"), plain("usageDate")
    ('usagedate', 'usagedate', 'usagedate')
    """
    return re.sub(r"[^0-9a-z]", "", name.lower())


def column_type(column: str) -> str:
    """Return the type of a CSV column by its name, however it is spelled; text where the name is not known."""
    return TYPES.get(_BY_PLAIN_NAME.get(plain(column), column), "string")
