"""The file of a finished export, from the vendor's download host into the landing: streamed, and gone on with after a
break.

Token Flex reference, section 4.2. The signed link is asked for right before it is used and is kept nowhere.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from nightshift.errors import BadResponse, JobFailed, Unreachable, VendorError
from nightshift.lake.csv_text import marked
from nightshift.tokenflex.responses import Export, ExportState
from nightshift.tokenflex.vocabulary import VENDOR

if TYPE_CHECKING:
    from nightshift.http.response import Download
    from nightshift.lake.landing import ExtractFolder, PageEntry
    from nightshift.lake.parts import PartStream
    from nightshift.tokenflex.hook import TokenFlexHook

log = logging.getLogger(__name__)

LINK_MARGIN = 20.0
"""Seconds that a signed link has to be good for, else a new one is asked for."""
LINK_STATUSES = frozenset({400, 401, 403, 404, 410})
"""Answers of a download host that mean an ended link; the vendor documents none."""
MAX_LINKS = 2
"""New links in a row for a file of which no more comes."""
MAX_STARTS = 3
PROGRESS = 1 << 20
"""Bytes that have to come between two breaks for the first to be forgotten."""
LOOKED_AT = 64
"""Characters after its mark and blanks by which an answer is told from something else than a file."""
LONGEST_BLANK = 1 << 16
"""Bytes of blanks that are waited for at most."""

_PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_MARKUP = re.compile(r"<[a-z!?]", re.IGNORECASE)
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_JSON = re.compile(r"""\{\s*(?:["}]|\Z)|\[\s*(?:[]\[{"\d-]|(?:true|false|null)\b|\Z)""")


class FileSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Which file an interrupted attempt was receiving; what is landed is gone on with only if it is still that one.

    :param request_key: the export
    :param etag: the download host's mark of the content; empty where it gives none that can be relied on, and for a
        file that is stored compressed: a range counts its compressed bytes, and what is landed are others
    :param size: bytes in all, ``None`` where the host does not say
    :param made: when the vendor took the request for the export, epoch seconds by the vendor's clock
    """

    request_key: str
    etag: str = ""
    size: int | None = None
    made: float | None = None


class Changed(Exception):
    """The host cannot go on with the file where it broke off: it ignores ranges, or the file is another one."""


class FileDownload:
    """The download of one export's file.

    :param hook: open
    :param contract: contract number
    :param request_key: the vendor's id of the export
    :param folder: where the parts of the file go
    :param seen: the file that parts in the folder belong to, if there are any
    :param note: keeps which file is being received, before its first part is landed
    :param charset: character set of the CSV; a mark at its start goes first
    :param dialect: ``quote`` and ``delimiter`` of the CSV
    """

    def __init__(
        self,
        hook: TokenFlexHook,
        contract: str,
        request_key: str,
        folder: ExtractFolder,
        seen: FileSeen | None,
        note: Callable[[FileSeen], None],
        *,
        charset: str = "utf-8",
        **dialect: Any,
    ) -> None:
        self.hook = hook
        self.contract = contract
        self.request_key = request_key
        self.folder = folder
        self.seen = seen if seen is not None and seen.request_key == request_key else None
        self.fetched = 0
        self.made = self.seen.made if self.seen else None
        """When the vendor took the request for the export, epoch seconds; ``None`` where it does not say."""
        self._note = note
        self._charset = charset
        self._dialect = {"charset": charset, **dialect}
        self._at = self._mark = 0
        self._end: int | None = None
        """Where the answer that is being received ends, in bytes of the file; ``None`` where it does not say."""
        self._failures = self._links = self._starts = 0
        self._was_empty = False
        """Whether nothing came once: an export without rows may have no header either, or an answer was lost."""

    async def run(self) -> Sequence[PageEntry]:
        """Receive the file to its end and return its parts.

        :raises JobFailed: the export is not ready, or failed
        :raises NotFound: the export is gone
        :raises BadResponse: time and again a page or JSON comes instead of the file; nothing of it is landed
        :raises VendorError: the file cannot be had; what is landed stays for the next attempt
        """
        resume = self._may_go_on()
        while True:
            stream = await self.folder.open_stream(resume=resume, **self._dialect)
            self._at = self._mark = stream.received
            if self.seen is not None and self._at and self._at == self.seen.size:
                return stream.entries
            try:
                async with stream:
                    await self._fill(stream)
                if not stream.entries and not self._was_empty:
                    self._was_empty = True
                    raise Changed("Nothing came where the file should be")
            except Changed as change:
                self._starts += 1
                if self._starts > MAX_STARTS:
                    raise Unreachable(f"{change}, {self._starts} times", vendor=VENDOR) from None
                log.info("%s; the file is fetched from its start.", change)
                resume = False
                continue
            return stream.entries

    async def again(self) -> Sequence[PageEntry]:
        """Receive the file once more, from its start, and return its parts.

        :raises Exception: as :meth:`run`
        """
        self.seen = None
        return await self.run()

    def _may_go_on(self) -> bool:
        return self.seen is not None and bool(self.seen.etag)

    async def _fill(self, stream: PartStream) -> None:
        """Receive until the file ends, over as many links, connections and answers as that takes."""
        link: Export | None = None
        while True:
            link = link or await self._link()
            began, opened = self._at, False
            try:
                # A whole file is a valid answer to a range: the host may not know ranges, or the file has changed. So
                # is less of it than was asked for (RFC 9110, section 15.3.7): the size says whether that was all.
                going_on = (
                    {"Range": f"bytes={self._at}-", "If-Range": self.seen.etag} if self._at and self.seen else None
                )
                async with self.hook.stream(
                    "GET", link.download_url or "", headers=going_on, credentials=False
                ) as response:
                    opened = True
                    beginning = await self._beginning(response)
                    self._check(response)
                    for chunk in beginning:
                        await self._take(stream, chunk)
                    async for chunk in response:
                        await self._take(stream, chunk)
                if self._is_whole():
                    return
                self._go_on(began)
            except VendorError as error:
                link = await (self._broken_off(error) if opened else self._refused(error))

    async def _take(self, stream: PartStream, chunk: bytes) -> None:
        if self._end is not None and self._at + len(chunk) > self._end:
            raise Changed("More of the file came than the download host had announced")
        await stream.write(chunk)
        self._at += len(chunk)
        self.fetched += len(chunk)

    def _is_whole(self) -> bool:
        """Whether all of the file has come, as far as the host says how much that is."""
        return self.seen is None or self.seen.size in (None, self._at)

    def _go_on(self, began: int) -> None:
        """Take note of an answer that ended before the file does, and is gone on with at once.

        :param began: the byte that it began with
        :raises Unreachable: nothing came, or nothing can be gone on with, which is as good as a break
        """
        if self._at == began or not self._may_go_on():
            problem = f"the answer of the download host ended at byte {self._at}, before the file does"
            raise Unreachable(problem, vendor=VENDOR, method="GET")
        self._count_progress()

    async def _beginning(self, response: Download) -> list[bytes]:
        """Return what was read of an answer to see that it can be the file; of a part of one, only its type tells.

        :raises BadResponse: it is a page, or JSON; what is landed of the file stays
        """
        began = b""
        if response.status != 206:
            async for chunk in response:
                began += chunk
                if len(_text(began, self._charset)) >= LOOKED_AT or len(began) >= LONGEST_BLANK:
                    break
        text = _text(began, self._charset)
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind in _PAGE_TYPES or _MARKUP.match(text):
            raise _instead(response, "an HTML or XML page")
        if _JSON.match(text):
            raise _instead(response, "JSON", detail=text)
        return [began] if began else []

    def _check(self, response: Download) -> None:
        # Of a file that comes packed, ranges are counted in what is sent, and ours in what that was made of.
        compressed = "Content-Encoding" in response.headers
        etag = response.headers.get("ETag", "").strip()
        etag = "" if etag.startswith("W/") or compressed else etag
        if self._at == 0:
            if response.status == 206:
                raise BadResponse("a part of the file came where the whole was asked for", vendor=VENDOR, method="GET")
            self.seen = FileSeen(request_key=self.request_key, etag=etag, size=response.size, made=self.made)
            self._note(self.seen)
            self._end = response.size
            return
        given = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if self.seen is None or response.status != 206 or compressed or given is None or int(given[1]) != self._at:
            raise Changed("The download host did not go on where the file had broken off")
        size = self.seen.size if given[3] == "*" else int(given[3])
        self._end = int(given[2]) + 1
        if size is None:
            raise Changed("The download host does not say how much of the file is left")
        if etag not in ("", self.seen.etag) or self.seen.size not in (None, size) or self._end > size:
            raise Changed("The file is another one than before")
        if self.seen.size is None:
            self.seen = msgspec.structs.replace(self.seen, size=size)
            self._note(self.seen)
        log.info("Going on with the file at byte %d.", self._at)

    async def _link(self, *, renew: bool = False) -> Export:
        """Return the export with a link that is good for a while."""
        export = await self.hook.export(self.contract, self.request_key)
        if export.state is not ExportState.READY:
            raise self._not_ready(export)
        self.made = export.asked_at() or self.made
        ends = export.link_ends()
        if renew or not export.download_url or (ends is not None and ends - time.time() < LINK_MARGIN):
            log.info("The link of export %s has ended; a new one is asked for.", self.request_key)
            export = await self.hook.refresh_url(self.contract, self.request_key)
        if not export.download_url:
            raise Unreachable(
                f"the vendor gives no link to the file of export {self.request_key}",
                vendor=VENDOR,
                advice="Nothing was lost. Clearing the task asks for one again.",
            )
        await self.hook.keep_secret(export.download_url)
        return export

    async def _refused(self, error: VendorError) -> Export:
        """Return another link after one that was not taken, or raise."""
        if error.status == 416:
            raise Changed("The file is shorter than what is landed of it")
        if error.status not in LINK_STATUSES:
            raise error
        if self._links >= MAX_LINKS:
            raise error.replaced(
                advice=f"The vendor calls the export ready, and has given {self._links} new links to its file, none of "
                "which is taken. Clear this task: it asks for another link. If it is refused again, the file is gone, "
                "or something before the download host keeps this worker out: clear the task that requests the export, "
                "with all that follow, for a new one."
            )
        self._links += 1
        return await self._link(renew=True)

    async def _broken_off(self, error: VendorError) -> None:
        """Wait before the file is gone on with, or asked for again where nothing of it has come; or raise."""
        if self._at and not self._may_go_on():
            raise Changed("The file broke off, and its host gives nothing by which it could be gone on with")
        self._count_progress()
        self._mark = self._at
        self._failures += 1
        wait = self.hook.backoff.wait(error, self._failures, safe=True)
        if wait is None:
            raise error
        log.warning(
            "The file of export %s did not come from byte %d on (%s); it is asked for again in %.1f s.",
            self.request_key,
            self._at,
            error.problem,
            wait,
        )
        await asyncio.sleep(wait)

    def _count_progress(self) -> None:
        """Forget the breaks and ended links before this moment where enough has come since."""
        if self._at - self._mark >= PROGRESS:
            self._failures = self._links = 0
            self._mark = self._at

    def _not_ready(self, export: Export) -> JobFailed:
        return JobFailed(
            f"export {self.request_key} is not ready ({export.request_status})",
            state=export.request_status,
            vendor=VENDOR,
            advice="Clear the task that waits for it, with all that follow.",
        )


def _text(body: bytes, charset: str) -> str:
    """Return the beginning of a body as text, without its mark and the blanks before the first character; what comes in
    another character set than is configured keeps its letters.
    """
    charset, mark = marked(body, charset)
    return body[mark:].decode(charset, "ignore").replace("\0", "").lstrip()


def _instead(response: Download, what: str, *, detail: str = "") -> BadResponse:
    return BadResponse(
        f"{what} came instead of the usage file",
        vendor=VENDOR,
        method="GET",
        path=urlsplit(response.url).path,
        status=response.status,
        detail=detail,
        advice="Nothing of it was landed. Look at the proxy between this worker and the download host, and at the "
        "export in Autodesk's own pages; then clear this task: it asks for the file again.",
    )
