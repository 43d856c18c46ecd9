"""CSV as it lies in the landing, without Arrow: its character set, where its records end, the names in its header."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from nightshift.lake.spec import CsvSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Places = NDArray[np.int64]

# The marks of UTF-32 come first: that of its little end begins as the one of UTF-16 does.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PLAIN = {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le", "ascii": "utf-8"}


def marked(body: bytes, charset: str) -> tuple[str, int]:
    """Return the character set of a text and the length of its byte order mark.

    A mark is believed before the configuration: no text of another character set begins so. Without one, UTF-16 and
    UTF-32 are of the little end, and ASCII is read as UTF-8, which it is.
    """
    for mark, name in _MARKS:
        if body.startswith(mark):
            return name, len(mark)
    name = codecs.lookup(charset).name
    return _PLAIN.get(name, name), 0


def unit_of(charset: str) -> int:
    """Return the bytes of the smallest unit of a character set of :func:`marked`: 4, 2 or 1."""
    return 4 if charset.startswith("utf-32") else 2 if charset.startswith("utf-16") else 1


class RecordCounter:
    """Count the records of a CSV text as it passes by, and where the last one of a block ends.

    A record ends with a line feed, a carriage return or both; empty lines are no records, nor are lines of blanks
    alone, unless the first record has but one field: then they are its values. A line break inside quotes ends no
    record, and a quote counts as one only where a field begins, as CSV readers have it. Works in every character set in
    which quote, delimiter and line breaks are one unit each that means nothing else: UTF-8, UTF-16, UTF-32, the
    single-byte code pages, the multi-byte ones of East Asia.

    :param charset: character set; a byte order mark at the start of the text overrules it
    :param is_start: whether the first block is the start of the text, where a mark may stand
    :param watchful: note in ``misquoted`` the first record, from 1, in which more than blanks stands between the quote
        that closes a field and the next delimiter or line break. CSV readers take it into the field, and leave out the
        quote, or take for one record what was two
    """

    def __init__(
        self,
        quote: bytes = b'"',
        delimiter: bytes = b",",
        charset: str = "utf-8",
        *,
        is_start: bool = True,
        watchful: bool = False,
    ) -> None:
        self.records = 0
        self.misquoted: int | None = None
        self.open_record = False
        self.inside_quotes = False
        self.charset, _ = marked(b"", charset)
        self._texts = quote.decode("ascii"), delimiter.decode("ascii")
        self._is_start = is_start
        self._watchful = watchful
        self._closed = False
        self._last = 0
        self._many: bool | None = None
        self._delimited = False
        self._blank_so_far = True
        self._learn()

    def feed(self, block: bytes) -> tuple[int, int]:
        """Take a block.

        :return: how many records end in it, and the offset behind the last line break that is not in quotes, or -1
            where there is none
        """
        import numpy as np

        skip = self._mark(block)
        size = (len(block) - skip) // self._unit
        if not size:
            return 0, -1
        text, block = np.frombuffer(block, self._dtype, size, skip), block[skip:] if skip else block
        quotes = np.empty(0, np.int64)
        if self._unit > 1 or self._quote_byte in block:
            quotes = self._quotes(text, block)
        loose = self._behind_quotes(text, quotes) if self._watchful and self.misquoted is None else None
        was_inside, last = self.inside_quotes, self._last
        self.inside_quotes ^= len(quotes) % 2 == 1
        self._closed = bool(len(quotes)) and quotes[-1] == size - 1 and not self.inside_quotes
        self._last = int(text[-1])
        self.open_record = self.inside_quotes or self._last not in self._breaks
        if was_inside and not len(quotes):
            return 0, -1
        breaks, is_empty = self._line_ends(text, block, last)
        if len(quotes):
            outside = (np.searchsorted(quotes, breaks) + was_inside) % 2 == 0
            breaks, is_empty = breaks[outside], is_empty[outside]
        if self._many is not False:
            blank = self._blank_lines(text, breaks, last)
            if self._many is None:
                self._many = self._look_at_first(text, breaks, is_empty, blank, (quotes, was_inside))
            is_empty = is_empty | blank
            self.open_record = self.open_record and not (self._blank_so_far and self._many is not False)
        if loose is not None:
            self.misquoted = self.records + 1 + int(np.count_nonzero(~is_empty[breaks < loose]))
        if not len(breaks):
            return 0, -1
        ends = len(breaks) - int(np.count_nonzero(is_empty))
        self.records += ends
        return ends, skip + (int(breaks[-1]) + 1) * self._unit

    def loose_end(self, block: bytes) -> int:
        """Return how many bytes at the end of a block should wait for the next: half of a character, or a carriage
        return that a line feed may follow.
        """
        skip = self._mark(block, keep=True)
        half = (len(block) - skip) % self._unit
        whole = len(block) - half
        return half + (self._unit if block[max(skip, whole - self._unit) : whole] == self._return_bytes else 0)

    def _mark(self, block: bytes, *, keep: bool = False) -> int:
        """Return the length of the byte order mark of a block, and learn its character set."""
        if not self._is_start or not block:
            return 0
        self.charset, skip = marked(block, self.charset)
        self._is_start = keep
        self._learn()
        return skip

    def _learn(self) -> None:
        self._unit = unit_of(self.charset)
        order = ">" if self.charset.endswith("-be") else "<"
        self._dtype = f"{order}u{self._unit}" if self._unit > 1 else "u1"
        quote, delimiter, feed, back = (self._number(text) for text in (*self._texts, "\n", "\r"))
        self._quote, self._feed, self._back = quote, feed, back
        self._delimiter = delimiter
        self._breaks = (feed, back)
        self._blanks = tuple(self._number(blank) for blank in " \t" if blank != self._texts[1])
        self._starts = (delimiter, feed, back)
        self._quote_byte = self._texts[0].encode(self.charset)
        self._return_bytes = "\r".encode(self.charset)
        self._last = feed

    def _number(self, character: str) -> int:
        return int.from_bytes(character.encode(self.charset), "big" if self.charset.endswith("-be") else "little")

    def _line_ends(self, text: Any, block: bytes, last: int) -> tuple[Places, NDArray[np.bool_]]:
        """Return the line breaks, and which of them end no record because nothing is between them and the one
        before.
        """
        import numpy as np

        feed, back = self._breaks
        breaks = np.flatnonzero(text == feed)
        before = _before(text, breaks, 1, last)
        # Most texts have none: a look for the first byte is ten times as fast as any count.
        if last != back and self._unit == 1 and self._return_bytes not in block:
            return breaks, before == feed
        if last != back and np.count_nonzero(text == back) == np.count_nonzero(before == back):
            earlier = _before(text, breaks, 2, last)
            return breaks, (before == feed) | ((before == back) & ((earlier == feed) | (earlier == back)))
        breaks = np.flatnonzero((text == feed) | (text == back))
        before = _before(text, breaks, 1, last)
        return breaks, (before == feed) | (before == back)

    def _blank_lines(self, text: Any, breaks: Any, last: int) -> NDArray[np.bool_]:
        """Return which line breaks end a line of blanks alone, and learn whether the open line is one so far."""
        import numpy as np

        was_blank, tail = self._blank_so_far, text[breaks[-1] + 1 :] if len(breaks) else text
        self._blank_so_far = (was_blank or bool(len(breaks))) and bool(
            not len(tail) or (tail[0] in self._blanks and _among(tail, (*self._blanks, *self._breaks)).all())
        )
        before = _before(text, breaks, 1, last)
        returns = np.flatnonzero(before == self._back)
        if len(returns):
            before[returns] = _before(text, breaks[returns], 2, last)
        found = _among(before, self._blanks)
        if found.any():
            others = np.flatnonzero(~_among(text, (*self._blanks, *self._breaks)))
            starts = np.concatenate(([0], breaks[:-1] + 1))
            found &= np.searchsorted(others, starts) == np.searchsorted(others, breaks)
            found[0] &= was_blank
        return found

    def _look_at_first(
        self, text: Any, breaks: Any, is_empty: Any, blank: Any, quoted: tuple[Places, bool]
    ) -> bool | None:
        """Return whether the first record has several fields, if it ends here; else lines of blanks behind it are
        records.
        """
        import numpy as np

        quotes, was_inside = quoted
        real = np.flatnonzero(~(is_empty | blank))
        seen = text[: breaks[real[0]]] if len(real) else text
        places = np.flatnonzero(seen == self._delimiter)
        outside = (np.searchsorted(quotes, places) + was_inside) % 2 == 0
        self._delimited = self._delimited or bool(outside.any())
        if not len(real):
            return None
        if not self._delimited:
            blank[real[0] :] = False
        return self._delimited

    def _quotes(self, text: Any, block: bytes) -> Places:
        """Return the quotes that open or close a field."""
        import numpy as np

        quotes = np.flatnonzero(text == self._quote)
        opening = quotes[int(self.inside_quotes) :: 2]
        before = text.take(opening - 1, mode="clip")
        if len(opening) and opening[0] == 0:
            before[0] = self._last if self._closed or self._last in self._starts else 0
        if _among(before, (*self._starts, self._quote)).all():
            return quotes
        return np.array(self._true_quotes(block if self._unit == 1 else text.tolist(), quotes.tolist()), np.int64)

    def _behind_quotes(self, text: Any, quotes: Places) -> int | None:
        """Return the first place behind a closing quote, and blanks maybe, where no field ends and no quote stands."""
        import numpy as np

        behind = quotes[int(not self.inside_quotes) :: 2] + 1
        behind = np.concatenate(([0], behind)) if self._closed else behind
        behind = behind[behind < len(text)]
        wrong = behind[~_among(text[behind], (*self._starts, self._quote))]
        if len(wrong) and self._blanks and _among(text[wrong], self._blanks).any():
            solid = np.flatnonzero(~_among(text, self._blanks))
            place = np.searchsorted(solid, wrong)
            wrong = solid[place[place < len(solid)]]
            wrong = wrong[~_among(text[wrong], self._starts)]
        return int(wrong[0]) if len(wrong) else None

    def _true_quotes(self, text: bytes | list[int], quotes: list[int]) -> list[int]:
        """Leave out the quotes that stand inside a bare field, where they are ordinary characters."""
        inside, closed, found = self.inside_quotes, -1 if self._closed else -2, []
        for at in quotes:
            before = text[at - 1] if at else self._last
            if not inside and before not in self._starts and closed != at - 1:
                continue
            found.append(at)
            if inside:
                closed = at
            inside = not inside
        return found


def _among(units: Any, wanted: Sequence[int]) -> NDArray[np.bool_]:
    """Return which units are among a few; comparing with each of them is faster than any table."""
    found: NDArray[np.bool_] = units == wanted[0]
    for one in wanted[1:]:
        found |= units == one
    return found


def _before(text: Any, places: Any, by: int, last: int) -> Any:
    """Return the units before these places; before the block there is ``last``."""
    found = text.take(places - by, mode="clip")
    found[:by][places[:by] < by] = last
    return found


HEAD = 1 << 20
FIELD_LIMIT = 1 << 27


class HeaderProblem(ValueError):
    """A header cannot be used as it is; the text says why, and which setting helps."""


def first_record(text: bytes, spec: CsvSpec, *, is_header: bool = True) -> tuple[list[str], int]:
    """Return the first record of a CSV text that is no empty line, and the offset behind it; no fields where there is
    none.

    :param text: in UTF-8, or its beginning; the record has to end within its first MiB
    :raises csv.Error: not CSV
    :raises UnicodeDecodeError: not UTF-8
    """
    csv.field_size_limit(max(FIELD_LIMIT, csv.field_size_limit()))
    # Cut off in the middle of a character is no mistake of the text.
    head = text[:HEAD].decode("utf-8", "strict" if len(text) <= HEAD else "ignore")
    read = 0

    def lines() -> Iterator[str]:
        nonlocal read
        for line in io.StringIO(head, newline=""):
            read += len(line.encode())
            yield line

    for record in csv.reader(lines(), delimiter=spec.delimiter, quotechar=spec.quote):
        if record and not (is_header and _is_blank(record)):
            return record, read
    return [], len(text)


def _is_blank(record: Sequence[str]) -> bool:
    """Say whether a record is a line of blanks alone, as :class:`RecordCounter` has them: a form feed is none."""
    return len(record) == 1 and bool(record[0]) and not record[0].strip(" \t\r\n")


def column_names(record: Sequence[str], spec: CsvSpec) -> list[str]:
    """Return the names of the columns of a header; the last is empty where the header ends with a delimiter.

    Blanks around a name are none of it, nor are quotes behind a blank. A name that comes twice, in whatever case, and a
    column without a name before the last one are told apart as ``csv.repeated_names`` says.

    :raises HeaderProblem: a name comes twice, or a column has none
    """
    quote = spec.quote
    names = [name.strip().lstrip("\ufeff") for name in record]
    names = [
        name[1:-1] if raw[:1].isspace() and len(name) > 1 and name[0] == name[-1] == quote else name
        for raw, name in zip(record, names, strict=True)
    ]
    if spec.repeated_names == "number":
        return _numbered(names)
    if len(names) == 1 and not names[0]:
        raise HeaderProblem(
            f"the header is the line {record[0][:80]!r}, which names no column. Have the vendor leave it out, or name "
            "its column, and extract the night again"
        )
    seen: set[str] = set()
    for at, name in enumerate(names, 1):
        if name.lower() in seen or (not name and (at < len(names) or at == 1)):
            what = f"names the column {name!r} twice" if name else f"has no name for column {at}"
            raise HeaderProblem(
                f"the header {what}: {', '.join(names)[:300]}. Set csv: {{repeated_names: number}} for the report to "
                f"call the second one {f'{name}_2' if name else f'column_{at}'!r}, or let the vendor name its columns "
                "apart"
            )
        seen.add(name.lower())
    return names


def header_of(body: bytes, spec: CsvSpec) -> list[str]:
    """Return the names of the columns of a CSV text of any character set; none where it is empty.

    A nameless column at the end, as of a header that ends with a delimiter, is not among them unless it is numbered.

    :raises HeaderProblem: a name comes twice, or a column has none
    :raises csv.Error: not CSV
    :raises UnicodeDecodeError: not of the character set
    """
    charset, mark = marked(body, spec.charset)
    head = body[mark : mark + HEAD]
    text = head.decode(charset, "strict" if len(body) <= len(head) + mark else "ignore")
    record, _ = first_record(text.encode(), spec)
    names = column_names(record, spec)
    return names[:-1] if names and not names[-1] else names


def _numbered(names: Sequence[str]) -> list[str]:
    taken = {name.lower() for name in names if name}
    found: list[str] = []
    seen: set[str] = set()
    for at, name in enumerate(names, 1):
        base = name or (f"column_{at}" if at < len(names) else "")
        wanted, count = base, 1
        while wanted.lower() in seen or (wanted != name and wanted.lower() in taken):
            count += 1
            wanted = f"{base}_{count}"
        found.append(wanted)
        seen.add(wanted.lower())
    return found


def breaks_off(body: bytes, charset: str, spec: CsvSpec, fields: int) -> bool:
    """Say whether the last record of a CSV text has broken off: no line end is behind it, and it has too few fields.

    :param body: the text, or its end from the start of a record on; without a byte order mark
    :param charset: of :func:`marked`
    :param fields: of each record
    """
    text = body.decode(charset, "ignore")
    if not text or text[-1] in "\r\n":
        return False
    csv.field_size_limit(max(FIELD_LIMIT, csv.field_size_limit()))
    last: list[str] = []
    for last in csv.reader(io.StringIO(text, newline=""), delimiter=spec.delimiter, quotechar=spec.quote):  # noqa: B007
        pass
    return len(last) < fields and not _is_blank(last)
