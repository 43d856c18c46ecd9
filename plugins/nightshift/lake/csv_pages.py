"""CSV pages to typed batches: by name, not by position, whether the header is on every page or on the first alone."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

import pyarrow as pa
import pyarrow.csv as pa_csv

from nightshift.lake.casts import Misfit, arrow_type, from_text
from nightshift.lake.columns import Target, misfit_error
from nightshift.lake.errors import UnreadablePage
from nightshift.lake.json_pages import NewColumns
from nightshift.lake.spec import CsvSpec, PublishSpec

BLOCK = 4 << 20
_UTF8_MARK = b"\xef\xbb\xbf"


class CsvTexts:
    """Read CSV pages as batches of texts; the first page says the header of those that have none.

    An empty field is no value; an empty text in quotes is an empty text. Empty lines are no rows.

    :param spec: how the vendor writes CSV
    :param report: name of the report, for messages
    """

    def __init__(self, spec: CsvSpec, report: str) -> None:
        self._spec = spec
        self._report = report
        self._header: list[str] = []

    def batches(self, number: int, body: bytes) -> Iterator[pa.RecordBatch]:
        """Read a page; every column is text.

        :raises UnreadablePage: not CSV of this character set, a line with too many or too few fields, a name twice
        """
        body = body.removeprefix(_UTF8_MARK)
        if not body.strip():
            return
        names, is_header = self._names(number, body)
        try:
            with pa_csv.open_csv(
                io.BytesIO(body if body.endswith((b"\n", b"\r")) else body + "\n".encode(self._spec.charset)),
                read_options=pa_csv.ReadOptions(
                    use_threads=False, block_size=BLOCK, column_names=names, skip_rows_after_names=int(is_header),
                    encoding="utf8" if self._spec.charset == "utf-8" else self._spec.charset,
                ),
                parse_options=pa_csv.ParseOptions(delimiter=self._spec.delimiter, quote_char=self._spec.quote, newlines_in_values=True),
                convert_options=pa_csv.ConvertOptions(
                    column_types=dict.fromkeys(names, pa.string()), null_values=[""], strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            ) as reader:  # fmt: skip
                yield from reader
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            if "Empty CSV file" not in str(error):
                raise self._unreadable(number, str(error)[:300]) from None

    def _names(self, number: int, body: bytes) -> tuple[list[str], bool]:
        try:
            text = body[: 1 << 20].decode(self._spec.charset, "ignore" if len(body) > 1 << 20 else "strict")
            lines = csv.reader(
                io.StringIO(text, newline=""), delimiter=self._spec.delimiter, quotechar=self._spec.quote
            )
            first = next(record for record in lines if record)
        except (UnicodeDecodeError, csv.Error, StopIteration) as error:
            raise self._unreadable(number, str(error)) from None
        if not self._header:
            self._header = first
        known = set(self._header)
        is_header = sum(name in known for name in first) * 2 >= len(first) and len(known & set(first)) > 0
        names = first if is_header else self._header
        if len(set(names)) != len(names) or not all(names):
            raise self._unreadable(number, f"its header names a column twice, or not at all: {names[:20]}")
        return names, is_header

    def _unreadable(self, number: int, problem: str) -> UnreadablePage:
        return UnreadablePage(
            f"{self._report}: page {number} is not CSV in {self._spec.charset} with the delimiter {self._spec.delimiter!r} "
            f"({problem}). Nothing was published; the landed night is untouched. Correct csv in the report's "
            "configuration, or extract the night again if the download was cut."
        )


class CsvPages:
    """Decode CSV pages of one extract; the same verbs as :class:`nightshift.lake.json_pages.JsonPages`."""

    def __init__(self, columns: Sequence[Target], ignored: Iterable[str], spec: PublishSpec, report: str) -> None:
        self.schema = pa.schema([(column.name, arrow_type(column.kind)) for column in columns])
        self._columns = [column for column in columns if column.member is None]
        self._members = [column for column in columns if column.member is not None]
        self._known = {column.origin for column in self._columns} | set(ignored)
        self._spec = spec
        self._report = report
        self._texts = CsvTexts(spec.csv, report)
        self.seen: set[str] = set()

    def batches(self, number: int, body: bytes, rows: int) -> Iterator[pa.RecordBatch]:
        """Decode a page.

        :raises NewColumns: the header has a column that is not known
        :raises UnreadablePage: not CSV
        :raises CastError: a value does not fit its column
        """
        before = 0
        for texts in self._texts.batches(number, body):
            self.seen |= set(texts.schema.names)
            if new := self.seen - self._known:
                raise NewColumns(", ".join(sorted(new)))
            arrays = [self._column(number, before, column, texts) for column in self._columns]
            arrays += [pa.nulls(len(texts), arrow_type(column.kind)) for column in self._members]
            yield pa.RecordBatch.from_arrays(arrays, schema=self.schema)
            before += len(texts)

    def _column(self, number: int, before: int, column: Target, texts: pa.RecordBatch) -> pa.Array:
        if column.origin not in texts.schema.names:
            return pa.nulls(len(texts), arrow_type(column.kind))
        try:
            return from_text(texts.column(column.origin), column.kind, self._spec.timezone, self._spec.empty_as_null)
        except Misfit as misfit:
            raise misfit_error(self._report, number, before + misfit.index + 1, column, misfit, self._spec) from None
