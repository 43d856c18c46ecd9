from __future__ import annotations

import asyncio
import base64
import json
import socket
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from include.standins.scripted import Script, Scripted, answer, raw
from nightshift.errors import (
    Ambiguous,
    AuthFailed,
    BadResponse,
    Forbidden,
    NotFound,
    RateLimited,
    Rejected,
    TooLarge,
    Unreachable,
    VendorError,
)
from nightshift.http.response import Response
from tests.unit.http.acme import AcmeHook, MakeHook

CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"
CUT_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"


async def test_sends_what_was_asked(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=b'{"rows": [1]}'))
    async with connect(
        conn={"host": f"{vendor.url}/ctx/", "extra": {"headers": {"X-Site": "a"}, "surprise": "b"}}
    ) as hook:
        got = await hook.request(
            "GET", "/report/a b", params={"q": "é +&", "n": 2, "none": None, "on": True, "s": ["x", "y"]}
        )
    assert got.json() == {"rows": [1]}
    seen = vendor.seen[0]
    assert seen.target == "/ctx/report/a%20b?q=%C3%A9%20%2B%26&n=2&on=true&s=x&s=y"
    assert seen.headers["authorization"] == "Basic " + base64.b64encode(b"ann:swordfish-97").decode()
    assert seen.headers["x-site"] == "a"
    assert not {"surprise", "headers"} & set(seen.headers)


async def test_an_error_names_its_connection_once_and_an_html_page_is_no_word_of_the_vendor(
    vendor: Scripted, connect: MakeHook
) -> None:
    vendor.plays(answer(404, b"<!doctype html><h1>Not Found</h1>", Content_Type="text/html"))
    async with connect() as hook:
        with pytest.raises(NotFound) as caught:
            await hook.request("GET", "/report")
    text = str(caught.value)
    assert text.startswith(
        "Acme: the vendor knows nothing under this path, and sends an HTML page (GET /report, status 404"
    )
    assert text.count("acme_default") == 1
    assert "The answer says" not in text
    with pytest.raises(Rejected, match="connection acme_default"):
        async with connect() as hook:
            raise Rejected("days must be 1 to 30", vendor="Acme")


async def test_encoded_once(vendor: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        await hook.request("GET", "/a%2Fb/100%", params={"x": "50%25"})
        await hook.request("GET", "/next?cursor=a%2Bb%3D")
    assert [seen.target for seen in vendor.seen] == ["/a%2Fb/100%25?x=50%2525", "/next?cursor=a%2Bb%3D"]


@pytest.mark.parametrize(
    ("given", "body", "kind"),
    [
        ({"json": {"a": "é"}}, '{"a":"é"}'.encode(), "application/json"),
        ({"data": {"grant_type": "x y"}}, b"grant_type=x%20y", "application/x-www-form-urlencoded"),
        ({"data": b"raw", "headers": {"content-type": "text/csv"}}, b"raw", "text/csv"),
    ],
)
async def test_bodies(vendor: Scripted, connect: MakeHook, given: dict[str, Any], body: bytes, kind: str) -> None:
    async with connect() as hook:
        await hook.request("POST", "/x", **given)
    assert vendor.seen[0].body == body
    assert vendor.seen[0].headers["content-type"] == kind


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Rejected),
        (401, AuthFailed),
        (403, Forbidden),
        (404, NotFound),
        (409, Rejected),
        (410, NotFound),
        (422, Rejected),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_clear_refusals_are_not_repeated(
    vendor: Scripted, connect: MakeHook, method: str, status: int, kind: type[VendorError]
) -> None:
    vendor.plays(answer(status, json.dumps({"message": "bad dates"}).encode()))
    async with connect() as hook:
        with pytest.raises(kind) as caught:
            await hook.request(method, "/report", params={"secret": "x"})
    error = caught.value
    assert (error.vendor, error.method, error.path, error.status, error.attempt) == (
        "Acme",
        method,
        "/report",
        status,
        1,
    )
    assert error.detail == "bad dates"
    assert len(vendor.seen) == 1


@pytest.mark.parametrize(
    ("method", "status", "kind"),
    [
        ("POST", 400, Rejected),
        ("POST", 403, Forbidden),
        ("POST", 404, NotFound),
        ("POST", 409, Ambiguous),
        ("POST", 460, Ambiguous),
        ("GET", 409, Rejected),
    ],
)
async def test_a_page_under_a_status_that_no_vendor_documents_is_of_something_in_between(
    vendor: Scripted, connect: MakeHook, method: str, status: int, kind: type[VendorError]
) -> None:
    """It may have passed the request on before it answered; a status that means one thing only proves that it did
    not.
    """
    vendor.plays(answer(status, b"<html>blocked</html>", Content_Type="text/html"))
    async with connect() as hook:
        with pytest.raises(kind):
            await hook.request(method, "/jobs")
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
async def test_passing_statuses_are_repeated(vendor: Scripted, connect: MakeHook, status: int) -> None:
    vendor.plays(answer(status), answer(status), answer(body=b"[1]"))
    async with connect() as hook:
        assert (await hook.request("GET", "/")).json() == [1]
    assert len(vendor.seen) == 3


@pytest.mark.parametrize(
    "script", [raw(b"", "reset"), raw(b""), raw(CUT, "reset"), raw(CUT), raw(CUT_CHUNKED), raw(CUT_CHUNKED, "reset")]
)
async def test_broken_answers_are_repeated(vendor: Scripted, connect: MakeHook, script: Any) -> None:
    vendor.plays(script, answer(body=b"[1]"))
    async with connect() as hook:
        assert (await hook.request("GET", "/")).json() == [1]
    assert len(vendor.seen) == 2


@pytest.mark.parametrize(
    "script",
    [
        raw(b"", "reset"),
        raw(b""),
        raw(CUT),
        raw(CUT_CHUNKED),
        answer(500),
        answer(503, Retry_After="1"),
        raw(b"junk\r\n\r\n"),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_a_change_without_a_clear_answer_is_ambiguous(
    vendor: Scripted, connect: MakeHook, script: Any, method: str
) -> None:
    vendor.plays(script)
    async with connect() as hook:
        with pytest.raises(Ambiguous) as caught:
            await hook.request(method, "/jobs", json={})
    assert len(vendor.seen) == 1
    assert "not sent again" in str(caught.value)


async def test_a_change_that_was_refused_for_the_rate_is_repeated(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(429), answer(201, b'{"id": 7}'))
    async with connect() as hook:
        assert (await hook.request("POST", "/jobs", json={})).json() == {"id": 7}


async def test_a_change_never_uses_a_kept_connection(vendor: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        await hook.request("GET", "/")
        await hook.request("POST", "/")
        await hook.request("POST", "/", safe=True)
    assert vendor.connections == 2


async def test_a_change_that_never_got_there_is_repeated(vendor: Scripted, connect: MakeHook) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{closed.getsockname()[1]}"
        async with connect(conn={"host": host}, attempts=3) as hook:
            with pytest.raises(Unreachable) as caught:
                await hook.request("POST", "/jobs", json={})
    assert caught.value.attempt == 3
    assert "refused" in caught.value.problem


async def test_silence_ends(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(raw(b"", "silence"))
    async with connect(read_timeout=0.05, attempts=2) as hook:
        with pytest.raises(Unreachable, match="no answer in time"):
            await hook.request("GET", "/")
        with pytest.raises(Ambiguous):
            await hook.request("POST", "/")


async def test_a_slow_drip_ends(vendor: Scripted, connect: MakeHook) -> None:
    async def drip(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"x")
            await asyncio.sleep(0.02)

    vendor.plays(drip)
    async with connect(timeout=0.2, read_timeout=5, attempts=1) as hook:
        with pytest.raises(Unreachable, match=r"whole request 0\.2 s"):
            await hook.request("GET", "/")


async def test_a_caller_that_gives_up_is_not_held(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(raw(b"", "silence"))
    async with connect() as hook:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await hook.request("GET", "/")


@pytest.mark.parametrize("when", ["seconds", "date"])
@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, Unreachable)])
async def test_a_long_wait_is_left_to_airflow(
    vendor: Scripted, connect: MakeHook, when: str, status: int, kind: type[VendorError]
) -> None:
    value = "120" if when == "seconds" else format_datetime(datetime.now(UTC) + timedelta(seconds=121), usegmt=True)
    vendor.plays(answer(status, Retry_After=value))
    async with connect() as hook:
        with pytest.raises(kind) as caught:
            await hook.request("GET", "/")
    assert caught.value.retry_after == pytest.approx(120, abs=2)
    assert len(vendor.seen) == 1


async def test_retry_after_is_the_floor(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(429, Retry_After="0.2"), answer())
    loop = asyncio.get_running_loop()
    async with connect() as hook:
        started = loop.time()
        await hook.request("GET", "/")
    assert loop.time() - started >= 0.2


async def test_connections_are_kept(vendor: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        for _ in range(5):
            await hook.request("GET", "/")
    assert vendor.connections == 1


async def test_requests_in_flight(vendor: Scripted, connect: MakeHook) -> None:
    arrived = 0
    all_there = asyncio.Event()

    async def held(seen: Any, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        arrived += 1
        if arrived == 8:
            all_there.set()
        await all_there.wait()
        await answer()(seen, writer)

    vendor.plays(held)
    async with connect() as hook, asyncio.timeout(5):
        await asyncio.gather(*(hook.request("GET", "/") for _ in range(8)))
    assert vendor.connections == 8


async def test_nested_and_parallel_use(vendor: Scripted, connect: MakeHook) -> None:
    hook = connect()

    async def one() -> int:
        async with hook:
            return (await hook.request("GET", "/")).status

    async with hook:
        assert await asyncio.gather(one(), one(), one()) == [200, 200, 200]
        assert await one() == 200
    with pytest.raises(RuntimeError, match="async with"):
        await hook.request("GET", "/")
    assert await one() == 200


class RenewingHook(AcmeHook):
    token = "old-token-1"

    async def authorize(self) -> dict[str, str]:
        return self.bearer(self.token)

    async def reauthorize(self, error: AuthFailed) -> bool:
        self.token = "new-token-2"
        return True

    def diagnose(self, answer: Response) -> VendorError | None:
        if b"setupD is null" in answer.body:
            return AuthFailed("the session has ended")
        return Rejected("IsError") if b'"IsError":true' in answer.body else None


@pytest.mark.parametrize("refusal", [answer(401), answer(500, b"setupD is null")])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_credentials_are_renewed_once(vendor: Scripted, connect: MakeHook, refusal: Any, method: str) -> None:
    async with connect(RenewingHook) as hook:
        vendor.plays(refusal, answer())
        await hook.request(method, "/")
        assert [seen.headers["authorization"] for seen in vendor.seen] == ["Bearer old-token-1", "Bearer new-token-2"]
        vendor.plays(refusal)
        with pytest.raises(AuthFailed) as caught:
            await hook.request(method, "/")
        assert (caught.value.vendor, caught.value.attempt) == ("Acme", 2)
    assert len(vendor.seen) == 4


async def test_a_vendor_reads_its_own_answers(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=b'{"IsError":true}'))
    async with connect(RenewingHook) as hook:
        with pytest.raises(Rejected) as caught:
            await hook.request("GET", "/folders")
    assert (caught.value.path, caught.value.status) == ("/folders", 200)


async def test_a_request_without_credentials(vendor: Scripted, connect: MakeHook) -> None:
    async with connect(conn={"extra": {"headers": {"Authorization": "Bearer x", "X-Site": "a"}}}) as hook:
        await hook.request("POST", "/token", credentials=False)
    assert "authorization" not in vendor.seen[0].headers
    assert vendor.seen[0].headers["x-site"] == "a"


async def test_a_header_with_a_line_break_is_refused(vendor: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        with pytest.raises(Rejected, match="Nothing was sent"):
            await hook.request("GET", "/", headers={"X": "a\r\nHost: evil"})
    assert vendor.seen == []


@pytest.mark.parametrize(
    "broken",
    [
        answer(body=b"<!DOCTYPE html><html>Sign in</html>", Content_Type="text/html"),
        answer(body=b""),
        answer(body=b'{"a": '),
        raw(b"not HTTP at all\r\n\r\n"),
    ],
    ids=["html", "empty", "cut", "not http"],
)
async def test_a_broken_answer_is_asked_for_again_where_that_is_safe(
    vendor: Scripted, connect: MakeHook, broken: Script
) -> None:
    vendor.plays(broken, broken, answer(body=b'{"a": 1}'))
    async with connect(attempts=3) as hook:
        got = await hook.request("GET", "/", check=lambda given: given.json())
        assert got.json() == {"a": 1}
        assert len(vendor.seen) == 3
        vendor.plays(broken)
        with pytest.raises(BadResponse) as caught:
            await hook.request("GET", "/", check=lambda given: given.json())
        assert caught.value.attempt == 3
        assert len(vendor.seen) == 6
        with pytest.raises(Ambiguous):
            await hook.request("POST", "/", check=lambda given: given.json())
        assert len(vendor.seen) == 7


async def test_what_a_check_says_has_no_secret_and_knows_the_request(vendor: Scripted, connect: MakeHook) -> None:
    def check(given: Response) -> None:
        raise BadResponse("page 3 is no page", detail="it says swordfish-97")

    async with connect(attempts=1) as hook:
        with pytest.raises(BadResponse) as caught:
            await hook.request("GET", "/pages", check=check)
        assert "swordfish-97" not in str(caught.value)
        assert (caught.value.path, caught.value.status, caught.value.attempt) == ("/pages", 200, 1)


async def test_what_is_too_large_is_not_asked_for_again(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=b"x" * 100))
    async with connect(attempts=3) as hook:
        with pytest.raises(TooLarge):
            await hook.request("GET", "/", max_bytes=99)
    assert len(vendor.seen) == 1
