"""Whether a night is promoted: complete and sound, and not promoted before."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from nightshift.promotion.record import PromotionRecord, ReportSeen
from nightshift.promotion.rules.progress import deployed
from nightshift.promotion.vocabulary import PromotionOutcome

if TYPE_CHECKING:
    from nightshift.config.promotions import Application

IN_VAIN = frozenset({PromotionOutcome.SKIPPED, PromotionOutcome.ABANDONED, PromotionOutcome.SUPERSEDED})
"""Outcomes of promotions that leave their night to be promoted."""


def lacking(reports: Iterable[ReportSeen]) -> list[str]:
    """Return what keeps a night from being complete, a sentence's part for each report that is missing or not sound."""
    found = []
    for report in reports:
        if report.published is None:
            found.append(f"{report.name} is not published for it")
        elif report.failed:
            found.append(
                f"{report.name} is not sound ({'; '.join(_check_result(report, name) for name in report.failed)})"
            )
    return found


def _check_result(report: ReportSeen, check: str) -> str:
    return f"{check}: {report.checks.get(check) or 'failed'}"


def promoted_before(config: Application, record: PromotionRecord, other: PromotionRecord, *, by_person: bool) -> str:
    """Return why another promotion makes this one needless; empty where it does not.

    :param by_person: a person started it, for this very night
    """
    if other.outcome in IN_VAIN:
        return ""
    if other.night == record.night and not by_person:
        why = f"{record.night} was promoted before ({other.outcome or 'underway'}, run {other.run_id})"
        if _versions(other) == _versions(record):
            return why
        if config.republished == "skip":
            return f"{why}, and was published again since"
    if (other.night or "") > (record.night or "") and config.older == "skip" and deployed(other):
        return f"the newer night {other.night} was promoted before (run {other.run_id})"
    return ""


def _versions(record: PromotionRecord) -> dict[str, int | None]:
    """Return report → the version of its table that brought the night."""
    return {report.name: report.table_version for report in record.reports}
