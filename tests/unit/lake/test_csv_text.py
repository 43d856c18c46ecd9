"""Records are counted, and cut, exactly as a CSV reader reads them: any text, dialect, character set and block."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightshift.lake.csv_text import RecordCounter

CHARSETS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "cp1252", "cp500", "shift_jis", "gb18030"]


def records(text: str, quote: str, delimiter: str, many: bool | None = None) -> list[list[str]]:
    """Read records as Python does, but for lines of blanks where the first record has several fields, and before it."""
    found, taken = [], [""]

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            taken.append(line)
            yield line

    for row in csv.reader(lines(), quotechar=quote, delimiter=delimiter):
        is_blank = not "".join(taken).strip("".join({*" \t\r\n"} - {delimiter}))
        taken.clear()
        if not row or (is_blank and many is not False):
            continue
        many = len(row) > 1 if many is None else many
        found.append(row)
    return found


def fed(counter: RecordCounter, text: bytes, size: int) -> tuple[int, list[int]]:
    """Feed a text in blocks of a size, as the stream does: what is loose at an end waits for the next block."""
    ends, cuts, at, block = 0, [], 0, b""
    for start in range(0, len(text), size):
        block += text[start : start + size]
        held = counter.loose_end(block) if start + size < len(text) else 0
        block, rest = block[: len(block) - held], block[len(block) - held :]
        found, cut = counter.feed(block)
        ends += found
        if cut >= 0:
            cuts.append(at + cut)
        at, block = at + len(block), rest
    return ends, cuts


@settings(max_examples=600)
@given(
    text=st.text(st.sampled_from("ab,;\"'\n\r \té"), max_size=30),
    quote=st.sampled_from("\"'"),
    delimiter=st.sampled_from(",;\t"),
    charset=st.sampled_from(CHARSETS[:6]),
    size=st.integers(1, 9),
)
@example(text='a,1"\n""\n', quote='"', delimiter=",", charset="utf-8", size=4)
@example(text=" \na,b\r\n \t\r\n1,2\n  ", quote='"', delimiter=",", charset="utf-8", size=5)
@example(text="a\n  \nb\n ", quote='"', delimiter=",", charset="utf-16", size=6)
@example(text='"a""\n"\r\n\r\rb', quote='"', delimiter=",", charset="utf-16", size=3)
def test_any_text_is_counted_and_cut_as_a_csv_reader_reads_it(
    text: str, quote: str, delimiter: str, charset: str, size: int
) -> None:
    body = text.encode(charset)
    counter = RecordCounter(quote.encode(), delimiter.encode(), charset)
    ends, cuts = fed(counter, body, size if size > 4 or not charset.startswith("utf-") else 5)
    wanted = records(text, quote, delimiter)
    assert ends + counter.open_record == len(wanted)
    for cut in cuts:
        pieces = body[:cut].decode(charset), body[cut:].decode(counter.charset)
        before = records(pieces[0], quote, delimiter)
        many = len(before[0]) > 1 if before else None
        assert before + records(pieces[1], quote, delimiter, many) == wanted


@pytest.mark.parametrize("charset", CHARSETS)
@pytest.mark.parametrize("end", ["\n", "\r", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_big_texts_are_counted_in_every_charset(charset: str, end: str, quoting: int) -> None:
    out = io.StringIO(newline="")
    rows = [(str(n), 'a "b"\r\nc' if n % 3 else "plain", "x, y") for n in range(5000)]
    csv.writer(out, lineterminator=end, quoting=quoting).writerows(rows)  # type: ignore[call-overload]
    body = (f"{end}{end}" + out.getvalue() + end).encode(charset)
    counter = RecordCounter(charset=charset)
    ends, cuts = fed(counter, body, 10_007)
    assert (ends, counter.open_record, counter.inside_quotes) == (5000, False, False)
    assert cuts[-1] == len(body)


def test_a_text_that_ends_in_quotes_is_open() -> None:
    counter = RecordCounter()
    counter.feed(b'a,b\n1,"x\n')
    assert (counter.open_record, counter.inside_quotes) == (True, True)
