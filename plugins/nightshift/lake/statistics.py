"""What Delta's log says of a file's columns, so that a reader skips the files that cannot have what it looks for.

A bound is exact or it is not there: engines answer ``MIN`` and ``MAX`` from the log alone. So no text is cut, no number
is rounded, and a column of which one bound cannot be written has none.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import IO, Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from nightshift.lake.spec import NIGHT

COLUMNS = 32
"""Columns of a file that have bounds: the key's, then the first; as many as other writers of Delta take."""
LONGEST_TEXT = 64
"""Characters of a text that is a bound."""
EXACT_DIGITS = 15
"""Digits of a decimal that every reader of JSON takes exactly."""
_encoder = msgspec.json.Encoder(decimal_format="number")


def statistics_of(file: IO[bytes], first: Sequence[str] = ()) -> str:
    """Return the statistics of a Parquet file as Delta's log has them: rows, and of each column the least and the
    greatest value, and how many are missing. Read are the file's footer, and columns of floats.

    :param first: columns that have bounds whatever their place
    """
    source = pq.ParquetFile(file)
    footer = source.metadata
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    places = {footer.schema.column(number).path: number for number in range(footer.num_columns)}
    names = [name for name in dict.fromkeys([*first, *places]) if name in places and name != NIGHT][:COLUMNS]
    unordered = _with_nan(source, names)
    least: dict[str, Any] = {}
    greatest: dict[str, Any] = {}
    missing: dict[str, int] = {}
    for name in names:
        chunks = [group.column(places[name]) for group in groups]
        found = [chunk.statistics for chunk in chunks if chunk.is_stats_set]
        if len(found) == len(groups) and all(one.has_null_count for one in found):
            missing[name] = sum(one.null_count for one in found)
        if name not in unordered and (bounds := _bounds(found, len(groups))):
            least[name], greatest[name] = bounds
    told = {"numRecords": footer.num_rows, "minValues": least, "maxValues": greatest, "nullCount": missing}
    return _encoder.encode(told).decode()


def _with_nan(source: pq.ParquetFile, names: Sequence[str]) -> set[str]:
    """Return the columns that have a NaN: the footer leaves it out, and for some engines it is the greatest of all."""
    floats = [name for name in names if pa.types.is_floating(source.schema_arrow.field(name).type)]
    found: set[str] = set()
    for batch in source.iter_batches(columns=floats, use_threads=False) if floats else ():
        found |= {name for name in floats if pc.any(pc.is_nan(batch.column(name))).as_py()}
    return found


def _bounds(found: Sequence[Any], groups: int) -> tuple[Any, Any] | None:
    """Return the least and the greatest value of a column over its row groups; ``None`` where one of them cannot be
    told.
    """
    valued = [one for one in found if not (one.has_null_count and one.num_values == 0)]
    if len(found) != groups or not valued or not all(one.has_min_max for one in valued):
        return None
    try:
        ends = _written(min(one.min for one in valued)), _written(max(one.max for one in valued))
    except (ValueError, OverflowError):  # a day or a moment that Python does not know
        return None
    return None if None in ends else ends


def _written(value: Any) -> Any:
    """Return a bound as the log has it, ``None`` where it cannot be said exactly."""
    match value:
        case bool() | bytes():
            return None
        case str():
            return value if len(value) <= LONGEST_TEXT else None
        case float():
            return value if math.isfinite(value) else None
        case int():
            return value
        case Decimal():
            # No arithmetic: it rounds to the digits of its context.
            digits = "".join(map(str, value.as_tuple().digits)).strip("0")
            return value if len(digits) <= EXACT_DIGITS else None
        case datetime():
            moment = value if value.tzinfo else value.replace(tzinfo=UTC)
            return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        case date():
            return value.isoformat()
    return None
