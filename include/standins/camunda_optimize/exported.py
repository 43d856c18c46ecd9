"""An exported entity, as the definition exports answer it and the import takes it. The inner shape is assumed."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from include.standins.camunda_optimize.catalog import Kind


class Type(StrEnum):
    """Type of an exported entity."""

    REPORT = "single_process_report"
    COMBINED = "combined_report"
    DASHBOARD = "dashboard"


class Place(msgspec.Struct, frozen=True):
    """A report on a dashboard or in a combined report."""

    id: str


class ReportData(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a report shows; ``reports`` are the parts of a combined one."""

    process_definition_key: str = ""
    kind: Kind = Kind.RAW
    reports: list[Place] = []


class Exported(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One entity.

    :param type: ``exportEntityType``
    :param source_index_version: stands for the Optimize version that it was exported from
    :param tiles: reports of a dashboard
    """

    id: str
    type: Type = msgspec.field(name="exportEntityType")
    source_index_version: int
    name: str = ""
    collection_id: str | None = None
    data: ReportData = ReportData()
    tiles: list[Place] = []
