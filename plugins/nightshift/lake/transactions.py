"""What the transactions of a table say, all of them from one reading of its log.

Asked one by one, ``deltalake`` reads the log from its end for each: for one that is not there, all of it, every time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import msgspec

from nightshift.lake import objects
from nightshift.lake.store import segment
from nightshift.nesting import UNREADABLE

if TYPE_CHECKING:
    from obstore.store import ObjectStore

LOG = "_delta_log"
"""The log, in a table's folder."""
AT_ONCE = 8
LONGEST_TAIL = 500
"""Log entries that are read here, at most: without a checkpoint for as long, something is amiss."""
_Action = msgspec.json.Decoder(dict[str, msgspec.Raw])


class LastCheckpoint(msgspec.Struct):
    """The hint where the newest checkpoint is."""

    version: int
    parts: int | None = None
    v2Checkpoint: Any = None  # noqa: N815 - Delta's name


class _Transaction(msgspec.Struct):
    appId: str  # noqa: N815 - Delta's name
    version: int


_transaction = msgspec.json.Decoder(_Transaction)


def log_of(source: str, report: str) -> str:
    """Return where the log of a report's table is, under the lake.

    :raises ValueError: a name that is not safe as a part of a path
    """
    return f"tables/{segment(source, 'source')}/{segment(report, 'report')}/{LOG}"


def entry_name(version: int, log: str = LOG) -> str:
    """Return the name of a version's log entry.

    :param log: where the log is, as the store calls it
    """
    return f"{log}/{version:020d}.json"


def transactions_at(store: ObjectStore, version: int) -> dict[str, int] | None:
    """Return the transactions of a table at a version, by their names; ``None`` where the log is not one that is read
    here: an entry was cleaned up, or the checkpoint is of another form. Blocks.

    :param store: of the table's folder
    """
    checkpoint = last_checkpoint(store)
    found: dict[str, int] | None = {}
    first = 0
    if checkpoint is not None:
        if checkpoint.parts or checkpoint.v2Checkpoint or checkpoint.version > version:
            return None
        first = checkpoint.version + 1
        found = _of_checkpoint(store, checkpoint.version)
    entries = _entries(store, range(first, version + 1))
    if found is None or entries is None:
        return None
    for entry in entries:
        found.update(transactions_of(entry))
    return found


def transactions_of(entry: bytes) -> dict[str, int]:
    """Return the transactions of one log entry."""
    lines = (line for line in entry.splitlines() if b'"txn"' in line)
    texts = (action["txn"] for action in map(_Action.decode, lines) if "txn" in action)
    return {one.appId: one.version for one in map(_transaction.decode, texts)}


def last_checkpoint(store: ObjectStore, log: str = LOG) -> LastCheckpoint | None:
    """Return the hint where the newest checkpoint is; ``None`` where there is none. Blocks.

    :param log: where the log is, as the store calls it
    """
    text = objects.read(store, f"{log}/_last_checkpoint")
    return None if text is None else msgspec.json.decode(text, type=LastCheckpoint)


def _of_checkpoint(store: ObjectStore, version: int) -> dict[str, int] | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    body = objects.read(store, f"{LOG}/{version:020d}.checkpoint.parquet")
    if body is None:
        return None
    columns = pq.ParquetFile(pa.BufferReader(body)).read(columns=["txn.appId", "txn.version"])
    names, versions = columns.column("txn").combine_chunks().flatten()[:2]
    pairs = zip(names.to_pylist(), versions.to_pylist(), strict=True)
    return {name: number for name, number in pairs if name is not None}


def _entries(store: ObjectStore, versions: Sequence[int]) -> list[bytes] | None:
    """Return log entries, in order; ``None`` where one is not there."""
    if len(versions) > LONGEST_TAIL:
        return None
    with ThreadPoolExecutor(AT_ONCE) as readers:
        found = list(readers.map(lambda version: objects.read(store, entry_name(version)), versions))
    return None if any(entry is None for entry in found) else [entry for entry in found if entry is not None]


def numbers_of(
    table: Any, store: ObjectStore, before: tuple[int, Mapping[str, int]] | None = None
) -> Mapping[str, int] | None:
    """Return the transactions of an opened table; ``None``: they are to be asked for one by one.

    :param before: an earlier version of the same table, and its transactions: only what came since is read
    """
    try:
        if before is not None and (entries := _entries(store, range(before[0] + 1, table.version() + 1))) is not None:
            found = dict(before[1])
            for entry in entries:
                found.update(transactions_of(entry))
            return found
        return transactions_at(store, table.version())
    except (OSError, ValueError, KeyError, *UNREADABLE):
        return None
