"""The download host: another origin that gives a file to whoever has its signed URL, in the manner of S3 (reference
4.2).
"""

from __future__ import annotations

import asyncio
import gzip
import re
from collections.abc import Iterator, Mapping
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote
from xml.sax.saxutils import escape

from include.standins.kept import Kept
from include.standins.routing import Refused, Request, Response, Route
from include.standins.tokenflex.exports import Export
from include.standins.tokenflex.files import ExportFile
from include.standins.tokenflex.service import DOWNLOAD, Service
from include.standins.tokenflex.signing import Verdict
from include.standins.tokenflex.switches import ETag
from include.standins.tokenflex.table import Source

_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
_XML: Final = '<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>{code}</Code><Message>{text}</Message></Error>'


def xml_error(status: int, code: str, text: str, headers: Mapping[str, str] | None = None) -> Response:
    body = _XML.format(code=code, text=escape(text)).encode()
    return Response(status, body=body, content_type="application/xml", headers=headers or {})


class Downloads:
    """Handlers of the download host."""

    def __init__(self, vendor: Service) -> None:
        self._vendor = vendor
        self._blocks = Kept()
        self._making: dict[str, asyncio.Lock] = {}

    def routes(self) -> list[Route]:
        """Return the one operation, and what S3 says to ``HEAD`` on a URL that was signed for ``GET``."""
        return [
            Route("GET", "/{file}", self.file, public=True, origin=DOWNLOAD),
            Route("HEAD", "/{file}", self.head, public=True, origin=DOWNLOAD),
        ]

    async def head(self, request: Request) -> Response:
        """Refuse: the signature is for ``GET``."""
        return Response(403, content_type="application/xml")

    async def file(self, request: Request) -> Response:
        vendor = self._vendor
        if "Authorization" in request.headers and vendor.switches.s3_strict:
            text = (
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                "parameter or the Authorization header should be specified"
            )
            raise Refused(xml_error(400, "InvalidArgument", text))
        export = self._export(request)
        if request.fault("file_replaced"):
            export.replace()
        file = await self.made(export)
        made = Compressed(file) if vendor.switches.stored_gzip else file
        if request.fault("url_dies"):
            export.dead_number = export.url_number
        reply = self._reply(request, export, made)
        request.effect(
            "file_read",
            export.key,
            status=reply.status,
            length=reply.length,
            range=request.headers.get("Range"),
            etag=made.etag,
        )
        return reply

    async def made(self, export: Export) -> ExportFile:
        """Return the file of an export, made when it is first wanted."""
        lock = self._making.setdefault(export.key, asyncio.Lock())
        async with lock:
            if export.file is None:
                export.file = await asyncio.to_thread(self.make, export)
        self._making.pop(export.key, None)
        return export.file

    def make(self, export: Export) -> ExportFile:
        """Make the file of an export: what had arrived when it was ready, or by now where it is made anew."""
        vendor = self._vendor
        at = vendor.now() if export.renewed else export.ready
        source = Source(vendor.usage, export.contract, vendor.switches, at.date())
        return ExportFile.made(f"{export.key} {export.generation}", source, export.asked, self._blocks)

    def _export(self, request: Request) -> Export:
        vendor, name = self._vendor, request.parts["file"]
        verdict = vendor.signer.verdict(f"/{name}", request.query, vendor.now())
        match verdict:
            case Verdict.MISSING:
                raise Refused(xml_error(403, "AccessDenied", "Access Denied"))
            case Verdict.FORGED:
                text = "The request signature we calculated does not match the signature you provided."
                raise Refused(xml_error(403, "SignatureDoesNotMatch", text))
        with vendor.locked():
            export = vendor.exports.of_file(name)
        ordered = request.fault("url_expired")
        if export and ordered:
            export.dead_number = export.url_number
        if verdict is Verdict.EXPIRED or (export and _number(name) <= export.dead_number):
            raise Refused(xml_error(vendor.switches.expired_status, "AccessDenied", "Request has expired"))
        if export is None:
            raise Refused(xml_error(404, "NoSuchKey", "The specified key does not exist."))
        return export

    def _reply(self, request: Request, export: Export, made: ExportFile | Compressed) -> Response:
        switches = self._vendor.switches
        etag = {ETag.STRONG: f'"{made.etag}"', ETag.WEAK: f'W/"{made.etag}"', ETag.ABSENT: ""}[switches.etag]
        modified = format_datetime(export.ready.replace(microsecond=0), usegmt=True)
        headers = {
            "Last-Modified": modified,
            "Content-Disposition": f"attachment; filename*=UTF-8''{quote(export.asked.file_name, safe='')}",
            "x-amz-request-id": f"{request.number:016X}",
        }
        if isinstance(made, Compressed):
            headers["Content-Encoding"] = "gzip"
        if etag:
            headers["ETag"] = etag
        if request.headers.get("If-Match", etag) not in {etag, "*"}:
            return xml_error(412, "PreconditionFailed", "At least one of the pre-conditions you specified did not hold")
        if not switches.range_honoured or request.fault("range_ignored"):
            return _sent(made, 200, 0, made.length, headers)
        headers["Accept-Ranges"] = "bytes"
        condition = request.headers.get("If-Range")
        if condition is not None and condition != modified and (condition != etag or switches.etag is not ETag.STRONG):
            return _sent(made, 200, 0, made.length, headers)
        part = _part(request.headers.get("Range", ""), made.length)
        if part is None:
            return _sent(made, 200, 0, made.length, headers)
        start, stop = part
        if start >= stop:
            unfit = {"Content-Range": f"bytes */{made.length}"}
            return xml_error(416, "InvalidRange", "The requested range is not satisfiable", unfit)
        if switches.part_bytes is not None:
            stop = min(stop, start + switches.part_bytes)
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{made.length if switches.part_total else '*'}"
        return _sent(made, 206, start, stop, headers)


class Compressed:
    """A file that is stored compressed.

    :param made: what is in it
    """

    def __init__(self, made: ExportFile) -> None:
        self.content = gzip.compress(b"".join(made.read()), 1, mtime=0)
        self.length = len(self.content)
        self.etag = made.etag

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        yield self.content[start:stop]


def _sent(made: ExportFile | Compressed, status: int, start: int, stop: int, headers: Mapping[str, str]) -> Response:
    body = made.read(start, stop)
    return Response(status, body=body, content_type="text/csv", headers=headers, length=stop - start)


def _part(header: str, length: int) -> tuple[int, int] | None:
    """Return start and stop of a ``Range``; ``None``: none, or one that S3 ignores; an empty one cannot be
    satisfied.
    """
    found = _RANGE.fullmatch(header.strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        return max(0, length - int(last)), length
    if last and int(last) < int(first):
        return None
    return int(first), min(int(last) + 1, length) if last else length


def _number(name: str) -> int:
    return int(name.partition("_")[2].removesuffix(".csv") or 0)
