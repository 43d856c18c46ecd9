"""One huge download, landed as consecutive parts: flat memory, and a crash loses one part at most."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self

from nightshift.lake.csv_text import RecordCounter
from nightshift.lake.errors import Damaged, Incomplete
from nightshift.lake.extract import PageEntry, compressor, page_name

if TYPE_CHECKING:
    from nightshift.lake.landing import ExtractFolder

log = logging.getLogger(__name__)

BLOCK = 1 << 20
RECORD_LIMIT = 4


class PartStream:
    """The writer of one huge CSV download; made by :meth:`nightshift.lake.landing.ExtractFolder.open_stream`.

    Compressing and hashing run in a thread, one block behind the network.
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
        self._header_is_due = counter.records == 0
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
            await self._flush(is_last=True)
            await self._settle()
            await self._finish()
        elif self._running is not None and issubclass(kind, Exception):
            # A part that is on its way to the store would land behind the back of whoever begins again.
            with suppress(Exception):
                await self._running
        elif self._running is not None:
            self._running.cancel()

    async def _flush(self, *, is_last: bool = False) -> None:
        await self._settle()
        block = b"".join(self._waiting)
        end = len(block) - (0 if is_last else self._counter.loose_end(block))
        self._waiting, self._waiting_bytes = [block[end:]], len(block) - end
        if block := block[:end]:
            self._running = asyncio.create_task(self._take(block))

    async def _settle(self) -> None:
        if self._running is not None:
            await self._running
            self._running = None

    async def _take(self, block: bytes) -> None:
        ends, cut = await asyncio.to_thread(self._counter.feed, block)
        full = self._part.bytes + len(block)
        if full < self._part_bytes or cut < 0:
            if full >= RECORD_LIMIT * self._part_bytes:
                raise Incomplete(
                    f"{self._folder.path}: no record ends within {full} bytes after byte {self.received}. Either a "
                    "quote is never closed there, or this is not CSV with this quote and delimiter. The parts before "
                    "it are kept."
                )
            await asyncio.to_thread(self._part.add, block, ends)
            return
        await asyncio.to_thread(self._part.add, block[:cut], ends)
        await self._land()
        if cut < len(block):
            await asyncio.to_thread(self._part.add, block[cut:], 0)

    async def _finish(self) -> None:
        if self._counter.inside_quotes:
            raise Incomplete(
                f"{self._folder.path}: the text ends inside of quotes, after {self.received + self._part.bytes} "
                "bytes. Either the download was cut, or this is not CSV with this quote and delimiter. The parts "
                "before it are kept; try the extract again."
            )
        self._part.records += self._counter.open_record
        await self._land()

    async def _land(self) -> None:
        part = self._part
        if part.bytes == 0:
            return
        name = page_name(part.number, "csv")
        await self._folder.put_packed(name, await asyncio.to_thread(part.packed))
        # The first record of all is the header.
        rows = part.records - (self._header_is_due and part.records > 0)
        self._header_is_due = self._header_is_due and not part.records
        self.entries.append(PageEntry(number=part.number, name=name, rows=rows, bytes=part.bytes, sha256=part.sha256))
        self._part = _Part(part.number + 1)


class _Part:
    def __init__(self, number: int) -> None:
        self.number = number
        self.bytes = 0
        self.records = 0
        self._hash = hashlib.sha256()
        self._squeeze = compressor().compressobj()
        self._out: list[bytes] = []

    def add(self, block: bytes, ends: int) -> None:
        self.bytes += len(block)
        self.records += ends
        self._hash.update(block)
        self._out.append(self._squeeze.compress(block))

    def packed(self) -> bytes:
        self._out.append(self._squeeze.flush())
        return b"".join(self._out)

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


async def landed_parts(folder: ExtractFolder, counter: RecordCounter) -> list[PageEntry]:
    """Return the entries of the parts that an interrupted download landed, up to the first that is missing or damaged:
    from there on the file is fetched again, and what is landed of it is removed: other parts end elsewhere.
    """
    entries: list[PageEntry] = []
    landed = await folder.landed()
    for number in landed:
        if number != len(entries) + 1:
            await folder.remove(landed[len(entries) :])
            break
        try:
            body = await folder.read(number)
        except Damaged as damage:
            log.warning("The download goes on from part %d: %s", number, damage)
            await folder.remove(landed[len(entries) :])
            break
        before = counter.records
        await asyncio.to_thread(counter.feed, body)
        records = counter.records - before + counter.open_record
        entries.append(
            PageEntry(
                number=number,
                name=page_name(number, "csv"),
                rows=records - (before == 0 and records > 0),
                bytes=len(body),
                sha256=(await asyncio.to_thread(hashlib.sha256, body)).hexdigest(),
            )
        )
    return entries
