"""One huge download, landed as consecutive parts: flat memory, and a crash loses one part at most."""

from __future__ import annotations

import asyncio
import hashlib
from typing import TYPE_CHECKING, Any, Self

from nightshift.lake.errors import Incomplete
from nightshift.lake.manifest import LEVEL, PageEntry, page_name

if TYPE_CHECKING:
    from nightshift.lake.landing import ExtractFolder

BLOCK = 1 << 20
RECORD_LIMIT = 4


class RecordCounter:
    """Count the records of a CSV text as it passes by, and where the last one of a block ends.

    A line break inside quotes ends no record, and a quote counts as one only where a field begins, as CSV readers have
    it. Works on bytes of every character set in which quote, delimiter and line feed are one byte of their own (UTF-8,
    Latin-1, Windows code pages; not UTF-16).

    :param quote: the quote character, one byte
    :param delimiter: the delimiter, one byte
    """

    def __init__(self, quote: bytes = b'"', delimiter: bytes = b",") -> None:
        self.open_record = False
        self._quote = quote
        self._starts = (delimiter[0], 10, 13)
        self._inside = False
        self._last = 10

    def feed(self, block: bytes) -> tuple[int, int]:
        """Take a block.

        :return: how many records end in it, and the offset behind the last of them, or -1 where none ends
        """
        if not block:
            return 0, -1
        if self._quote in block:
            ends, last = self._among_quotes(block)
        elif self._inside:
            ends, last = 0, -1
        else:
            ends, last = block.count(b"\n"), block.rfind(b"\n")
        self._last = block[-1]
        self.open_record = last != len(block) - 1
        return ends, (last + 1 if ends else -1)

    def _among_quotes(self, block: bytes) -> tuple[int, int]:
        import numpy as np

        text = np.frombuffer(block, np.uint8)
        quotes, lines = np.flatnonzero(text == self._quote[0]), np.flatnonzero(text == 10)
        opening = quotes[int(self._inside) :: 2]
        before = text[opening - 1]
        if len(opening) and opening[0] == 0:
            before[0] = self._last
        if not np.isin(before, (*self._starts, self._quote[0])).all():
            quotes = np.array(self._true_quotes(block, quotes.tolist()), np.int64)
        outside = lines[(np.searchsorted(quotes, lines) + self._inside) % 2 == 0]
        self._inside ^= len(quotes) % 2 == 1
        return len(outside), int(outside[-1]) if len(outside) else -1

    def _true_quotes(self, block: bytes, quotes: list[int]) -> list[int]:
        """Leave out the quotes that stand inside a bare field, where they are ordinary characters."""
        inside, closed, found = self._inside, -2, []
        for at in quotes:
            before = block[at - 1] if at else self._last
            if not inside and before not in self._starts and closed != at - 1:
                continue
            found.append(at)
            if inside:
                closed = at
            inside = not inside
        return found


class PartStream:
    """The writer of one huge CSV download; made by :meth:`nightshift.lake.landing.ExtractFolder.open_stream`.

    Compressing and hashing run in a thread, one block behind the network.

    :param folder: where the parts go
    :param entries: the parts that are landed already
    :param counter: knows where records end
    :param part_bytes: size of a part as received
    """

    def __init__(
        self, folder: ExtractFolder, entries: list[PageEntry], counter: RecordCounter, part_bytes: int
    ) -> None:
        self.entries = entries
        self._folder = folder
        self._part_bytes = part_bytes
        self._counter = counter
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._running: asyncio.Task[None] | None = None
        self._part = _Part(1 + len(entries))

    @property
    def received(self) -> int:
        """Bytes in the parts that are landed: where an interrupted download goes on."""
        return sum(entry.bytes for entry in self.entries)

    async def write(self, chunk: bytes) -> None:
        """Take a chunk of any size, as received; returns when it is taken, not when it is landed."""
        self._waiting.append(chunk)
        self._waiting_bytes += len(chunk)
        if self._waiting_bytes >= BLOCK:
            await self._flush()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        if kind is None:
            await self._flush()
            await self._settle()
            await self._land()
        elif self._running is not None:
            self._running.cancel()

    async def _flush(self) -> None:
        await self._settle()
        block, self._waiting, self._waiting_bytes = b"".join(self._waiting), [], 0
        if block:
            self._running = asyncio.create_task(self._take(block))

    async def _settle(self) -> None:
        if self._running is not None:
            await self._running
            self._running = None

    async def _take(self, block: bytes) -> None:
        ends, last = await asyncio.to_thread(self._counter.feed, block)
        full = self._part.bytes + len(block)
        if full < self._part_bytes or last < 0:
            if full >= RECORD_LIMIT * self._part_bytes:
                raise Incomplete(
                    f"{self._folder.path}: no record ends within {full} bytes after byte {self.received}. Either a quote "
                    "is never closed there, or this is not CSV with this quote and delimiter. The parts before it are kept."
                )
            await asyncio.to_thread(self._part.add, block, ends)
            return
        await asyncio.to_thread(self._part.add, block[:last], ends)
        await self._land()
        if last < len(block):
            await asyncio.to_thread(self._part.add, block[last:], 0)

    async def _land(self) -> None:
        part = self._part
        if part.bytes == 0:
            return
        rows = part.records + (1 if self._counter.open_record and not part.ends_with_record else 0)
        name = page_name(part.number, "csv")
        await self._folder.put_packed(name, await asyncio.to_thread(part.packed))
        header = 1 if part.number == 1 and rows else 0
        self.entries.append(
            PageEntry(number=part.number, name=name, rows=rows - header, bytes=part.bytes, sha256=part.sha256)
        )
        self._part = _Part(part.number + 1)


class _Part:
    def __init__(self, number: int) -> None:
        import zstandard

        self.number = number
        self.bytes = 0
        self.records = 0
        self.ends_with_record = True
        self._hash = hashlib.sha256()
        self._squeeze = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True).compressobj()
        self._out: list[bytes] = []

    def add(self, block: bytes, ends: int) -> None:
        self.bytes += len(block)
        self.records += ends
        self.ends_with_record = block.endswith(b"\n")
        self._hash.update(block)
        self._out.append(self._squeeze.compress(block))

    def packed(self) -> bytes:
        self._out.append(self._squeeze.flush())
        return b"".join(self._out)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


async def landed_parts(folder: ExtractFolder, quote: bytes, delimiter: bytes) -> list[PageEntry]:
    """Return the entries of the parts that an interrupted download landed, up to the first gap.

    :raises Damaged: a part cannot be read
    """
    entries: list[PageEntry] = []
    for number in await folder.landed():
        if number != len(entries) + 1:
            break
        body = await folder.read(number)
        counter = RecordCounter(quote, delimiter)
        rows, _ = await asyncio.to_thread(counter.feed, body)
        rows += counter.open_record
        sha256 = (await asyncio.to_thread(hashlib.sha256, body)).hexdigest()
        entries.append(
            PageEntry(
                number=number,
                name=page_name(number, "csv"),
                rows=rows - (number == 1 and rows > 0),
                bytes=len(body),
                sha256=sha256,
            )
        )
    return entries
