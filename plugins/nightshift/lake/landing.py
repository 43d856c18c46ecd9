"""The raw landing: the pages of a night as the vendor sent them, and the manifest that makes them an extract."""

from __future__ import annotations

import asyncio
import hashlib
import re
import secrets
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from nightshift.lake import objects
from nightshift.lake.csv_text import RecordCounter, marked, unit_of
from nightshift.lake.errors import Completed, Damaged, Incomplete, NoExtract, PageTaken
from nightshift.lake.extract import Format, Manifest, PageEntry, VendorTotals, compressor, page_name
from nightshift.lake.store import Lake, night_segment, segment

if TYPE_CHECKING:
    from obstore.store import ObjectStore

    from nightshift.lake.parts import PartStream

__all__ = ["ExtractFolder", "Landing", "Manifest", "PageEntry", "VendorTotals"]

MANIFEST = "manifest.json"
PAGE_LIMIT = 1 << 30
STEP = 1 << 12
"""Packed bytes that are unpacked at a time, where nothing says how many they become."""
_NIGHT = re.compile(r"night=(\d{4}-\d{2}-\d{2})")


@dataclass(frozen=True)
class Landing:
    """All extracts of one night of one report.

    :param lake: where it is
    :param source: connection type of the source
    :param report: name of the report
    :param night: the night, ``YYYY-MM-DD``
    :raises ValueError: a name that is not safe as a part of a path, or no such day
    """

    lake: Lake
    source: str
    report: str
    night: str

    def __post_init__(self) -> None:
        segment(self.source, "source")
        segment(self.report, "report")
        night_segment(self.night)

    @classmethod
    def of(cls, lake: Lake, manifest: Manifest) -> Self:
        """Return the night that a manifest is of."""
        return cls(lake, manifest.source, manifest.report, manifest.night)

    @property
    def path(self) -> tuple[str, ...]:
        """The folder of the night under the lake, in parts."""
        return ("raw", self.source, self.report, night_segment(self.night))

    def extract(self, extract_id: str, renewed: Callable[[str], object] = lambda extract_id: None) -> ExtractFolder:
        """Return the folder of an extract; nothing is written by this.

        :param renewed: see :class:`ExtractFolder`
        :raises ValueError: a name that is not safe as a part of a path
        """
        return ExtractFolder(self, segment(extract_id, "extract"), renewed)

    async def latest(self) -> Manifest | None:
        """Return the manifest of the newest complete extract, by when it finished; ``None`` where there is none.

        :raises Damaged: a manifest cannot be read
        """
        return next(iter(await self.complete()), None)

    async def asked_as(self, asked: str) -> Manifest | None:
        """Return the manifest of the newest complete extract of what is asked for now, else of those that do not say
        what they are of; ``None`` where there is neither.

        :param asked: see :attr:`nightshift.lake.extract.Manifest.asked`
        :raises Damaged: a manifest cannot be read
        """
        found = await self.complete()
        return next((one for wanted in (asked, "") for one in found if one.asked == wanted), None)

    async def complete(self) -> list[Manifest]:
        """Return the manifests of all complete extracts, the one that finished last first.

        :raises Damaged: a manifest cannot be read
        """
        store = self.lake.objects(*self.path)
        complete = sorted(name for name in await objects.anames(store) if re.fullmatch(rf"[^/]+/{MANIFEST}", name))
        bodies = [(name, await objects.aread(store, name)) for name in complete]
        found = [Manifest.from_json(body, "/".join((*self.path, name))) for name, body in bodies if body is not None]
        return sorted(found, key=lambda manifest: (manifest.finished, manifest.extract), reverse=True)

    async def manifest(self, extract_id: str) -> Manifest:
        """Return the manifest of an extract.

        :raises NoExtract: the extract is not there, or was never completed
        :raises Damaged: it is not a manifest, or the manifest of another extract
        """
        return await self.extract(extract_id).manifest()


class ExtractFolder:
    """The objects of one extract. A reader trusts nothing in it before its manifest is there.

    Two attempts can be at work in it: a worker that was held up wakes up after the retry has begun. So nothing in it is
    ever written over. Whoever finds a page of another content takes another folder, and so does whoever begins again;
    of two manifests the first one counts.

    :param landing: the night it belongs to
    :param extract_id: its name
    :param renewed: is told the name of another folder before anything is written there; what it raises keeps this
        attempt from writing anything more
    """

    def __init__(
        self, landing: Landing, extract_id: str, renewed: Callable[[str], object] = lambda extract_id: None
    ) -> None:
        self.landing = landing
        self.extract_id = extract_id
        self._renewed = renewed
        self._opened: ObjectStore | None = None

    @property
    def path(self) -> str:
        """The folder, under the lake."""
        return "/".join((*self.landing.path, self.extract_id))

    @property
    def objects(self) -> ObjectStore:
        """The objects of the folder."""
        if self._opened is None:
            self._opened = self.landing.lake.objects(*self.landing.path, self.extract_id)
        return self._opened

    async def landed(self) -> list[int]:
        """Return the numbers of the pages that are landed, in order; there may be gaps."""
        return sorted(_number(name) for name in await objects.anames(self.objects) if name.startswith("page-"))

    async def read(self, number: int) -> bytes:
        """Return a page as it was received.

        :raises Damaged: it is not there, or cannot be decompressed
        """
        for name in (page_name(number, "json"), page_name(number, "csv")):
            if (packed := await objects.aread(self.objects, name)) is not None:
                return await asyncio.to_thread(unpack, packed, f"{self.path}/{name}")
        raise Damaged(f"{self.path} has no page {number}. Extract the night again.")

    async def write(self, number: int, body: bytes, rows: int, *, landed: bool = False) -> PageEntry:
        """Land a page; it is there whole or not at all. Pages may come in any order and side by side.

        :param number: number of the page, from 1
        :param body: the body as received; JSON when it begins with ``{`` or ``[``, else CSV
        :param rows: rows in it
        :param landed: the body was read from this folder, so nothing is written; only its entry is made
        :return: its entry for the manifest
        :raises PageTaken: another attempt has landed this page, with other content
        :raises Completed: the extract is complete by now, by another attempt
        """
        name = page_name(number, format_of(body))
        packed, sha256 = await asyncio.to_thread(_pack, body, not landed)
        if not landed:
            await self.put_packed(name, packed)
        return PageEntry(number=number, name=name, rows=rows, bytes=len(body), sha256=sha256)

    async def open_stream(
        self,
        *,
        resume: bool = True,
        quote: str = '"',
        delimiter: str = ",",
        charset: str = "utf-8",
        part_bytes: int = 8 << 20,
    ) -> PartStream:
        """Open the folder for one huge CSV download, landed as consecutive parts that are pages like all others.

        Each part ends with a record and becomes visible when it is whole, so a crash loses one part at most. Use it as
        an asynchronous context manager; the last part is landed when the block ends without an error.

        >>> async with await folder.open_stream() as stream:            # doctest: +SKIP
        ...     async for chunk in download(from_byte=stream.received):
        ...         await stream.write(chunk)
        ... manifest = Manifest.of(stream.entries, format="csv", ...)

        :param resume: go on behind the parts that are landed; ``stream.received`` is how many bytes they hold.
            ``False`` begins again at byte 0, see :meth:`begin_again`
        :param quote: the character around fields, so that a line break inside a field ends no part
        :param delimiter: the character between fields
        :param charset: character set; a byte order mark at the start of the download overrules it
        :param part_bytes: size of a part as received, at which it ends with the next record
        """
        from nightshift.lake.parts import PartStream, landed_parts

        if not resume:
            await self.begin_again()
        counter = RecordCounter(quote.encode(), delimiter.encode(), charset)
        return PartStream(self, await landed_parts(self, counter), counter, part_bytes)

    async def complete(self, manifest: Manifest) -> None:
        """Write the manifest, which makes this an extract.

        :raises Incomplete: the manifest is of another extract, or pages that it lists are not landed
        :raises Completed: there is another manifest, of another attempt
        """
        here = (self.landing.source, self.landing.report, self.landing.night, self.extract_id)
        stated = (manifest.source, manifest.report, manifest.night, manifest.extract)
        if stated != here:
            raise Incomplete(f"the manifest of {'/'.join(stated)} was meant for the folder of {'/'.join(here)}")
        names = {name for name in await objects.anames(self.objects) if name.startswith("page-")}
        listed = {entry.name for entry in manifest.entries}
        if missing := sorted(listed - names):
            raise Incomplete(
                f"{self.path}: {len(missing)} of {len(listed)} pages are not landed, the first is {missing[0]}. "
                "The pages that are there were not lost; try the extract again."
            )
        text = manifest.to_json()
        if not await objects.acreate(self.objects, MANIFEST, text):
            there = await self.completed()
            if there is not None and there.to_json() != text:
                raise self._by_another()
            await objects.awrite(self.objects, MANIFEST, text)
        await objects.adelete(self.objects, *sorted(names - listed))

    async def manifest(self) -> Manifest:
        """Return the manifest; see :meth:`Landing.manifest`."""
        where = f"{self.path}/{MANIFEST}"
        text = await objects.aread(self.objects, MANIFEST)
        if text is None:
            raise NoExtract(
                f"{where} is not there: the extract was never completed. Pages of it may be landed; clear the extract "
                "task, which goes on with them."
            )
        manifest = Manifest.from_json(text, where)
        if (manifest.report, manifest.night, manifest.extract) != (
            self.landing.report,
            self.landing.night,
            self.extract_id,
        ):
            raise Damaged(
                f"{where} is the manifest of {manifest.report}, night {manifest.night}, {manifest.extract}. Nothing "
                "was published from it."
            )
        return manifest

    async def refuse_completed(self) -> None:
        """Write nothing where the extract is complete.

        :raises Completed: it is, by another attempt
        """
        if await self.completed() is not None:
            raise self._by_another()

    async def completed(self) -> Manifest | None:
        """Return the manifest, ``None`` where there is none, or none that can be read."""
        try:
            return await self.manifest()
        except (NoExtract, Damaged):
            return None

    async def begin_again(self, *, anyway: bool = False) -> None:
        """Take another folder where anything is landed in this one, and remove what is landed here.

        :param anyway: also where the extract is complete, which then stays as it is
        :raises Completed: the extract is complete by now, by another attempt; nothing was removed
        """
        left = self.objects
        if not (names := sorted(await objects.anames(left), key=lambda name: name != MANIFEST)):
            return
        is_complete = await self.completed() is not None
        if is_complete and not anyway:
            raise self._by_another()
        extract_id = new_extract_id()
        self._renewed(extract_id)
        self.extract_id, self._opened = extract_id, None
        if is_complete:
            return
        # A manifest that cannot be read goes first, so that nobody reads a half of the folder.
        await objects.adelete(left, names[0])
        await objects.adelete(left, *names[1:])
        # Nor one that another attempt has written meanwhile: its pages are gone.
        await objects.adelete(left, MANIFEST)

    async def remove(self, numbers: Collection[int]) -> None:
        """Remove pages that are to be landed anew."""
        names = [name for name in await objects.anames(self.objects) if name.startswith("page-")]
        await objects.adelete(self.objects, *(name for name in names if _number(name) in numbers))

    async def put_packed(self, name: str, packed: bytes) -> None:
        """Write a page that is compressed already; see :meth:`write`."""
        if await objects.acreate(self.objects, name, packed):
            return
        there = await objects.aread(self.objects, name)
        if there == packed:
            return
        try:
            same = there is not None and unpack(there, name) == unpack(packed, name)
        except Damaged:
            # No attempt has landed this; it has rotted since.
            await objects.awrite(self.objects, name, packed)
            return
        if same:
            return
        await self.refuse_completed()
        raise PageTaken(
            f"{self.path}/{name} was landed by another attempt meanwhile, with other content. It was not written over. "
            "Try the extract again: it takes another folder."
        )

    def _by_another(self) -> Completed:
        return Completed(
            f"{self.path} was completed by another attempt meanwhile, so it is left as it is. Nothing is to be done."
        )


def new_extract_id() -> str:
    """Return the name of a new extract: when it began, and nothing that another one has."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"


def landed_nights(lake: Lake, source: str, report: str) -> list[str]:
    """Return the nights of a report that something is landed of, complete or not, the oldest first. Blocks.

    :raises ValueError: a name that is not safe as a part of a path
    """
    import obstore

    listed = obstore.list_with_delimiter(lake.objects("raw", segment(source, "source"), segment(report, "report")))
    names = [prefix.rstrip("/").rpartition("/")[2] for prefix in listed["common_prefixes"]]
    return sorted(found[1] for name in names if (found := _NIGHT.fullmatch(name)))


def format_of(body: bytes) -> Format:
    """Return ``json`` for a body that begins as a JSON object or array does, else ``csv``."""
    charset, mark = marked(body, "utf-8")
    start = body[mark : mark + 64 * unit_of(charset)].decode(charset, "ignore").lstrip()
    return "json" if start[:1] in ("{", "[") else "csv"


def unpack(packed: bytes, where: str) -> bytes:
    """Decompress a landed object.

    :param where: its name, for the message
    :raises Damaged: it cannot be decompressed, ends before its end, or would grow beyond 1 GiB
    """
    import zstandard

    try:
        size = zstandard.frame_content_size(packed)
        if size < 0:
            return _streamed(packed)
        if size <= PAGE_LIMIT:
            return zstandard.ZstdDecompressor().decompress(packed)
        problem = f"its frame says that it holds {size} bytes"
    except zstandard.ZstdError as error:
        problem = str(error)
    raise Damaged(f"{where} is damaged ({problem}). Nothing was published from it. Extract the night again.")


def _streamed(packed: bytes) -> bytes:
    """Decompress a frame that does not say how long its text is, of which the first half reads like a whole one.

    :raises zstandard.ZstdError: it is damaged, or ends before its end
    """
    import zstandard

    frame, parts, size = zstandard.ZstdDecompressor().decompressobj(), [], 0
    for at in range(0, len(packed), STEP):
        parts.append(frame.decompress(packed[at : at + STEP]))
        size += len(parts[-1])
        if size > PAGE_LIMIT:
            raise zstandard.ZstdError(f"it holds more than {PAGE_LIMIT} bytes")
    if not frame.eof:
        raise zstandard.ZstdError(f"it ends after {size} bytes, in the middle")
    return b"".join(parts)


def _pack(body: bytes, compress: bool) -> tuple[bytes, str]:
    return compressor().compress(body) if compress else b"", hashlib.sha256(body).hexdigest()


def _number(name: str) -> int:
    return int(name[len("page-") :].split(".")[0])
