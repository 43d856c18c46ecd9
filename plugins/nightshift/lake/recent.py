"""What a table says of a night that was published lately, from the newest entries of its log alone.

Whoever asks how the reports of last night stand, asks of the last commits: the newest one that changed a night says all
there is to say of it. To open the table for that would be to read every night of its history. What these few entries do
not tell beyond doubt, nobody is told from here: the table is opened.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.lake import objects
from nightshift.lake.commit_note import CommitNote, NightMark, iso_of, transaction
from nightshift.lake.published import PublishedNight, published_of
from nightshift.lake.spec import NIGHT
from nightshift.lake.transactions import entry_name, last_checkpoint, log_of, transactions_of
from nightshift.nesting import UNREADABLE

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.store import Lake

LOOKED_AT = 12
"""Entries of the log that are read, at most, the newest first."""
_ENTRY = re.compile(r"(?:.*/)?(\d{20})\.json")


class _File(msgspec.Struct):
    path: str
    partitionValues: dict[str, str | None] | None = None  # noqa: N815 - Delta's name
    modificationTime: int = 0  # noqa: N815 - Delta's name
    stats: str | None = None
    deletionVector: Any = None  # noqa: N815 - Delta's name


class _Action(msgspec.Struct):
    add: _File | None = None
    remove: _File | None = None


class _Stats(msgspec.Struct):
    numRecords: int | None = None  # noqa: N815 - Delta's name


_action, _stats = msgspec.json.Decoder(_Action), msgspec.json.Decoder(_Stats)


def recent_night(lake: Lake, source: str, report: str, night: str) -> PublishedNight | None:
    """Return what a table says of a night; ``None`` where its newest entries do not tell, and the table is to be asked.
    Blocks. Looking makes no folder.

    :raises ValueError: a name that is not safe as a part of a path
    """
    log = log_of(source, report)
    store = lake.objects()
    try:
        for version in _newest(store, log):
            entry = objects.read(store, entry_name(version, log))
            if entry is None:
                return None
            numbers, files = transactions_of(entry), _of_night(entry, night)
            mark = NightMark.of(night, numbers.get)
            if mark is not None and mark.version == version:
                return _told(source, report, night, mark, files, CommitNote.of_commit(entry))
            if files or transaction(night) in numbers:
                # Somebody else has changed the night since.
                return None
    except (OSError, ValueError, *UNREADABLE):
        # The library reads more than is read here, and says what is wrong.
        return None
    return None


def _newest(store: ObjectStore, log: str) -> Sequence[int]:
    """Return the versions whose entries are looked at, the newest first."""
    import obstore

    checkpoint = last_checkpoint(store, log)
    after = entry_name(checkpoint.version, log) if checkpoint else f"{log}/"
    names = [entry["path"] for batch in obstore.list(store, prefix=log, offset=after) for entry in batch]
    versions = [int(found[1]) for name in names if (found := _ENTRY.fullmatch(name))]
    newest = max(versions, default=checkpoint.version if checkpoint else -1)
    return range(newest, max(-1, newest - LOOKED_AT), -1)


def _of_night(entry: bytes, night: str) -> list[_Action]:
    """Return the actions of a log entry on files of a night, or on files of which it does not say the night."""
    lines = (line for line in entry.splitlines() if b'"add"' in line or b'"remove"' in line)
    return [one for one in map(_action.decode, lines) if any(_may_be_of(file, night) for file in (one.add, one.remove))]


def _may_be_of(file: _File | None, night: str) -> bool:
    if file is None:
        return False
    if file.partitionValues is not None:
        return file.partitionValues.get(NIGHT) == night
    # The log of a removed file need not say its partition, and its path neither.
    named = re.search(rf"\b{NIGHT}=([0-9-]+)/", file.path)
    return named is None or named[1] == night


def _told(
    source: str,
    report: str,
    night: str,
    mark: NightMark,
    files: Sequence[_Action],
    note: CommitNote | None,
) -> PublishedNight | None:
    """Return what the commit that brought a night says; ``None`` where a file does not say how many rows it has."""
    adds = [one.add for one in files if one.add is not None]
    rows = [_stats.decode(add.stats).numRecords if add.stats else None for add in adds]
    if any(one is None for one in rows) or any(add.deletionVector for add in adds):
        return None
    written = iso_of(1000 * max(add.modificationTime for add in adds)) if adds else None
    return published_of(source, report, night, mark, note, sum(one or 0 for one in rows), written)
