"""A cell of the grid of reports by nights: what the lake says of one night of one report, and, where the night is not
there, what the task that failed has said. That proves nothing and decides nothing: it is shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec

from nightshift.errors import VendorError
from nightshift.lake.errors import CastError, Damaged, SchemaDrift, UnreadablePage, Unsound
from nightshift.lake.history import NightEntry, TableHistory
from nightshift.nights.whole import is_whole, why_not_whole
from nightshift.redaction import redact

if TYPE_CHECKING:
    from airflow.sdk import Context

WEEKS = 8
"""Weeks whose same weekday a night is compared with."""
LONGEST = 4_000
"""Characters of a message that are kept."""


class CellState(StrEnum):
    """How it stands with one night of one report.

    The lake tells all but ``running`` and ``late``: those are Airflow's and the watch's word.
    """

    PUBLISHED = "published"
    REBUILT = "rebuilt"
    """Published, more than once by runs of its own."""
    EMPTY = "empty"
    """Published, and has no rows."""
    EARLY = "early"
    """Published, of an extract that began before the night was over: what came after that may be missing."""
    RUNNING = "running"
    LATE = "late"
    FAILED = "failed"
    DRIFTED = "drifted"
    """Not published, because the vendor's columns changed in a way that is not let through."""
    UNSOUND = "unsound"
    """Published, but the table has another number of rows of it now: something else changed it."""
    UNPROVEN = "unproven"
    """The table has changed since it was last looked at, and that could not be made up for yet."""
    NEVER = "never"


@lru_cache(maxsize=4096)
def same_weekdays(night: str) -> tuple[str, ...]:
    """Return the nights of the same weekday in the weeks before, the newest first."""
    day = date.fromisoformat(night)
    return tuple((day - timedelta(weeks=number)).isoformat() for number in range(1, WEEKS + 1))


GOOD = frozenset({CellState.PUBLISHED, CellState.REBUILT, CellState.EMPTY})
"""The states of a night that is there and sound."""


class FailureKind(StrEnum):
    """What kept a night from being published."""

    DRIFT = "drift"
    CHECKS = "checks"
    VALUES = "values"
    LANDING = "landing"
    VENDOR = "vendor"
    OTHER = "other"


class NightFailure(msgspec.Struct, frozen=True):
    """A failure of a task.

    :param text: what the task said, without secrets; last what to do
    :param at: when, ISO 8601, UTC
    """

    kind: FailureKind
    text: str
    at: str
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    attempt: int = 0

    @classmethod
    def of(cls, error: BaseException, context: Context) -> NightFailure:
        """Return what an error of a task says."""
        ti = context["ti"]
        return cls(
            kind=kind_of(error),
            text=redact(str(error) or type(error).__name__)[:LONGEST],
            at=datetime.now(UTC).isoformat(),
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            attempt=ti.try_number,
        )


def kind_of(error: BaseException) -> FailureKind:
    """Return what kind of failure an error is."""
    match error:
        case SchemaDrift():
            return FailureKind.DRIFT
        case Unsound():
            return FailureKind.CHECKS
        case CastError():
            return FailureKind.VALUES
        case Damaged() | UnreadablePage():
            return FailureKind.LANDING
        case VendorError():
            return FailureKind.VENDOR
        case _:
            return FailureKind.OTHER


@dataclass(frozen=True)
class Cell:
    """One night of one report.

    :param entry: what the table tells; ``None``: it was not published
    :param failure: the newest failure of a task, where nothing was published since
    :param usual: trailing median of the rows of the same weekday; ``None``: nothing to compare with
    """

    night: str
    state: CellState
    entry: NightEntry | None = None
    failure: NightFailure | None = None
    usual: float | None = None

    @property
    def rows(self) -> int | None:
        """Rows of the night in the table."""
        return None if self.entry is None else self.entry.rows

    @property
    def bytes(self) -> int | None:
        """Size of its files in the table."""
        return None if self.entry is None else self.entry.bytes

    @property
    def seconds(self) -> float | None:
        """From the first request of its extract to the last page."""
        return None if self.entry is None else self.entry.seconds

    @property
    def version(self) -> int | None:
        """Version of the table that brought it."""
        return None if self.entry is None else self.entry.version

    @property
    def extract(self) -> str | None:
        """Name of its extract's folder in the landing."""
        return None if self.entry is None else self.entry.extract

    @property
    def at(self) -> str | None:
        """When it was published, ISO 8601."""
        return None if self.entry is None else self.entry.published

    @property
    def checks(self) -> int:
        """How many checks held when it was committed."""
        return 0 if self.entry is None else self.entry.checks

    @property
    def is_good(self) -> bool:
        """Whether it is there and sound."""
        return self.state in GOOD


@dataclass(frozen=True)
class ReportNights:
    """The nights of one report, as the lake tells them.

    :param history: what its table tells; ``None``: there is no table, or it could not be read
    :param is_proven: the history is that of the table as it is now
    :param failures: night → the newest failure
    :param trouble: why it could not be read; empty: it could
    :param zone: the zone whose midnight ends a night; ``None``: nobody knows, and every night counts as whole
    """

    source: str
    report: str
    history: TableHistory | None
    failures: Mapping[str, NightFailure]
    is_proven: bool = True
    trouble: str = ""
    zone: ZoneInfo | None = None

    def entry(self, night: str) -> NightEntry | None:
        """Return what the table tells of a night; ``None`` where it was not published."""
        return None if self.history is None else self.history.nights.get(night)

    def cell(self, night: str) -> Cell:
        """Return one night."""
        entry, failure = self.entry(night), self.failures.get(night)
        if failure is not None and entry is not None and (entry.published or "") >= failure.at:
            failure = None
        return Cell(night, self._state(night, entry, failure), entry, failure, self.usual(night)[0])

    def why_early(self, night: str) -> str:
        """Return why a night that was published is not whole; empty where it is, or was not published."""
        entry = self.entry(night)
        return "" if entry is None else why_not_whole(night, entry.began, self.zone)

    def usual(self, night: str) -> tuple[float | None, int]:
        """Return the median rows of the same weekday in the weeks before, and of how many nights it is."""
        if self.history is None:
            return None, 0
        known = self.history.usual
        if night not in known:
            nights = self.history.nights
            rows = [nights[one].rows for one in same_weekdays(night) if one in nights]
            known[night] = (float(median(rows)), len(rows)) if rows else (None, 0)
        return known[night]

    def last_good(self, before: str) -> str | None:
        """Return the newest night before this one that is there and sound."""
        nights = (night for night in reversed(self.history.nights if self.history else ()) if night < before)
        return next((night for night in nights if self.cell(night).is_good), None)

    def _state(self, night: str, entry: NightEntry | None, failure: NightFailure | None) -> CellState:
        if not self.is_proven:
            return CellState.UNPROVEN
        early = entry is not None and not is_whole(night, entry.began, self.zone)
        if failure is not None and (entry is None or early):
            return CellState.DRIFTED if failure.kind is FailureKind.DRIFT else CellState.FAILED
        if entry is None:
            return CellState.NEVER
        if not entry.sound:
            return CellState.UNSOUND
        if early:
            return CellState.EARLY
        if entry.rows == 0:
            return CellState.EMPTY
        return CellState.REBUILT if entry.rebuilt else CellState.PUBLISHED


@dataclass(frozen=True)
class Grid:
    """Reports by nights.

    :param nights: as they were asked for
    :param reports: ``(source, report)`` → its nights, in the order of the configuration
    """

    nights: tuple[str, ...]
    reports: Mapping[tuple[str, str], ReportNights]

    def cell(self, source: str, report: str, night: str) -> Cell:
        """Return one cell.

        :raises KeyError: the report was not asked for
        """
        return self.reports[source, report].cell(night)
