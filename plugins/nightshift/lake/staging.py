"""Typed rows on their way to the table: Parquet files outside the lake, one series a night, in flat memory."""

from __future__ import annotations

import hashlib
import os
import tempfile
from bisect import bisect_right
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightshift.lake.checks import KeyFindings
from nightshift.lake.keys import Hashes, KeyIndex, hashes_of
from nightshift.lake.times import local_days

GROUP_BYTES = 8 << 20
FILE_BYTES = 256 << 20
DICTIONARY_BYTES = 64 << 10
SUSPECTS_A_PASS = 500_000


@dataclass
class StagedFile:
    """A Parquet file of one night, in an anonymous file that is gone with the process.

    :param night: the night
    :param file: the open file
    :param rows: rows in it
    """

    night: str
    file: IO[bytes]
    rows: int = 0

    @property
    def size(self) -> int:
        """Size in bytes."""
        return os.fstat(self.file.fileno()).st_size


@dataclass
class _Series:
    """The rows of one night on their way into files."""

    night: str
    schema: pa.Schema
    files: list[StagedFile] = field(default_factory=list)
    writer: Any = None
    waiting: list[pa.RecordBatch] = field(default_factory=list)
    waiting_bytes: int = 0
    taken: int = 0
    pages: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def begin(self, page: int, rows: int) -> None:
        """Note of which landed page the rows are that are taken next."""
        if not self.pages or self.pages[-1] != page:
            self.pages.append(page)
            self.starts.append(self.taken)
        self.taken += rows

    def page_of(self, ordinal: int) -> int:
        """Return the landed page of a row, by its place among all that were taken."""
        return self.pages[bisect_right(self.starts, ordinal) - 1]

    def flush(self) -> None:
        """Write what is waiting as one row group."""
        if not self.waiting:
            return
        if self.writer is None:
            file = tempfile.TemporaryFile(prefix="nightshift-stage-")  # noqa: SIM115 - closed when published
            self.files.append(StagedFile(self.night, file))
            self.writer = pq.ParquetWriter(
                file, self.schema, compression="zstd", compression_level=1, dictionary_pagesize_limit=DICTIONARY_BYTES
            )
        table = pa.Table.from_batches(self.waiting, self.schema)
        self.writer.write_table(table, row_group_size=max(1, len(table)))
        self.files[-1].rows += len(table)
        self.waiting, self.waiting_bytes = [], 0
        if self.files[-1].file.tell() >= FILE_BYTES:
            self.close()

    def close(self) -> None:
        """Finish the file at hand."""
        self.flush()
        if self.writer is not None:
            self.writer.close()
            self.writer = None
            self.files[-1].file.flush()


class Stager:
    """Take typed batches in order; the same batches give the same bytes.

    ``read``, ``outside`` and ``undated`` count the rows taken, those of other nights, and those of them without any
    night; ``others`` counts those of other nights by their nights.

    :param night_column: column that says the night of a row; with ``None`` all rows are of the one night
    :param zone: zone of the days of a ``timestamp`` night column
    :param key: columns whose values are watched for coming twice; empty for none
    """

    def __init__(
        self, schema: pa.Schema, nights: Sequence[str], night_column: str | None, zone: str, key: Sequence[str]
    ) -> None:
        self.schema = schema
        self.read = 0
        self.outside = 0
        self.undated = 0
        self.others: Counter[str] = Counter()
        self._series = {night: _Series(night, schema) for night in nights}
        self._night_column = night_column
        self._zone = zone
        self._key = [name for name in key if name in schema.names]
        self._index = KeyIndex()
        self._nulls = dict.fromkeys(self._key, 0)
        self._absent = tuple(name for name in key if name not in schema.names)

    def add(self, batch: pa.RecordBatch, page: int = 1) -> None:
        """Take a batch."""
        self.read += len(batch)
        for night, rows in self._by_night(batch):
            self._watch(night, rows)
            series = self._series[night]
            series.begin(page, len(rows))
            series.waiting.append(rows)
            series.waiting_bytes += rows.nbytes
        while sum(series.waiting_bytes for series in self._series.values()) >= GROUP_BYTES:
            max(self._series.values(), key=lambda series: series.waiting_bytes).flush()

    def finish(self) -> tuple[list[StagedFile], KeyFindings]:
        """Close the files, look at the keys that came twice, and drop rows that are identical to one before."""
        for series in self._series.values():
            series.close()
        findings = self._judge_keys(self._index.suspects()) if self._key and not self._absent else KeyFindings()
        absent = self._absent if self.read - self.outside else ()
        findings = replace(findings, nulls=self._nulls, absent=absent)
        self._index.close()
        return [file for series in self._series.values() for file in series.files], findings

    def close(self) -> None:
        """Give every file back."""
        self._index.close()
        for series in self._series.values():
            for staged in series.files:
                staged.file.close()

    def _by_night(self, batch: pa.RecordBatch) -> Iterator[tuple[str, pa.RecordBatch]]:
        if self._night_column is None:
            yield next(iter(self._series)), batch
            return
        days = batch.column(self._night_column)
        days = days if pa.types.is_date(days.type) else local_days(days, self._zone)
        kept = days.null_count
        self.undated += days.null_count
        for night in self._series:
            mask = pc.equal(days, pa.scalar(np.datetime64(night).item(), pa.date32())).fill_null(False)
            rows = pc.sum(mask).as_py() or 0
            kept += rows
            if rows:
                yield night, batch if rows == len(batch) else batch.filter(mask)
            if kept == len(batch):
                break
        self.outside += len(batch) - kept + days.null_count
        if kept < len(batch):
            counts = {str(one["values"]): one["counts"] for one in days.drop_null().value_counts().to_pylist()}
            self.others.update({day: rows for day, rows in counts.items() if day not in self._series})

    def _watch(self, night: str, rows: pa.RecordBatch) -> None:
        for name in self._key:
            self._nulls[name] += rows.column(name).null_count
        if self._key and not self._absent:
            self._index.add_hashes(hashes_of(_keys(night, rows, self._key)))

    def _judge_keys(self, suspects: Hashes) -> KeyFindings:
        drops: dict[str, list[int]] = {night: [] for night in self._series}
        conflicts = on_two_pages = 0
        examples: list[str] = []
        for start in range(0, len(suspects), SUSPECTS_A_PASS):
            seen: dict[tuple[Any, ...], tuple[bytes, set[int]]] = {}
            for night, ordinal, key, content in self._suspected(suspects[start : start + SUSPECTS_A_PASS]):
                page = self._series[night].page_of(ordinal)
                before, pages = seen.setdefault(key, (content, {page}))
                if before is content:
                    continue
                if before == content:
                    drops[night].append(ordinal)
                    on_two_pages += page not in pages
                    pages.add(page)
                    continue
                conflicts += 1
                if len(examples) < 5:
                    examples.append(f"{'/'.join(map(str, key[1:]))}"[:120])
        if not conflicts:
            for night, ordinals in drops.items():
                if ordinals:
                    self._rewrite(self._series[night], np.array(sorted(ordinals), np.int64))
        identical = sum(map(len, drops.values()))
        return KeyFindings(
            identical=identical, on_two_pages=on_two_pages, conflicts=conflicts, examples=tuple(examples)
        )

    def _suspected(self, suspects: Hashes) -> Iterator[tuple[str, int, tuple[Any, ...], bytes]]:
        for night, series in self._series.items():
            for ordinal, batch in batches_of(series.files):
                keys = list(_keys(night, batch, self._key))
                hits = np.flatnonzero(np.isin(hashes_of(keys), suspects))
                if not len(hits):
                    continue
                for at, row in zip(hits.tolist(), batch.take(pa.array(hits)).to_pylist(), strict=True):
                    content = hashlib.blake2b(repr(list(row.values())).encode(), digest_size=16).digest()
                    yield night, ordinal + at, keys[at], content

    def _rewrite(self, series: _Series, drops: np.ndarray[Any, np.dtype[np.int64]]) -> None:
        old, series.files = series.files, []
        for ordinal, batch in batches_of(old):
            here = drops[np.searchsorted(drops, ordinal) : np.searchsorted(drops, ordinal + len(batch))] - ordinal
            keep = np.ones(len(batch), bool)
            keep[here] = False
            series.waiting.append(batch.filter(pa.array(keep)) if len(here) else batch)
            series.waiting_bytes += batch.nbytes
            if series.waiting_bytes >= GROUP_BYTES:
                series.flush()
        series.close()
        for staged in old:
            staged.file.close()


def rows_by_night(files: Sequence[StagedFile], nights: Collection[str]) -> Mapping[str, int]:
    """Return the rows to be published, by night, nights without rows among them."""
    counts = dict.fromkeys(sorted(nights), 0)
    for staged in files:
        counts[staged.night] += staged.rows
    return counts


def _keys(night: str, rows: pa.RecordBatch, key: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    return zip([night] * len(rows), *(rows.column(name).to_pylist() for name in key), strict=True)


def batches_of(files: Sequence[StagedFile]) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Read staged files in order, with the number of rows before each batch."""
    ordinal = 0
    for staged in files:
        staged.file.seek(0)
        for batch in pq.ParquetFile(staged.file).iter_batches(batch_size=16_384, use_threads=False):
            yield ordinal, batch
            ordinal += len(batch)
