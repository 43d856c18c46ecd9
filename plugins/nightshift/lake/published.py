"""What a publish did, and what the lake says of a night that was published."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from nightshift.lake.checks import CheckResult
from nightshift.lake.commit_note import CommitNote, NightMark, begun_at

if TYPE_CHECKING:
    from nightshift.lake.snapshot import Snapshot


@dataclass(frozen=True)
class Published:
    """What a publish did.

    :param rows: rows that the table has of the nights that were asked for
    :param bytes: size of their files
    :param version: version of the table that has them
    :param duplicates: rows dropped because one before was identical
    :param outside: rows dropped because they are of other nights
    :param nights: rows by night
    :param checks: the verdicts
    :param added: columns that the table did not have
    :param known: those of the nights that the table had before, of whatever extract, each with the moment of which it
        held what the vendor had; ``None``: nobody knows, or it is the night of the extract
    :param already: nothing was committed: the table had exactly this content before, or newer extracts of its nights
    :param kept: nights that were left as they are because the table has an extract of them that was finished later,
        with when that was, ISO 8601
    :param overruled: nights that were of an extract that was finished later, and were replaced because it was forced
    :param widened: columns that got another type, in the older nights too: name → type before and now
    :param table: the table at that version
    """

    rows: int
    bytes: int
    version: int
    duplicates: int
    outside: int
    nights: Mapping[str, int]
    checks: tuple[CheckResult, ...]
    added: tuple[str, ...] = ()
    known: Mapping[str, datetime | None] = field(default_factory=dict)
    already: bool = False
    kept: Mapping[str, str] = field(default_factory=dict)
    overruled: Mapping[str, str] = field(default_factory=dict)
    widened: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    table: Snapshot | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class PublishedNight:
    """A night that was published: it is in the table, and everything that was to be checked held when it was committed.

    :param source: connection type of the source
    :param report: name of the report
    :param night: the night, ``YYYY-MM-DD``
    :param extract: name of the extract that it is; ``None`` where the table's log was cleaned up meanwhile
    :param finished: when the last page of that extract was there, ISO 8601; ``None`` where an earlier version published
        it
    :param published: when it was committed, ISO 8601; from its files where the log was cleaned up, ``None`` where those
        are none either
    :param rows: its rows as they were committed
    :param version: version of the table that brought it
    :param checks: the verdicts of its commit, as far as they are known, and ``unchanged``: that the table still has as
        many rows of the night as were committed
    :param began: the moment of which it holds what the vendor had, at the latest; ``None``: nobody knows
    :param checks_known: whether the verdicts of its commit could be read. Where the log was cleaned up they cannot be;
        that there was a commit says that all of them held
    """

    source: str
    report: str
    night: str
    extract: str | None
    finished: str | None
    published: str | None
    rows: int
    version: int
    checks: tuple[CheckResult, ...]
    checks_known: bool
    began: datetime | None = None

    @property
    def sound(self) -> bool:
        """Whether every check passed, and nobody changed the number of rows since."""
        return all(check.ok for check in self.checks)


def published_of(
    source: str, report: str, night: str, mark: NightMark, note: CommitNote | None, here: int, written: str | None
) -> PublishedNight:
    """Return what a table says of a night.

    :param mark: what the transactions of the night say
    :param note: what was recorded with its commit; ``None`` where the log does not go back that far
    :param here: rows that the table has of it now
    :param written: when the newest of its files was written, ISO 8601
    """
    detail = f"{here} rows, as published"
    if here != mark.rows:
        detail = f"{mark.rows} rows were published, the table has {here} now: something else changed it. "
        detail += "Publish the night again"
    unchanged = CheckResult("unchanged", here == mark.rows, detail)
    return PublishedNight(
        source=source,
        report=report,
        night=night,
        extract=note.extract if note else None,
        finished=mark.finished,
        published=(note.committed if note else None) or written,
        rows=mark.rows,
        version=mark.version,
        checks=(*(CheckResult(*check) for check in (note.checks if note else ())), unchanged),
        checks_known=note is not None,
        began=begun_at(note.begun if note else None, mark.finished, note.seconds if note else None),
    )
