"""What another engine has made of a table: written into rightly, or refused with the reason and what to do. Never
ignored.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from nightshift.lake.errors import CastError, SchemaDrift
from nightshift.lake.snapshot import DELETION_VECTORS
from nightshift.lake.spec import NIGHT, Column

if TYPE_CHECKING:
    from nightshift.lake.snapshot import Snapshot

_NARROW = {"integer": pa.int32(), "short": pa.int16(), "byte": pa.int8(), "float": pa.float32()}
_SQL = {"integer": "INT", "short": "SMALLINT", "byte": "TINYINT", "float": "FLOAT"}
NOT_NULL = "a value (NOT NULL)"
KEPT = frozenset({*_SQL.values(), NOT_NULL})
"""What a value can be too wide for without that any type of ours would hold it."""
LAST_VERSIONS = (3, 7)
# Those that ask nothing of a writer that replaces whole files, or only where they are in use, which is looked at.
_HARMLESS = frozenset(
    [
        "appendOnly",
        "changeDataFeed",
        "checkConstraints",
        "columnMapping",
        DELETION_VECTORS,
        "domainMetadata",
        "generatedColumns",
        "identityColumns",
        "invariants",
        "timestampNtz",
        "v2Checkpoint",
        "vacuumProtocolCheck",
    ]
)
_UNTOUCHED = "Nothing was published; the table and the landed night are as they were."


@dataclass(frozen=True)
class Stored:
    """How a column of the table is stored where that is not as we make it.

    :param narrow: Delta's type, narrower than the one that values are cast to; empty where it is not
    :param needs_value: it takes no null
    """

    narrow: str
    needs_value: bool


def stored_by(fields: Sequence[Mapping[str, Any]]) -> dict[str, Stored]:
    """Return the columns of a table that are not stored as we make them; none where no other engine touched it."""
    found = {}
    for field in fields:
        narrow = field["type"] if isinstance(field["type"], str) and field["type"] in _SQL else ""
        if field["name"] != NIGHT and (narrow or not field["nullable"]):
            found[field["name"]] = Stored(narrow, not field["nullable"])
    return found


def refuse_foreign(table: str, now: Snapshot) -> None:
    """Refuse a table in which a commit of ours would ignore what another engine set.

    :raises SchemaDrift: says what it is and how to end it
    """
    for what, advice in _obstacles(now):
        raise SchemaDrift(
            f"{table}: the table {what}, which a publish would ignore. {_UNTOUCHED} {advice}, then clear this task."
        )


def refuse_columns(table: str, fields: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> None:
    """Refuse columns that the table has with a type that is not ours, and a night without a column that needs a value.

    :raises SchemaDrift: names the column, its type and what to do
    """
    written = {column.name: column.type for column in columns}
    for field in fields:
        name, stored = field["name"], field["type"]
        if name in written and not is_ours(field):
            named = stored if isinstance(stored, str) else stored.get("type", stored)
            raise SchemaDrift(
                f"{table}: another engine made the column {name!r} {_varchar(field) or named}, which Nightshift does "
                f"not write. {_UNTOUCHED} Make it STRING (or BIGINT, DOUBLE, DECIMAL, BOOLEAN, DATE, TIMESTAMP) "
                "there, then clear this task."
            )
        if not field["nullable"] and name != NIGHT and name not in written:
            raise SchemaDrift(
                f"{table}: the column {name!r} is NOT NULL, and this night does not have it. {_UNTOUCHED} "
                f"ALTER TABLE … ALTER COLUMN {name} DROP NOT NULL, then clear this task."
            )


def is_ours(field: Mapping[str, Any]) -> bool:
    """Say whether values of ours can be written into a column of a table, cast to a narrower type where it has one."""
    ours = {"string", "long", "double", "boolean", "date", "timestamp", *_NARROW}
    stored = field["type"]
    return isinstance(stored, str) and (stored in ours or stored.startswith("decimal(")) and not _varchar(field)


def as_stored(
    batch: pa.RecordBatch, stored: Mapping[str, Stored], *, report: str, page: int, before: int
) -> pa.RecordBatch:
    """Return a batch as the table stores it.

    :raises CastError: a value is not exactly one of a narrower type, or there is none where the table needs one
    """
    arrays = []
    for name, values in zip(batch.schema.names, batch.columns, strict=True):
        how = stored.get(name)
        where: dict[str, Any] = {"page": page, "column": name, "report": report}
        if how is not None and how.needs_value and values.null_count:
            row = before + pc.index(values.is_null(), True).as_py() + 1
            advice = f"ALTER TABLE … ALTER COLUMN {name} DROP NOT NULL in the engine that set it"
            raise CastError(
                **where, row=row, value="null", wanted=NOT_NULL, why="another engine asks for one", advice=advice
            )
        arrays.append(_narrowed(values, how.narrow, where, before) if how and how.narrow else values)
    return pa.RecordBatch.from_arrays(arrays, names=batch.schema.names)


def stored_schema(schema: pa.Schema, stored: Mapping[str, Stored]) -> pa.Schema:
    """Return the schema of :func:`as_stored`."""
    return pa.schema(
        [
            pa.field(field.name, _NARROW[how.narrow] if (how := stored.get(field.name)) and how.narrow else field.type)
            for field in schema
        ]
    )


def _narrowed(values: pa.Array, narrow: str, where: Mapping[str, Any], before: int) -> pa.Array:
    wanted = _NARROW[narrow]
    cast = values.cast(wanted, safe=False)
    back = cast.cast(values.type, safe=False)
    same = pc.equal(back, values)
    if pa.types.is_floating(wanted):
        same = pc.or_(same, pc.and_(pc.is_nan(back), pc.is_nan(values)))
    at = pc.index(same.fill_null(True), False).as_py()
    if at < 0:
        return cast
    why, instead = "as another engine made the column", "DOUBLE" if narrow == "float" else "BIGINT"
    value, advice = str(values[at].as_py()), f"make the column {instead} there"
    raise CastError(**where, row=before + at + 1, value=value, wanted=_SQL[narrow], why=why, advice=advice)


def _varchar(field: Mapping[str, Any]) -> str:
    named = str(field["metadata"].get("__CHAR_VARCHAR_TYPE_STRING", ""))
    return named.upper() if re.match(r"(var)?char\(", named) else ""


def _obstacles(now: Snapshot) -> Iterator[tuple[str, str]]:
    table, conf = now.table, now.table.metadata().configuration
    protocol = table.protocol()
    versions = protocol.min_reader_version, protocol.min_writer_version
    if versions[0] > LAST_VERSIONS[0] or versions[1] > LAST_VERSIONS[1]:
        yield (
            f"asks for reader version {versions[0]} and writer version {versions[1]}",
            "Lower them in the engine that raised them",
        )
    features = {*(protocol.reader_features or ()), *(protocol.writer_features or ())}
    if unknown := sorted(features - _HARMLESS):
        yield (
            f"uses the table feature {', '.join(unknown)}",
            f"ALTER TABLE … DROP FEATURE {unknown[0]} in the engine that added it",
        )
    if conf.get("delta.appendOnly", "").lower() == "true":
        yield "only takes appends (delta.appendOnly)", "Set delta.appendOnly to false there"
    if conf.get("delta.columnMapping.mode", "none") != "none":
        yield (
            "has mapped columns (delta.columnMapping.mode)",
            "Set the mode to none there, or rewrite the table without it",
        )
    if conf.get("delta.enableRowTracking", "").lower() == "true":
        yield "tracks its rows (delta.enableRowTracking)", "Set it to false there"
    if checks := sorted(
        name.removeprefix("delta.constraints.") for name in conf if name.startswith("delta.constraints.")
    ):
        yield (
            f"has the CHECK constraint {checks[0]} ({conf[f'delta.constraints.{checks[0]}']})",
            f"ALTER TABLE … DROP CONSTRAINT {checks[0]} there, and put what must hold into the report's checks",
        )
    if now.table.metadata().partition_columns != [NIGHT]:
        yield (
            f"is partitioned by {', '.join(now.table.metadata().partition_columns) or 'nothing'}",
            "Rewrite it partitioned by night alone",
        )
    for field in now.fields:
        yield from _obstacles_of(field)
    if DELETION_VECTORS in features and next(iter(table.deletion_vectors()), None) is not None:
        yield (
            "has rows that are deleted by deletion vectors",
            "REORG TABLE … APPLY (PURGE) there, and set delta.enableDeletionVectors to false",
        )


def _obstacles_of(field: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    name, metadata = field["name"], field["metadata"]
    if name == NIGHT and field["type"] != "date":
        yield f"has the column {NIGHT!r} as {field['type']}, not as DATE", "Rewrite it with the night as DATE"
    for key, what in (
        ("delta.invariants", "has an invariant"),
        ("delta.generationExpression", "is generated"),
        ("delta.identity.start", "is an identity"),
    ):
        if key in metadata:
            yield (
                f"has the column {name!r}, which {what} ({metadata[key]})",
                f"Rewrite it with {name} as a plain column",
            )
