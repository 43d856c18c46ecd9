"""What the lake says of a night that was published."""

from __future__ import annotations

from dataclasses import dataclass

from nightshift.lake.checks import CheckResult
from nightshift.lake.commit_note import CommitNote, NightMark


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
    )
