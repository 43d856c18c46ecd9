"""What the lake shows of the nights that have to be there: the index of the nights, and the landing of those that are
not in it. No run of Airflow is asked, and no table is opened whose index is borne out by its log.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from nightshift.fields import night_of
from nightshift.lake.commit_note import moment_of
from nightshift.local_time import DAY
from nightshift.nights.cells import CellState, FailureKind
from nightshift.nights.index import NightIndex
from nightshift.redaction import redact_words
from nightshift.watch.decide import Key, NightSeen, Sight

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.nights.cells import Cell, Grid
    from nightshift.watch.expected import ExpectedNight, WatchedReport

MOST_WORDS = 300
MOST_LANDINGS = 200
"""Nights whose landing is looked at in one look, the newest first."""
_SIGHTS = {
    FailureKind.DRIFT: Sight.DRIFTED,
    FailureKind.CHECKS: Sight.UNSOUND,
    FailureKind.VALUES: Sight.FAILED,
    FailureKind.LANDING: Sight.FAILED,
    # What else failed may pass at the next attempt: it is the cause when the night is late.
    FailureKind.VENDOR: Sight.FAILING,
    FailureKind.OTHER: Sight.FAILING,
}


@dataclass(frozen=True)
class LakeSeen:
    """What the lake shows.

    :param grid: the index of the nights
    :param blind: reports whose nights cannot be read, each with why
    """

    grid: Grid
    blind: Mapping[str, str]

    def is_known(self, report: WatchedReport) -> bool:
        """Whether a report has brought any night home."""
        found = self.grid.reports[report.source, report.name]
        return bool(found.history and found.history.nights)

    def seen(self, one: ExpectedNight) -> NightSeen:
        """Return what the index shows of a night."""
        return seen_of(self.grid.cell(one.of.source, one.of.name, one.night))


async def look_at(index: NightIndex, reports: Sequence[WatchedReport], first: str, now: datetime) -> LakeSeen:
    """Return what the index of the nights shows of some reports.

    :param first: the first night that is looked at
    :param now: the moment
    """
    sources: dict[str, list[str]] = {}
    for one in reports:
        sources.setdefault(one.source, []).append(one.name)
    # In a zone that is ahead there is one night more.
    days = (now.astimezone(UTC).date() - night_of(first)).days + 2
    nights = [(night_of(first) + n * DAY).isoformat() for n in range(days)]
    zones = {one.source: ZoneInfo(one.timezone) for one in reports}
    grid = await index.read(nights=nights, sources=sources, zones=zones)
    blind = {f"{source}/{name}": row.trouble for (source, name), row in grid.reports.items() if not row.is_proven}
    return LakeSeen(grid, blind)


def seen_of(cell: Cell) -> NightSeen:
    """Return what a cell of the index shows."""
    published = moment_of(cell.at or "")
    if cell.is_good:
        return NightSeen(Sight.SOUND, published)
    if cell.state is CellState.UNPROVEN:
        return NightSeen(Sight.UNKNOWN)
    if cell.state is CellState.UNSOUND and cell.entry is not None:
        why = f"{cell.entry.committed} rows were published, the table has {cell.entry.rows} now"
        # When it was changed nobody has written down.
        return NightSeen(Sight.ALTERED, None, why)
    if cell.state is CellState.EARLY:
        return NightSeen(Sight.EARLY, published)
    if cell.failure is None:
        return NightSeen(Sight.NOTHING)
    words = redact_words(cell.failure.text, MOST_WORDS)
    return NightSeen(_SIGHTS.get(cell.failure.kind, Sight.FAILING), moment_of(cell.failure.at), words)


async def landed(lake: Lake, nights: Iterable[ExpectedNight]) -> dict[Key, NightSeen]:
    """Return what the landing has of nights that are not in their tables; those without anything are left out."""
    store = await asyncio.to_thread(lake.objects)
    newest = sorted(nights, key=lambda one: one.night, reverse=True)[:MOST_LANDINGS]
    found = await asyncio.gather(*(_landing(store, one) for one in newest))
    return {one.key: seen for one, seen in zip(newest, found, strict=True) if seen is not None}


async def _landing(store: Any, one: ExpectedNight) -> NightSeen | None:
    import obstore

    prefix = f"raw/{one.of.source}/{one.of.name}/night={one.night}"
    entries = [entry async for batch in obstore.list(store, prefix=prefix) for entry in batch]
    if not entries:
        return None
    last = max(entry["last_modified"] for entry in entries)
    if any(entry["path"].endswith("/manifest.json") for entry in entries):
        return NightSeen(Sight.BEGUN, last, "it is landed whole, and not published")
    pages = sum(1 for entry in entries if "/page-" in entry["path"])
    return NightSeen(Sight.BEGUN, last, f"{'some' if pages else 'no'} pages are landed, and its end is not")
