"""The index of the nights: what every table tells of its nights, one small object a report, so that nobody opens a
hundred tables for a page.

``nights/<source>/<report>.json`` holds the report's :class:`~nightshift.lake.history.TableHistory`. It is written by
publish after its commit, and is believed only where the table's own log bears it out: a stale, damaged or missing one
is made up for from the table, and written again. Two that write it at once write what they read of the table, so the
one that comes last loses nothing that a reader would not find. ``nights/<source>/<report>/failed-<night>.json`` holds
the newest :class:`~nightshift.nights.cells.NightFailure` of a night that is not published.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from nightshift.lake import objects
from nightshift.lake.errors import LakeError
from nightshift.lake.history import TableHistory, TableLog, history_of
from nightshift.lake.store import Lake, night_segment, segment
from nightshift.nesting import UNREADABLE
from nightshift.nights.cells import Grid, NightFailure, ReportNights
from nightshift.redaction import redact

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from airflow.sdk import Context
    from obstore.store import ObjectStore

    from nightshift.lake.snapshot import Snapshot

log = logging.getLogger(__name__)

FOLDER = "nights"
FORMAT = 1
TABLES_AT_ONCE = 2
"""Tables that are opened at the same time to make up for what the index lacks."""
_FAILED = re.compile(rf"{FOLDER}/(?P<source>[^/]+)/(?P<report>[^/]+)/failed-(?P<night>[0-9-]{{10}})\.json")
PROVED_DAYS = 7
"""Days back of a night of which the index may say that it was not published: its commit would be in the log yet."""
MOST_FAILURES = 1_000
"""Objects of failures that are read for one page, the newest nights first."""
_Report = tuple[str, str]


class _Listing(NamedTuple):
    """What there is of the index.

    :param marks: object → its mark
    :param failures: report → night → the object of its failure
    """

    marks: Mapping[str, str]
    failures: Mapping[_Report, Mapping[str, str]]


class _KeptHistory(msgspec.Struct, frozen=True):
    format: int
    digest: str
    history: msgspec.Raw


class NightIndex:
    """The index of one lake, for a process that looks at it again and again: what has not changed is not read anew."""

    def __init__(self, lake: Lake) -> None:
        self.lake = lake
        self._histories: dict[str, tuple[str, TableHistory | None]] = {}
        self._failures: dict[str, tuple[str, NightFailure | None]] = {}
        self._underway: dict[_Report, asyncio.Task[TableHistory | None]] = {}
        self._tables = asyncio.Semaphore(TABLES_AT_ONCE)

    async def read(
        self,
        *,
        nights: Sequence[str],
        sources: Mapping[str, Collection[str]],
        zones: Mapping[str, ZoneInfo] | None = None,
        patience: float | None = None,
    ) -> Grid:
        """Return reports by nights.

        :param nights: for which failures are looked up
        :param sources: source → its reports
        :param zones: source → the zone whose midnight ends its nights; of one that is missing, every night counts as
            whole
        :param patience: seconds for making up for what the index lacks; what takes longer goes on, and is ``unproven``
            in this answer. ``None``: it is waited for
        """
        store = await asyncio.to_thread(self.lake.objects)
        listing, asked = await _listed(store), frozenset(nights)
        wanted = [(source, report) for source, reports in sources.items() for report in reports]
        rows = await asyncio.gather(
            *(self._row(store, listing, one, asked, patience=patience) for one in dict.fromkeys(wanted))
        )
        ended = zones or {}
        return Grid(tuple(nights), {(row.source, row.report): replace(row, zone=ended.get(row.source)) for row in rows})

    async def _row(
        self,
        store: ObjectStore,
        listing: _Listing,
        one: _Report,
        nights: Collection[str],
        *,
        patience: float | None,
    ) -> ReportNights:
        source, report = one
        try:
            history = await self._history(store, listing.marks, one)
            failures = await self._failures_of(store, listing, one, nights)
            table = TableLog(self.lake, source, report, store)
            if await table.bears_out(history):
                return ReportNights(source, report, history, failures)
            made = self._underway.get(one)
            if made is None or made.done():
                self._underway[one] = made = asyncio.ensure_future(self._made_up(one, history))
            done, _ = await asyncio.wait([made], timeout=patience)
            if not done:
                trouble = "The table has changed, and is being looked at; look again in a moment"
                return ReportNights(source, report, history, failures, is_proven=False, trouble=trouble)
            return ReportNights(source, report, made.result(), failures)
        except Exception as error:
            log.warning("The nights of %s/%s cannot be read", source, report, exc_info=error)
            return ReportNights(source, report, None, {}, is_proven=False, trouble=_trouble_of(error))

    async def _history(self, store: ObjectStore, marks: Mapping[str, str], one: _Report) -> TableHistory | None:
        name = _name_of(*one)
        mark = marks.get(name)
        if mark is None:
            return None
        kept = self._histories.get(name)
        if kept is None or kept[0] != mark:
            self._histories[name] = kept = (mark, _decoded(await objects.aread(store, name), one))
        return kept[1]

    async def _failures_of(
        self, store: ObjectStore, listing: _Listing, one: _Report, nights: Collection[str]
    ) -> dict[str, NightFailure]:
        marks, there = listing.marks, listing.failures.get(one, {})
        names = {night: name for night, name in there.items() if night in nights}
        found = {}
        for night in sorted(names, reverse=True)[:MOST_FAILURES]:
            name = names[night]
            kept = self._failures.get(name)
            if kept is None or kept[0] != marks[name]:
                text = await objects.aread(store, name)
                self._failures[name] = kept = (marks[name], _failure(text))
            if kept[1] is not None:
                found[night] = kept[1]
        return found

    async def _made_up(self, one: _Report, before: TableHistory | None) -> TableHistory | None:
        async with self._tables:
            return await asyncio.to_thread(_update, self.lake, one, before)


def read(
    lake: Lake,
    *,
    nights: Sequence[str],
    sources: Mapping[str, Collection[str]],
    zones: Mapping[str, ZoneInfo] | None = None,
) -> Grid:
    """Return reports by nights. Blocks; see :meth:`NightIndex.read`.

    :param sources: source → its reports
    :param zones: source → the zone whose midnight ends its nights
    """
    return asyncio.run(NightIndex(lake).read(nights=nights, sources=sources, zones=zones))


def record_published(
    lake: Lake, source: str, report: str, nights: Iterable[str], table: Snapshot | None = None
) -> None:
    """Bring the index up to what a report's table has, after a commit. Blocks. Never raises: who reads the index makes
    up for what it lacks.

    :param nights: those that were published; their failures are over
    :param table: the table as it was after that
    """
    try:
        store = lake.objects()
        before = asyncio.run(_read_one(store, (source, report)))
        _update(lake, (source, report), before, table)
        for night in nights:
            asyncio.run(objects.adelete(store, _failure_name(source, report, night)))
    except Exception as error:
        log.warning(
            "The index of the nights of %s/%s could not be written (%s). The night is published all the same; the next "
            "look at the board makes up for it.",
            source,
            report,
            type(error).__name__,
        )


def record_failure(lake: Lake, source: str, report: str, night: str, failure: NightFailure) -> None:
    """Keep why a night is not there. Blocks. Never raises: the task says the same in its log."""
    try:
        body = msgspec.json.encode(failure)
        asyncio.run(objects.awrite(lake.objects(), _failure_name(source, report, night), body))
    except Exception as error:
        log.warning("Why the night failed could not be kept for the board (%s)", type(error).__name__)


def record_error(lake: Lake, source: str, report: str, night: str, error: BaseException, context: Context) -> None:
    """Keep what an error of a task says of a night that is not there. Blocks. Never raises."""
    try:
        record_failure(lake, source, report, night, NightFailure.of(error, context))
    except Exception as unknown:
        log.warning("Why the night failed could not be told (%s)", type(unknown).__name__)


def rebuild(lake: Lake, source: str, report: str) -> TableHistory | None:
    """Make the index of a report anew, from its table alone; ``None`` where there is no table. Blocks."""
    return _update(lake, (source, report), None)


def is_unpublished(lake: Lake, source: str, report: str, night: str) -> bool:
    """Say whether the index proves that a table does not have a night of the last days. Blocks; three small requests,
    where to open the table takes some forty. ``False`` proves nothing.

    Of an older night nothing is proved: with its log entry gone, the index may not know that it came without a row.
    """
    if (datetime.now(UTC).date() - date.fromisoformat(night)).days > PROVED_DAYS:
        return False
    store = lake.objects()
    history = _decoded(objects.read(store, _name_of(source, report)), (source, report))
    if history is None or night in history.nights:
        return False
    return asyncio.run(TableLog(lake, source, report, store).bears_out(history))


async def stale_reports(lake: Lake, sources: Mapping[str, Collection[str]]) -> list[str]:
    """Return the reports (``<source>/<report>``) of which the index does not say what the table says now.

    :param sources: source → its reports
    """
    store = await asyncio.to_thread(lake.objects)
    found = []
    for source, report in ((source, report) for source, reports in sources.items() for report in reports):
        history, table = await _read_one(store, (source, report)), TableLog(lake, source, report, store)
        if not await table.bears_out(history):
            found.append(f"{source}/{report}")
    return found


def _update(
    lake: Lake, one: _Report, before: TableHistory | None, table: Snapshot | None = None
) -> TableHistory | None:
    history = history_of(lake, *one, before, table)
    store = lake.objects()
    if history is None:
        asyncio.run(objects.adelete(store, _name_of(*one)))
    else:
        asyncio.run(objects.awrite(store, _name_of(*one), _encoded(history)))
    return history


async def _read_one(store: ObjectStore, one: _Report) -> TableHistory | None:
    return _decoded(await objects.aread(store, _name_of(*one)), one)


async def _listed(store: ObjectStore) -> _Listing:
    """Return every object of the index."""
    import obstore

    found = [entry async for batch in obstore.list(store, prefix=FOLDER, chunk_size=1000) for entry in batch]
    marks = {entry["path"]: objects.mark_of(entry) for entry in found}
    failures: dict[_Report, dict[str, str]] = {}
    for name in marks:
        if failed := _FAILED.fullmatch(name):
            failures.setdefault((failed["source"], failed["report"]), {})[failed["night"]] = name
    return _Listing(marks, failures)


def _name_of(source: str, report: str) -> str:
    return f"{FOLDER}/{segment(source, 'source')}/{segment(report, 'report')}.json"


def _failure_name(source: str, report: str, night: str) -> str:
    return f"{FOLDER}/{segment(source, 'source')}/{segment(report, 'report')}/failed-{night_segment(night)[6:]}.json"


def _encoded(history: TableHistory) -> bytes:
    body = msgspec.json.encode(history)
    return msgspec.json.encode(_KeptHistory(FORMAT, hashlib.sha256(body).hexdigest(), msgspec.Raw(body)))


def _decoded(text: bytes | None, one: _Report) -> TableHistory | None:
    """Return the history of a report; ``None`` where the object is none, is damaged, or is another report's."""
    if text is None:
        return None
    try:
        kept = msgspec.json.decode(text, type=_KeptHistory)
        if kept.format != FORMAT or hashlib.sha256(bytes(kept.history)).hexdigest() != kept.digest:
            return None
        history = msgspec.json.decode(kept.history, type=TableHistory)
    except UNREADABLE:
        return None
    return history if (history.source, history.report) == one else None


def _failure(text: bytes | None) -> NightFailure | None:
    if text is None:
        return None
    try:
        return msgspec.json.decode(text, type=NightFailure)
    except UNREADABLE:
        return None


def _trouble_of(error: Exception) -> str:
    if isinstance(error, LakeError | ValueError):
        return redact(str(error))
    return (
        f"The lake cannot be read ({type(error).__name__}). Nothing is lost; the log says why. Look at NIGHTSHIFT_LAKE "
        "and at the connection that it names."
    )
