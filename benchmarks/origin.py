"""The vendor of the benchmarks: FlexNet's paged reports, a CSV of any size and jobs to wait for, at a cost far below
its clients'.

It runs in a process of its own, pinned to a core of its own where there are two. ``/control`` sets what it serves and
returns the counters since the call before; a control request counts nowhere.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import socket
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import parse_qs, urlsplit

from benchmarks import csv_rows, rows
from benchmarks.jobs import CSV, Jobs

REPORTS = "/data/api/v1/report/"
SEND_BUFFER = 4 << 20
BACKLOG = 4096


@dataclass
class Counters:
    """What clients did since the last control call."""

    connections: int = 0
    requests: int = 0
    open: int = 0
    in_flight: int = 0
    most_open: int = 0
    most_in_flight: int = 0
    cpu_before: float = 0.0

    def report(self) -> dict[str, float]:
        """Return the counters, and the processor time of the origin itself."""
        return {
            "connections": self.connections,
            "requests": self.requests,
            "most_open": self.most_open,
            "most_in_flight": self.most_in_flight,
            "origin_cpu": round(_cpu() - self.cpu_before, 3),
        }


@dataclass
class Origin:
    """What is served.

    :param page_rows: rows of a page; the only ``limitRecords`` served, but for 1, by which a client may look for rows
    :param fields: fields of a row, 1 to 20
    :param pages: pages of the report
    :param latency: seconds before an answer to a request for rows
    :param csv_mb: size of the CSV after its first line, in MiB
    :param csv_mb_s: MiB of it that are sent in a second at most; 0: as fast as the client takes them
    :param csv_quoted: every field in quotes; else none
    """

    page_rows: int
    fields: int
    pages: int = 1
    latency: float = 0.0
    csv_mb: int = 1
    csv_mb_s: float = 0.0
    csv_quoted: bool = False
    counters: Counters = field(default_factory=Counters)
    jobs: Jobs = field(default_factory=Jobs)

    def __post_init__(self) -> None:
        self.blocks = [rows.block(n, self.page_rows, self.fields) for n in range(rows.BLOCKS)]
        self.csv = {quoted: csv_rows.bodies(quoted=quoted) for quoted in (False, True)}
        self.model = _answer(json.dumps(rows.data_model(self.fields)).encode())

    def control(self, asked: dict[str, str]) -> bytes:
        """Set pages, latency, size and jobs as asked; return the counters and start them anew."""
        told = self.counters.report()
        self.pages = int(asked.get("pages", self.pages))
        self.latency = float(asked.get("latency_ms", self.latency * 1000)) / 1000
        self.csv_mb = int(asked.get("csv_mb", self.csv_mb))
        self.csv_mb_s = float(asked.get("csv_mb_s", self.csv_mb_s))
        self.csv_quoted = asked.get("csv_quoted", f"{self.csv_quoted:d}") == "1"
        self.jobs.set_up(asked)
        self.counters = Counters(cpu_before=_cpu())
        return _answer(json.dumps(told).encode())

    def report(self, path: str, asked: dict[str, str], root: str) -> bytes:
        """Return the answer to a request for a page of a report."""
        number, limit = int(asked.get("pageNumber", 1)), int(asked.get("limitRecords", self.page_rows))
        if limit not in (1, self.page_rows):
            return _answer(b'{"error": "limitRecords is 1 or %d here"}' % self.page_rows, "400 Bad Request")
        total = self.pages * self.page_rows
        last = -(-total // limit)
        following = None
        if number < last:
            query = "&".join(f"{name}={value}" for name, value in {**asked, "pageNumber": str(number + 1)}.items())
            following = f"{root}{path}?{query}"
        header: dict[str, object] = {"nextPageURL": following}
        if asked.get("mode", "batch").lower() == "interactive":
            header |= {"pageNumber": number, "recordCount": total, "totalPages": last}
        head = b'{"header":' + json.dumps(header).encode() + b',"data":['
        tail = b"]}"
        if not 1 <= number <= last:
            return _answer(head + tail)
        pieces = self.blocks[number % rows.BLOCKS]
        if limit == 1 != self.page_rows:
            first = json.loads(b"[" + rows.page(pieces, number, lambda _: b"", b"]"))[0]
            return _answer(head + json.dumps(first).encode() + tail)
        extra = len(head) + len(tail)
        return rows.page(pieces, number, lambda size: _head("200 OK", "application/json", size + extra) + head, tail)


class Connection(asyncio.Protocol):
    """One client connection; requests without a body, one after the other."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.loop = asyncio.get_running_loop()
        self.received = b""
        self.counted: Counters | None = None
        self.writable = asyncio.Event()
        self.writable.set()
        self.streams: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the socket room for whole pages."""
        self.transport = cast("asyncio.Transport", transport)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        host, port = sock.getsockname()[:2]
        self.root = f"http://{host}:{port}"

    def connection_lost(self, exc: Exception | None) -> None:
        """Let a stream that waits find out that nobody reads."""
        self.writable.set()
        if self.counted is not None:
            self.counted.open -= 1

    def pause_writing(self) -> None:
        """Hold a stream back."""
        self.writable.clear()

    def resume_writing(self) -> None:
        """Let a stream go on."""
        self.writable.set()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self.received += data
        while b"\r\n\r\n" in self.received:
            head, _, self.received = self.received.partition(b"\r\n\r\n")
            self._request(head)

    def _request(self, head: bytes) -> None:
        target = urlsplit(head.split(b" ", 2)[1].decode())
        asked = {name: given[-1] for name, given in parse_qs(target.query).items()}
        closing = b"connection: close" in head.lower()
        if target.path == "/control":
            self._send(self.origin.control(asked), closing)
            return
        counters = self._count()
        if target.path == CSV:
            task = self.loop.create_task(self._stream_csv(counters))
            self.streams.add(task)
            task.add_done_callback(self.streams.discard)
        elif self.origin.jobs.serves(target.path):
            self._send(_answer(*self.origin.jobs.answer(target.path, self.root)), closing, counters)
        elif target.path.startswith(REPORTS + "report-types"):
            self._send(self.origin.model, closing, counters)
        elif target.path.startswith(REPORTS):
            self.loop.call_later(self.origin.latency, self._send_page, target.path, asked, closing, counters)
        else:
            self._send(_answer(b"{}", "404 Not Found"), closing, counters)

    def _count(self) -> Counters:
        counters = self.origin.counters
        if self.counted is not counters:
            self.counted = counters
            counters.connections += 1
            counters.open += 1
            counters.most_open = max(counters.most_open, counters.open)
        counters.requests += 1
        counters.in_flight += 1
        counters.most_in_flight = max(counters.most_in_flight, counters.in_flight)
        return counters

    def _send_page(self, path: str, asked: dict[str, str], closing: bool, counters: Counters) -> None:
        if not self.transport.is_closing():
            self._send(self.origin.report(path, asked, self.root), closing, counters)

    def _send(self, answer: bytes, closing: bool, counters: Counters | None = None) -> None:
        self.transport.write(answer)
        if counters is not None:
            counters.in_flight -= 1
        if closing:
            self.transport.close()

    async def _stream_csv(self, counters: Counters) -> None:
        origin, began = self.origin, self.loop.time()
        quoted, blocks = origin.csv_quoted, origin.csv[origin.csv_quoted]
        first = csv_rows.header(quoted=quoted)
        size = len(first) + csv_rows.BLOCK * origin.csv_mb
        self.transport.write(_head("200 OK", "text/csv", size, 'ETag: "bench"\r\n') + first)
        for number in range(origin.csv_mb):
            if origin.csv_mb_s and (early := began + number / origin.csv_mb_s - self.loop.time()) > 0:
                await asyncio.sleep(early)
            await self.writable.wait()
            if self.transport.is_closing():
                break
            self.transport.write(csv_rows.front(number, quoted=quoted))
            self.transport.write(blocks[number % csv_rows.VARIANTS])
        counters.in_flight -= 1


def _head(status: str, kind: str, size: int, more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {size}\r\n{more}\r\n".encode()


def _answer(body: bytes, status: str = "200 OK") -> bytes:
    return _head(status, "application/json", len(body)) + body


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def serve(origin: Origin, port: int) -> None:
    """Serve until the process is ended; the port is told on standard output."""
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection(origin), "127.0.0.1", port, backlog=BACKLOG
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def main() -> None:
    """Start from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.origin", description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--rows", type=int, default=1000, help="rows a page")
    parser.add_argument("--fields", type=int, default=len(rows.FIELDS))
    parser.add_argument("--core", type=int, help="core to be pinned to")
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    asyncio.run(serve(Origin(given.rows, given.fields), given.port))


if __name__ == "__main__":
    main()
