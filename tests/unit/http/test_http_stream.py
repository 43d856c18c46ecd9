from __future__ import annotations

import asyncio
from typing import Any

import pytest

from include.standins.scripted import Scripted, answer, raw
from nightshift.errors import BadResponse, Forbidden, Unreachable
from tests.unit.http.acme import AcmeHook, MakeHook

SIGNED = "/bucket/file.csv?X-Amz-Signature=abcdef0123456789&X-Amz-Credential=AKIA99&response-content-type=text"


async def collect(hook: AcmeHook, url: str, **more: Any) -> bytes:
    async with hook.stream("GET", url, **more) as download:
        return b"".join([chunk async for chunk in download])


async def test_another_host_gets_no_credentials(vendor: Scripted, other: Scripted, connect: MakeHook) -> None:
    other.plays(answer(body=b"a,b\n1,2\n", Content_Type="text/csv"))
    async with connect(conn={"extra": {"headers": {"X-Site": "a"}}}) as hook:
        assert await collect(hook, other.url + SIGNED) == b"a,b\n1,2\n"
    seen = other.seen[0]
    assert seen.target == SIGNED
    assert not {"authorization", "x-site", "cookie"} & set(seen.headers)


@pytest.mark.parametrize("absolute", [True, False])
async def test_the_own_host_gets_them(vendor: Scripted, connect: MakeHook, absolute: bool) -> None:
    async with connect() as hook:
        await collect(hook, f"{vendor.url if absolute else ''}/file?a=b%20c")
    assert vendor.seen[0].target == "/file?a=b%20c"
    assert "authorization" in vendor.seen[0].headers


async def test_credentials_for_another_host_are_refused(other: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        with pytest.raises(BadResponse, match="credentials are wanted for"):
            await collect(hook, f"{other.url}/file", credentials=True)
    assert other.seen == []


async def test_of_where_it_comes_from_no_query_is_kept(other: Scripted, connect: MakeHook) -> None:
    async with connect() as hook, hook.stream("GET", f"{other.url}/u_17.csv?e=1764400000&h=5eec4e75") as download:
        assert download.url == f"{other.url}/u_17.csv"


async def test_chunks_come_as_they_are_sent(vendor: Scripted, connect: MakeHook) -> None:
    go_on = asyncio.Event()

    async def slow(seen: Any, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        await go_on.wait()
        writer.write(b"two")

    vendor.plays(slow)
    async with connect() as hook, asyncio.timeout(5), hook.stream("GET", "/") as download:
        assert download.size == 6
        assert await anext(download.chunks) == b"one"
        go_on.set()
        assert await anext(download.chunks) == b"two"


@pytest.mark.parametrize("then", ["close", "reset"])
@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n"],
)
async def test_a_short_body_is_an_error(vendor: Scripted, connect: MakeHook, head: bytes, then: str) -> None:
    vendor.plays(raw(head + b"half", then))
    async with connect() as hook:
        with pytest.raises(Unreachable, match=r"broke off|closed without"):
            await collect(hook, "/file")
    assert len(vendor.seen) == 1


async def test_silence_in_the_body_ends(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", "silence"))
    async with connect(read_timeout=0.05) as hook:
        with pytest.raises(Unreachable, match="no answer in time"):
            await collect(hook, "/file")


async def test_a_mistake_of_the_reader_is_its_own(vendor: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        with pytest.raises(OSError, match="disk full"):  # noqa: PT012  # the block is the point
            async with hook.stream("GET", "/") as download:
                async for _ in download:
                    raise OSError("disk full")


async def test_opening_is_repeated(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(503), raw(b"", "reset"), answer(body=b"x"))
    async with connect() as hook:
        assert await collect(hook, "/") == b"x"


async def test_an_expired_link(other: Scripted, connect: MakeHook) -> None:
    other.plays(answer(403, b"<Error><Message>Request has expired</Message></Error>", Content_Type="application/xml"))
    async with connect() as hook:
        with pytest.raises(Forbidden, match="ask the vendor for a new one") as caught:
            await collect(hook, other.url + SIGNED)
    assert "expired" in caught.value.detail
    assert "abcdef0123456789" not in str(caught.value)


async def test_a_page_for_a_file(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=b"<html>", Content_Type="text/html; charset=utf-8"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="HTML page"):
            await collect(hook, "/", accept="text/csv")
        assert await collect(hook, "/") == b"<html>"


async def test_redirects_at_home(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(302, Location="/b?x=1"), answer(307, Location=f"{vendor.url}/c"), answer(body=b"[3]"))
    async with connect() as hook:
        assert (await hook.request("GET", "/a")).json() == [3]
    assert [seen.target for seen in vendor.seen] == ["/a", "/b?x=1", "/c"]
    assert all("authorization" in seen.headers for seen in vendor.seen)
    assert vendor.connections == 1


async def test_redirects_without_end(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(302, Location="/"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="more than 5 redirects"):
            await hook.request("GET", "/")
    assert len(vendor.seen) == 6


@pytest.mark.parametrize("way", ["request", "request without credentials", "stream"])
async def test_credentials_do_not_follow_a_redirect(
    vendor: Scripted, other: Scripted, connect: MakeHook, way: str
) -> None:
    vendor.plays(answer(302, Location=f"{other.url}/steal?token=abc123"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match=other.url.partition("://")[2]) as caught:  # noqa: PT012  # either way
            if way == "stream":
                await collect(hook, "/")
            else:
                await hook.request("GET", "/", credentials=way == "request")
    assert other.seen == []
    assert "abc123" not in str(caught.value)


async def test_a_download_without_credentials_follows(vendor: Scripted, other: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(302, Location=other.url + SIGNED))
    other.plays(answer(body=b"file"))
    async with connect() as hook:
        assert await collect(hook, "/file", credentials=False) == b"file"
    assert "authorization" not in vendor.seen[0].headers
    assert "authorization" not in other.seen[0].headers


async def test_a_link_that_comes_home_gets_no_credentials(vendor: Scripted, other: Scripted, connect: MakeHook) -> None:
    other.plays(answer(302, Location=f"{vendor.url}/private"))
    async with connect() as hook:
        await collect(hook, f"{other.url}/x")
    assert "authorization" not in vendor.seen[0].headers


STANDING = {"X-Api-Key": "standing-secret-1", "X-Tenant": "acme", "Cookie": "sid=standing-cookie"}
OWN_NAMES = {"authorization", "x-api-key", "x-tenant", "cookie"}


@pytest.mark.parametrize(
    "path", [["home"], ["other"], ["home", "home"], ["home", "other"], ["home", "other", "home"], ["other", "home"]]
)
@pytest.mark.parametrize("credentials", [None, False])
async def test_what_is_ours_goes_home_only(
    vendor: Scripted, other: Scripted, connect: MakeHook, path: list[str], credentials: bool | None
) -> None:
    """Each hop of a download: the connection's headers and the caller's reach the vendor's own origin, and nobody
    else.
    """
    at = {"home": vendor, "other": other}
    for here in at.values():
        here.scripts = []
    for number, name in enumerate(path):
        last = number + 1 == len(path)
        at[name].scripts.append(
            answer(body=b"file") if last else answer(302, Location=f"{at[path[number + 1]].url}/{number}")
        )
    if "other" in path and path[0] == "home":
        credentials = False  # with credentials such a redirect is refused, which is another test
    async with connect(conn={"extra": {"headers": STANDING}}) as hook:
        first = "/0" if path[0] == "home" else f"{other.url}/0"
        async with hook.stream("GET", first, headers={"X-Mine": "caller"}, credentials=credentials) as download:
            assert b"".join([chunk async for chunk in download]) == b"file"
    for seen in other.seen:
        assert not OWN_NAMES & set(seen.headers), seen
        assert ("x-mine" in seen.headers) == (path[0] == "other")
    for number, seen in enumerate(vendor.seen):
        at_home = path[0] == "home"
        assert ("x-tenant" in seen.headers) == at_home, (number, seen)
        assert ("authorization" in seen.headers) == (at_home and credentials is None)
        assert ("cookie" in seen.headers) == (at_home and credentials is None)
