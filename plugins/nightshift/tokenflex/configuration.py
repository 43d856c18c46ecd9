"""The section ``tokenflex`` of ``reports.yaml``: its models, and what the vendor would refuse."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from nightshift.config.document import Location
from nightshift.config.reports import Report, Section, Source
from nightshift.config.scalars import as_json
from nightshift.errors import Rejected
from nightshift.fields import nearest
from nightshift.lake.spec import PublishSpec
from nightshift.tokenflex.request import EXPORT_HOURS, QUEUE_HOURS, VENDOR_RETRIES, ExportRequest, other_column
from nightshift.tokenflex.source import TOKENFLEX
from nightshift.tokenflex.vocabulary import Rule
from nightshift.tokenflex.where import Condition

Operator = Literal["=", "!=", ">=", "<=", "<", "LIKE", "IN", "like", "in"]


class UsageCondition(Section):
    """One comparison of ``where``; the value is quoted for the vendor.

    :param field: name of a field
    :param operator: how it is compared
    :param value: a text, a number, or for ``IN`` a list of them
    """

    field: str = Field(min_length=1)
    operator: Operator = "="
    value: Annotated[str | int | float | tuple[str | int | float, ...], BeforeValidator(as_json)]


class UsageExport(Report, ExportRequest):
    """One usage export. Which fields and metrics go together is checked by the package's own rules when the DAG is
    read.

    :param category: usage category, or several where no field is session-level
    :param fields: names to group by
    :param metrics: numbers over that grouping
    :param where: further criteria, as the vendor reads them
    :param conditions: further criteria that are built here: field, operator, value
    :param contract: contract number, where it is another than the section's
    :param date_field: field that the nights are compared with, and by which rows belong to them; ``null`` for an export
        without bounds. ``usageMonth``, always the first day of a month, needs a ``look_back`` of 30 or more
    :param look_back: nights before each night that are fetched and replaced with it, because usage arrives late
    :param delete_after: delete the export at the vendor when its file is published
    :param other_names: fields and metrics that exist though they are not known here, such as a category of your own
    :param skip_rules: local rules that are not checked, by the name that their error shows
    """

    conditions: tuple[UsageCondition, ...] = ()
    contract: str | None = None
    delete_after: bool = False

    @field_validator("category", mode="before", json_schema_input_type=str | tuple[str, ...])
    @classmethod
    def _one_or_more(cls, given: Any) -> Any:
        return (given,) if isinstance(given, str) else given

    @model_validator(mode="after")
    def _sound(self) -> UsageExport:
        if self.look_back and self.nights_by is None:
            raise ValueError(
                "look_back needs a column that says to which night a row belongs; add usageDate to fields, or name "
                "another in night_column"
            )
        if other := other_column(self.date_field, self.night_column, self.fields):
            raise ValueError(other)
        return self

    @property
    def nights_by(self) -> str | None:
        """The column that says to which night a row belongs: ``night_column``, else the exported date field."""
        return self.night_column or (self.date_field if self.date_field in self.fields else None)

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this export is published."""
        return super().publish_spec(timezone, **more).model_copy(update={"night_column": self.nights_by})


class TokenFlex(Source):
    """The section ``tokenflex`` of ``reports.yaml``.

    The ``pool`` holds every task that asks for or waits for an export. The vendor allows 50 pending exports; a pool of
    50 slots or fewer that counts deferred tasks keeps to it, and without one a full queue is waited for.

    :param contract: contract number of all exports that name no other
    :param export_hours: how long one export is waited for
    :param queue_hours: how long a full queue of the vendor is waited for, by each try of the task
    :param vendor_retries: how often the vendor is asked to try again what it ended in ``Error``
    :param poll_seconds: seconds between two looks at an export, at most
    :param exports: the exports that come home, at least one
    """

    connection: str = TOKENFLEX.default_connection
    contract: str | None = Field(default=None, min_length=1)
    export_hours: float = Field(default=EXPORT_HOURS, gt=0, le=168)
    queue_hours: float = Field(default=QUEUE_HOURS, ge=0, le=168)
    vendor_retries: int = Field(default=VENDOR_RETRIES, ge=0, le=10)
    poll_seconds: float = Field(default=60, ge=12, le=3600)
    exports: tuple[UsageExport, ...] = Field(min_length=1)

    @field_validator("contract", mode="before")
    @classmethod
    def _text(cls, given: Any) -> Any:
        return str(given) if isinstance(given, int) and not isinstance(given, bool) else given

    @property
    def listed(self) -> tuple[UsageExport, ...]:
        """The exports."""
        return self.exports

    @property
    def longest_wait(self) -> timedelta:
        """How long a run may wait, by what is said here, and do nothing else: each try waits for the queue anew."""
        return super().longest_wait + timedelta(hours=self.export_hours + self.queue_hours * (1 + self.retries))

    @model_validator(mode="after")
    def _sound(self) -> TokenFlex:
        if self.contract is None and (bare := [export.name for export in self.exports if export.contract is None]):
            raise ValueError(f"export {bare[0]!r} has no contract; set contract here for all, or in the export")
        return self


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
        export.usage()
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
