"""What many rows are in a few numbers, column by column, so that two states of a night can be compared.

Memory is flat. Two states with the same digest have the same rows, in whatever order; digests are those of one process.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.keys import Hashes, hashes_of
from nightshift.lake.spec import NIGHT
from nightshift.lake.widening import texts_of

LONGEST = 80
"""Characters of a text that is told as the least or the greatest; it is compared as a whole."""
_ODD = np.uint64(1)
_SHIFT = np.uint64(29)


@dataclass(frozen=True)
class ColumnSummary:
    """A column.

    :param values: rows that have one
    :param least: as text, ``None`` where there is no value or no order
    :param total: of numbers, as text with every digit; of ``bool``, how many are true
    :param digest: of all values, without their order
    """

    values: int = 0
    least: str | None = None
    greatest: str | None = None
    total: str | None = None
    digest: int = 0


@dataclass(frozen=True)
class Summary:
    """Rows, and each of their columns.

    :param digest: of all rows, without their order
    """

    rows: int = 0
    digest: int = 0
    columns: dict[str, ColumnSummary] = field(default_factory=dict)


@dataclass
class _Running:
    values: int = 0
    least: Any = None
    greatest: Any = None
    total: Any = None
    digest: int = 0

    def take(self, column: pa.Array, hashes: Hashes) -> None:
        there = column.drop_null()
        self.digest = (self.digest + int(np.sum(_mixed(hashes), dtype=np.uint64))) & (2**64 - 1)
        if not len(there):
            return
        self.values += len(there)
        if (total := _total(there)) is not None:
            self.total = total if self.total is None else self.total + total
        if _is_ordered(there.type):
            ends = pc.min_max(there).as_py()
            if ends["min"] is not None:
                self.least = ends["min"] if self.least is None else min(self.least, ends["min"])
                self.greatest = ends["max"] if self.greatest is None else max(self.greatest, ends["max"])

    def done(self) -> ColumnSummary:
        return ColumnSummary(self.values, _words(self.least), _words(self.greatest), _words(self.total), self.digest)


def summary_of(batches: Iterable[pa.RecordBatch]) -> Summary:
    """Return what these rows are; their night, by which they are chosen, is no column of them."""
    running: dict[str, _Running] = {}
    rows = digest = 0
    for batch in batches:
        whole = np.zeros(len(batch), np.uint64)
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            if name == NIGHT:
                continue
            hashes = _hashes(column)
            # A column in which no row has a value is no other row than one without the column.
            whole += _mixed(hashes * (np.uint64(hash(name) & (2**64 - 1)) | _ODD)) * (hashes != 0)
            running.setdefault(name, _Running()).take(column, hashes)
        rows += len(batch)
        digest = (digest + int(np.sum(_mixed(whole), dtype=np.uint64))) & (2**64 - 1)
    return Summary(rows, digest, {name: one.done() for name, one in running.items()})


def _hashes(column: pa.Array) -> Hashes:
    """Return the hash of each value by its exact text, of a missing one 0."""
    encoded = pc.dictionary_encode(texts_of(column))
    known = hashes_of(("value", text) for text in encoded.dictionary.to_pylist())
    places = encoded.indices
    if not len(known):
        return np.zeros(len(column), np.uint64)
    found: Hashes = known[places.fill_null(0).to_numpy(zero_copy_only=False)]
    return np.where(places.is_valid().to_numpy(zero_copy_only=False), found, np.uint64(0))


def _mixed(hashes: Hashes) -> Hashes:
    """Spread hashes, so that sums of them tell more than sums of values."""
    mixed = (hashes ^ (hashes >> _SHIFT)) * np.uint64(0xBF58476D1CE4E5B9)
    spread: Hashes = mixed ^ (mixed >> _SHIFT)
    return spread


def _total(column: pa.Array) -> Any:
    kind = column.type
    if pa.types.is_integer(kind):
        return int(pc.sum(column.cast(pa.decimal128(38, 0))).as_py())
    if pa.types.is_decimal(kind):
        return Decimal(pc.sum(column.cast(pa.decimal256(76, kind.scale))).as_py())
    if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
        return pc.sum(column).as_py()
    return None


def _is_ordered(kind: pa.DataType) -> bool:
    return not (pa.types.is_nested(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind))


def _words(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC).isoformat()
    text = f"{value:f}" if isinstance(value, Decimal) else repr(value) if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
