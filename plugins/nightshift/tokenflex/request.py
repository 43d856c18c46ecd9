"""What is asked of an export or an ad-hoc query, refused here when the vendor would refuse it.

Token Flex reference, sections 3.1, 3.4 and 3.5.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pydantic import Field

from nightshift.fields import Frozen
from nightshift.tokenflex.vocabulary import (
    ANSWER_NAMES,
    COMPLETE,
    DESKTOP_SESSION_FIELDS,
    FIELDS,
    FIELDS_OF,
    METRICS,
    METRICS_OF,
    SESSION_FIELDS,
    SESSION_METRICS,
    Category,
    Rule,
    Violation,
    broken,
    plain,
)
from nightshift.tokenflex.where import Condition, all_of, check_where, days

MAX_FILE_NAME = 120
DATE_FIELD = "usageDate"
"""Field that nights are compared with where nothing else is said."""
MONTH_FIELD, MONTH_LOOK_BACK = "usageMonth", 30
"""The field that is day 01 of a month, and the nights before each night with which that day is always among them."""
QUEUE_HOURS, EXPORT_HOURS, VENDOR_RETRIES = 24.0, 12.0, 2
"""Waits for a full queue and for one export, and tries of a failed one, where nothing else is said."""
_EXTENSION = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,4}$")
_TYPO = 0.8
"""How alike a name that we do not know has to be to one that we know to be taken for a slip."""


@dataclass(frozen=True, kw_only=True)
class UsageRequest:
    """One request for usage, of an export or of an ad-hoc query.

    :param fields: names to group by; with ``metrics`` at least one in all
    :param metrics: numbers, each computed over the grouping of the fields
    :param categories: usage categories; needed, and just one, where a session-level field is named
    :param where: further criteria, see :mod:`nightshift.tokenflex.where`
    :param file_name: ``downloadFileName`` of an export, without extension
    :param other_names: fields and metrics that exist though they are not known here, such as a customer's own category
    :param skip_rules: rules that are not checked
    :raises Rejected: a rule is broken; the error names the rule and the field
    """

    fields: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    where: str | None = None
    file_name: str | None = None
    other_names: frozenset[str] = frozenset()
    skip_rules: frozenset[Rule] = frozenset()

    def __post_init__(self) -> None:
        for found in self._violations():
            if found.rule not in self.skip_rules:
                raise broken(*found)
        if self.where:
            check_where(self.where, self.skip_rules)

    @property
    def session_fields(self) -> tuple[str, ...]:
        """The fields that make the request session-level."""
        return tuple(name for name in self.fields if name in SESSION_FIELDS)

    def body(self) -> dict[str, Any]:
        """Return the body as the vendor takes it; what is not asked for is left out."""
        given = {
            "fields": list(self.fields),
            "metrics": list(self.metrics),
            "usageCategory": list(self.categories),
            "where": self.where,
            "downloadFileName": self.file_name,
        }
        return {name: value for name, value in given.items() if value}

    def check_query(self) -> None:
        """Refuse what can be exported only.

        :raises Rejected: the request names session-level fields, which the vendor does not query, or a file name
        """
        product = {Category.DESKTOP_PRODUCT, Category.CLOUD_PRODUCT}
        may_be_product = not self.categories or product & set(self.categories)
        if self.session_fields and may_be_product and Rule.SESSION_QUERY not in self.skip_rules:
            raise broken(
                Rule.SESSION_QUERY, self.session_fields[0], "is session-level, which can be exported but not queried"
            )
        if self.file_name is not None and Rule.FILE_NAME not in self.skip_rules:
            raise broken(Rule.FILE_NAME, "downloadFileName", "belongs to an export; a query has none")

    def _violations(self) -> Iterator[Violation]:
        if not self.fields and not self.metrics:
            yield Violation(Rule.SOMETHING_ASKED, "fields", "and metrics are both empty; name at least one")
        for kind, names in (("fields", self.fields), ("metrics", self.metrics), ("usageCategory", self.categories)):
            if twice := next((name for name in names if names.count(name) > 1), None):
                yield Violation(Rule.NO_REPEATS, f"{kind}: {twice}", "is named twice")
        yield from self._categories()
        yield from self._session()
        yield from self._names("fields", self.fields, FIELDS_OF, Rule.KNOWN_FIELD)
        yield from self._names("metrics", self.metrics, METRICS_OF, Rule.KNOWN_METRIC)
        yield from self._file_name()

    def _categories(self) -> Iterator[Violation]:
        for name in self.categories:
            if name in ANSWER_NAMES:
                problem = f"is a name of the vendor's answers; {ANSWER_NAMES[name]} is what a request calls it"
                yield Violation(Rule.KNOWN_CATEGORY, f"usageCategory: {name}", problem)
            elif name not in set(Category):
                yield Violation(
                    Rule.KNOWN_CATEGORY, f"usageCategory: {name}", f"is not known{_nearest(name, Category)}"
                )

    def _names(self, kind: str, names: tuple[str, ...], known_of: Any, rule: Rule) -> Iterator[Violation]:
        categories = [Category(name) for name in self.categories if name in set(Category)]
        known = frozenset[str]().union(*(known_of[category] for category in categories or Category))
        whole = bool(categories) and set(categories) <= COMPLETE and len(categories) == len(self.categories)
        own, other, other_kind = (FIELDS, METRICS, "metric") if kind == "fields" else (METRICS, FIELDS, "field")
        for name in names:
            at = f"{kind}: {name}"
            if name in known or name in self.other_names:
                continue
            if name in other:
                yield Violation(rule, at, f"is a {other_kind} and belongs there")
            elif name in own:
                yield Violation(rule, at, f"does not exist in {', '.join(self.categories)}")
            elif whole or _nearest(name, known, _TYPO):
                advice = (
                    "Correct it; a name that exists all the same, such as a category of your own, goes into other_names"
                )
                yield Violation(
                    rule, at, f"is not known{_nearest(name, known)}", f"{advice}, or {rule} into skip_rules."
                )

    def _session(self) -> Iterator[Violation]:
        if not self.session_fields:
            return
        field = self.session_fields[0]
        if not self.categories:
            problem = "is session-level and needs its category in usageCategory"
            hint = "a field or where of that name is no substitute"
            yield Violation(Rule.SESSION_CATEGORY, f"usageCategory is missing: {field}", f"{problem}; {hint}")
        elif len(self.categories) > 1:
            problem = f"is session-level, where categories may not be mixed; there are {', '.join(self.categories)}"
            yield Violation(Rule.SESSION_SINGLE, f"usageCategory: {field}", problem)
        elif self.categories[0] == Category.DESKTOP_PRODUCT:
            allowed_of = {"fields": DESKTOP_SESSION_FIELDS, "metrics": SESSION_METRICS}
            for kind, name in [*(("fields", one) for one in self.fields), *(("metrics", one) for one in self.metrics)]:
                if name not in (allowed := allowed_of[kind]):
                    problem = f"is not allowed in a desktop session-level export, which {field} makes of it"
                    listed = f"allowed {kind}: {', '.join(sorted(allowed))}"
                    yield Violation(Rule.SESSION_DESKTOP, f"{kind}: {name}", f"{problem}; {listed}")

    def _file_name(self) -> Iterator[Violation]:
        name, bad = self.file_name, '/ \\ " < > | ? * :'
        if name is None:
            return
        if not name.strip() or len(name) > MAX_FILE_NAME or not name.isprintable() or set(bad.split()) & set(name):
            problem = f"is {name!r}; it has 1 to {MAX_FILE_NAME} printable characters and none of {bad}"
            yield Violation(Rule.FILE_NAME, "downloadFileName", problem)
        elif _EXTENSION.search(name):
            problem = f"is {name!r}; leave the extension out, the vendor adds .csv"
            yield Violation(Rule.FILE_NAME, "downloadFileName", problem)


def _nearest(name: str, known: Any, cutoff: float = 0.5) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=1, cutoff=cutoff)
    if near:
        return f"; did you mean {near[0]}?"
    return "" if cutoff == _TYPO else f"; known: {', '.join(sorted(known))}"


def payload_of(request: UsageRequest) -> dict[str, Any]:
    """Return a request as JSON, rules that are switched off included."""
    return {
        "body": request.body(),
        "other_names": sorted(request.other_names),
        "skip_rules": sorted(request.skip_rules),
    }


def file_name(payload: Mapping[str, Any], marker: str) -> str:
    """Return the name of a request's export: what was configured, cut to fit, and the marker."""
    given = payload["body"].get("downloadFileName", "")
    return f"{given[: MAX_FILE_NAME - len(marker) - 1]} {marker}".strip()


def request_of(payload: Mapping[str, Any], marker: str) -> UsageRequest:
    """Return the request that :func:`payload_of` described, under the name of :func:`file_name`."""
    body = payload["body"]
    return UsageRequest(
        fields=tuple(body.get("fields", ())),
        metrics=tuple(body.get("metrics", ())),
        categories=tuple(body.get("usageCategory", ())),
        where=body.get("where"),
        file_name=file_name(payload, marker),
        other_names=frozenset(payload["other_names"]),
        skip_rules=frozenset(Rule(name) for name in payload["skip_rules"]),
    )


class ExportRequest(Frozen):
    """What an export is asked for with, whatever the night. Which fields and metrics go together is the vendor's rules.

    :param category: usage category, or several where no field is session-level
    :param fields: names to group by
    :param metrics: numbers over that grouping
    :param where: further criteria, as the vendor reads them; sent as they are
    :param date_field: field that the nights are compared with, and by which rows belong to them; ``null`` for an export
        without bounds. ``usageMonth``, always the first day of a month, needs a ``look_back`` of 30 or more
    :param look_back: nights before each night that are fetched and replaced with it, because usage arrives late
    :param other_names: fields and metrics that exist though they are not known here, such as a category of your own
    :param skip_rules: local rules that are not checked, by the name that their error shows
    """

    category: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    where: str | None = None
    date_field: str | None = DATE_FIELD
    look_back: int = Field(default=0, ge=0, le=60)
    other_names: tuple[str, ...] = ()
    skip_rules: tuple[str, ...] = ()

    def usage(
        self, night: str | None = None, conditions: Iterable[Condition] = (), *, file_name: str | None = None
    ) -> UsageRequest:
        """Return the request for a night, with its look-back; without a night, for what is asked whatever the night.

        :param conditions: further criteria
        :raises Rejected: a rule is broken
        """
        if self.where and "{{" in self.where:
            raise broken(
                Rule.WHERE_VALUE, "where", "has a template, but is sent as it is", "Put the value into conditions."
            )
        if (
            self.date_field == MONTH_FIELD
            and self.look_back < MONTH_LOOK_BACK
            and Rule.NIGHT_FIELD not in self.skip_rules
        ):
            raise broken(
                Rule.NIGHT_FIELD,
                "date_field",
                f"is {MONTH_FIELD}, which is always the first day of a month: most nights would ask for nothing",
                f"Compare {DATE_FIELD}; or set look_back to {MONTH_LOOK_BACK} or more: each night then brings the "
                "month to date, to the night of its first day; or set date_field to null and put the month into "
                f"where. If the vendor has changed this, add {Rule.NIGHT_FIELD} to skip_rules.",
            )
        bounds = days(self.date_field, nights_of(night, self.look_back)[0], night) if self.date_field and night else ()
        return UsageRequest(
            fields=self.fields,
            metrics=self.metrics,
            categories=self.category,
            where=all_of(self.where, *conditions, *bounds),
            file_name=file_name,
            other_names=frozenset(self.other_names),
            skip_rules=frozenset(Rule(name) for name in self.skip_rules),
        )


def nights_of(night: str, look_back: int) -> tuple[str, ...]:
    """Return the nights that one export is for, in order.

    >>> nights_of("2026-03-01", 1)
    ('2026-02-28', '2026-03-01')
    """
    last = date.fromisoformat(night)
    return tuple((last - timedelta(days=back)).isoformat() for back in range(look_back, -1, -1))


def bounds_of(where: str | None, night: str) -> tuple[str, str] | None:
    """Return the field that the nights were compared with in what was asked for, and the first of them, as
    :meth:`ExportRequest.usage` puts it at the end; ``None`` where nothing bounds the export up to this night.

    >>> bounds_of("contractYear = 2 and usageDate >= '2026-02-27' and usageDate < '2026-03-02'", "2026-03-01")
    ('usageDate', '2026-02-27')
    """
    end = date.fromisoformat(night) + timedelta(days=1)
    found = re.search(rf"(?:^| and )(\w+) >= '(\d{{4}}-\d\d-\d\d)' and (\w+) < '{end}'$", where or "")
    return (found[1], found[2]) if found and found[1] == found[3] else None


def other_column(date_field: str | None, night_column: str | None, fields: Collection[str] = ()) -> str:
    """Say what is wrong where the nights are asked for by one field and replaced by another: what is asked for is then
    not all that a night has, and the rest of it would go. A column of a name that no field has may be the file's own
    word for the one that was asked by, whose spelling the vendor does not publish.

    :param fields: fields of the export
    :return: what is wrong and what to do; empty where nothing is
    """
    known = {plain(name) for name in (*FIELDS, *fields)}
    if not date_field or not night_column or plain(night_column) not in known - {plain(date_field)}:
        return ""
    return (
        f"the nights are asked for by date_field ({date_field}) and replaced by night_column ({night_column}): rows of "
        "a night that the one leaves out would go. Set both to the same field, or date_field to null and say in where "
        f"what is wanted, with every night of look_back whole in {night_column}"
    )
