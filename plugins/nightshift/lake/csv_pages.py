"""CSV pages to typed batches: by name, not by position, whether the header is on every page or on the first alone."""

from __future__ import annotations

import csv
import re
from collections.abc import Collection, Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from nightshift.lake.casts import Fractions, Misfit, arrow_type, from_text, refuse_respelled
from nightshift.lake.columns import Target, is_number, misfit_error
from nightshift.lake.csv_text import HeaderProblem, RecordCounter, column_names, first_record, marked
from nightshift.lake.errors import UnreadablePage
from nightshift.lake.json_pages import NewColumns
from nightshift.lake.spec import CsvSpec, PublishSpec
from nightshift.lake.spelling import Spelling

WHOLE = 12 << 20
PIECE = 4 << 20
_NAMELESS = "\0nameless"


class CsvTexts:
    """Read CSV pages as batches of texts; the first page says the header of those that have none.

    An empty field is no value; an empty text in quotes is an empty text. Empty lines are no rows, nor are lines of
    blanks where there are several columns. A last column without a name and without a value, as of lines that end with
    a delimiter, is no column.

    Arrow's reader is given each page as one block, or as pieces that end where a record does: at a border of its own
    blocks it loses the line feed of a quoted line break.
    """

    def __init__(self, spec: CsvSpec, report: str, spelling: Spelling | None = None) -> None:
        self._spec = spec
        self._spelling = spelling or Spelling()
        self._report = report
        self._charset = spec.charset
        self._header: list[str] = []
        self._line: list[str] = []

    @property
    def header(self) -> list[str]:
        """The names in the header that was read first; empty before it, and where a page has none to read."""
        return [name for name in self._header if name]

    def batches(self, number: int, body: bytes, rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Read a page; every column is text.

        :param rows: rows that it should have, where known: whether a line that looks like the header is one
        :raises UnreadablePage: not CSV of this character set, a line with too many or too few fields, a name twice, a
            row that is the header once more
        """
        self._charset, mark = marked(body, self._charset)
        whole = memoryview(body)[mark:]
        names: list[str] = []
        before = 0
        for at, text in enumerate(self._pieces(number, whole, mark)):
            first, size = self._first(number, text) if at == 0 else ([], 0)
            if first:
                was_known = bool(self._header)
                names, is_header = self._names(number, first)
                looks_so = is_header and was_known and rows is not None
                if looks_so and (names != self._header or len(whole) > WHOLE) and self._records(body) == rows:
                    names, is_header = self._header, False
                read = self._read(number, text[size if is_header else 0 :], names)
                if looks_so and is_header and len(whole) <= WHOLE and len(read) + 1 == rows:
                    # It was a row with the texts of the header.
                    read, is_header = self._read(number, text, self._header), False
                self._line = first if is_header else self._line
            elif names:
                read = self._read(number, text, names)
            else:
                continue
            if len(names) == 1:
                self._refuse_undivided(number, names[0], read.column(0))
            if self._spec.repeated_header == "refuse":
                self._refuse_header(number, before, read)
            before += len(read)
            yield from read.to_batches()

    def _records(self, body: bytes) -> int:
        counter = self._counter()
        counter.feed(body)
        return counter.records + counter.open_record

    def _counter(self, *, is_start: bool = True) -> RecordCounter:
        quote, delimiter = self._spec.quote.encode(), self._spec.delimiter.encode()
        return RecordCounter(quote, delimiter, self._charset, is_start=is_start, watchful=True)

    def _pieces(self, number: int, whole: memoryview, mark: int) -> Iterator[memoryview]:
        """Yield a page in UTF-8, whole or in pieces that end where a record does."""
        start = 0
        for end in self._cuts(number, whole):
            piece = whole[start:end]
            if self._charset != "utf-8":
                try:
                    piece = memoryview(bytes(piece).decode(self._charset).encode())
                except UnicodeDecodeError as error:
                    raise self._unreadable(
                        number, f"byte {mark + start + error.start} is no character of it: {error.reason}"
                    ) from None
            yield piece
            start = end

    def _cuts(self, number: int, whole: memoryview) -> Iterator[int]:
        counter = self._counter(is_start=False)
        is_looked_at = len(whole) > WHOLE or self._spec.quote.encode(self._charset) in bytes(whole)
        start = at = 0
        while is_looked_at and at < len(whole):
            block = bytes(whole[at : at + PIECE])
            block = block[: len(block) - counter.loose_end(block)] or block
            _, cut = counter.feed(block)
            if counter.misquoted is not None:
                raise self._unreadable(
                    number,
                    f"record {counter.misquoted}: a text stands behind the quote that closes a field; a quote inside "
                    "of one has to be written twice",
                )
            if len(whole) > WHOLE and cut >= 0 and at + cut - start >= PIECE:
                start = at + cut
                yield start
            at += len(block)
        if counter.inside_quotes:
            raise self._unreadable(number, "a quote is open at its end")
        yield len(whole)

    def _first(self, number: int, text: memoryview) -> tuple[list[str], int]:
        try:
            return first_record(bytes(text[: (1 << 20) + 1]), self._spec, is_header=not self._header)
        except (UnicodeDecodeError, csv.Error) as error:
            raise self._unreadable(number, str(error)) from None

    def _names(self, number: int, first: list[str]) -> tuple[list[str], bool]:
        """Return the names of a page's columns, and whether its first line is its header."""
        known = {name.lower() for name in self._header} - {""}
        there = [self._spelling.of(name.strip()).lower() in known for name in first]
        if known and sum(there) * 2 < len([name for name in first if name]):
            return self._header, False
        try:
            names = column_names(first, self._spec)
        except HeaderProblem as problem:
            if known:
                return self._header, False
            raise UnreadablePage(
                f"{self._report}: page {number}: {problem}. Nothing was published; the landed night is untouched. "
                "Then clear the publish task; the vendor is not asked again."
            ) from None
        names = self._spelling.of_row(names, f"{self._report}: page {number}: the header")
        self._header = self._header or names
        return names, not known.isdisjoint(map(str.lower, names)) or not known

    def _read(self, number: int, text: memoryview, names: list[str]) -> pa.Table:
        """Read rows; a last field that has neither name nor value is left out, whether it is in the header or not."""
        named = names[:-1] if names and not names[-1] else names
        try:
            try:
                found = self._parsed(text, names)
            except pa.ArrowInvalid as error:
                other = [*named, ""] if len(named) == len(names) else named
                counted = re.search(r"Expected \d+ columns, got (\d+)", str(error))
                if counted is None or int(counted[1]) != len(other):
                    raise
                found = self._parsed(text, other)
                if any(filter(None, found.column(len(named)).to_pylist() if other[-1:] == [""] else ())):
                    raise
        except pa.ArrowInvalid as error:
            raise self._unreadable(number, str(error)[:300]) from None
        return self._without_nameless(number, found) if _NAMELESS in found.schema.names else found

    def _parsed(self, text: memoryview, names: Sequence[str]) -> pa.Table:
        unique = [name or _NAMELESS for name in names]
        schema = dict.fromkeys(unique, pa.string())
        if not len(text):
            return pa.schema(schema.items()).empty_table()
        return pa_csv.read_csv(
            pa.py_buffer(text),
            read_options=pa_csv.ReadOptions(use_threads=False, block_size=len(text) + 1, column_names=unique),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._spec.delimiter,
                quote_char=self._spec.quote,
                newlines_in_values=True,
                invalid_row_handler=_without_blanks,
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
            ),
        )

    def _refuse_undivided(self, number: int, name: str, values: pa.ChunkedArray) -> None:
        """Refuse one column that another delimiter divides in every line alike, its name too."""
        for other in (",", ";", "\t", "|"):
            count = name.count(other)
            alike = pc.equal(pc.count_substring(values, other), count)
            if count and other != self._spec.delimiter and pc.all(alike, min_count=0).as_py():
                raise self._unreadable(number, f"there is one column, {name[:80]!r}, and each line has {other!r} in it")

    def _refuse_header(self, number: int, before: int, read: pa.Table) -> None:
        """Refuse a row that is the header once more, as it stands between files that were put together."""
        fields = [(column, text) for column, text in zip(read.columns, self._line, strict=False) if text]
        if len(fields) < 2:
            return
        found = pc.indices_nonzero(pc.equal(*fields[0]))
        for column, text in fields[1:]:
            # Hardly a row has the name of its first column in it, so the others cost nothing.
            if not len(found):
                return
            found = found.filter(pc.equal(column.take(found), text).fill_null(False))
        if len(found):
            raise UnreadablePage(
                f"{self._report}: page {number}, row {before + found[0].as_py() + 1} is the header once more "
                f"({', '.join(self._line)[:80]!r}). Nothing was published; the landed night is untouched. Have the "
                "vendor leave it out and extract the night again; if it is a row, set csv: {repeated_header: row} for "
                "the report and clear the publish task, the vendor is not asked again."
            )

    def _without_nameless(self, number: int, table: pa.Table) -> pa.Table:
        count = table.num_columns
        found = next(((row, value) for row, value in enumerate(table.column(_NAMELESS).to_pylist(), 1) if value), None)
        if found is None:
            return table.drop_columns([_NAMELESS])
        if self._spec.repeated_names == "number":
            return table.rename_columns([*table.schema.names[:-1], f"column_{count}"])
        raise UnreadablePage(
            f"{self._report}: page {number}, row {found[0]}: column {count} has the value {found[1][:80]!r} and no "
            "name in the header. Nothing was published; the landed night is untouched. Set csv: {repeated_names: "
            f"number}} for the report to call it 'column_{count}', and clear the publish task; the vendor is not asked "
            "again."
        )

    def _unreadable(self, number: int, problem: str) -> UnreadablePage:
        return UnreadablePage(
            f"{self._report}: page {number} is not CSV in {self._charset} with the delimiter {self._spec.delimiter!r} "
            f"({problem}). Nothing was published; the landed night is untouched. Correct csv (charset, delimiter, "
            "quote) in the report's configuration and clear the publish task; if they are right, have the vendor "
            "correct the line, or repeat the download if it was cut, and extract the night again."
        )


def _without_blanks(row: pa_csv.InvalidRow) -> str:
    return "skip" if row.actual_columns == 1 < row.expected_columns and not row.text.strip(" \t\r\n") else "error"


class CsvPages:
    """Decode CSV pages of one extract; the same verbs as :class:`nightshift.lake.json_pages.JsonPages`."""

    def __init__(
        self,
        columns: Sequence[Target],
        ignored: Iterable[str],
        spec: PublishSpec,
        report: str,
        guessed: Collection[str] = (),
        spelling: Spelling | None = None,
    ) -> None:
        self.schema = pa.schema([(column.name, arrow_type(column.kind)) for column in columns])
        self._columns = [column for column in columns if column.member is None]
        self._members = [column for column in columns if column.member is not None]
        self._known = {column.origin for column in self._columns} | set(ignored)
        self._spec = spec
        self._report = report
        self._texts = CsvTexts(spec.csv, report, spelling)
        self._guessed = {name: Fractions() for name in guessed}
        self.seen: set[str] = set()

    def batches(self, number: int, body: bytes, rows: int) -> Iterator[pa.RecordBatch]:
        """Decode a page.

        :raises NewColumns: the header has a column that is not known
        :raises UnreadablePage: not CSV
        :raises CastError: a value does not fit its column
        """
        before = 0
        for texts in self._texts.batches(number, body, rows):
            self._see(texts.schema.names)
            arrays = [self._column(number, before, column, texts) for column in self._columns]
            arrays += [pa.nulls(len(texts), arrow_type(column.kind)) for column in self._members]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            before += len(texts)
        # A header says which columns there are whether rows follow or not.
        self._see(self.header)

    @property
    def header(self) -> list[str]:
        """The names in the header that was read first, in its order."""
        return self._texts.header

    def _see(self, names: Iterable[str]) -> None:
        self.seen |= set(names)
        if new := self.seen - self._known:
            raise NewColumns(", ".join(sorted(new)))

    def _column(self, number: int, before: int, column: Target, texts: pa.RecordBatch) -> pa.Array:
        if column.origin not in texts.schema.names:
            return pa.nulls(len(texts), arrow_type(column.kind))
        found = texts.column(column.origin)
        try:
            values = from_text(found, column.kind, self._spec.timezone, self._spec.empty_as_null)
            if column.origin in self._guessed and (is_number(column.kind) or column.kind == "bool"):
                refuse_respelled(found, values, is_key=column.origin in self._spec.key)
                self._refuse_ambiguous(column, found, values)
            return values
        except Misfit as misfit:
            raise misfit_error(self._report, number, before + misfit.index + 1, column, misfit, self._spec) from None

    def _refuse_ambiguous(self, column: Target, texts: pa.Array, values: pa.Array) -> None:
        if column.kind in ("bool", "int64"):
            return
        fractions = self._guessed[column.origin]
        fractions.take(texts.filter(values.is_valid()))
        if fractions.ambiguous:
            at = pc.index(pc.and_(pc.ends_with(texts, "0"), pc.match_substring(texts, ".")), True).as_py()
            raise Misfit(
                max(at, 0),
                texts[max(at, 0)].as_py(),
                "others have another number of digits behind the point, so texts that differ could become one number",
            )
