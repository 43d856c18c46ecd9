"""The fields, metrics and categories that the vendor names (reference 3.4, 3.7, 3.8)."""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """Values of ``usageCategory`` in requests."""

    DESKTOP_PRODUCT = "DESKTOP_PRODUCT"
    CLOUD_PRODUCT = "CLOUD_PRODUCT"
    CLOUD_SERVICE = "CLOUD_SERVICE"
    MANUAL_ADJUSTMENT = "MANUAL_ADJUSTMENT"
    MANUAL_CONSUMPTION = "MANUAL_CONSUMPTION"


CONSUMPTION = {
    Category.DESKTOP_PRODUCT: "PRODUCT_CONSUMPTION",
    Category.CLOUD_PRODUCT: "CLOUD_PRODUCT_CONSUMPTION",
    Category.CLOUD_SERVICE: "CLOUD_CONSUMPTION",
    Category.MANUAL_ADJUSTMENT: "MANUAL_ADJUSTMENT",
    Category.MANUAL_CONSUMPTION: "MANUAL_CONSUMPTION",
}
"""Category → what query results call it."""

CUSTOM = tuple(f"customField{number}" for number in range(1, 11))

FIELDS = (
    "usageMonth",
    "usageDate",
    "contractYear",
    "productName",
    "productLineCode",
    "productVersion",
    "productFeatureCode",
    "userName",
    "machineName",
    "sessionStartDate",
    "sessionEndDate",
    "licenseServerTimeZoneOffset",
    "chargedItemID",
    "chargeCategory",
    "licenseServerName",
    "usageType",
    "usageCategory",
    *CUSTOM,
    "hubId",
    "hubName",
    "tokenPool",
    "reasonType",
    "reasonComment",
    "transactionDate",
)
"""All fields that the stand-in has values for; a row has them in this order."""

AT = {name: index for index, name in enumerate(FIELDS)}

DESKTOP_SESSION_FIELDS = frozenset(FIELDS[: FIELDS.index("hubId")])
"""The 27 fields of a desktop session-level export."""

DESKTOP_SESSION_METRICS = frozenset({"tokensConsumed", "usageMinutes", "usageHours"})


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

ENUM_FIELDS = frozenset({"tokenPool", "usageCategory", "chargeCategory", "usageType"})
"""Fields that take no wildcard in ``where`` (3.9)."""

DATE_FIELDS = frozenset({"usageDate", "usageMonth", "transactionDate"})
SESSION_STAMP_FIELDS = frozenset({"sessionStartDate", "sessionEndDate"})
DAY_FIELDS = frozenset({"usageDate", "usageMonth", "contractYear", "usageCategory"})
"""Fields that have one value for all rows of one category of a day."""

VALUE_FIELDS = ("productName", "userName", "machineName", "licenseServerName")
"""Fields that ``GET /contract/{c}/{field}`` lists."""


def called(category: str) -> str:
    """Return the name of a category in a query's result (3.8)."""
    return CONSUMPTION[Category(category)] if category in CONSUMPTION else category
