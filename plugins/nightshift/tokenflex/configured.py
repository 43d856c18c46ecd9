"""Token Flex's own rules for the section ``tokenflex`` of ``reports.yaml``."""

from __future__ import annotations

from collections.abc import Iterator

from nightshift.config.document import Location
from nightshift.errors import Rejected
from nightshift.fields import nearest
from nightshift.tokenflex.configuration import TokenFlex, UsageExport
from nightshift.tokenflex.request import UsageRequest
from nightshift.tokenflex.vocabulary import Rule, broken
from nightshift.tokenflex.where import Condition

_KEYS = {"usageCategory": "category", "downloadFileName": "name"}


def problems_of(source: TokenFlex) -> Iterator[tuple[Location, str]]:
    """Yield what the vendor would refuse, or not know, with its place in the section."""
    for number, export in enumerate(source.exports):
        for at, problem in _problems(export):
            yield ("exports", number, *at), problem


def _problems(export: UsageExport) -> Iterator[tuple[Location, str]]:
    if unknown := [name for name in export.skip_rules if name not in set(Rule)]:
        yield ("skip_rules",), f"{unknown[0]!r} is not a rule{nearest(unknown[0], [str(one) for one in Rule])}"
        return
    try:
        if export.where and "{{" in export.where:
            raise broken(
                Rule.WHERE_VALUE, "where", "has a template, but is sent as it is", "Put the value into conditions."
            )
        UsageRequest(
            fields=export.fields,
            metrics=export.metrics,
            categories=export.category,
            where=export.where,
            other_names=frozenset(export.other_names),
            skip_rules=frozenset(Rule(name) for name in export.skip_rules),
        )
    except Rejected as error:
        at, problem = _place(error)
        yield at, f"{problem}. {error.advice.removeprefix('Nothing was sent. ')}"
    for number, one in enumerate(export.conditions):
        try:
            Condition(one.field, one.operator, one.value)
        except (Rejected, ValueError) as error:
            yield ("conditions", number), getattr(error, "problem", "") or str(error)


def _place(error: Rejected) -> tuple[Location, str]:
    """Return the key that an error is about, where it begins with one, and the rest of it."""
    word, _, rest = error.problem.partition(" ")
    key = _KEYS.get(word.rstrip(":"), word.rstrip(":"))
    return ((key,), rest) if key in UsageExport.model_fields else ((), error.problem)
