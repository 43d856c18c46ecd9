"""An object store in memory that counts: as much of S3 as the lake asks for, over a real socket.

It is a process of its own, so that its work is not in anybody's processor time, and its counts do not depend on noise:
``python -m benchmarks.year.counted_store`` prints the port it listens on and ends with its standard input. What it
calls the time of an object is the clock of the process (see :mod:`benchmarks.year.clock`).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import cast
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape, unescape

BUCKET = "year"
COUNTS = "/-/counts"
SIZES = "/-/sizes"
PAGE = 1000
_REASONS = {200: "OK", 204: "No Content", 206: "Partial Content", 404: "Not Found", 412: "Precondition Failed"}


@dataclass(frozen=True)
class Stored:
    """An object.

    :param tag: of its content
    :param at: when it was written
    """

    body: bytes
    tag: str
    at: datetime


@dataclass(frozen=True)
class Answer:
    """An answer.

    :param length: of the body of a GET that this is the HEAD of
    """

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


class Bucket:
    """The objects, and what was asked for."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.names: list[str] = []
        self.counts: Counter[str] = Counter()
        self._uploads: dict[str, dict[int, bytes]] = {}

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Answer one request, and count it."""
        parts = urlsplit(target)
        if parts.path == COUNTS:
            return Answer(200, json.dumps(self.counts).encode())
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if parts.path == SIZES:
            return Answer(200, json.dumps(self.sizes(query.get("prefix", ""))).encode())
        key = unquote(parts.path).removeprefix(f"/{BUCKET}").removeprefix("/")
        self.counts["requests"] += 1
        found = self._upload(method, key, query, body) if {"uploads", "uploadId"} & query.keys() else None
        if found is not None:
            return found
        match method:
            case "GET" if not key:
                return self._listed(query)
            case "GET" | "HEAD":
                return self._read(method, key, headers)
            case "PUT":
                return self._written(key, headers, body)
            case "POST" if "delete" in query:
                named = re.findall(r"<Key>(.*?)</Key>", body.decode())
                for name in named:
                    self._deleted(unescape(name))
                done = "".join(f"<Deleted><Key>{name}</Key></Deleted>" for name in named)
                return Answer(200, f'<?xml version="1.0"?><DeleteResult>{done}</DeleteResult>'.encode())
            case "DELETE":
                self._deleted(key)
                return Answer(204)
        return Answer(404)

    def sizes(self, prefix: str) -> dict[str, tuple[int, int]]:
        """Return folder below a prefix → objects in it, and their bytes; the logs of tables are one of their own."""
        found: dict[str, tuple[int, int]] = {}
        for name in self.names[bisect_left(self.names, prefix) :]:
            if not name.startswith(prefix):
                break
            folder = name[len(prefix) :].partition("/")[0]
            if "/_delta_log/" in name:
                folder = f"{folder}, their logs"
            count, size = found.get(folder, (0, 0))
            found[folder] = (count + 1, size + len(self.objects[name].body))
        return found

    def _read(self, method: str, key: str, headers: Mapping[str, str]) -> Answer:
        self.counts["heads" if method == "HEAD" else "reads"] += 1
        found = self.objects.get(key)
        if found is None:
            return Answer(404, b"<Error><Code>NoSuchKey</Code></Error>" if method == "GET" else b"")
        of = (("ETag", found.tag), ("Last-Modified", format_datetime(found.at, usegmt=True)))
        if method == "HEAD":
            return Answer(200, headers=of, length=len(found.body))
        status, body = 200, found.body
        if ranged := re.fullmatch(r"bytes=(\d*)-(\d*)", headers.get("range", "")):
            total, (first, last) = len(body), ranged.groups()
            begin = int(first) if first else max(0, total - int(last))
            end = min(total, int(last) + 1) if first and last else total
            status, body = 206, body[begin:end]
            of = (*of, ("Content-Range", f"bytes {begin}-{end - 1}/{total}"))
        self.counts["bytes read"] += len(body)
        return Answer(status, body, of)

    def _written(self, key: str, headers: Mapping[str, str], body: bytes) -> Answer:
        self.counts["writes"] += 1
        there = self.objects.get(key)
        wanted = headers.get("if-match")
        if (headers.get("if-none-match") == "*" and there) or (wanted and (there is None or there.tag != wanted)):
            return Answer(412, b"<Error><Code>PreconditionFailed</Code></Error>")
        return Answer(200, headers=(("ETag", self._put(key, body)),))

    def _put(self, key: str, body: bytes) -> str:
        self.counts["bytes written"] += len(body)
        if key not in self.objects:
            insort(self.names, key)
        tag = f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'
        self.objects[key] = Stored(body, tag, datetime.now(UTC))
        return tag

    def _deleted(self, key: str) -> None:
        self.counts["deletes"] += 1
        if self.objects.pop(key, None) is not None:
            self.names.pop(bisect_left(self.names, key))

    def _upload(self, method: str, key: str, query: Mapping[str, str], body: bytes) -> Answer | None:
        """Take a part of an object that is sent in parts."""
        number = query.get("uploadId") or f"upload-{len(self._uploads)}"
        parts = self._uploads.setdefault(number, {})
        if "uploads" in query:
            return Answer(
                200,
                f"<InitiateMultipartUploadResult><UploadId>{number}</UploadId></InitiateMultipartUploadResult>".encode(),
            )
        if method == "PUT":
            parts[int(query["partNumber"])] = body
            return Answer(200, headers=(("ETag", f'"{len(parts)}"'),))
        whole = b"".join(part for _, part in sorted(self._uploads.pop(number).items()))
        self.counts["writes"] += 1
        tag = self._put(key, whole)
        return Answer(
            200, f"<CompleteMultipartUploadResult><ETag>{escape(tag)}</ETag></CompleteMultipartUploadResult>".encode()
        )

    def _listed(self, query: Mapping[str, str]) -> Answer:
        """Answer one page of a listing."""
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("continuation-token") or query.get("start-after") or ""
        at = max(bisect_left(self.names, prefix), bisect_right(self.names, after) if after else 0)
        contents: list[str] = []
        folders: list[str] = []
        last = ""
        while at < len(self.names) and self.names[at].startswith(prefix) and len(contents) + len(folders) < PAGE:
            name = self.names[at]
            folder, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else (name, "", "")
            if cut:
                last = f"{prefix}{folder}{delimiter}"
                folders.append(last)
                # Everything in the folder is one entry; what comes after it begins beyond its last name.
                last += "\U0010ffff"
                at = bisect_left(self.names, last)
            else:
                last = name
                contents.append(name)
                at += 1
        more = at < len(self.names) and self.names[at].startswith(prefix)
        self.counts["listings"] += 1
        self.counts["listed"] += len(contents) + len(folders)
        return Answer(200, self._page(contents, folders, last if more else "").encode())

    def _page(self, contents: list[str], folders: list[str], token: str) -> str:
        told = "".join(
            f"<Contents><Key>{escape(name)}</Key><LastModified>{found.at:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
            f"<ETag>{escape(found.tag)}</ETag><Size>{len(found.body)}</Size></Contents>"
            for name, found in ((name, self.objects[name]) for name in contents)
        )
        told += "".join(f"<CommonPrefixes><Prefix>{escape(name)}</Prefix></CommonPrefixes>" for name in folders)
        more = f"<NextContinuationToken>{escape(token)}</NextContinuationToken>" if token else ""
        cut = "true" if token else "false"
        return f'<?xml version="1.0"?><ListBucketResult><IsTruncated>{cut}</IsTruncated>{more}{told}</ListBucketResult>'


class Connection(asyncio.Protocol):
    """One connection of HTTP/1.1, as the clients of object stores speak it: each body has its length."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket
        self._there = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep whom to answer."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer each request that is whole."""
        self._there += data
        while (end := self._there.find(b"\r\n\r\n")) >= 0:
            first, *lines = self._there[:end].decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            length = int(headers.get("content-length", 0))
            if len(self._there) < end + 4 + length:
                return
            body = bytes(self._there[end + 4 : end + 4 + length])
            del self._there[: end + 4 + length]
            method, target, _ = first.split(" ", 2)
            self._send(self._bucket.answer(method, target, headers, body))

    def _send(self, answer: Answer) -> None:
        length = len(answer.body) if answer.length is None else answer.length
        lines = [f"HTTP/1.1 {answer.status} {_REASONS[answer.status]}", f"Content-Length: {length}"]
        lines += [f"{name}: {value}" for name, value in answer.headers]
        if self._transport is not None:
            self._transport.write("\r\n".join((*lines, "", "")).encode("latin-1") + answer.body)


async def _serve() -> None:
    loop, bucket = asyncio.get_running_loop(), Bucket()
    server = await loop.create_server(lambda: Connection(bucket), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(_serve())
