"""What reports there are at the stand-in, and what those that are not raw data say."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from include.standins.draw import Draw

COLLECTION = "7ac20f51-0d9b-4a3c-9f0e-51b5a1b6c001"
INVOICES = "e6c5abb1-6a18-44e7-8480-d562d511ba62"
ORDERS = "2f4de3c2-93b0-4a16-9c6b-51b5a1b60002"
EMPTY = "9d0c5a77-18ff-46f5-bb57-51b5a1b60003"
MONTHS = "c18d8c5e-6d0d-4b53-8a1d-51b5a1b60004"
ASSIGNEES = "0a54f0b2-77c5-4a58-9d28-51b5a1b60005"
AGGREGATED = "5be3a2de-20b4-4c07-a8c3-51b5a1b60006"
TOTAL = "81d6b7f9-3c9b-4e55-9a76-51b5a1b60007"
DURATION = "f20c6a34-b6d7-4b0a-8a0c-51b5a1b60008"
COMBINED = "a7e91c08-59b1-4ce1-a8f2-51b5a1b60009"


class Kind(StrEnum):
    """Kind of a report, by the shape of its result."""

    RAW = "raw"
    """Records, one an instance, page by page."""
    LIST = "list"
    """A list of groups: ``{"key", "value", "label"}``."""
    NESTED = "nested"
    """A list of groups of groups."""
    NUMBER = "number"
    """One number."""
    NOTHING = "nothing"
    """One number that does not exist, such as the mean duration of no instance."""
    COMBINED = "combined"
    """Several reports in one; cannot be exported."""


@dataclass(frozen=True)
class Report:
    """One report.

    :param rows: records of a raw data report, groups of an aggregated one; without meaning for the others
    :param process: key of the process definition
    """

    id: str
    name: str
    kind: Kind
    rows: int = 0
    process: str = "invoice"
    collection: str | None = None


def _reports() -> tuple[Report, ...]:
    return (
        Report(INVOICES, "Invoice instances", Kind.RAW, 2_500, "invoice", COLLECTION),
        Report(ORDERS, "Order instances", Kind.RAW, 12_000, "order", COLLECTION),
        Report(EMPTY, "Claims of a process that was never started", Kind.RAW, 0, "claim", COLLECTION),
        Report(MONTHS, "Invoices a month", Kind.LIST, 36, "invoice", COLLECTION),
        Report(ASSIGNEES, "Tasks by assignee", Kind.LIST, 1_500, "order"),
        Report(AGGREGATED, "Duration by month and node", Kind.NESTED, 12, "invoice"),
        Report(TOTAL, "Number of orders", Kind.NUMBER, 0, "order", COLLECTION),
        Report(DURATION, "Mean duration of claims", Kind.NOTHING, 0, "claim"),
        Report(COMBINED, "Invoices and orders", Kind.COMBINED, 0, "invoice", COLLECTION),
    )


@dataclass
class Catalog:
    """The reports, by id."""

    seed: int
    reports: dict[str, Report] = field(default_factory=lambda: {report.id: report for report in _reports()})


def grouped(seed: int, report: Report) -> Any:
    """Return the ``data`` of a report that is not raw data; ``None`` where there is nothing."""
    draw = Draw(seed, "camunda_optimize", report.id)
    if report.kind is Kind.NUMBER:
        return float(draw.integer(1_000, 99_999))
    if report.kind is Kind.LIST:
        return [
            {"key": f"{report.process}-{n:04d}", "value": draw.integer(0, 90_000), "label": _label(draw, n)}
            for n in range(report.rows)
        ]
    if report.kind is Kind.NESTED:
        return [
            {
                "key": f"2026-{n % 12 + 1:02d}-01T00:00:00.000+0200",
                "value": [
                    {"key": node, "value": None if draw.chance(0.2) else draw.integer(1, 9_000_000), "label": label}
                    for node, label in (("approve", "Genehmigen"), ("pay", "Zahlen ✓"))
                ],
                "label": f"Month {n + 1}",
            }
            for n in range(report.rows)
        ]
    return None


def _label(draw: Draw, number: int) -> str:
    return f"{draw.choice(('Łucja', 'José', 'دعاء', 'Müller', '美咲', 'Ada “A.” Byron'))} {number}"
