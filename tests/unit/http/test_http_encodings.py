"""Bodies that come packed: whole, in every way that a server packs them, or an error by name; never a part as the
whole.
"""

from __future__ import annotations

import gzip
import zlib

import pytest

from include.standins.scripted import Scripted, answer, raw
from nightshift.errors import BadResponse, TooLarge, Unreachable
from nightshift.http.encodings import PIECE, CutShort, NotDecoded, Packed
from tests.unit.http.acme import AcmeHook, MakeHook

ROWS = b"".join(b"u%d,%d\n" % (n, n * 7919) for n in range(400))
WHOLE = gzip.compress(ROWS, mtime=0)
MEMBERS = gzip.compress(ROWS[:100], mtime=0) + gzip.compress(b"", mtime=0) + gzip.compress(ROWS[100:], mtime=0)


def deflated(body: bytes, bits: int = zlib.MAX_WBITS, end: int = zlib.Z_FINISH) -> bytes:
    packer = zlib.compressobj(wbits=bits)
    return packer.compress(body) + packer.flush(end)


FLUSHED = deflated(ROWS[:100], 31, zlib.Z_SYNC_FLUSH)
"""What was packed of the first rows when the connection ended, in order."""


async def read(hook: AcmeHook, way: str) -> bytes:
    if way == "request":
        return (await hook.request("GET", "/rows", accept="text/csv", expect_json=False)).body
    async with hook.stream("GET", "/rows") as download:
        return b"".join([chunk async for chunk in download])


@pytest.mark.parametrize("way", ["request", "stream"])
@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", WHOLE),
        ("x-gzip", WHOLE),
        (" GZIP ", WHOLE),
        ("identity, gzip", WHOLE),
        ("gzip", MEMBERS),
        ("gzip", WHOLE + b"\0" * 512),
        ("deflate", deflated(ROWS)),
        ("deflate", deflated(ROWS, -zlib.MAX_WBITS)),
        ("identity", ROWS),
        ("utf-8", ROWS),
        ("", ROWS),
    ],
)
async def test_what_is_packed_comes_whole(
    vendor: Scripted, connect: MakeHook, way: str, encoding: str, body: bytes
) -> None:
    vendor.plays(answer(body=body, Content_Encoding=encoding, Content_Type="text/csv"))
    async with connect(attempts=1) as hook:
        assert await read(hook, way) == ROWS
        assert await read(hook, way) == ROWS
    assert vendor.connections == 1


async def test_no_body_is_a_whole_one(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=b"", Content_Encoding="gzip"), answer(body=WHOLE, Content_Encoding="gzip"))
    async with connect(attempts=1) as hook:
        assert await read(hook, "request") == b""
        assert (await hook.request("HEAD", "/rows")).body == b""


@pytest.mark.parametrize("way", ["request", "stream"])
@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(
    ("encoding", "cut"),
    [
        ("gzip", FLUSHED),
        ("gzip", WHOLE[:5]),
        ("gzip", WHOLE[:-1]),
        ("gzip", WHOLE[:-8]),
        ("gzip", WHOLE + MEMBERS[:4]),
        ("deflate", deflated(ROWS)[:-1]),
        ("deflate", deflated(ROWS, -zlib.MAX_WBITS)[:-1]),
    ],
)
async def test_what_ends_before_its_encoding_broke_off(
    vendor: Scripted, connect: MakeHook, way: str, announced: bool, encoding: str, cut: bytes
) -> None:
    named = {"Content_Encoding": encoding, "Content_Type": "text/csv"}
    head = f"HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Encoding: {encoding}\r\nConnection: close\r\n\r\n"
    broken = answer(body=cut, **named) if announced else raw(head.encode() + cut)
    vendor.plays(broken)
    async with connect(attempts=2) as hook:
        with pytest.raises(Unreachable, match=f"broke off before the end of its {encoding}"):
            await read(hook, way)
        # Of a stream, opening it alone is repeated.
        assert len(vendor.seen) == (2 if way == "request" else 1)
        if way == "request":
            vendor.plays(broken, answer(body=WHOLE, Content_Encoding="gzip", Content_Type="text/csv"))
            assert await read(hook, way) == ROWS


@pytest.mark.parametrize("way", ["request", "stream"])
@pytest.mark.parametrize(
    ("encoding", "body", "told"),
    [
        ("gzip", WHOLE + b"u400,3167600\n", "goes on behind the end of its gzip"),
        ("gzip", WHOLE + b"\0\0u", "goes on behind the end of its gzip"),
        ("deflate", deflated(ROWS) + b"\n", "goes on behind the end of its deflate"),
        ("gzip", WHOLE[:-4] + b"\0\0\0\1", "is not the gzip that it says it is"),
        ("gzip", ROWS, "is not the gzip that it says it is"),
        ("br", b"\x0b\x02\x80rows\x03", "is encoded with br, which was not asked for"),
        ("gzip, gzip", gzip.compress(WHOLE, mtime=0), "is encoded with gzip and gzip, which was not asked for"),
    ],
)
async def test_what_is_not_as_it_says_is_refused_by_name(
    vendor: Scripted, connect: MakeHook, way: str, encoding: str, body: bytes, told: str
) -> None:
    vendor.plays(answer(body=body, Content_Encoding=encoding, Content_Type="text/csv"))
    async with connect(attempts=1) as hook:
        with pytest.raises(BadResponse, match=f"the answer {told}.*Accept-Encoding"):
            await read(hook, way)


async def test_what_is_asked_for_is_what_can_be_undone(vendor: Scripted, connect: MakeHook) -> None:
    async with connect() as hook:
        await read(hook, "request")
        await read(hook, "stream")
    assert [seen.headers["accept-encoding"] for seen in vendor.seen] == ["gzip, deflate", "identity"]


async def test_a_little_that_is_a_lot_is_not_taken_whole(vendor: Scripted, connect: MakeHook) -> None:
    vendor.plays(answer(body=gzip.compress(bytes(20 << 20), mtime=0), Content_Encoding="gzip", Content_Type="text/csv"))
    async with connect() as hook:
        with pytest.raises(TooLarge, match="larger than 1048576 bytes"):
            await hook.request("GET", "/rows", accept="text/csv", max_bytes=PIECE)
        async with hook.stream("GET", "/rows") as download:
            sizes = [len(chunk) async for chunk in download]
    assert (sum(sizes), max(sizes)) == (20 << 20, PIECE)


@pytest.mark.parametrize("bits", [31, zlib.MAX_WBITS, -zlib.MAX_WBITS])
@pytest.mark.parametrize("more", [-1, 0, 1, 257, 258])
@pytest.mark.parametrize("size", [1, 7, 1 << 20])
def test_wherever_pieces_and_parts_end_all_of_it_comes(bits: int, more: int, size: int) -> None:
    body = b"a" * (PIECE + more)
    packed = deflated(body, bits)
    decoder = Packed("gzip" if bits == 31 else "deflate")
    parts = (packed[at : at + size] for at in range(0, len(packed), size))
    assert b"".join(piece for part in parts for piece in decoder.pieces(part)) == body
    decoder.end()


def test_wherever_it_is_cut_it_is_not_whole() -> None:
    for end in range(1, len(MEMBERS)):
        decoder = Packed("gzip")
        came = b"".join(decoder.pieces(MEMBERS[:end]))
        try:
            decoder.end()
        except CutShort:
            assert ROWS.startswith(came)
        else:
            assert MEMBERS[end:].startswith(b"\x1f\x8b"), "between two members nobody can tell"


def test_a_great_many_small_members_cost_no_more_than_their_bytes() -> None:
    decoder = Packed("gzip")
    members = gzip.compress(b"", mtime=0) * 20_000
    assert b"".join(decoder.pieces(members)) == b""
    decoder.end()
    with pytest.raises(NotDecoded):
        list(decoder.pieces(b"x"))
