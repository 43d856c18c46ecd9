"""What the table itself says of a published night: its transactions and the note of its commit, never an event or a mark.

Import it in a running task, or in a thread of a process that never forks afterwards: it loads Arrow and Delta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from nightshift.lake.checks import CheckResult
from nightshift.lake.delta import NightTable

if TYPE_CHECKING:
    from nightshift.lake.snapshot import Snapshot
    from nightshift.lake.store import Lake


@dataclass(frozen=True)
class PublishedNight:
    """A night that was published: it is in the table, and everything that was to be checked held when it was committed.

    :param source: connection type of the source
    :param report: name of the report
    :param night: the night, ``YYYY-MM-DD``
    :param extract: name of the extract that it is; ``None`` where the table's log was cleaned up meanwhile
    :param finished: when the last page of that extract was there, ISO 8601; ``None`` where an earlier version published it
    :param published: when it was committed, ISO 8601; from its files where the log was cleaned up, ``None`` where those are
        none either
    :param rows: its rows as they were committed
    :param version: version of the table that brought it
    :param checks: the verdicts of its commit, as far as they are known, and ``unchanged``: that the table still has as many
        rows of the night as were committed
    :param checks_known: whether the verdicts of its commit could be read. Where the log was cleaned up they cannot be; that
        there was a commit says that all of them held
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

    @property
    def sound(self) -> bool:
        """Whether every check passed, and nobody changed the number of rows since."""
        return all(check.ok for check in self.checks)


def published_night(lake: Lake, source: str, report: str, night: str) -> PublishedNight | None:
    """Return what the table says of a night; ``None`` where it was never published. Blocks.

    Reads the table's log from its last checkpoint on and one commit, however many nights the table has; no data.

    :param lake: where the table is
    :param source: connection type of the source
    :param report: name of the report
    :param night: the night, ``YYYY-MM-DD``
    :raises ValueError: a name that is not safe as a part of a path
    """
    snapshot = NightTable(lake, source, report).snapshot()
    mark = snapshot.mark(night) if snapshot is not None else None
    if snapshot is None or mark is None:
        return None
    note = snapshot.note(night)
    checks = [CheckResult(*check) for check in note.checks] if note else []
    return PublishedNight(
        source=source,
        report=report,
        night=night,
        extract=note.extract if note else None,
        finished=mark.finished,
        published=(note.committed if note else None) or snapshot.written(night),
        rows=mark.rows,
        version=mark.version,
        checks=(*checks, _unchanged(snapshot, night, mark.rows)),
        checks_known=note is not None,
    )


def _unchanged(snapshot: Snapshot, night: str, published: int) -> CheckResult:
    here = snapshot.nights().get(night, 0)
    if here == published:
        return CheckResult("unchanged", True, f"{here} rows, as published")
    return CheckResult(
        "unchanged",
        False,
        f"{published} rows were published, the table has {here} now: something else changed it. Publish the night again",
    )
