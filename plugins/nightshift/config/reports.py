"""The models of ``reports.yaml``: which reports each source brings home, and how."""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from nightshift.config.mistakes import nearest
from nightshift.config.written import Json
from nightshift.lake.spec import Checks, ColumnType, CsvSpec, PublishSpec, SchemaRules


def _timezone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"is not the name of a time zone{nearest(name, available_timezones(), few=True)}")
    return name


def _day(text: str) -> str:
    try:
        if date.fromisoformat(text).isoformat() == text:
            return text
    except ValueError:
        pass
    raise ValueError("is not a day; give YYYY-MM-DD")


def _segment(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}", name):
        raise ValueError("a name has letters, digits, '_' and '-' only, at most 100, and starts with a letter or digit")
    return name


TimeZone = Annotated[str, AfterValidator(_timezone)]
Name = Annotated[str, AfterValidator(_segment)]


class Section(BaseModel):
    """A part of the configuration: unknown keys are mistakes, and nothing changes after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Source(Section):
    """What all sources have.

    :param connection: id of the Airflow connection
    :param timezone: zone whose midnight ends a night: the vendor's server time
    :param settle_hours: hours after midnight before a scheduled night is fetched (vendors' warehouses lag)
    :param pool: Airflow pool of every task that talks to the vendor
    :param retries: how often Airflow tries a task again
    :param start: first night that a backfill may ask for
    """

    connection: str = Field(min_length=1)
    timezone: TimeZone = "UTC"
    settle_hours: float = Field(default=4, ge=0, le=24)
    pool: str = "default_pool"
    retries: int = Field(default=3, ge=0, le=20)
    start: Annotated[str, AfterValidator(_day)] = "2020-01-01"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)


class Report(Section):
    """What a report of any source has: its name in the lake, and how its rows become a table.

    :param name: name of the report and of its table
    :param key: columns that identify a row; duplicates are found by them, and identical ones dropped
    :param types: column → type, where the vendor's data model is silent or wrong
    :param checks: what must hold before a night is published
    :param schema_rules: which changes of the vendor's columns are let through
    :param night_column: date column that says to which night a row belongs; rows of other nights are dropped and
        counted
    :param csv: how CSV is written, for reports that come as CSV
    :param empty_as_null: an empty string in a column that is not text is no value, instead of a mistake
    """

    name: Name
    key: tuple[str, ...] = ()
    types: dict[str, ColumnType] = Field(default_factory=dict)
    checks: Checks = Checks()
    schema_rules: SchemaRules = SchemaRules()
    night_column: str | None = None
    empty_as_null: bool = False
    csv: CsvSpec = CsvSpec()

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this report is published; ``timezone`` reads time stamps that name no zone."""
        shared = ("key", "types", "checks", "schema_rules", "night_column", "empty_as_null", "csv")
        return PublishSpec(**{name: getattr(self, name) for name in shared}, timezone=timezone, **more)


class FlexNetReport(Report):
    """One report of FlexNet Operations; ``name`` is the vendor's group.

    :param mode: ``interactive`` answers with row and page counts, so that pages come several at a time; ``batch`` may
        not
    :param format: ``json`` or ``csv``
    :param page_size: rows a page, 1 to 2500 (the vendor's ``limitRecords``)
    :param query: filter of the group, an object with the vendor's operators
    :param data_key: key of the rows in a JSON page; default: that of the connection, else ``data``
    """

    mode: Literal["batch", "interactive", "BATCH", "INTERACTIVE"] = "interactive"
    format: Literal["json", "csv"] = "json"
    page_size: int = Field(default=2500, ge=1, le=2500)
    query: dict[str, Json] | None = None
    data_key: str | None = Field(default=None, min_length=1)

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this report is published."""
        return super().publish_spec(timezone, **({"data_key": self.data_key} if self.data_key else {}), **more)


class FlexNet(Source):
    """The section ``flexnet`` of ``reports.yaml``.

    :param horizon_days: how many days back the vendor has data; ``null`` where the tenant keeps all
    :param date_to: whether the vendor's ``dateTo`` is part of the window; ``auto`` asks the vendor itself
    :param window_overlap_days: days asked for on either side of a night, for reports with a ``night_column``
    :param pages_in_flight: pages asked for at a time where the page count is known
    :param reports: the reports that come home, at least one
    """

    connection: str = "flexnet_default"
    horizon_days: int | None = Field(default=30, ge=1)
    date_to: Literal["auto", "inclusive", "exclusive"] = "auto"
    window_overlap_days: int = Field(default=0, ge=0, le=14)
    pages_in_flight: int = Field(default=8, ge=1, le=64)
    reports: tuple[FlexNetReport, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> FlexNet:
        _once([report.name for report in self.reports])
        if self.window_overlap_days and (bare := [r.name for r in self.reports if r.night_column is None]):
            raise ValueError(
                f"window_overlap_days needs a night_column in every report, {bare[0]!r} has none: its rows would be in two nights"
            )
        return self


class CamundaReport(Report):
    """One report of Camunda Optimize.

    :param report_id: its id at Optimize
    :param variables: process variable → type, for variables that become columns of their own
    :param strict: whether a total that changes while the pages are read is a reason to start over
    """

    report_id: str = Field(min_length=1)
    variables: dict[str, ColumnType] = Field(default_factory=dict)
    strict: bool = True


class CamundaOptimize(Source):
    """The section ``camunda_optimize`` of ``reports.yaml``.

    A report without ``night_column`` is a snapshot: only the night that has just ended can be taken.

    :param horizon_days: how many days back a report with a ``night_column`` reaches; ``null`` for all
    :param limit: records a page, 1 to 10000
    :param reports: the reports that come home, at least one
    """

    connection: str = "camunda_optimize_default"
    settle_hours: float = Field(default=0, ge=0, le=24)
    horizon_days: int | None = Field(default=None, ge=1)
    limit: int = Field(default=10_000, ge=1, le=10_000)
    reports: tuple[CamundaReport, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> CamundaOptimize:
        _once([report.name for report in self.reports])
        return self


def _once(names: list[str]) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"report {twice[0]!r} is listed twice; a table has one report")
