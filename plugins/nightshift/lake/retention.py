"""How long every version of a table stays readable.

A version is read from the log's entries and from files that later ones have removed. Of both, Delta keeps by itself as
much as two properties of the table say: a checkpoint forgets a removed file after a week, and entries of the log are
deleted after 30 days, unless the table says otherwise. A removed file that is forgotten looks like one that nobody ever
committed; so which files a version still needs is read from the entries themselves.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import unquote

import msgspec
from deltalake.exceptions import CommitFailedError
from deltalake.transaction import CommitProperties

from nightshift.lake import objects
from nightshift.lake.transactions import AT_ONCE

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.delta import NightTable

DELETED_FILES = "delta.deletedFileRetentionDuration"
LOG_ENTRIES = "delta.logRetentionDuration"
USUAL = {DELETED_FILES: timedelta(days=7), LOG_ENTRIES: timedelta(days=30)}
"""What counts where a table does not say."""
MARK = "nightshift.retention"
"""Property that says what maintenance has set: what differs from it, somebody else has set."""
MADE_FOR = timedelta(days=30)
"""What a table is made for, the default of ``keep_versions``; maintenance sets what is configured."""
MARGIN = timedelta(days=1)
"""Checkpoints are written, and the log is cut, by the clock of whoever publishes."""
ATTEMPTS = 5
_HOUR = timedelta(hours=1)
_UNITS = {"second": timedelta(seconds=1), "minute": timedelta(minutes=1), "hour": _HOUR}
_UNITS |= {"day": timedelta(days=1), "week": timedelta(weeks=1)}


class _Removed(msgspec.Struct):
    path: str
    deletionTimestamp: int | None = None  # noqa: N815 - Delta's name


class _Action(msgspec.Struct):
    remove: _Removed | None = None


_action = msgspec.json.Decoder(_Action)


def interval(keep: timedelta) -> str:
    """Return the value of both properties by which every version of the last ``keep`` stays readable."""
    return f"interval {hours_of(keep + MARGIN)} hours"


def made_with() -> dict[str, str]:
    """Return the properties of a new table."""
    return dict.fromkeys(USUAL, interval(MADE_FOR))


def hours_of(time: timedelta) -> int:
    """Return a time in hours, rounded up."""
    return -(-time // _HOUR)


def said(properties: Mapping[str, str], name: str) -> timedelta | None:
    """Return how long a table keeps what a property is about; ``None`` where its words are not understood."""
    text = properties.get(name)
    if text is None:
        return USUAL[name]
    found = re.fullmatch(r"\s*(?:interval\s+)?'?(\d+)'?\s+([a-z]+?)s?\s*", text, re.IGNORECASE)
    unit = _UNITS.get(found[2].lower()) if found else None
    return int(found[1]) * unit if found and unit else None


def is_ours(properties: Mapping[str, str], name: str) -> bool:
    """Say whether nobody else has set a property."""
    return properties.get(name) in (None, interval(MADE_FOR), properties.get(MARK, ""))


def hold_versions(table: NightTable, keep: timedelta, say: Callable[[str], object]) -> None:
    """Have a table keep what every version of the last ``keep`` needs, in one commit. Blocks.

    Nothing is set where it keeps as much already, or where another engine has set it.
    """
    for attempt in range(ATTEMPTS):
        now = table.snapshot()
        if now is None:
            return
        there = now.table.metadata().configuration
        short = [name for name in USUAL if (known := said(there, name)) is None or known < keep + MARGIN]
        ours = [name for name in short if is_ours(there, name)]
        for name in sorted({*short} - {*ours}):
            say(f"{table.name}: another engine has set {name} to {there[name]!r}, shorter than keep_versions; left so")
        if not ours:
            return
        value = interval(keep)
        try:
            now.table.alter.set_table_properties(
                {**dict.fromkeys(ours, value), MARK: value},
                raise_if_not_exists=False,
                commit_properties=CommitProperties(max_commit_retries=0),
            )
        except CommitFailedError as error:
            say(f"{table.name}: another writer came first ({str(error)[:120]})")
            time.sleep(0.05 * 2**attempt)
            continue
        say(f"{table.name}: what its versions need is kept for {value.removeprefix('interval ')} from now on")
        return
    say(f"{table.name}: other writers came first {ATTEMPTS} times; the next run sets how long its versions are kept")


def removed_since(store: ObjectStore, entries: Sequence[str], since: datetime) -> set[str]:
    """Return the files that these entries of the log have removed since a moment: a version that was there then has
    them. A small request an entry.

    :param store: of the table's folder
    """
    with ThreadPoolExecutor(AT_ONCE) as readers:
        texts = readers.map(lambda name: objects.read(store, name), entries)
        lines = [line for text in texts for line in (text or b"").splitlines() if b'"remove"' in line]
    removed = [action.remove for action in map(_action.decode, lines) if action.remove is not None]
    last = 1000 * since.timestamp()
    paths = [one.path for one in removed if one.deletionTimestamp is None or one.deletionTimestamp >= last]
    return {*paths, *map(unquote, paths)}
