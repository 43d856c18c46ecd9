"""The frame of all stand-ins: faults, ledger, control, life."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest

from include.standins import (
    Clock,
    Draw,
    Fault,
    FaultKind,
    StandInBroke,
)
from tests.contract.standins.client import ask
from tests.contract.standins.shelf import PINNED, ROOT, TEXT, Shelf, control, item

# Routes and identity.


def test_path_parts_are_decoded_exactly_once(shelf: Shelf) -> None:
    assert item(shelf, "a%2Fb%2523").json == {"id": "a/b%23"}


def test_a_fixed_word_wins_over_a_named_part(shelf: Shelf) -> None:
    assert ask(f"{shelf.url}/item/list").json == "none"


def test_unknown_path_and_wrong_method(shelf: Shelf) -> None:
    assert ask(f"{shelf.origin('')}/item/1").status == 404
    answer = ask(f"{shelf.url}/item/list", method="DELETE")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_side_origin_has_its_own_port_and_routes(shelf: Shelf) -> None:
    answer = ask(f"{shelf.origin('depot')}/shelf/file/a/b.csv")
    assert (answer.status, len(answer.body), answer.headers["Content-Length"]) == (200, 100_000, "100000")
    assert ask(f"{shelf.url}/file/a/b.csv").status == 404
    assert [entry.origin for entry in shelf.ledger.requests()] == ["depot", ""]


# Ledger.


def test_the_ledger_keeps_no_secret(shelf: Shelf, tmp_path: Path) -> None:
    file = tmp_path / "ledger.jsonl"
    with Shelf(ledger_file=file) as vendor:
        ask(f"{vendor.url}/item/1?key=secret", headers={"Authorization": "Bearer hidden", "User-Agent": "t"})
        ask(f"{vendor.url}/item/1?key=secret2")
        ask(f"{vendor.url}/item/list")
        first, second, third = vendor.ledger.requests()
    assert first.query == (("key", "***"),)
    assert (first.user, second.user, third.user) == ("keeper", None, None)
    assert first.credential
    assert second.credential not in (None, first.credential)
    assert third.credential is None
    written = file.read_text()
    assert "secret" not in written
    assert "hidden" not in written
    assert [json.loads(line)["request"]["status"] for line in written.splitlines()] == [200, 401, 200]


def test_connections_and_requests_in_flight_are_counted(shelf: Shelf) -> None:
    split = urlsplit(shelf.url)
    connection = http.client.HTTPConnection(split.hostname or "", split.port)
    for _ in range(3):
        connection.request("GET", "/shelf/item/1?key=secret")
        connection.getresponse().read()
    connection.close()
    assert len({entry.connection for entry in shelf.ledger.requests()}) == 1
    stats = shelf.ledger.stats()
    assert (stats.requests, stats.connections, stats.max_in_flight, stats.in_flight) == (3, 1, 1, 0)
    item(shelf)
    assert shelf.ledger.stats().connections == 2


async def test_in_flight_at_once() -> None:
    async with Shelf(latency=0.05) as shelf, aiohttp.ClientSession() as session:
        began = time.monotonic()
        answers = await asyncio.gather(*(session.get(f"{shelf.url}/item/1?key=secret") for _ in range(5)))
        assert [answer.status for answer in answers] == [200] * 5
        assert time.monotonic() - began >= 0.05
        assert shelf.ledger.stats().max_in_flight == 5


def test_filters_clear_and_bounded_memory(shelf: Shelf) -> None:
    item(shelf)
    item(shelf, "2", method="POST", body=b"{}")
    ledger = shelf.ledger
    assert [entry.method for entry in ledger.requests(path="/item/2")] == ["POST"]
    assert [entry.number for entry in ledger.requests(status=201, user="keeper")] == [2]
    assert ledger.requests(since=2) == []
    assert ledger.effects()[0].request == 2
    assert ledger.stats().by_route == {"GET /item/{id}": 1, "POST /item/{id}": 1}
    ledger.clear()
    assert (ledger.requests(), ledger.effects(), ledger.stats().requests) == ([], [], 0)


def test_an_answer_that_the_client_leaves_is_marked(shelf: Shelf) -> None:
    shelf.faults.add(Fault(kind=FaultKind.DRIP, chunk_bytes=1, seconds=0.005))
    split = urlsplit(shelf.url)
    with socket.create_connection((split.hostname or "", split.port or 0)) as raw:
        raw.sendall(b"GET /shelf/item/1?key=secret HTTP/1.1\r\nHost: x\r\n\r\n")
        raw.recv(64)
    until = time.monotonic() + 5
    while shelf.ledger.requests()[0].finished is None and time.monotonic() < until:
        time.sleep(0.005)
    entry = shelf.ledger.requests()[0]
    assert entry.aborted
    assert entry.sent < len(TEXT)


# Control.


def test_control_from_another_process(shelf: Shelf) -> None:
    assert control(shelf, "GET", "").json["origins"] == {"depot": shelf.origin("depot")}
    item(shelf)
    item(shelf, "3", method="POST", body=b"1")
    assert [entry["status"] for entry in control(shelf, "GET", "requests?method=GET").json] == [200]
    assert control(shelf, "GET", "effects?kind=put").json[0]["key"] == "3"
    assert control(shelf, "GET", "stats").json["requests"] == 2, "the control origin is outside the ledger"
    control(shelf, "POST", "faults", {"kind": "status", "status": 418})
    assert item(shelf).status == 418
    assert control(shelf, "GET", "faults").json[0]["fired"] == 1
    control(shelf, "DELETE", "faults")
    assert control(shelf, "PATCH", "switches", {"words": "many"}).json["words"] == "many"
    assert ask(f"{shelf.url}/item/list").json == "many"
    control(shelf, "PUT", "latency", {"seconds": 0.02})
    began = time.monotonic()
    item(shelf)
    assert time.monotonic() - began >= 0.02
    assert (
        control(shelf, "POST", "clock", {"set": "2026-11-22T03:00:00+00:00"}).json["now"] == "2026-11-22T03:00:00+00:00"
    )
    assert control(shelf, "POST", "clock", {"advance": 60}).json["now"] == "2026-11-22T03:01:00+00:00"
    control(shelf, "DELETE", "ledger")
    assert control(shelf, "GET", "requests").json == []


@pytest.mark.parametrize(
    ("method", "path", "value", "status", "words"),
    [
        ("PATCH", "switches", {"typo": 1}, 400, "no switch 'typo'"),
        ("PATCH", "switches", {"created_status": "x"}, 400, "created_status"),
        ("POST", "faults", {"kind": "typo"}, 400, "no fault"),
        ("POST", "faults", {"kinds": "status"}, 400, "kind"),
        ("PUT", "latency", {}, 400, "seconds"),
        ("GET", "nothing", None, 404, "docstring"),
    ],
)
def test_mistakes_at_the_control_origin(
    shelf: Shelf, method: str, path: str, value: Any, status: int, words: str
) -> None:
    answer = control(shelf, method, path, value)
    assert answer.status == status
    assert words in answer.json["message"]


# Time and data.


def test_the_clock_stands_moves_and_runs() -> None:
    clock = Clock(datetime(2026, 1, 1, tzinfo=UTC))
    before = clock.elapsed()
    clock.advance(90)
    assert clock.now() == datetime(2026, 1, 1, 0, 1, 30, tzinfo=UTC)
    assert clock.elapsed() - before == 90
    clock.run()
    assert abs((clock.now() - datetime.now(UTC)).total_seconds()) < 5
    with pytest.raises(ValueError, match="has no zone"):
        clock.fix(datetime(2026, 1, 1))  # noqa: DTZ001


def test_drawn_values_never_change() -> None:
    draw = Draw(7, "flexnet", "account", "2026-11-21", 42)
    assert [draw.integer(1, 100), draw.integer(1, 100), draw.choice("abcdef")] == PINNED
    assert Draw(7, "a").uuid() == Draw(7, "a").uuid() != Draw(8, "a").uuid()
    spread = [Draw(1, n).fraction() for n in range(2000)]
    assert 0.47 < sum(spread) / len(spread) < 0.53
    assert min(spread) >= 0
    assert max(spread) < 1


# Life.


def test_a_bug_of_the_stand_in_is_owned_up_to(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(StandInBroke, match="a bug of the stand-in"), Shelf() as vendor:
        assert ask(f"{vendor.url}/broken").status == 500
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_a_taken_port_is_told(shelf: Shelf) -> None:
    with pytest.raises(OSError, match="address already in use"), Shelf(port=urlsplit(shelf.url).port or 0):
        pass


def test_no_thread_and_no_port_are_left() -> None:
    before = threading.active_count()
    with Shelf() as vendor:
        url = vendor.url
    assert threading.active_count() == before
    with pytest.raises(ConnectionRefusedError):
        ask(f"{url}/item/list")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_starts_says_so_and_stops(tmp_path: Path, number: signal.Signals) -> None:
    ready = tmp_path / "ready.json"
    command = [
        sys.executable,
        "-m",
        "include.standins",
        "--vendor",
        "flexnet=0",
        "--seed",
        "3",
        "--switch",
        "flexnet.date_to=inclusive",
    ]
    process = subprocess.Popen(
        [*command, "--ledger-dir", str(tmp_path), "--ready-file", str(ready)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        name, url = process.stdout.readline().split()
        assert name == "flexnet"
        described = ask(f"{url}/_standin/").json
        assert (described["seed"], described["switches"]["date_to"]) == (3, "inclusive")
        assert ask(f"{url}/data/api/v1/report/account").status == 401
        line = json.loads((tmp_path / "flexnet.jsonl").read_text())
        assert (line["request"]["path"], line["request"]["status"]) == ("/data/api/v1/report/account", 401)
        os.kill(process.pid, number)
        assert process.wait(timeout=5) == 0
        assert json.loads(ready.read_text()) == {"flexnet": url}
        assert process.stderr
        assert process.stderr.read() == ""
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--vendor", "nobody=0"], "no stand-in 'nobody'"),
        (["--vendor", "flexnet=0", "--switch", "flexnet.date_to=maybe"], "date_to"),
        (["--vendor", "flexnet=0", "--switch", "flexnet.typo=1"], "no switch 'typo'"),
    ],
)
def test_a_wrong_command_line_ends_at_once(arguments: list[str], words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "include.standins", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=20
    )
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
