"""What a table tells of its nights, in short: made from its own log, and true of exactly one version of it.

A history names the version that it was made of, and the mark that the store gave the log entry of that version (its
ETag). It is believed only as long as that entry is there with this mark and there is none after it. What is newer is
read from the log entries that came since.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.lake import objects
from nightshift.lake.commit_note import CommitNote, begun_at
from nightshift.lake.store import Lake
from nightshift.lake.transactions import entry_name, log_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.snapshot import Snapshot

AT_ONCE = 64
LONGEST_GAP = 31
"""Days without a file, in a row, that are looked up one by one where the log was cleaned up."""
_DAY_TEXT = re.compile(r"\d{4}-\d\d-\d\d")


class NightEntry(msgspec.Struct, frozen=True, array_like=True):
    """A night that was published.

    :param version: version of the table that brought it
    :param committed: its rows as they were committed
    :param rows: its rows in the table, whoever changed it since
    :param bytes: size of its files in the table
    :param published: when it was committed, ISO 8601
    :param finished: when its extract was finished, ISO 8601; ``None`` where that was not recorded
    :param seconds: from the extract's first request to its last page
    :param extract: name of the extract's folder; ``None`` where the log was cleaned up before this was read
    :param night: the night that the extract was made for; a look-back brings others with it
    :param checks: how many checks held
    :param added: columns that the table did not have
    :param widened: columns that got another type: name, before, now
    :param replaced: version of the table that had brought the night before
    :param rebuilt: how often a run of the night itself has replaced it
    :param begun: see :class:`~nightshift.lake.commit_note.CommitNote`; ``None`` where that was not recorded
    """

    version: int
    committed: int
    rows: int
    bytes: int
    published: str | None = None
    finished: str | None = None
    seconds: float | None = None
    extract: str | None = None
    night: str = ""
    checks: int = 0
    added: tuple[str, ...] = ()
    widened: tuple[tuple[str, str, str], ...] = ()
    replaced: int | None = None
    rebuilt: int = 0
    begun: str | None = None

    @property
    def sound(self) -> bool:
        """Whether the table has as many rows of the night as were committed."""
        return self.rows == self.committed

    @property
    def began(self) -> datetime | None:
        """The moment of which it holds what the vendor had, at the latest; ``None``: nobody knows."""
        return begun_at(self.begun, self.finished, self.seconds)


class TableHistory(msgspec.Struct, frozen=True, dict=True):
    """The nights of a table at one version.

    :param proof: mark of the log entry of that version
    :param nights: night → what it is, in order
    """

    source: str
    report: str
    version: int
    proof: str
    nights: dict[str, NightEntry]

    @cached_property
    def usual(self) -> dict[str, tuple[float | None, int]]:
        """Night → what is usual for it, of those that somebody has asked about: it is true as long as the history."""
        return {}


class TableLog:
    """The log of a report's table. Looking at it makes no folder.

    :raises ValueError: a name that is not safe as a part of a path
    """

    def __init__(self, lake: Lake, source: str, report: str, store: ObjectStore | None = None) -> None:
        self._store = lake.objects() if store is None else store
        self._log = log_of(source, report)

    async def mark(self, version: int) -> str | None:
        """Return the mark of the entry of a version; ``None`` where there is none."""
        return await objects.amark(self._store, entry_name(version, self._log))

    async def note(self, version: int) -> tuple[int, CommitNote | None] | None:
        """Return a version and what was recorded with it, if it is ours; ``None`` where the log has no such entry."""
        text = await objects.aread(self._store, entry_name(version, self._log))
        return None if text is None else (version, CommitNote.of_commit(text))

    async def exists(self) -> bool:
        """Say whether there is a table: its first entry, or a checkpoint where that was cleaned up."""
        marks = await asyncio.gather(self.mark(0), objects.amark(self._store, f"{self._log}/_last_checkpoint"))
        return any(marks)

    async def bears_out(self, history: TableHistory | None) -> bool:
        """Say whether a history is that of the table as it is now. Two small requests.

        :param history: ``None``: that there is no table
        """
        if history is None:
            return not await self.exists()
        mark, after = await asyncio.gather(self.mark(history.version), self.mark(history.version + 1))
        return mark == history.proof and after is None


def history_of(
    lake: Lake, source: str, report: str, before: TableHistory | None = None, table: Snapshot | None = None
) -> TableHistory | None:
    """Return what a table tells of its nights now; ``None`` where there is no table. Blocks, and loads Arrow and Delta:
    call it in a running task, or in a thread of a process that never forks afterwards.

    :param before: an earlier history; only what came since is read, where it was of this very table
    :param table: the table as it was looked at before
    """
    from nightshift.lake.delta import NightTable

    now = NightTable(lake, source, report).later(table)
    if now is None:
        return None
    known, commits, proof = asyncio.run(_since(TableLog(lake, source, report), now.version, before))
    nights = _replayed(known, commits)
    if any(commit is None for commit in commits):
        nights = _from_marks(now, nights)
    rows, sizes = now.nights(), now.sizes()
    entries = {
        night: msgspec.structs.replace(entry, rows=rows.get(night, 0), bytes=sizes.get(night, 0))
        for night, entry in sorted(nights.items())
    }
    return TableHistory(source, report, now.version, proof or "", entries)


_Log = Sequence[tuple[int, CommitNote | None] | None]


async def _since(
    log: TableLog, version: int, before: TableHistory | None
) -> tuple[Mapping[str, NightEntry], _Log, str | None]:
    """Return what is known already, the log entries after it (``None``: cleaned up), and the mark of the last one."""
    known = None
    if before is not None and before.version <= version and await log.mark(before.version) == before.proof:
        known = before
    first = known.version + 1 if known else 0
    commits: list[tuple[int, CommitNote | None] | None] = []
    for begin in range(first, version + 1, AT_ONCE):
        lot = range(begin, min(begin + AT_ONCE, version + 1))
        commits += await asyncio.gather(*(log.note(number) for number in lot))
    return known.nights if known else {}, commits, await log.mark(version)


def _replayed(known: Mapping[str, NightEntry], commits: _Log) -> dict[str, NightEntry]:
    """Return the nights after these commits, in order."""
    nights = dict(known)
    for version, note in filter(None, commits):
        for night, rows in note.nights.items() if note is not None else ():
            earlier = nights.get(night)
            again = earlier is not None and note is not None and note.night == night
            nights[night] = NightEntry(
                version=version,
                committed=rows,
                rows=rows,
                bytes=0,
                replaced=earlier.version if earlier else None,
                rebuilt=(earlier.rebuilt if earlier else 0) + again,
                **_told(note),
            )
    return nights


def _told(note: CommitNote | None) -> dict[str, Any]:
    if note is None:
        return {}
    return {
        "published": note.committed,
        "finished": note.finished or None,
        "seconds": note.seconds,
        "extract": note.extract,
        "night": note.night,
        "checks": len(note.checks),
        "added": note.added,
        "widened": note.widened,
        "begun": note.begun or None,
    }


def _from_marks(now: Snapshot, nights: Mapping[str, NightEntry]) -> dict[str, NightEntry]:
    """Return the nights with those whose log entries were cleaned up, as the table's transactions tell them.

    A night without rows has no file that would name it; so the days between two nights that are known are asked about
    as well.
    """
    found = dict(nights)
    for night in _with_days_between({*nights, *now.nights()}):
        mark = now.mark(night)
        if mark is None or (night in found and found[night].version == mark.version):
            continue
        earlier = found.get(night)
        found[night] = NightEntry(
            version=mark.version,
            committed=mark.rows,
            rows=mark.rows,
            bytes=0,
            published=now.written(night),
            finished=mark.finished,
            replaced=earlier.version if earlier else None,
            rebuilt=earlier.rebuilt if earlier else 0,
        )
    return found


def _with_days_between(nights: Collection[str]) -> list[str]:
    days = sorted(date.fromisoformat(night) for night in nights if _DAY_TEXT.fullmatch(night))
    found = {day.isoformat() for day in days}
    for earlier, later in pairwise(days):
        gap = (later - earlier).days
        if gap <= LONGEST_GAP:
            found |= {(earlier + timedelta(days=number)).isoformat() for number in range(1, gap)}
    return sorted(found)
