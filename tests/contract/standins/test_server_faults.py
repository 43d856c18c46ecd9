"""What a fault of a stand-in does, and which call it meets."""

from __future__ import annotations

import http.client
from typing import Any
from urllib.parse import urlsplit

import pytest

from include.standins import (
    Fault,
    FaultKind,
)
from tests.contract.standins.client import ask
from tests.contract.standins.shelf import TEXT, Shelf, item


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
