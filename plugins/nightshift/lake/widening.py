"""A column's type changes: what it becomes, and the table's other nights rewritten in the commit that changes it.

The ladder: ``int64`` → ``float64`` where a float says every digit → ``decimal(38,s)`` for digits beyond either →
``string``.

An engine reads a Parquet file with the type that the table has now, and none but Spark and Databricks know Delta's own
type widening, or a column that was renamed. So the files of the other nights are written anew, with nothing but this
column's type changed, and the one commit removes the old and adds the new: readers see all of it or nothing, and the
versions before stay readable. It is pinned to the version that was read, as every commit here is: what another writer
added meanwhile is rewritten too, and a writer that cast to the old type casts again. Memory is flat; ``TMPDIR`` holds
one file at a time; the cost is that of reading and writing the table once.
"""

from __future__ import annotations

import re
import secrets
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from nightshift.lake import objects
from nightshift.lake.casts import Misfit, arrow_type, from_text
from nightshift.lake.columns import same_storage
from nightshift.lake.errors import SchemaDrift
from nightshift.lake.spec import NIGHT, Column
from nightshift.lake.staging import DICTIONARY_BYTES
from nightshift.lake.statistics import statistics_of
from nightshift.lake.survey import Digits, digits_of

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.snapshot import Snapshot

GROUP_BYTES = 8 << 20
CHUNK_BYTES = 1 << 20
BATCH_ROWS = 8_192
_CONTENT = re.compile(r"[0-9a-f]{16}(?=-)")


@dataclass(frozen=True)
class Retyped:
    """A column that the table has with another type than it is to have.

    :param column: its name in the table
    :param before: the type it has
    :param now: the type it gets
    """

    column: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"{self.column!r} from {self.before} to {self.now}"


class OlderValues:
    """What the other nights of a table have in a column; that column alone is read."""

    def __init__(self, table: Snapshot, besides: Collection[str]) -> None:
        self._table = table
        files = {night for _, night in table.files() if night not in besides}
        self._nights = sorted(night for night in files if night is not None)
        self._nightless = None in files

    def digits(self, column: str) -> Digits | None:
        """Return what its numbers need; ``None`` where it has none."""
        found: Digits | None = None
        for values in self._values(column, self._nights, self._nightless):
            here = digits_of(texts_of(values))
            if not pa.types.is_integer(values.type):
                here |= Digits(spelled_whole=False, of_64_bits=False)
            found = here if found is None else found | here
        return found

    def had(self, column: str) -> bool:
        """Say whether the last of the nights has a value."""
        return any(True for _ in self._values(column, self._nights[-1:]))

    def ever_had(self, column: str) -> bool:
        """Say whether any night has a value, be it one that is replaced; files whose statistics have none are not
        read.
        """
        dataset = self._table.table.to_pyarrow_dataset()
        batches = dataset.to_batches(
            columns=[column], filter=pc.field(column).is_valid(), batch_readahead=1, fragment_readahead=1
        )
        return any(len(batch) for batch in batches)

    def _values(self, column: str, nights: Sequence[str], nightless: bool = False) -> Iterator[pa.Array]:
        if not nights and not nightless:
            return
        wanted = pc.field(NIGHT).isin(pa.array(nights, pa.string()).cast(pa.date32()))
        wanted = wanted | pc.field(NIGHT).is_null() if nightless else wanted
        dataset = self._table.table.to_pyarrow_dataset()
        for batch in dataset.to_batches(columns=[column], filter=wanted, batch_readahead=1, fragment_readahead=1):
            values = batch.column(0).drop_null()
            if len(values):
                yield values


def texts_of(values: pa.Array) -> pa.Array:
    """Return values of a table as texts in which nothing of them is lost; a number has no zeros behind it that its
    scale added.
    """
    if pa.types.is_timestamp(values.type):
        return pc.strftime(values.cast(pa.timestamp("us", "UTC")), "%Y-%m-%dT%H:%M:%SZ")
    texts = values.cast(pa.string())
    if pa.types.is_decimal(values.type):
        return pc.replace_substring_regex(texts, r"(\.[0-9]*[1-9])0+$|\.0+$", r"\1")
    return texts


class OtherNights:
    """The files of the nights that a commit does not replace, with new types of columns."""

    def __init__(self, objects: ObjectStore, table: str, columns: Sequence[Retyped], zone: str) -> None:
        self.columns = columns
        self._objects = objects
        self._table = table
        self._zone = zone
        self._attempt = secrets.token_hex(4)
        self._done: dict[str, AddAction] = {}

    def rewritten(self, now: Snapshot, replaced: Collection[str]) -> list[AddAction]:
        """Put the files in place, those of a call before but once; they are no part of the table until they are
        committed.

        :raises SchemaDrift: a value is not exactly one of the new type
        """
        return [self._of(path, night) for path, night in now.files() if night is None or night not in replaced]

    def withdraw(self) -> None:
        """Delete what was put in place and never committed."""
        objects.delete(self._objects, [add.path for add in self._done.values()])
        self._done.clear()

    def _of(self, path: str, night: str | None) -> AddAction:
        if path not in self._done:
            self._done[path] = self._rewrite(path, night)
        return self._done[path]

    def _rewrite(self, path: str, night: str | None) -> AddAction:
        import obstore

        folder, _, name = path.rpartition("/")
        content = _CONTENT.match(name)
        new = (
            f"{folder}/{content[0] if content else 'retyped'}-{self._attempt}-{len(self._done) + 1:05d}.parquet".lstrip(
                "/"
            )
        )
        with (
            tempfile.TemporaryFile(prefix="nightshift-old-") as old,
            tempfile.TemporaryFile(prefix="nightshift-new-") as file,
        ):
            for chunk in obstore.get(self._objects, path).stream(min_chunk_size=CHUNK_BYTES):
                old.write(chunk)
            self._copy(old, file, path)
            size, stats = file.tell(), statistics_of(file)
            objects.write(self._objects, new, file)
        partition: dict[str, str | None] = {NIGHT: night}
        return AddAction(new, size, partition, int(time.time() * 1000), True, stats)

    def _copy(self, old: IO[bytes], new: IO[bytes], path: str) -> None:
        old.seek(0)
        source = pq.ParquetFile(old)
        types = {change.column: arrow_type(change.now) for change in self.columns}
        schema = pa.schema(
            [pa.field(f.name, types.get(f.name, f.type)) for f in source.schema_arrow], source.schema_arrow.metadata
        )
        ordinal = 0
        with pq.ParquetWriter(
            new, schema, compression="zstd", compression_level=1, dictionary_pagesize_limit=DICTIONARY_BYTES
        ) as writer:
            for group in _groups(source):
                columns = [self._column(group.column(f.name), f, path, ordinal) for f in source.schema_arrow]
                writer.write_table(pa.table(columns, schema), row_group_size=max(1, len(group)))
                ordinal += len(group)
        new.flush()

    def _column(self, values: pa.ChunkedArray, field: pa.Field, path: str, ordinal: int) -> Any:
        change = next((change for change in self.columns if change.column == field.name), None)
        if change is None:
            return values
        try:
            return from_text(texts_of(values.combine_chunks()), change.now, self._zone, False)
        except Misfit as misfit:
            why = f" ({misfit.why})" if misfit.why else ""
            raise SchemaDrift(
                f"{self._table}: {change} is not possible: {misfit.text[:80]!r} in row {ordinal + misfit.index + 1} "
                f"of {path} is not {change.now}{why}. Nothing was published; the table and the landed night are as "
                f"they were. Set types: {{{change.column}: string}}, which holds every value, or leave the type as it "
                "is, and clear this task."
            ) from None


def _groups(source: pq.ParquetFile) -> Iterator[pa.Table]:
    """Read a file by its row groups, those of another engine's size in pieces of some megabytes."""
    for number in range(source.num_row_groups):
        if source.metadata.row_group(number).total_byte_size <= 4 * GROUP_BYTES:
            yield source.read_row_group(number, use_threads=False)
            continue
        waiting: list[pa.RecordBatch] = []
        for batch in source.iter_batches(batch_size=BATCH_ROWS, row_groups=[number], use_threads=False):
            waiting.append(batch)
            if sum(piece.nbytes for piece in waiting) >= GROUP_BYTES:
                yield pa.Table.from_batches(waiting)
                waiting = []
        if waiting:
            yield pa.Table.from_batches(waiting)


def retyped(table: Mapping[str, str | None], columns: Sequence[Column]) -> list[Retyped]:
    """Return the columns whose type in a table is another than the one they are written with.

    :param table: types by column; ``None`` for one that is not ours to write
    """
    return [
        Retyped(column.name, before, column.type)
        for column in columns
        if (before := table.get(column.name)) and column.type and not same_storage(before, column.type)
    ]
