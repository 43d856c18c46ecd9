"""A Delta table at one version: its nights, what was recorded with each of them, and its columns. No data is read."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
from deltalake import QueryBuilder
from deltalake.exceptions import DeltaError

from nightshift.lake import objects
from nightshift.lake.commit_note import CommitNote, NightMark, begun_at, iso_of, transaction
from nightshift.lake.errors import Damaged
from nightshift.lake.published import PublishedNight, published_of
from nightshift.lake.spec import NIGHT, Column, decimal_of
from nightshift.lake.transactions import AT_ONCE, entry_name, numbers_of

if TYPE_CHECKING:
    import deltalake
    from obstore.store import ObjectStore

KIND = "nightshift.type"
DELETION_VECTORS = "deletionVectors"
"""The feature of a table that may have files with rows that do not count."""
_TOLD = ["path", "size_bytes", "modification_time", "num_records", f"partition.{NIGHT}"]
_KINDS = {
    "string": "string",
    "long": "int64",
    "double": "float64",
    "boolean": "bool",
    "date": "date",
    "timestamp": "timestamp",
    # Made by another engine: values are cast to ours and then to these, each exactly; see nightshift.lake.foreign.
    "integer": "int64",
    "short": "int64",
    "byte": "int64",
    "float": "float64",
}


class Snapshot:
    """A table at one version.

    :param before: an earlier version of the same table
    """

    def __init__(self, table: deltalake.DeltaTable, store: ObjectStore, before: Snapshot | None = None) -> None:
        self._table: deltalake.DeltaTable | None = table
        self._store = store
        self._before = before.known_transactions if before is not None else None
        self.version: int = table.version()
        self._mark = objects.mark(store, entry_name(self.version))
        self.fields: list[dict[str, Any]] = json.loads(table.schema().to_json())["fields"]
        self._may_have_vectors = DELETION_VECTORS in (table.protocol().reader_features or ())
        # Of hundreds of nights, the bounds of every column would be made objects for nothing.
        files = pa.table(table.get_add_actions(flatten=True))
        told = [name for name in _TOLD if name in files.column_names]
        self._files: list[dict[str, Any]] = files.select(told).to_pylist()

    @property
    def table(self) -> deltalake.DeltaTable:
        """The table as the library has opened it.

        :raises RuntimeError: a later snapshot has it
        """
        if self._table is None:
            raise RuntimeError("this snapshot was brought up to date; ask the later one")
        return self._table

    def later(self, version: int | None = None) -> Snapshot | None:
        """Return the table as it is now; only what came since is read, which takes some five small requests where to
        open it takes thirty. What was read of this snapshot stays, but its :attr:`table` goes to the later one.

        :param version: the one that it has to be now
        :return: ``None`` where it is another version, or is not known to be the same table: it has to be opened anew
        """
        table, self._table = self._table, None
        if table is None or self._mark is None:
            return None
        try:
            table.update_incremental()
        except (DeltaError, OSError):
            # Whoever opens it is told what is wrong.
            return None
        # Afterwards: a table that was made anew meanwhile has another entry there.
        if objects.mark(self._store, entry_name(self.version)) != self._mark:
            return None
        return None if version is not None and table.version() != version else Snapshot(table, self._store, self)

    @property
    def columns(self) -> list[Column]:
        """The columns but the night; the type of one that is not ours to write is ``None``."""
        return [Column(name=field["name"], type=kind_of(field)) for field in self.fields if field["name"] != NIGHT]

    def nights(self) -> dict[str, int]:
        """Return rows by night as any engine reads them, from the statistics of the files, less what another engine has
        deleted by deletion vectors.

        :raises Damaged: a deletion vector is gone
        """
        found: dict[str, int] = {}
        uncounted = set()
        for file in self._files:
            night, rows = str(file[f"partition.{NIGHT}"]), file["num_records"]
            found[night] = found.get(night, 0) + (rows or 0) - self._deleted.get(unquote(file["path"]), 0)
            if rows is None:
                uncounted.add(night)
        return dict(sorted((found | {night: self._counted(night) for night in uncounted}).items()))

    @cached_property
    def _deleted(self) -> Mapping[str, int]:
        """Rows that deletion vectors take out of files, by the path of each. Only a table that may have some is asked:
        the library reads every one of them.
        """
        if not self._may_have_vectors:
            return {}
        paths = frozenset(unquote(file["path"]) for file in self._files)
        try:
            vectors = pa.table(self.table.deletion_vectors())
        except DeltaError as error:
            raise Damaged(
                f"Version {self.version} of the table {self.table.table_uri} has rows that another engine has deleted "
                f"by deletion vectors, and one of those cannot be read ({str(error)[:300]}): no engine knows which "
                "rows these are. Nothing was changed. Restore a version from before there (RESTORE TABLE … TO VERSION "
                "AS OF …), then clear this task."
            ) from None
        named = zip(vectors.column("filepath").to_pylist(), vectors.column("selection_vector"), strict=True)
        return {_path_in(paths, unquote(uri)): kept.values.false_count for uri, kept in named}

    def _counted(self, night: str) -> int:
        """Return the rows of a night with a file of which the log does not say how many it has."""
        engine = QueryBuilder().register("it", self.table)
        rows = engine.execute(f"SELECT count(*) AS rows FROM it WHERE {NIGHT} = '{night}'")  # noqa: S608 - a day
        counted: int = pa.table(rows).column("rows")[0].as_py()
        return counted

    def size_of(self, nights: Collection[str]) -> int:
        """Return the size of the files of these nights, in bytes."""
        return sum(size for night, size in self.sizes().items() if night in nights)

    def sizes(self) -> dict[str, int]:
        """Return the size of the files of each night, in bytes."""
        found: dict[str, int] = {}
        for file in self._files:
            night = str(file[f"partition.{NIGHT}"])
            found[night] = found.get(night, 0) + file["size_bytes"]
        return found

    def files(self) -> list[tuple[str, str | None]]:
        """Return the path of every file, and its night."""
        nights = [(file["path"], file[f"partition.{NIGHT}"]) for file in self._files]
        return [(path, None if night is None else str(night)) for path, night in nights]

    def written(self, night: str) -> str | None:
        """Return when the newest file of a night was written, ISO 8601; ``None`` where it has none."""
        times = [file["modification_time"] for file in self._files if str(file[f"partition.{NIGHT}"]) == night]
        return iso_of(1000 * max(times)) if times else None

    def mark(self, night: str) -> NightMark | None:
        """Return what the transactions of a night say; ``None`` where it was never published."""
        return NightMark.of(night, self._transaction)

    def _transaction(self, name: str) -> int | None:
        if (known := self._transactions) is not None:
            return known.get(name)
        found: int | None = self.table.transaction_version(name)
        return found

    @cached_property
    def _transactions(self) -> Mapping[str, int] | None:
        return numbers_of(self.table, self._store, self._before)

    @property
    def known_transactions(self) -> tuple[int, Mapping[str, int]] | None:
        """The version and its transactions, where they were read."""
        found: Mapping[str, int] | None = self.__dict__.get("_transactions")
        return None if found is None else (self.version, found)

    def newer(self, nights: Collection[str], finished: int | None) -> dict[str, str]:
        """Return those of these nights that are of an extract that was finished later, with when that was, ISO 8601.

        :param finished: when an extract was finished, microseconds since 1970; of one that does not say, none is newer
        """
        if finished is None:
            return {}
        marks = {night: self._transaction(transaction(night, "finished")) for night in nights}
        return {night: iso_of(there) for night, there in marks.items() if there is not None and there > finished}

    def holds(self, content: int, nights: Mapping[str, int | None] | Mapping[str, int]) -> bool:
        """Say whether these nights are exactly this content, as it was published."""
        here = self.nights()
        for night, rows in nights.items():
            mark = self.mark(night)
            if mark is None or mark.content != content or mark.rows != here.get(night, 0):
                return False
            if rows is not None and rows != mark.rows:
                return False
        paths = [file["path"] for file in self._files if str(file[f"partition.{NIGHT}"]) in nights]
        return all(f"/{content:016x}-" in path for path in paths)

    def missing(self, nights: Collection[str]) -> list[str]:
        """Return the files of these nights that the store does not have any more. A small request a file; one that
        another engine keeps outside of the table's folder is not looked at.
        """
        paths = [path for path, night in self.files() if night in nights and "://" not in path]
        with ThreadPoolExecutor(AT_ONCE) as lookers:
            there = list(lookers.map(lambda path: objects.exists(self._store, path), paths))
        return [path for path, is_there in zip(paths, there, strict=True) if not is_there]

    def note(self, night: str) -> CommitNote | None:
        """Return what was recorded when this night was committed; ``None`` where the log does not go back that far."""
        mark = self.mark(night)
        log = objects.read(self._store, entry_name(mark.version)) if mark else None
        return None if log is None else CommitNote.of_commit(log)

    def began(self, night: str) -> datetime | None:
        """Return the moment of which a night holds what the vendor had, at the latest; ``None``: nobody knows."""
        mark, note = self.mark(night), self.note(night)
        return begun_at(note.begun if note else None, mark.finished if mark else None, note.seconds if note else None)

    def published(self, source: str, report: str, night: str) -> PublishedNight | None:
        """Return what the table says of a night; ``None`` where it was never published. Reads one commit, and no
        data.
        """
        mark = self.mark(night)
        if mark is None:
            return None
        return published_of(
            source, report, night, mark, self.note(night), self.nights().get(night, 0), self.written(night)
        )


def _path_in(paths: frozenset[str], uri: str) -> str:
    """Return the file of the table that a URI is: the longest path that it ends with."""
    parts = uri.split("/")
    ends = ("/".join(parts[start:]) for start in range(len(parts)))
    return max(paths.intersection(ends), key=len)


def kind_of(field: Mapping[str, Any]) -> str | None:
    """Return our word for the type of a table's column; ``None`` where it is not one of ours."""
    delta = field["type"]
    if not isinstance(delta, str):
        return None
    return field["metadata"].get(KIND) or _KINDS.get(delta) or (delta if decimal_of(delta) else None)
