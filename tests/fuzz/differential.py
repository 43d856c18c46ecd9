"""Two ways to the same values: they agree on every input, or both refuse it, at the same place.

A faster decoder of a page is proven here: give it to :func:`decoders_of`, beside the plain one. Whatever a page is, all
of them make the same table of it, or refuse it with the same type of error about the same row and column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pyarrow as pa

from nightshift.lake.casts import NUMBER, Misfit, by_value, from_raw, from_text, refuse_respelled, text_of
from nightshift.lake.columns import Target
from nightshift.lake.csv_pages import CsvPages
from nightshift.lake.errors import CastError, LakeError, UnreadablePage
from nightshift.lake.json_pages import JsonPages, NewColumns
from nightshift.lake.spec import CsvSpec, PublishSpec
from nightshift.lake.times import local_days

Decoder = Callable[[bytes], pa.Table]
"""From the body of a page to its rows."""
Outcome = tuple[Any, ...]


class Disagreement(AssertionError):
    """Two ways came to different ends."""


def same(ways: Mapping[str, Callable[[], Outcome]]) -> Outcome:
    """Return what all ways came to.

    :raises Disagreement: they did not come to the same
    """
    found = {name: way() for name, way in ways.items()}
    first, *others = found.values()
    if any(other != first for other in others):
        raise Disagreement("\n".join(f"{name}: {str(came)[:600]}" for name, came in found.items()))
    return first


def cast(way: Callable[[], pa.Array]) -> Outcome:
    """Return the values that a cast made, or the place that it refused."""
    try:
        made = way()
    except Misfit as misfit:
        return "refused", misfit.index, misfit.text
    # NaN is no value that equals itself, and -0.0 is not 0.0: their spelling tells.
    return "values", str(made.type), [repr(value) for value in made.to_pylist()]


def texts_agree(texts: Sequence[str | None], kind: str, zone: str, empty_as_null: bool) -> Outcome:
    """Cast a column of texts by the column, and one by one."""
    return same(
        {
            "by the column": lambda: cast(lambda: from_text(pa.array(texts, pa.string()), kind, zone, empty_as_null)),
            "by the value": lambda: cast(lambda: by_value(texts, kind, zone, empty_as_null)),
            "each alone": lambda: _each_alone(texts, kind, zone, empty_as_null),
        }
    )


def _each_alone(texts: Sequence[str | None], kind: str, zone: str, empty_as_null: bool) -> Outcome:
    values: list[str] = []
    last = "values"
    for index, text in enumerate(texts):
        came = cast(lambda text=text: from_text(pa.array([text], pa.string()), kind, zone, empty_as_null))
        if came[0] == "refused":
            return "refused", index, text
        last, (value,) = came[1], came[2]
        values.append(value)
    return "values", last, values


def raws_agree(raws: Sequence[str | None], kind: str, zone: str, empty_as_null: bool) -> Outcome:
    """Cast a column of JSON values by the column, and by their texts one by one."""
    given = [None if raw is None else msgspec.Raw(raw.encode()) for raw in raws]
    return same(
        {
            "raw": lambda: cast(lambda: from_raw(given, kind, zone, empty_as_null)),
            "by the value": lambda: cast(lambda: by_value([text_of(raw) for raw in given], kind, zone, empty_as_null)),
        }
    )


def spellings_agree(texts: Sequence[str]) -> Outcome:
    """Look for numbers that nobody has said are some by the column, and one by one."""
    values = pa.array([0.0] * len(texts))
    column = pa.array(["x", *texts], pa.string()).slice(1)
    return same(
        {
            "by the column": lambda: cast(lambda: (refuse_respelled(column, values, is_key=False), values)[1]),
            "by the value": lambda: next(
                (("refused", at, text) for at, text in enumerate(texts) if not re.fullmatch(NUMBER, text, re.ASCII)),
                ("values", str(values.type), ["0.0"] * len(texts)),
            ),
        }
    )


def days_agree(moments: Sequence[datetime], zone: str) -> Outcome:
    """Take the day of moments in a zone by the column, and one by one."""

    def clock(moment: datetime) -> Any:
        try:
            return moment.astimezone(ZoneInfo(zone)).date()
        except OverflowError:
            return moment.date()

    at = [moment.replace(tzinfo=UTC) for moment in moments]
    return same(
        {
            "by the column": lambda: ("days", local_days(pa.array(at, pa.timestamp("us", "UTC")), zone).to_pylist()),
            "by the value": lambda: ("days", [clock(moment) for moment in at]),
        }
    )


class OneByOne(JsonPages):
    """The plain way: every row as names and texts, every value cast alone."""

    def _compiled(self) -> Callable[[bytes], list[Any] | None]:
        return self._one_by_one()

    def _from_raw(self, column: Target, raws: Sequence[msgspec.Raw | None]) -> pa.Array:
        if column.kind == "json":
            written = [None if raw is None or bytes(raw) == b"null" else bytes(raw).decode() for raw in raws]
            return pa.array(written, pa.string())
        texts = [text_of(raw) for raw in raws]
        found = by_value(texts, column.kind, self._spec.timezone, self._spec.empty_as_null)
        if column.origin in self._guessed and column.kind not in ("string", "json", "date", "timestamp"):
            for index, (raw, text, value) in enumerate(zip(raws, texts, found.to_pylist(), strict=True)):
                if value is not None and text is not None and not _is_spelled_so(bytes(raw or b""), text, column.kind):
                    raise Misfit(index, text, "")
        return found


def _is_spelled_so(raw: bytes, text: str, kind: str) -> bool:
    """Say whether a value is written as one of which nobody has said its kind."""
    if kind == "bool":
        return text.lower() in ("true", "false")
    return raw.strip()[:1] != b'"' or re.fullmatch(r"0|-?[1-9][0-9]*" if kind == "int64" else NUMBER, text) is not None


Reader = Callable[[Sequence[Target], PublishSpec, Sequence[str]], Any]
JSON_READERS: dict[str, Reader] = {
    "compiled": lambda columns, spec, guessed: JsonPages(columns, (), spec, "r", (), guessed),
    "one by one": lambda columns, spec, guessed: OneByOne(columns, (), spec, "r", (), guessed),
}
"""Every decoder of JSON pages, made of columns, spec and the columns whose type the values alone have told."""


def decoders_of(
    readers: Mapping[str, Reader], columns: Sequence[Target], spec: PublishSpec, guessed: Sequence[str] = ()
) -> dict[str, Decoder]:
    """Return the decoders of a page by name; each call begins with a new reader."""

    def decoder(reader: Reader) -> Decoder:
        def decode(body: bytes) -> pa.Table:
            pages = reader(columns, spec, guessed)
            return pa.Table.from_batches(pages.batches(1, body, 0), pages.schema)

        return decode

    return {name: decoder(reader) for name, reader in readers.items()}


def page_outcome(decode: Decoder, body: bytes) -> Outcome:
    """Return the table that a decoder makes of a page, or what it refuses.

    :raises Exception: what is none of the lake's own errors
    """
    try:
        table = decode(body)
    except CastError as error:
        return "refused", "CastError", error.row, error.column, error.value
    except NewColumns:
        return "refused", "NewColumns"
    except UnreadablePage as error:
        return "refused", "UnreadablePage", error.page
    except LakeError as error:
        return "refused", type(error).__name__
    table.validate(full=True)
    return "table", str(table.schema), [[repr(value) for value in column.to_pylist()] for column in table.columns]


def pages_agree(decoders: Mapping[str, Decoder], body: bytes) -> Outcome:
    """Decode a page by every decoder.

    One that finds an unknown column at once, and one that reads the page to its end first, may refuse it for different
    reasons: what the column is of is looked for in another walk.

    :raises Disagreement: two tables differ, or one decoder refuses what another takes
    """
    return _agreed({name: page_outcome(decode, body) for name, decode in decoders.items()})


def _agreed(came: Mapping[str, Outcome]) -> Outcome:
    unknown = ("refused", "NewColumns")
    if unknown in came.values() and all(one[0] == "refused" for one in came.values()):
        return unknown
    return same({name: lambda one=one: one for name, one in came.items()})


def csv_agrees(body: bytes, columns: Sequence[Target], spec: PublishSpec) -> Outcome | None:
    """Decode a CSV page of plain lines with Arrow's reader, and with Python's and one value at a time.

    ``None`` where the page is no plain one: Python's reader takes what Arrow's refuses, and the other way round.
    """
    rows = _plain_rows(body, spec.csv)
    if rows is None:
        return None
    decoders = decoders_of({"arrow": lambda *given: CsvPages(given[0], (), given[1], "r", given[2])}, columns, spec)
    return _agreed({"arrow": page_outcome(decoders["arrow"], body), "python": _csv_by_value(rows, columns, spec)})


def _plain_rows(body: bytes, spec: CsvSpec) -> list[list[str]] | None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        return None
    if not text.isprintable() and not all(one.isprintable() or one in "\n" for one in text):
        return None
    if spec.quote in text or '"' in text or "\ufeff" in text:
        return None
    rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=spec.delimiter, quoting=csv.QUOTE_NONE))
    if len(rows) < 2 or not all(name.strip() for name in rows[0]):
        return None
    if len({name.strip() for name in rows[0]}) < len(rows[0]):
        return None
    if any(len(row) != len(rows[0]) for row in rows) or any(not "".join(row).strip() for row in rows):
        return None
    return rows


def _csv_by_value(rows: list[list[str]], columns: Sequence[Target], spec: PublishSpec) -> Outcome:
    header, *lines = rows
    names = [name.strip() for name in header]
    if set(names) - {column.origin for column in columns}:
        return "refused", "NewColumns"
    made = []
    for column in columns:
        at = names.index(column.origin) if column.origin in names else None
        texts = [None if at is None else line[at] or None for line in lines]
        came = cast(lambda texts=texts, kind=column.kind: by_value(texts, kind, spec.timezone, spec.empty_as_null))
        if came[0] == "refused":
            return "refused", "CastError", came[1] + 1, column.origin, came[2]
        made.append(came[2])
    schema = pa.schema([(column.name, by_value([], column.kind, "UTC", False).type) for column in columns])
    return "table", str(schema), made
