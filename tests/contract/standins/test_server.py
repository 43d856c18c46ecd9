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
from collections.abc import Iterator, Sequence
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
    Refused,
    Request,
    Response,
    Route,
    StandIn,
    StandInBroke,
    Switches,
)
from tests.contract.standins.client import Answer, ask

PINNED = [68, 99, "c"]
ROOT = Path(__file__).resolve().parents[3]
TEXT = b'{"id":"1","text":"' + b"x" * 500 + b'"}'


class ShelfSwitches(Switches, frozen=True, kw_only=True):
    created_status: int = 201
    words: str = "none"


class Shelf(StandIn[ShelfSwitches]):
    """A vendor with one thing of each kind."""

    name = "shelf"
    root = "/shelf"
    switches_type = ShelfSwitches
    fault_kinds = frozenset({"mislaid"})
    secret_query = frozenset({"key"})
    side_origins = ("depot",)

    def routes(self) -> Sequence[Route]:
        return [
            Route("GET", "/item/{id}", self.item),
            Route("GET", "/item/list", self.listed, public=True),
            Route("POST", "/item/{id}", self.put),
            Route("GET", "/file/{path*}", self.file, public=True, origin="depot"),
            Route("GET", "/broken", self.broken, public=True),
        ]

    def authenticate(self, call: Request) -> str:
        if call.query.get("key") != "secret":
            raise Refused(self.error(401, "who are you?"))
        return "keeper"

    def page_of(self, call: Request) -> int | None:
        return int(call.query.get("page", "1"))

    async def item(self, call: Request) -> Response:
        if call.fault("mislaid"):
            return self.error(404, "mislaid")
        return Response(200, body=TEXT if call.parts["id"] == "1" else json.dumps(call.parts).encode())

    async def listed(self, call: Request) -> Response:
        return Response.json(200, self.switches.words)

    async def put(self, call: Request) -> Response:
        call.effect("put", key=call.parts["id"], value=call.json())
        return Response.json(self.switches.created_status, {})

    async def file(self, call: Request) -> Response:
        return Response(200, body=(b"line\n" * 1000 for _ in range(20)), content_type="text/csv", length=100_000)

    async def broken(self, call: Request) -> Response:
        raise ZeroDivisionError("a bug of the stand-in")


@pytest.fixture
def shelf() -> Iterator[Shelf]:
    with Shelf() as vendor:
        yield vendor


def item(shelf: Shelf, name: str = "1", **options: Any) -> Answer:
    return ask(f"{shelf.url}/item/{name}?key=secret", **options)


def control(shelf: Shelf, method: str, path: str, value: Any = None) -> Answer:
    return ask(
        f"{shelf.origin('')}/_standin/{path}", method=method, body=None if value is None else json.dumps(value).encode()
    )


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


# Faults.


def fault(kind: FaultKind, **more: Any) -> Fault:
    return Fault(kind=kind, **more)


@pytest.mark.parametrize(
    ("made", "status", "headers", "start"),
    [
        (fault(FaultKind.STATUS, status=429, retry_after="7"), 429, {"Retry-After": "7"}, b"status 429"),
        (fault(FaultKind.STATUS, status=429), 429, {"Retry-After": None}, b"status 429"),
        (fault(FaultKind.STATUS, status=503, retry_after="1"), 503, {"Retry-After": "1"}, b"status 503"),
        (fault(FaultKind.STATUS, status=502), 502, {"Content-Type": "text/html"}, b"<!DOCTYPE html>"),
        (
            fault(FaultKind.STATUS, status=302, headers={"Location": "http://x.example/"}),
            302,
            {"Location": "http://x.example/"},
            b"",
        ),
        (fault(FaultKind.HTML_200), 200, {"Content-Type": "text/html"}, b"<!DOCTYPE html>"),
        (fault(FaultKind.EMPTY_200), 200, {"Content-Length": "0"}, b""),
        (fault(FaultKind.WRONG_CONTENT_TYPE, content_type="text/plain"), 200, {"Content-Type": "text/plain"}, TEXT),
        (fault(FaultKind.TRUNCATED, at_bytes=9), 200, {"Content-Length": "9"}, TEXT[:9]),
        (fault(FaultKind.OVERSIZE, size_bytes=300_000), 200, {"Content-Length": "300000"}, b"   "),
        (fault(FaultKind.BAD_GZIP), 200, {"Content-Encoding": "gzip"}, TEXT),
        (fault(FaultKind.CUT_GZIP, at_bytes=9), 200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
        (fault(FaultKind.DRIP, chunk_bytes=200, seconds=0.001), 200, {"Content-Length": str(len(TEXT))}, TEXT),
        (fault(FaultKind.DELAY, seconds=0.001), 200, {}, TEXT),
        (fault(FaultKind.DELAY_ANSWER, seconds=0.001), 200, {}, TEXT),
    ],
)
def test_faults_with_an_answer(
    shelf: Shelf, made: Fault, status: int, headers: dict[str, str | None], start: bytes
) -> None:
    shelf.faults.add(made)
    answer = item(shelf)
    assert answer.status == status
    assert {name: answer.headers[name] for name in headers} == headers
    assert answer.body.startswith(start)
    if made.kind == FaultKind.OVERSIZE:
        assert len(answer.body) == 300_000
        assert answer.body.lstrip() == TEXT
    [entry] = shelf.ledger.requests()
    assert (entry.status, entry.faults) == (status, (made.kind,))
    assert item(shelf).body == TEXT, "the fault was for one call"


@pytest.mark.parametrize(
    ("made", "error"),
    [
        (fault(FaultKind.RESET), ConnectionResetError),
        (fault(FaultKind.DROP_BEFORE), http.client.RemoteDisconnected),
        (fault(FaultKind.ACCEPT_THEN_DROP), ConnectionResetError),
        (fault(FaultKind.RESET_BODY, at_bytes=30), ConnectionResetError),
        (fault(FaultKind.SHORT_BODY, at_bytes=30), http.client.IncompleteRead),
        (fault(FaultKind.SHORT_CHUNKED, at_bytes=30), http.client.IncompleteRead),
    ],
)
def test_faults_that_break_the_connection(shelf: Shelf, made: Fault, error: type[Exception]) -> None:
    shelf.faults.add(made)
    with pytest.raises(error) as caught:
        item(shelf)
    if isinstance(caught.value, http.client.IncompleteRead):
        assert caught.value.partial == TEXT[:30]
    [entry] = shelf.ledger.requests()
    broken_later = made.kind in {FaultKind.RESET_BODY, FaultKind.SHORT_BODY, FaultKind.SHORT_CHUNKED}
    assert (entry.status, entry.faults) == (200 if broken_later else None, (made.kind,))
    assert item(shelf).body == TEXT


@pytest.mark.parametrize(
    ("kind", "done"),
    [
        (FaultKind.ACCEPT_THEN_DROP, 1),
        (FaultKind.DELAY_ANSWER, 1),
        (FaultKind.DROP_BEFORE, 0),
        (FaultKind.RESET, 0),
        (FaultKind.STATUS, 0),
    ],
)
def test_a_fault_says_whether_the_thing_was_done(shelf: Shelf, kind: FaultKind, done: int) -> None:
    shelf.faults.add(Fault(kind=kind, method="POST", seconds=0.001))
    try:
        item(shelf, "9", method="POST", body=b"5")
    except ConnectionError:
        assert kind not in {FaultKind.STATUS, FaultKind.DELAY_ANSWER}
    assert [effect.detail for effect in shelf.ledger.effects(kind="put", key="9")] == [{"value": 5}] * done


@pytest.mark.parametrize(("kind", "done"), [(FaultKind.HOLD, 0), (FaultKind.HOLD_ANSWER, 1)])
@pytest.mark.parametrize("leaves", [True, False])
def test_an_answer_is_held_until_the_client_leaves_or_it_is_let_go(
    shelf: Shelf, kind: FaultKind, done: int, leaves: bool
) -> None:
    shelf.faults.add(Fault(kind=kind))
    connection = http.client.HTTPConnection(urlsplit(shelf.url).netloc, timeout=10)
    connection.request("POST", "/shelf/item/9?key=secret", body=b"5")
    held = shelf.ledger.wait_for_request(fault=kind)
    assert len(shelf.ledger.effects(kind="put")) == done
    assert (held.status, held.finished, shelf.ledger.stats().in_flight) == (201 if done else None, None, 1)
    if leaves:
        connection.close()
    else:
        shelf.release()
        if done:
            assert connection.getresponse().status == 201
        else:
            with pytest.raises(http.client.RemoteDisconnected):
                connection.getresponse()
    assert item(shelf).body == TEXT


def test_a_body_is_held_in_its_middle(shelf: Shelf) -> None:
    shelf.faults.add(Fault(kind=FaultKind.HOLD_BODY, at_bytes=30))
    connection = http.client.HTTPConnection(urlsplit(shelf.url).netloc, timeout=10)
    connection.request("GET", "/shelf/item/1?key=secret")
    response = connection.getresponse()
    assert response.read(30) == TEXT[:30]
    assert shelf.ledger.wait_for_request(fault="hold_body").finished is None
    shelf.release()
    with pytest.raises(http.client.IncompleteRead):
        response.read()


def test_waiting_for_what_does_not_come_ends(shelf: Shelf) -> None:
    with pytest.raises(TimeoutError, match="nothing that fits"):
        shelf.ledger.wait_for_effect(kind="put", within=0.01)
    item(shelf, "9", method="POST", body=b"5")
    assert shelf.ledger.wait_for_effect(kind="put").detail == {"value": 5}


def test_a_fault_matches_method_path_page_query_and_counts(shelf: Shelf) -> None:
    shelf.faults.add(
        Fault(kind=FaultKind.STATUS, method="GET", path="/item/2$", from_page=2, query={"q": "x"}, after=1, times=2)
    )
    url = f"{shelf.url}/item"
    passed = [
        "/1?key=secret&page=2&q=x",
        "/2?key=secret&page=1&q=x",
        "/2?key=secret&page=2&q=y",
        "/2?key=secret&page=2&q=x",
    ]
    assert [ask(url + path).status for path in passed] == [200] * 4
    assert [ask(f"{url}/2?key=secret&page={page}&q=x").status for page in (2, 3, 4)] == [500, 500, 200]
    assert shelf.faults.fired()[0]["fired"] == 2


def test_two_faults_wait_for_two_calls_and_a_delay_goes_with_another(shelf: Shelf) -> None:
    shelf.faults.add(
        Fault(kind=FaultKind.STATUS, status=500),
        Fault(kind=FaultKind.STATUS, status=503),
        Fault(kind=FaultKind.DELAY, seconds=0),
    )
    assert [item(shelf).status for _ in range(3)] == [500, 503, 200]
    assert shelf.ledger.requests()[0].faults == ("status", "delay")


def test_a_predicate_and_a_fault_of_the_vendor(shelf: Shelf) -> None:
    shelf.faults.add(Fault(kind="mislaid", times=None), when=lambda call: call.parts.get("id") == "7")
    assert [item(shelf, name).status for name in ("1", "7", "7")] == [200, 404, 404]
    shelf.faults.clear()
    assert item(shelf, "7").status == 200


def test_a_fault_that_does_not_exist_is_refused(shelf: Shelf) -> None:
    with pytest.raises(ValueError, match="no fault 'typo'"):
        shelf.faults.add(Fault(kind="typo"))
    with pytest.raises(ValueError, match="no regular expression"):
        shelf.faults.add(Fault(kind=FaultKind.RESET, path="("))


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
