"""The models of the section ``flexnet`` of ``reports.yaml``."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from nightshift.config.reports import Report, Source
from nightshift.config.scalars import Json
from nightshift.flexnet.query import check_query
from nightshift.flexnet.source import FLEXNET
from nightshift.lake.spec import PublishSpec


class FlexNetReport(Report):
    """One report of FlexNet Operations; ``name`` is the vendor's group.

    :param mode: ``interactive`` answers with row and page counts, so that pages come several at a time; ``batch`` may
        not. Default: that of the connection, else ``interactive``
    :param format: ``json``, the default, or ``csv``
    :param page_size: rows a page, 1 to 2500 (the vendor's ``limitRecords``). Default: that of the connection, else 2500
    :param query: filter of the group, an object with the vendor's operators; those that are not documented are sent as
        they are
    :param data_key: key of the rows in a JSON page; default: that of the connection, else ``data``
    """

    mode: Literal["batch", "interactive", "BATCH", "INTERACTIVE"] | None = None
    format: Literal["json", "csv"] | None = None
    page_size: int | None = Field(default=None, ge=1, le=2500)
    query: dict[str, Json] | None = None
    data_key: str | None = Field(default=None, min_length=1)

    @field_validator("query")
    @classmethod
    def _can_be_asked(cls, query: dict[str, Any] | None) -> dict[str, Any] | None:
        if query is not None:
            check_query(query)
        return query

    def publish_spec(self, timezone: str, **more: Any) -> PublishSpec:
        """Return how this report is published."""
        return super().publish_spec(timezone, **({"data_key": self.data_key} if self.data_key else {}), **more)


class FlexNet(Source):
    """The section ``flexnet`` of ``reports.yaml``.

    :param horizon_days: how many days back the vendor has data; ``null`` where the tenant keeps all
    :param date_to: whether the vendor's ``dateTo`` is part of the window; ``auto``, the default, asks the vendor itself
    :param window_overlap_days: days asked for on either side of a night, for reports with a ``night_column``; default:
        none
    :param pages_in_flight: pages asked for at a time where the page count is known; default: 8
    :param reports: the reports that come home, at least one
    """

    connection: str = FLEXNET.default_connection
    horizon_days: int | None = Field(default=30, ge=1)
    date_to: Literal["auto", "inclusive", "exclusive"] | None = None
    window_overlap_days: int | None = Field(default=None, ge=0, le=14)
    pages_in_flight: int | None = Field(default=None, ge=1, le=64)
    reports: tuple[FlexNetReport, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _sound(self) -> FlexNet:
        if self.window_overlap_days and (bare := [r.name for r in self.reports if r.night_column is None]):
            raise ValueError(
                f"window_overlap_days needs a night_column in every report, {bare[0]!r} has none: "
                "its rows would be in two nights"
            )
        return self
