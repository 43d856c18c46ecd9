"""JSON pages to typed batches: compiled decoders for the rows that are as expected, value by value for those that
are not; and where the JSON is that cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from nightshift.lake.casts import Misfit, arrow_type, from_raw, from_text, joined, refuse_respelled, text_of
from nightshift.lake.columns import NO_OBJECT, Target, is_number, misfit_error
from nightshift.lake.csv_text import marked
from nightshift.lake.errors import CastError, UnreadablePage
from nightshift.lake.spec import PublishSpec
from nightshift.lake.spelling import Spelling
from nightshift.lake.times import epoch_ms
from nightshift.nesting import MAX_DEPTH, UNREADABLE, is_shallow, openings, shallow

_FIELD = {
    "string": str | None,
    "int64": int | None,
    "bool": bool | None,
    "date": str | int | None,
    "timestamp": str | int | None,
}


_AROUND = b"[[["
"""As many brackets as stand around a row's value in a page."""
_STARTS = re.compile(rb"\s*\[")
_EMPTY_LIST = re.compile(rb"\[\s*\]")
_UNKNOWN = re.compile(r"unknown field `(.*?)`", re.DOTALL)


class NewColumns(Exception):
    """Rows have columns that nobody knew of; the whole extract has to say their types."""


class JsonPages:
    """Decode pages of one extract.

    :param watched: vendor's columns of which :attr:`seen` is to say whether any row has them, be it as null
    :param spelling: which names are one column; a page whose rows all spell it alike is decoded as fast as any
    """

    def __init__(
        self,
        columns: Sequence[Target],
        ignored: Iterable[str],
        spec: PublishSpec,
        report: str,
        watched: Iterable[str] = (),
        guessed: Collection[str] = (),
        spelling: Spelling | None = None,
    ) -> None:
        self.schema = pa.schema([(column.name, arrow_type(column.kind)) for column in columns])
        self._spec = spec
        self._report = report
        self._plain = [column for column in columns if column.member is None]
        self._members = [column for column in columns if column.member is not None]
        self._ignored = tuple(ignored)
        self._unseen = set(watched)
        self._guessed = frozenset(guessed)
        self._spelling = spelling or Spelling()
        self._spelled: dict[str, str] = {}
        self._is_mixed = False
        self._page = 0
        self.seen: set[str] = set()
        self._loose = {
            column.origin for column in self._plain if column.kind not in _FIELD or column.origin in spec.promote
        }
        self._fields = {column.origin: f"f{at}" for at, column in enumerate(self._plain)}
        self._decode = self._compiled()

    def batches(self, number: int, body: bytes, rows: int) -> Iterator[pa.RecordBatch]:
        """Decode a page.

        :raises NewColumns: a row has a column that is not known
        :raises UnreadablePage: not JSON, or not rows
        :raises CastError: a value does not fit its column
        """
        self._page = number
        found, values = self._rows(number, body)
        if found is None:
            if rows:
                raise UnreadablePage(
                    f"{self._report}: page {number} has no {self._spec.data_key!r}, but {rows} rows were counted in "
                    "it. Set data_key."
                )
            return
        if found:
            arrays = [self._column(number, body, column, values[column.origin]) for column in self._plain]
            if self._unseen:
                self._see(body, arrays)
            arrays += [self._member(number, column, values[column.origin]) for column in self._members]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)

    def _see(self, body: bytes, arrays: Sequence[pa.Array]) -> None:
        found = {
            column.origin
            for column, array in zip(self._plain, arrays, strict=True)
            if column.origin in self._unseen and array.null_count < len(array)
        }
        missing = msgspec.Raw(b"")
        for name in self._unseen - found:
            if any(value is not missing for value in self._only(name, msgspec.Raw, body, missing)):
                found.add(name)
        self.seen |= found
        self._unseen -= found

    def _compiled(self) -> Callable[[bytes], list[Any] | None]:
        fields: list[tuple[str, Any, Any]] = [
            (field, msgspec.Raw if name in self._loose else self._typed(name), None)
            for name, field in self._fields.items()
        ]
        fields += [(f"i{at}", Any, None) for at in range(len(self._ignored))]
        names = {
            **{field: self._spelled.get(name, name) for name, field in self._fields.items()},
            **{f"i{at}": self._spelled.get(name, name) for at, name in enumerate(self._ignored)},
        }
        if self._is_mixed or any(map(is_awkward, names.values())):
            return self._one_by_one()
        row = msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, gc=False)
        return _decoder_of_text(row, self._spec.data_key)

    def _one_by_one(self) -> Callable[[bytes], list[Any] | None]:
        """Return a decoder for names that no compiled one takes, or that change from row to row: every row as names and
        values.
        """
        self._loose |= set(self._fields)
        row = msgspec.defstruct("Row", [(field, Any, None) for field in self._fields.values()], gc=False)
        decode = _decoder_of_text(dict[str, msgspec.Raw], self._spec.data_key)
        known = {*self._fields, *self._ignored}

        def decoded(text: bytes) -> list[Any] | None:
            found = decode(text)
            if found is None:
                return None
            found = [self._by_column(values, at) for at, values in enumerate(found, 1)]
            if new := {name for values in found for name in values} - known:
                raise NewColumns(", ".join(sorted(new)))
            return [row(*(values.get(name) for name in self._fields)) for values in found]

        return decoded

    def _by_column(self, values: dict[str, Any], row: int) -> dict[str, Any]:
        if not self._spelling:
            return values
        names = self._spelling.of_row(values, f"{self._report}: page {self._page}, row {row}")
        return dict(zip(names, values.values(), strict=True))

    def _spell(self, name: str, switched: set[str]) -> bool:
        """Take a name that the rows have and the decoder has not for another spelling of one that it has.

        :param switched: columns of which this page has had another spelling before
        :return: whether it may be one
        """
        column = self._spelling.of(name)
        if self._is_mixed or not self._spelling:
            return False
        if column not in (*self._fields, *self._ignored) or column in switched:
            self._is_mixed = True
        elif column != name:
            self._spelling.read[name] = column
        self._spelled[column] = name
        switched.add(column)
        self._decode = self._compiled()
        return True

    def _typed(self, name: str) -> Any:
        return _FIELD[next(column.kind for column in self._plain if column.origin == name)]

    def _rows(self, number: int, body: bytes) -> tuple[list[Any] | None, Mapping[str, Sequence[Any]]]:
        """Return the rows, and their values by column."""
        switched: set[str] = set()
        try:
            text = text_of_page(body)
            while True:
                try:
                    found = self._decode(text)
                    rows = found or ()
                    values = dict(
                        zip(self._fields, zip(*map(msgspec.structs.astuple, rows), strict=True), strict=False)
                    )
                    self._refuse_deep(text, len(rows), values)
                    return found, values
                except msgspec.ValidationError as error:
                    if unknown := _UNKNOWN.search(str(error)):
                        if self._spell(unknown[1], switched):
                            continue
                        raise NewColumns(str(error)) from None
                    guilty = {name for name in self._fields if name not in self._loose and not self._fits(name, body)}
                    if not guilty:
                        raise
                    self._loose |= guilty
                    self._decode = self._compiled()
        except UNREADABLE as error:
            raise unreadable(self._report, number, body, self._spec.data_key, error) from None

    def _refuse_deep(self, text: bytes, rows: int, values: Mapping[str, Sequence[Any]]) -> None:
        """Look at the brackets of the values that are kept as they are, where a page has few but theirs and the rows':
        the decoder takes no others.

        :raises RecursionError: as :func:`~nightshift.nesting.shallow`
        """
        kept = _AROUND + b",".join(joined(values[name]) for name in self._loose if name in values)
        others = openings(text) - openings(kept) - rows
        if others > MAX_DEPTH // 2 or not is_shallow(kept):
            shallow(text)

    def _fits(self, name: str, body: bytes) -> bool:
        try:
            self._only(name, self._typed(name), body)
        except msgspec.ValidationError:
            return False
        return True

    def _only(self, name: str, kind: Any, body: bytes, missing: Any = None) -> list[Any]:
        spelled = self._spelled.get(name, name)
        if self._is_mixed or is_awkward(spelled):
            rows = decoder_of(dict[str, kind], self._spec.data_key)(body) or ()
            return [self._by_column(row, at).get(name, missing) for at, row in enumerate(rows, 1)]
        row = msgspec.defstruct("Row", [("f", kind, missing)], rename={"f": spelled})
        return [found.f for found in decoder_of(row, self._spec.data_key)(body) or ()]

    def _column(self, number: int, body: bytes, column: Target, values: Sequence[Any]) -> pa.Array:
        try:
            if column.origin in self._loose:
                return self._from_raw(column, values)
            try:
                if column.kind in ("date", "timestamp"):
                    return self._times(values, column.kind)
                return pa.array(values, arrow_type(column.kind))
            except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
                return self._from_raw(column, self._only(column.origin, msgspec.Raw, body))
        except Misfit as misfit:
            raise self._misfit(number, column, misfit) from None

    def _from_raw(self, column: Target, raws: Sequence[msgspec.Raw | None]) -> pa.Array:
        found = from_raw(raws, column.kind, self._spec.timezone, self._spec.empty_as_null)
        if column.origin in self._guessed:
            self._refuse_respelled(column, raws, found)
        return found

    def _refuse_respelled(self, column: Target, raws: Sequence[msgspec.Raw | None], found: pa.Array) -> None:
        """Look at the texts in a column of numbers, and at all that made one of true and false."""
        if column.kind == "bool":
            texts = [text_of(raw) for raw in raws]
        elif is_number(column.kind) and b'"' in joined(raws):
            texts = [text_of(raw) if raw is not None and bytes(raw).lstrip()[:1] == b'"' else None for raw in raws]
        else:
            return
        refuse_respelled(pa.array(texts, pa.string()), found, is_key=False)

    def _times(self, values: Sequence[Any], kind: str) -> pa.Array:
        try:
            texts = pa.array(values, pa.string())
        except (pa.ArrowTypeError, pa.ArrowInvalid):
            return epoch_ms(pa.array(values, pa.int64()), kind)
        return from_text(texts, kind, self._spec.timezone, self._spec.empty_as_null)

    def _member(self, number: int, column: Target, values: Sequence[msgspec.Raw | None]) -> pa.Array:
        member = _member_of(str(column.member))
        raws: list[msgspec.Raw | None] = []
        for index, raw in enumerate(values):
            try:
                raws.append(member(raw) if raw is not None else None)
            except msgspec.ValidationError:
                text = bytes(raw or b"").strip()
                # An empty object is an empty list to many a language.
                if not _EMPTY_LIST.fullmatch(text) and not (text == b'""' and self._spec.empty_as_null):
                    raise self._misfit(number, column, Misfit(index, text.decode(), NO_OBJECT)) from None
                raws.append(None)
        try:
            return from_raw(raws, column.kind, self._spec.timezone, self._spec.empty_as_null)
        except Misfit as misfit:
            raise self._misfit(number, column, misfit) from None

    def _misfit(self, number: int, column: Target, misfit: Misfit) -> CastError:
        return misfit_error(self._report, number, misfit.index + 1, column, misfit, self._spec)


def _member_of(name: str) -> Callable[[msgspec.Raw], msgspec.Raw | None]:
    if is_awkward(name):
        members = msgspec.json.Decoder(dict[str, msgspec.Raw] | None).decode
        return lambda raw: (members(raw) or {}).get(name)
    nested: Any = msgspec.defstruct("Nested", [("m", msgspec.Raw, None)], rename={"m": name})
    decode = msgspec.json.Decoder(nested | None).decode
    return lambda raw: getattr(decode(raw), "m", None)


def is_awkward(name: str) -> bool:
    """Say whether a name has a quote, a backslash or a control character, which compiled decoders do not take."""
    return any(character in '"\\' or character < " " for character in name)


def decoder_of(row: Any, data_key: str) -> Callable[[bytes], list[Any] | None]:
    """Return a function that decodes the rows of a page: a bare array, or the array under ``data_key``; ``None``
    without.

    It raises ``msgspec.DecodeError``, ``RecursionError`` for what is nested too deep, and ``UnicodeDecodeError``.
    """
    decode = _decoder_of_text(row, data_key)
    return lambda body: decode(shallow(text_of_page(body)))


def _decoder_of_text(row: Any, data_key: str) -> Callable[[bytes], list[Any] | None]:
    bare = msgspec.json.Decoder(list[row]).decode
    keyed = _keyed(row, data_key)
    return lambda text: bare(text) if _STARTS.match(text) else keyed(text)


def _keyed(row: Any, data_key: str) -> Callable[[bytes], list[Any] | None]:
    if is_awkward(data_key):
        members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
        rows = msgspec.json.Decoder(list[row] | None).decode
        return lambda text: rows(members(text).get(data_key, b"null"))
    page: Any = msgspec.defstruct("Page", [("rows", list[row] | None, None)], rename={"rows": data_key})
    decode = msgspec.json.Decoder(page).decode
    return lambda text: decode(text).rows


_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]', re.DOTALL)
_SURROGATE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(?P<alone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.",
    re.DOTALL,
)
_CUT = "Extract the night again if the vendor's answer was cut."


def text_of_page(body: bytes) -> bytes:
    """Return a JSON page in UTF-8 without a byte order mark.

    :raises UnicodeDecodeError: it is not UTF-8, nor what its byte order mark says
    """
    charset, mark = marked(body, "utf-8")
    if charset != "utf-8":
        return body[mark:].decode(charset).encode()
    if not body.isascii():
        body.decode()
    return body[mark:] if mark else body


def unreadable(report: str, page: int, body: bytes, data_key: str, error: Exception) -> UnreadablePage:
    """Return the error of a page whose JSON cannot be read, with row and column where they can be told."""
    mark = marked(body, "utf-8")[1]
    text = body[mark:]
    at, why, advice = _cause(text, mark, error)
    row, column = _place(text, at, data_key) if at is not None else (None, None)
    where = f"page {page}" + (f", row {row}" if row else "") + (f", column {column!r}" if column is not None else "")
    return UnreadablePage(
        f"{report}: {where} is not the JSON of rows ({why}). Nothing was published; the landed night is untouched. "
        f"{advice}",
        page=page,
        row=row,
        column=column,
    )


def _cause(text: bytes, mark: int, error: Exception) -> tuple[int | None, str, str]:
    if isinstance(error, RecursionError):
        return (
            _deepest(text),
            "a value is nested too deep",
            "Have the vendor leave it out, then extract the night again.",
        )
    if isinstance(error, UnicodeDecodeError):
        why = f"byte {error.start} is no character of {error.encoding}: {error.reason}"
        return error.start - mark, why, "Have the vendor send UTF-8, then extract the night again."
    for found in _SURROGATE.finditer(text):
        if found["alone"]:
            why = f"{found[0].decode()} is one half of a character, and no text"
            return found.start(), why, "Have the vendor correct this value, then extract the night again."
    byte = re.search(r"\(byte (\d+)\)", str(error))
    return int(byte[1]) if byte else None, str(error), _CUT


def _deepest(text: bytes) -> int:
    depth = most = at = 0
    for token in _TOKEN.finditer(text):
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if depth > most:
            most, at = depth, token.start()
    return at


def _place(text: bytes, at: int, data_key: str) -> tuple[int | None, str | None]:
    """Return the row, from 1, and the column of a place in a page; ``None`` where it is in no row."""
    depth, rows, row = 0, 0, 0
    last = column = key = b""
    for token in _TOKEN.finditer(text):
        if token.start() > at:
            break
        match token[0]:
            case b"[" | b"{" as opening:
                depth += 1
                if opening == b"[" and not rows and (depth == 1 or (depth == 2 and _name(key) == data_key)):
                    rows, row = depth, 1
            case b"]" | b"}":
                depth -= 1
                if rows and depth < rows:
                    return None, None
            case b",":
                row += depth == rows > 0
                column = b"" if depth == rows else column
            case b":":
                key = last if depth == 1 else key
                column = last if depth == rows + 1 else column
            case name:
                last = name
    return (row, _name(column)) if rows else (None, None)


def _name(text: bytes) -> str | None:
    try:
        return msgspec.json.decode(text, type=str) if text else None
    except UNREADABLE:
        return text.decode("utf-8", "replace")
