"""The vendor's rules for a usage request, by name, and the error for a request that breaks one."""

from __future__ import annotations

from enum import StrEnum

from nightshift.errors import Rejected

VENDOR = "Token Flex"
DEFAULT_CONN = "tokenflex_default"
EXPORT_ADAPTER = "nightshift.tokenflex.adapter.TokenFlexExportAdapter"
"""Named, not imported: a DAG is parsed without an HTTP client."""


class Rule(StrEnum):
    """What is checked before anything is sent; each can be switched off by its name, because the vendor may change it."""

    SOMETHING_ASKED = "fields-or-metrics"
    """At least one field or metric."""
    NO_REPEATS = "named-once"
    """No field, metric or category twice."""
    KNOWN_CATEGORY = "known-category"
    KNOWN_FIELD = "known-field"
    """A field of the categories that are asked for."""
    KNOWN_METRIC = "known-metric"
    SESSION_CATEGORY = "session-level-category"
    """A session-level field needs the category in ``usageCategory``; a field or ``where`` of that name is no substitute."""
    SESSION_SINGLE = "session-level-single-category"
    """Session-level usage of different categories may not be mixed."""
    SESSION_DESKTOP = "session-level-desktop-list"
    """A desktop session-level export takes only the vendor's list of fields and metrics."""
    SESSION_QUERY = "session-level-export-only"
    """Session-level usage can be exported, not queried."""
    FILE_NAME = "file-name"
    """``downloadFileName`` has no extension; the vendor adds its own."""
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
        advice=f"Nothing was sent. {advice or f'Correct it; if the vendor has changed this, add {rule} to skip_rules.'}",
    )
