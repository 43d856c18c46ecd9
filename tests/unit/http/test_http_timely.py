"""A request that may leave within a window only, judged by what arrives at a server."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from nightshift.errors import RateLimited, Unreachable
from nightshift.http.hook import VendorHook
from nightshift.http.timing import SendWindow, sent_within
from nightshift.http.transport import TimelyBody


class Arrivals:
    """A server that keeps what arrives whole, and answers."""

    def __init__(self) -> None:
        self.whole: list[bytes] = []
        self.connections = 0
        self.answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
        self.gone = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
            self.whole.append(head + await reader.readexactly(int(length.partition(b":")[2])))
            writer.write(self.answer)
            await writer.drain()
        except asyncio.IncompleteReadError:
            pass
        finally:
            self.gone.set()
            writer.close()


@pytest.fixture
async def arrivals() -> Arrivals:
    return Arrivals()


@asynccontextmanager
async def client(arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch, **extra: object) -> AsyncIterator[VendorHook]:
    server = await asyncio.start_server(arrivals.serve, "127.0.0.1", 0)
    fields = {"conn_type": "http", "host": f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_VENDOR_DEFAULT", json.dumps(fields))
    async with server, VendorHook() as hook:
        yield hook


async def test_in_time_it_goes_out(arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client(arrivals, monkeypatch) as hook:
        with sent_within(SendWindow(30)):
            await hook.request("POST", "/jobs", json={"a": 1})
    assert arrivals.whole[0].endswith(b'{"a":1}')


async def test_too_late_nothing_is_connected(arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client(arrivals, monkeypatch) as hook:
        with sent_within(SendWindow(0)), pytest.raises(Unreachable, match="held up for more than the 0 s"):
            await hook.request("POST", "/jobs", json={"a": 1})
    assert (arrivals.connections, arrivals.whole) == (0, [])


async def test_held_up_while_it_connects_no_server_gets_the_whole(
    arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The window closes when the connection stands and the body is about to be written."""
    window = SendWindow(30)

    async def frozen(self: TimelyBody, writer: object, length: int | None) -> None:
        self.window._wall = 0.0  # as a clock shows it that went on while the process stood still
        await write(self, writer, length)  # type: ignore[arg-type]

    write = TimelyBody.write_with_length
    monkeypatch.setattr(TimelyBody, "write_with_length", frozen)
    async with client(arrivals, monkeypatch) as hook:
        with sent_within(window), pytest.raises(Unreachable, match="was not sent"):
            await hook.request("POST", "/jobs", json={"a": 1})
        await asyncio.wait_for(arrivals.gone.wait(), 10)
    assert (arrivals.connections, arrivals.whole) == (1, [])


async def test_what_changes_nothing_is_not_bound(arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch) -> None:
    async with client(arrivals, monkeypatch) as hook:
        with sent_within(SendWindow(0)):
            await hook.request("GET", "/jobs")
            await hook.request("POST", "/query", json={}, safe=True)
    assert len(arrivals.whole) == 2


async def test_a_wait_that_outlasts_the_window_is_not_begun(
    arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the caller gets the vendor's own word, and can wait without a worker."""
    arrivals.answer = b"HTTP/1.1 429 Later\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n"
    began = time.monotonic()
    async with client(arrivals, monkeypatch) as hook:
        with sent_within(SendWindow(3)), pytest.raises(RateLimited) as refused:
            await hook.request("POST", "/jobs", json={"a": 1})
    assert refused.value.retry_after == 5
    assert time.monotonic() - began < 3
    assert len(arrivals.whole) == 1


async def test_ready_takes_the_turn_that_the_next_request_uses(
    arrivals: Arrivals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pace of one in a second: what is waited for is waited for before the window opens, once."""
    async with client(arrivals, monkeypatch, requests_per_minute=60) as hook:
        assert hook._pacer is not None
        hook._pacer.allow(1)
        hook._pacer._window = 1.0
        await hook.request("GET", "/jobs")
        began = time.monotonic()
        await hook.ready()
        waited = time.monotonic() - began
        with sent_within(SendWindow(0.5)):
            await hook.request("POST", "/jobs", json={"a": 1})
    assert 0.5 < waited < 5
    assert len(arrivals.whole) == 2


def test_a_window_closes() -> None:
    window = SendWindow(0.05)
    assert not window.is_over
    time.sleep(0.06)
    assert window.is_over
    assert SendWindow(-1).left < 0
