"""Headers of answers: as many and as long as servers and proxies send them, and those beyond all measure by name."""

from __future__ import annotations

import pytest

from include.standins.scripted import Scripted, raw
from nightshift.errors import Ambiguous, BadResponse
from tests.unit.http.acme import MakeHook

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
COOKIE = b"Set-Cookie: SSO="


@pytest.mark.parametrize(
    "headers",
    [COOKIE + b"x" * 60_000 + b"\r\n", b"".join(b"X-%d: %s\r\n" % (n, b"a" * 1_000) for n in range(400))],
    ids=["long", "many"],
)
async def test_long_and_many_headers_are_read(vendor: Scripted, connect: MakeHook, headers: bytes) -> None:
    vendor.plays(raw(HEAD + headers + b"\r\n[1]"))
    async with connect(attempts=1) as hook:
        assert (await hook.request("GET", "/")).json() == [1]


@pytest.mark.parametrize(
    "headers",
    [COOKIE + b"s3cr3t" * 11_000 + b"\r\n", b"".join(b"X-%d: a\r\n" % n for n in range(600))],
    ids=["too long", "too many"],
)
async def test_headers_beyond_all_measure_are_named(vendor: Scripted, connect: MakeHook, headers: bytes) -> None:
    vendor.plays(raw(HEAD + headers + b"\r\n[1]"))
    async with connect(attempts=1) as hook:
        with pytest.raises(BadResponse, match="more than 512 headers, or one of more than 65536 bytes") as caught:
            await hook.request("GET", "/")
        assert "proxy before the vendor" in str(caught.value)
        assert "s3cr3t" not in str(caught.value)
        with pytest.raises(Ambiguous, match="more than 512 headers"):
            await hook.request("POST", "/")
