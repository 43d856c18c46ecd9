"""What is recorded with a commit of a night in the table's own log, and the names of a night's transactions. Loads
neither Arrow nor Delta.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Self

import msgspec

NOTE = "nightshift"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class NightMark(msgspec.Struct, frozen=True, kw_only=True):
    """What the transactions of a night say of it; they outlive the commit's own entry in the log.

    :param content: identity of what was published, 62 bits
    :param rows: its rows
    :param version: version of the table that brought it
    :param finished: when its extract was finished, ISO 8601, UTC; ``None`` where an earlier version published it
    """

    content: int
    rows: int
    version: int
    finished: str | None

    @classmethod
    def of(cls, night: str, number_of: Callable[[str], int | None]) -> Self | None:
        """Return what the transactions of a night say; ``None`` where it was never published.

        :param number_of: returns the number of a transaction, by its name
        """
        content, rows, version = (number_of(transaction(night, what)) for what in ("", "rows", "version"))
        if content is None or rows is None or version is None:
            return None
        finished = number_of(transaction(night, "finished"))
        return cls(content=content, rows=rows, version=version, finished=None if finished is None else iso_of(finished))


class CommitNote(msgspec.Struct, frozen=True, kw_only=True):
    """What was recorded with a commit.

    :param content: identity of what was published, in hexadecimal
    :param extract: name of the extract's folder
    :param nights: rows by night
    :param duplicates: rows dropped because one before was identical
    :param outside: rows dropped because they are of other nights
    :param checks: name, verdict and detail of each check
    :param widened: columns that got another type: name, before, now
    :param night: the night that the extract was made for; empty where an earlier version published it
    :param finished: when the extract was finished, ISO 8601; empty where an earlier version published it
    :param seconds: from the extract's first request to its last page
    :param added: columns that the table did not have
    :param committed: when, ISO 8601, UTC; empty until it is read back
    :param begun: see :attr:`nightshift.lake.extract.Manifest.begun`; empty where an earlier version published it
    """

    content: str
    extract: str
    nights: Mapping[str, int]
    duplicates: int = 0
    outside: int = 0
    checks: tuple[tuple[str, bool, str], ...] = ()
    widened: tuple[tuple[str, str, str], ...] = ()
    night: str = ""
    finished: str = ""
    seconds: float | None = None
    added: tuple[str, ...] = ()
    committed: str = ""
    begun: str = ""

    def to_json(self) -> str:
        """Return the note as the text that goes into the log."""
        return msgspec.json.encode({**msgspec.structs.asdict(self), "committed": None}).decode()

    @classmethod
    def of_commit(cls, log: bytes) -> CommitNote | None:
        """Return the note of a commit's log entry, ``None`` where it is not one of ours, or no longer as we wrote it:
        what it said then counts as not known.
        """
        try:
            for line in log.splitlines():
                commit = json.loads(line).get("commitInfo")
                if commit and NOTE in commit:
                    found = json.loads(commit[NOTE]) | {"committed": iso_of(1000 * int(commit.get("timestamp", 0)))}
                    return msgspec.convert(found, cls)
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
            return None
        return None


def transaction(night: str, what: str = "") -> str:
    """Return the name of a night's transaction: what is published, or its ``rows``, ``version`` or ``finished``."""
    return f"{NOTE}/{night}{what and '/' + what}"


def moment_of(text: str) -> datetime | None:
    """Return an ISO 8601 moment, of one without a zone in UTC; ``None`` where it is none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def microseconds_of(moment: str) -> int | None:
    """Return an ISO 8601 moment as microseconds since 1970; ``None`` where it is none."""
    return None if (found := moment_of(moment)) is None else (found - _EPOCH) // timedelta(microseconds=1)


def begun_at(begun: str | None, finished: str | None, seconds: float | None) -> datetime | None:
    """Return the moment of which a night holds what the vendor had, at the latest; ``None``: nobody knows.

    An earlier version has written down when its extract was finished and how long that took; where the log was cleaned
    up, the table knows when it was finished.

    :param begun: see :class:`CommitNote`
    :param finished: when the extract was finished, ISO 8601
    :param seconds: from its first request to its last page; less than 0 where the vendor made it before
    """
    if begun:
        return moment_of(begun)
    ended = moment_of(finished or "")
    return None if ended is None else ended - timedelta(seconds=max(seconds or 0.0, 0.0))


def iso_of(microseconds: int) -> str:
    """Return microseconds since 1970 as an ISO 8601 moment in UTC."""
    return (_EPOCH + timedelta(microseconds=microseconds)).isoformat()


def seconds_between(began: str, ended: str) -> float | None:
    """Return the seconds from one ISO 8601 moment to another; ``None`` where one of them is none."""
    first, last = microseconds_of(began), microseconds_of(ended)
    return None if first is None or last is None else round((last - first) / 1e6, 3)
