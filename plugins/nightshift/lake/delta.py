"""The Delta tables of the lake: what is in them, and the one commit that replaces nights.

Files are written by us and committed with ``deltalake``'s transaction API at exactly one version above the snapshot
that was read. The library's own commit retries are off: with them, two writers of a night that is new to the table both
succeed, and its rows are there twice. On object stores the log entry is put on the condition that it does not exist.
"""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, CommitProperties, Transaction, create_table_with_add_actions

from nightshift.lake import objects
from nightshift.lake.columns import same_storage
from nightshift.lake.commit_note import NOTE, CommitNote, transaction
from nightshift.lake.errors import Contended, SchemaDrift
from nightshift.lake.foreign import Stored, refuse_foreign, stored_by
from nightshift.lake.published import PublishedNight
from nightshift.lake.recent import recent_night
from nightshift.lake.retention import made_with
from nightshift.lake.snapshot import KIND, Snapshot, kind_of
from nightshift.lake.spec import NIGHT, Column
from nightshift.lake.store import Lake
from nightshift.lake.transactions import entry_name, transactions_of
from nightshift.lake.widening import OtherNights

if TYPE_CHECKING:
    from obstore.store import ObjectStore

log = logging.getLogger(__name__)

ATTEMPTS = 40
CHECKPOINT_EVERY = 10
"""Commits after which a checkpoint is written. An open reads the checkpoint, and each entry since."""
LONGEST_WAIT = 2.0
REFUSALS = 3
_DELTA = {
    "string": "string",
    "json": "string",
    "int64": "long",
    "float64": "double",
    "bool": "boolean",
    "date": "date",
    "timestamp": "timestamp",
}


class Moved(Exception):
    """Another writer gave a column of ours another type meanwhile; the rows have to be cast anew."""


class Overtaken(Exception):
    """The table has newer extracts of nights that were to be replaced; ``nights`` says when those were finished."""

    def __init__(self, nights: Mapping[str, str]) -> None:
        super().__init__(nights)
        self.nights = nights


@dataclass(frozen=True)
class Replacement:
    """What one commit does.

    :param content: identity of what is published, 62 bits
    :param nights: rows by night, every night that is replaced
    :param adds: the files, in place already
    :param columns: their columns, with types
    :param finished: when the extract was finished, microseconds since 1970; ``None`` where that is not known
    :param note: what is recorded with the commit
    :param force: replace also what is of an extract that was finished later
    :param others: the other nights, where columns get another type
    :param stored: the columns that the files store otherwise than we do
    """

    content: int
    nights: Mapping[str, int]
    adds: Sequence[AddAction]
    columns: Sequence[Column]
    finished: int | None
    note: CommitNote
    force: bool = False
    others: OtherNights | None = None
    stored: Mapping[str, Stored] = field(default_factory=dict)


@dataclass
class Sent:
    """The log entry of a replacement of which nobody knows yet whose it became.

    The answer to an entry may be lost although the entry counts, and an entry may come to count late. So files that it
    names are deleted only once the log has another one in its place.

    :param version: of the entry; ``None``: nothing that was sent is part of the table, or will be
    """

    version: int | None = None


@dataclass(frozen=True)
class Commit:
    """What came of a replacement.

    :param now: the table, with it
    :param overruled: the nights that were of an extract that was finished later, with when that was, ISO 8601
    """

    now: Snapshot
    overruled: Mapping[str, str]


class NightTable:
    """The table of one report."""

    def __init__(self, lake: Lake, source: str, report: str) -> None:
        self.url = lake.table_url(source, report)
        self.name = f"{source}/{report}"
        self._options = lake.table_options()
        self._lake = lake
        self._path = ("tables", source, report)

    def objects(self) -> ObjectStore:
        """Return the objects of the table's folder."""
        return self._lake.objects(*self._path)

    def snapshot(self, version: int | None = None) -> Snapshot | None:
        """Return the table as it is now, or was at ``version``; ``None`` where there is none."""
        try:
            table = deltalake.DeltaTable(self.url, version=version, storage_options=self._options)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            if not re.search(r"Column mapping|[Uu]nsupported|not (yet )?supported", str(error)):
                raise
            raise SchemaDrift(
                f"{self.name}: the table cannot be opened as another engine left it ({str(error)[:300]}). Nothing was "
                "published; the table and the landed night are as they were. Drop this feature in the engine that "
                "added it, then clear this task."
            ) from None
        return Snapshot(table, self.objects())

    def later(self, before: Snapshot | None, version: int | None = None) -> Snapshot | None:
        """Return the table as it is now, or was at ``version``, from an earlier snapshot where that can be; see
        :meth:`Snapshot.later`.
        """
        found = None if before is None else before.later(version)
        return self.snapshot(version) if found is None else found

    def replace(self, what: Replacement, sent: Sent, before: Snapshot | None = None) -> Commit:
        """Replace nights in one atomic commit, and read back that they are what was to be.

        Whether an entry counts is told by the log, never by the answer to it: the library sends an entry again whose
        answer was lost, and is then refused because of itself.

        :param sent: of the replacements of one publish; where it names a version in the end, what was sent may be part
            of the table all the same
        :param before: the table as it was looked at before
        :raises Moved: another writer gave a column another type meanwhile; nothing was committed
        :raises Overtaken: the table has newer extracts of some of the nights, and it is not forced; nothing was
            committed
        :raises SchemaDrift: a value of another night is not one of a column's new type, or another engine has made the
            table one that we do not write; nothing was committed
        :raises Contended: other writers came first 40 times; nothing was committed
        """
        overruled: Mapping[str, str] = {}
        refusals = 0
        for attempt in range(ATTEMPTS):
            now = before = self.later(before) or self._created(what.columns)
            if landed := self._landed(what, sent):
                return Commit(landed, overruled)
            refuse_foreign(self.name, now)
            overruled = now.newer(what.nights, what.finished)
            if overruled and not what.force:
                raise Overtaken(overruled)
            if not (refused := self._refusal(now, what, sent)):
                after = self.later(now, now.version + 1)
                if after is not None and after.holds(what.content, what.nights):
                    self._keep_short(after)
                    return Commit(after, overruled)
                continue
            if landed := self._landed(what, sent):
                return Commit(landed, overruled)
            # With nobody at all before us it was no race.
            refusals += sent.version is not None
            if refusals == REFUSALS:
                raise SchemaDrift(
                    f"{self.name}: the commit is refused, though no other writer came first ({refused[:300]}). "
                    "Nothing was published; the table and the landed night are as they were. Read what another "
                    "engine has changed in the table's properties and features, undo it there, then clear this "
                    "task."
                )
            time.sleep(random.uniform(0, min(LONGEST_WAIT, 0.05 * 1.5**attempt)))  # noqa: S311 - jitter
        if landed := self._landed(what, sent):
            return Commit(landed, overruled)
        raise Contended(
            f"{self.name}: other writers came first {ATTEMPTS} times. Nothing was committed; the landed night is "
            "untouched. Publish again, and limit with a pool how many nights of one report are published at a time."
        )

    def _landed(self, what: Replacement, sent: Sent) -> Snapshot | None:
        """Return the table as the entry that was sent last has made it, ``None`` where the log has another one, or
        none yet.
        """
        if sent.version is None or (entry := self._entry(sent.version)) is None:
            return None
        if not _is_of(what, entry):
            sent.version = None
            return None
        landed = self.snapshot(sent.version)
        if landed is not None:
            self._keep_short(landed)
        return landed

    def _entry(self, version: int) -> bytes | None:
        return objects.read(self.objects(), entry_name(version))

    def _keep_short(self, now: Snapshot) -> None:
        """Put what the log says so far into one file now and then, so that whoever opens the table reads few entries.

        A checkpoint is derived from the log: where it cannot be written, the next one says the same.
        """
        if now.version % CHECKPOINT_EVERY:
            return
        try:
            now.table.create_checkpoint()
        except (DeltaError, OSError) as error:
            log.warning("No checkpoint of %s could be written (%s); the next one will be", self.name, error)

    def _refusal(self, now: Snapshot, what: Replacement, sent: Sent) -> str:
        """Commit at exactly one version above ``now``; return why it was refused, nothing where it was not."""
        properties = CommitProperties(
            custom_metadata={NOTE: what.note.to_json()},
            max_commit_retries=0,
            app_transactions=_transactions(what, now.version + 1),
        )
        if stored_by(now.fields) != what.stored:
            raise Moved("another engine stores otherwise now")
        others = what.others if what.others and _are_old(now.fields, what.others) else None
        fields = merged(now.fields, what.columns, others)
        rewritten = others.rewritten(now, what.nights) if others else []
        sent.version = now.version + 1
        try:
            now.table.create_write_transaction(
                [*what.adds, *rewritten],
                "overwrite",
                schema_of(fields),
                [NIGHT],
                None if others else [(NIGHT, "in", sorted(what.nights))],
                commit_properties=properties,
            )
        except CommitFailedError as error:
            return str(error) or "no reason given"
        return ""

    def _created(self, columns: Sequence[Column]) -> Snapshot:
        fields = merged([], columns)
        try:
            create_table_with_add_actions(
                self.url,
                schema_of(fields),
                [],
                mode="error",
                partition_by=[NIGHT],
                configuration=made_with(),
                storage_options=self._options,
            )
        except DeltaError:
            if (now := self.snapshot()) is None:
                raise
            return now
        created = self.snapshot()
        if created is None:
            raise Contended(
                f"{self.name}: the table was created and is gone again. Nothing was committed; publish again."
            )
        return created


def _is_of(what: Replacement, entry: bytes) -> bool:
    """Say whether a log entry is that of a replacement: it has its files, which no other one has. One without files
    is told by its contents.
    """
    if what.adds:
        return all(add.path.rpartition("/")[2].encode() in entry for add in what.adds)
    contents = {transaction(night): what.content for night in what.nights}
    return contents.items() <= transactions_of(entry).items()


def _transactions(what: Replacement, version: int) -> list[Transaction]:
    numbers = [
        (night, {"": what.content, "rows": rows, "version": version, "finished": what.finished})
        for night, rows in what.nights.items()
    ]
    return [
        Transaction(transaction(night, of), number)
        for night, recorded in numbers
        for of, number in recorded.items()
        if number is not None
    ]


def _are_old(fields: Sequence[Mapping[str, Any]], others: OtherNights) -> bool:
    """Say whether the table has the types that are to change, and not yet those that another writer has given it
    meanwhile.
    """
    kinds = {field["name"]: kind_of(field) for field in fields}
    return any(kinds.get(change.column) == change.before for change in others.columns)


def merged(
    fields: Sequence[Mapping[str, Any]], columns: Sequence[Column], others: OtherNights | None = None
) -> list[dict[str, Any]]:
    """Return the fields of a table with those of new files added, the night last where it is new.

    :raises Moved: a column is in the table with another type
    """
    found = {field["name"]: dict(field) for field in fields}
    change = {(change.column, change.before): change.now for change in others.columns} if others else {}
    for column in columns:
        kind = column.type or "string"
        if column.name not in found:
            found[column.name] = {"name": column.name, "nullable": True, **_stored(kind)}
        elif change.get((column.name, kind_of(found[column.name]) or "")) == kind:
            kept = {name: said for name, said in found[column.name]["metadata"].items() if name != KIND}
            found[column.name] |= (stored := _stored(kind)) | {"metadata": kept | stored["metadata"]}
        elif not same_storage(kind_of(found[column.name]) or "", kind):
            raise Moved(column.name)
    found.setdefault(NIGHT, {"name": NIGHT, "type": "date", "nullable": True, "metadata": {}})
    return list(found.values())


def _stored(kind: str) -> dict[str, Any]:
    return {"type": _DELTA.get(kind, kind), "metadata": {KIND: kind} if kind == "json" else {}}


def schema_of(fields: Sequence[Mapping[str, Any]]) -> deltalake.Schema:
    """Return fields as the schema of a table."""
    return deltalake.Schema.from_json(json.dumps({"type": "struct", "fields": list(fields)}))


def night_rows(lake: Lake, source: str, report: str, nights: Iterable[str] | None = None) -> dict[str, int]:
    """Return how many rows each night has in the table, from its log alone; no data is read.

    :param nights: the nights to tell; those that the table does not have have 0 rows. ``None``: those that it has
    """
    snapshot = NightTable(lake, source, report).snapshot()
    found = snapshot.nights() if snapshot is not None else {}
    return found if nights is None else {night: found.get(night, 0) for night in nights}


def table_schema(lake: Lake, source: str, report: str) -> list[Column] | None:
    """Return the columns of a report's table but ``night``; ``None`` where there is no table."""
    snapshot = NightTable(lake, source, report).snapshot()
    return snapshot.columns if snapshot is not None else None


def published_night(lake: Lake, source: str, report: str, night: str) -> PublishedNight | None:
    """Return what the table says of a night; ``None`` where it was never published. Blocks.

    Reads the newest entries of the table's log, and only where they do not tell of the night all that its last
    checkpoint has; no data. Call it in a running task, or in a thread of a process that never forks afterwards: it
    loads Arrow and Delta.

    :raises ValueError: a name that is not safe as a part of a path
    """
    if (recent := recent_night(lake, source, report, night)) is not None:
        return recent
    snapshot = NightTable(lake, source, report).snapshot()
    return snapshot.published(source, report, night) if snapshot is not None else None
