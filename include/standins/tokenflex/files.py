"""The files of exports: their length is known when they are made, their bytes are made again when they are read.

What is kept is a plan (a day, the length of its block, how often it comes) and the last blocks that were read; so a
file of many gigabytes costs a few megabytes, and any part of it can be read by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from include.standins.kept import Kept
from include.standins.tokenflex.asked import Asked
from include.standins.tokenflex.catalogue import Category
from include.standins.tokenflex.dialect import Dialect
from include.standins.tokenflex.table import Source, grouped, matching, selected, session_metrics, values_of
from include.standins.tokenflex.usage import MARK, UsageRow


@dataclass(frozen=True)
class _Part:
    """A stretch of the file: one block, repeated.

    :param size: bytes of one block
    :param day: a session-level day and category; ``None``: all groups of an aggregate
    :param first: number of the first copy
    :param shortened: the last copy, which has the first rows of the block alone
    """

    size: int
    copies: int
    day: tuple[Category, date] | None = None
    first: int = 0
    shortened: bool = False


@dataclass
class ExportFile:
    """The file of one export.

    :param name: unique: of the export and of how often its file was made
    :param etag: without quotes
    :param length: bytes
    """

    name: str
    source: Source
    asked: Asked
    blocks: Kept
    etag: str = ""
    length: int = 0
    _parts: list[_Part] = field(default_factory=list)

    @classmethod
    def made(cls, name: str, source: Source, asked: Asked, blocks: Kept) -> ExportFile:
        """Make a file; takes as long as its days need, so call it outside the event loop."""
        made = cls(name, source, asked, blocks)
        made._plan()
        return made

    def __post_init__(self) -> None:
        self._dialect = Dialect(self.asked, self.source.switches)
        self._mark = self._dialect.encoded(MARK)

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Give the bytes from ``start`` up to and without ``stop``."""
        end = self.length if stop is None else min(stop, self.length)
        at = 0
        for number, part in enumerate(self._parts):
            total = part.size * part.copies
            if start < at + total and at < end:
                yield from self._stretch(number, part, start - at, end - at)
            at += total

    def _stretch(self, number: int, part: _Part, start: int, stop: int) -> Iterator[bytes]:
        first, last = max(start, 0) // part.size, min(-(-stop // part.size), part.copies)
        for copy in range(first, last):
            at = copy * part.size
            block = self._block(number, part)
            if part.day:
                block = block.replace(self._mark, self._dialect.encoded(f"{part.first + copy:0{len(MARK)}d}"))
            low, high = max(start - at, 0), min(stop - at, part.size)
            yield block if (low, high) == (0, part.size) else block[low:high]

    def _plan(self) -> None:
        head = self._dialect.head()
        if self.asked.session_level:
            days = list(self._days())
        else:
            size = len(self.blocks.get((self.name, 1), self._groups))
            days = [_Part(size, 1)] if size else []
        if not days and self.source.switches.csv_empty:
            head = b""
        self._parts = [_Part(len(head), 1 if head else 0), *days]
        self.length = sum(part.size * part.copies for part in self._parts)
        if self.length and not self.source.switches.csv_final_newline:
            self.length -= len(self._dialect.newline)
        identity = f"{self.name}\x1f{self.source.as_of}\x1f{self.source.switches}\x1f{self.length}"
        self.etag = hashlib.blake2b(identity.encode(), digest_size=16).hexdigest()

    def _days(self) -> Iterator[_Part]:
        number = 0
        for day in selected(self.source, self.asked):
            at = (day.category, day.day)
            for rows, copies, first in ((day.rows, day.copies, 0), (day.rows[: day.rest], 1, day.copies)):
                if rows and copies:
                    number += 1
                    text = self._lines(rows)
                    self.blocks.get((self.name, number), lambda text=text: text)  # type: ignore[misc]  # a default binds this text
                    yield _Part(len(text), copies, at, first, shortened=bool(first) or not day.copies)

    def _block(self, number: int, part: _Part) -> bytes:
        if number == 0:
            return self._dialect.head()
        return self.blocks.get((self.name, number), lambda: self._made_again(part))

    def _made_again(self, part: _Part) -> bytes:
        if part.day is None:
            return self._groups()
        day = matching(self.source, self.asked, *part.day)
        return self._lines(day.rows[: day.rest] if part.shortened else day.rows)

    def _groups(self) -> bytes:
        return self._dialect.lines(grouped(self.source, self.asked))

    def _lines(self, rows: tuple[UsageRow, ...]) -> bytes:
        fields, metrics = self.asked.columns, self.asked.metrics
        return self._dialect.lines(
            [*values_of(row, fields), *(session_metrics(row, metrics) if metrics else ())] for row in rows
        )
