"""What an answer holds: JSON, a page in its place, more than is taken, packed."""

from __future__ import annotations

import codecs
import gzip

import msgspec
import pytest

from include.standins.scripted import Scripted, answer, raw
from nightshift.errors import (
    Ambiguous,
    BadResponse,
)
from tests.unit.http.acme import MakeHook


@pytest.mark.parametrize("kind", ["text/html", "application/json"])
async def test_a_login_page_is_not_json(vendor: Scripted, connect: MakeHook, kind: str) -> None:
    vendor.plays(answer(body=b"\n<!DOCTYPE html><html>Sign in</html>", Content_Type=kind))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="login page"):
            await hook.request("GET", "/")
        with pytest.raises(Ambiguous):
            await hook.request("POST", "/")
        assert b"Sign in" in (await hook.request("GET", "/", accept="text/html")).body


@pytest.mark.parametrize("body", [b'{"a": 1}', b"[]", b'"4711"', b"4711", b'\xef\xbb\xbf {"a": "<html>"}'])
async def test_json_that_is_called_a_page_is_json(vendor: Scripted, connect: MakeHook, body: bytes) -> None:
    vendor.plays(answer(body=body, Content_Type="text/html;charset=UTF-8"))
    async with connect() as hook:
        assert (await hook.request("POST", "/")).json() == msgspec.json.decode(body.removeprefix(codecs.BOM_UTF8))


@pytest.mark.parametrize("body", [b"", b"Please <b>sign in</b>", b"<p>{}</p>", b'{ "a" <br>'])
async def test_what_is_called_a_page_and_is_no_json_is_a_page(vendor: Scripted, connect: MakeHook, body: bytes) -> None:
    vendor.plays(answer(body=body, Content_Type="text/html"))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="HTML page"):
            await hook.request("GET", "/")


@pytest.mark.parametrize("body", [b"", b"  ", b'{"a": 1', b'{"a": NaN}', b"[1] x", b'"\xff"', b"[" * 100_000])
async def test_bad_json(vendor: Scripted, connect: MakeHook, body: bytes) -> None:
    vendor.plays(answer(body=body))
    async with connect() as hook:
        got = await hook.request("GET", "/")
        with pytest.raises(BadResponse) as caught:
            got.json()
        assert caught.value.status == 200
        posted = await hook.request("POST", "/")
        with pytest.raises(Ambiguous):
            posted.json()


async def test_typed_json(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=b'\xef\xbb\xbf{"a": 1}'))
    async with connect() as hook:
        got = await hook.request("GET", "/")
        assert got.json(type=dict[str, int]) == {"a": 1}
        with pytest.raises(BadResponse, match="another shape"):
            got.json(type=list[int])


@pytest.mark.parametrize("announced", [True, False])
async def test_too_large(vendor: Scripted, connect: MakeHook, announced: bool) -> None:
    body = b"x" * 10_000
    vendor.plays(answer(body=body) if announced else raw(b"HTTP/1.1 200 OK\r\n\r\n" + body))
    async with connect() as hook:
        with pytest.raises(BadResponse, match="larger than 9999 bytes"):
            await hook.request("GET", "/", max_bytes=9_999)
        assert len((await hook.request("GET", "/", max_bytes=10_000)).body) == 10_000


async def test_gzip(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=gzip.compress(b"[" + b"0," * 50_000 + b"0]"), Content_Encoding="gzip"))
    async with connect() as hook:
        assert len((await hook.request("GET", "/")).json()) == 50_001
        with pytest.raises(BadResponse, match="larger than"):
            await hook.request("GET", "/", max_bytes=50_000)
