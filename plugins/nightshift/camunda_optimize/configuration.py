"""The models of the section ``camunda_optimize`` of ``reports.yaml``."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from nightshift.camunda_optimize.source import CAMUNDA_OPTIMIZE
from nightshift.config.reports import Report, Source
from nightshift.lake.spec import ColumnType, PublishSpec


class CamundaReport(Report):
    """One report of Camunda Optimize.

    :param report_id: its id at Optimize
    :param variables: process variable → type, one of those of ``types``, for variables that become columns of their own
    :param strict: whether a total that changes while the pages are read is a reason to start over
    """

    report_id: str = Field(min_length=1)
    variables: dict[str, ColumnType] = Field(default_factory=dict)
    strict: bool = True

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this report is published."""
        promote = {"variables": self.variables} if self.variables else {}
        return super().publish_spec(timezone, promote=promote, **more)


class CamundaOptimize(Source):
    """The section ``camunda_optimize`` of ``reports.yaml``.

    A report without ``night_column`` is a snapshot: only the night that has just ended can be taken.

    :param horizon_days: how many days back a report with a ``night_column`` reaches; ``null`` for all
    :param limit: records a page, 1 to 10000. Default: that of the connection, else 10000
    :param reports: the reports that come home, at least one
    """

    connection: str = CAMUNDA_OPTIMIZE.default_connection
    settle_hours: float = Field(default=0, ge=0, le=24)
    horizon_days: int | None = Field(default=None, ge=1)
    limit: int | None = Field(default=None, ge=1, le=10_000)
    reports: tuple[CamundaReport, ...] = Field(min_length=1)
