"""What lies in the landing: pages in JSON and CSV, of any dialect, up to the table; and casts of single values."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Any

import msgspec
import zstandard
from hypothesis import strategies as st

from nightshift.lake.casts import arrow_type
from nightshift.lake.columns import Target
from nightshift.lake.csv_pages import CsvTexts
from nightshift.lake.csv_text import RecordCounter
from nightshift.lake.errors import LakeError
from nightshift.lake.extract import Manifest
from nightshift.lake.json_pages import JsonPages, NewColumns
from nightshift.lake.landing import Landing, format_of, unpack
from nightshift.lake.pages import listed
from nightshift.lake.spec import CsvSpec, PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from nightshift.nesting import MAX_DEPTH, shallow
from tests.fuzz import differential as two
from tests.fuzz.pages import COLUMNS, csv_pages, json_pages
from tests.fuzz.targets import Box, Skipped, target
from tests.fuzz.values import KINDS, ZONES, json_texts, texts_of

SPEC = PublishSpec(timezone="Europe/Berlin", promote={"n": {"m": "int64"}})
PROMOTED = [*COLUMNS, Target("n_m", "int64", "n", "m")]
JSON_PAGES = [
    b'{"header":{"nextPageURL":null},"data":[{"s":"x","i":1,"f":1.5,"b":true,"d":"1.5","a":"2026-11-21",'
    b'"t":"2026-11-21T01:02:03Z","n":{"m":1,"x":[1,{"y":null}]}},{"s":null,"i":-0,"f":-0,"t":1795219200000}]}',
    b'[{"s":"\\u00e9\\ud83d\\ude00","i":9007199254740993,"f":1e308,"d":12345678901234567890.12}]',
    b'{"data":[]}',
    b'{"data":null}',
    b'{"data":{"i":1}}',
    b'{"data":5}',
    b'\xef\xbb\xbf{"data":[{"a":"2026-02-29","t":"2026-03-29T02:30:00"}]}',
    '{"data":[{"s":"x"}]}'.encode("utf-16"),
    b'{"data":[' + b'{"n":' * 300 + b"1" + b"}" * 300 + b"]}",
    b'{"data":[{"n":' + b"[" * 5000 + b"]" * 5000 + b"}]}",
    b'{"data":[{"i":' + b"9" * 100_000 + b"}]}",
    b'{"data":[{"s":"' + b"x" * 500_000 + b'"}]}',
]
CSV_PAGES = [
    b"s,i,f,b,d,a,t,n\nx,1,1.5,true,1.5,2026-11-21,2026-11-21T01:02:03Z,y\n,,,,,,,\n",
    b'"s","i"\r\n"a ""b""\r\nc",1\r\n"",2\r\n',
    b"\xef\xbb\xbfs;i;\nx;1;\ny;2;\n",
    "s\ti\n\xe9\t1\n".encode("cp1252"),
    "s,i\n\u00e9,1\n".encode("utf-16"),
    b"s,s\n1,2\n",
    b"s,i\n" + b"x" * 300_000 + b",1\n",
    b"s,i\n" + b'"' * 5001 + b",1\n",
]


@target("payloads.json_page", JSON_PAGES, LakeError, made=json_pages(), share=4.0)
def _json(data: bytes, box: Box) -> None:
    body = listed(data, "data")
    pages = JsonPages(PROMOTED, (), SPEC, "r", ("s",), ("i", "f"))
    try:
        for batch in pages.batches(1, body, 0):
            batch.validate(full=True)
    except NewColumns:
        # A word between two of our own modules, which nobody is shown.
        raise Skipped from None


@target("differential.json_page", JSON_PAGES, made=json_pages(), share=8.0)
def _json_both(data: bytes, box: Box) -> None:
    two.pages_agree(two.decoders_of(two.JSON_READERS, PROMOTED, SPEC, ["i", "f", "d"]), data)


@target("differential.csv_page", CSV_PAGES[:1], made=csv_pages(), share=2.0)
def _csv_both(data: bytes, box: Box) -> None:
    if two.csv_agrees(data, COLUMNS, PublishSpec(timezone="Europe/Berlin")) is None:
        raise Skipped


_DIALECT = [
    b'{"charset":"utf-8","delimiter":",","quote":"\\"","repeated_names":"number"}\n',
    b'{"charset":"cp1252","delimiter":";","quote":"\'"}\n',
    b'{"charset":"utf-16","delimiter":"\\t"}\n',
    b'{"charset":"gb18030","delimiter":"|"}\n',
    b'{"charset":"shift_jis","delimiter":","}\n',
]
_CSV = [dialect + page for dialect in _DIALECT for page in CSV_PAGES]


@target("csv.dialect", _CSV, LakeError, ValueError, share=6.0)
def _dialect(data: bytes, box: Box) -> None:
    line, _, body = data.partition(b"\n")
    try:
        given = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Skipped from None
    spec = CsvSpec.model_validate(given)
    whole, small = (RecordCounter(spec.quote.encode(), spec.delimiter.encode(), spec.charset) for _ in range(2))
    body = body[: 1 << 16]
    whole.feed(body)
    at = 0
    while at < len(body):
        step = 7 if at < 700 else 4096
        block = body[at : at + step]
        block = block[: len(block) - small.loose_end(block)] or block
        small.feed(block)
        at += len(block)
    assert whole.records + whole.open_record == small.records + small.open_record, "small blocks count otherwise"
    for batch in CsvTexts(spec, "r").batches(1, body):
        batch.validate(full=True)


@target("csv.landed", CSV_PAGES + JSON_PAGES, LakeError, ValueError, share=1.0)
def _landed(data: bytes, box: Box) -> None:
    lake = Lake.from_url(str(box.empty() / "lake"))
    folder = Landing(lake, "tokenflex", "r", "2026-11-21").extract("e")

    async def received() -> bytes:
        async with await folder.open_stream(part_bytes=64) as stream:
            for at in range(0, len(data), max(1, len(data) // 9)):
                await stream.write(data[at : at + max(1, len(data) // 9)])
        bodies = [await folder.read(entry.number) for entry in stream.entries]
        return b"".join(bodies)

    assert asyncio.run(received()) == data, "what is landed is not what was received"


@target("payloads.publish", JSON_PAGES[:8] + CSV_PAGES[:6], LakeError, share=0.7)
def _publish(data: bytes, box: Box) -> None:
    lake = Lake.from_url(str(box.empty() / "lake"))
    folder = Landing(lake, "flexnet", "r", "2026-11-21").extract("e")

    async def landed() -> Manifest:
        manifest = Manifest.of(
            [await folder.write(1, data, 1)],
            source="flexnet",
            report="r",
            night="2026-11-21",
            extract="e",
            connection="c",
            attempt=1,
            started="2026-11-22T01:00:00+00:00",
            finished="2026-11-22T01:00:01+00:00",
            format=format_of(data),
        )
        await folder.complete(manifest)
        return manifest

    publish(lake, asyncio.run(landed()), PublishSpec(timezone="Europe/Berlin"))
    assert {path.name for path in box.folder.iterdir()} == {"lake"}
    assert {path.name for path in (box.folder / "lake").iterdir()} <= {"raw", "tables"}


_PACKED = [zstandard.compress(page) for page in JSON_PAGES[:3]]
_PACKED += [zstandard.compress(bytes(64 << 20)), b"", zstandard.compress(JSON_PAGES[0])[:-4]]


@target("payloads.packed", _PACKED, LakeError)
def _packed(data: bytes, box: Box) -> None:
    unpack(data, "x")


@target("payloads.depth", JSON_PAGES, RecursionError)
def _depth(data: bytes, box: Box) -> None:
    deepest = depth = 0
    inside = escaped = False
    for byte in data[:200_000]:
        if escaped:
            escaped = False
        elif byte == 0x5C:
            escaped = True
        elif byte == 0x22:
            inside = not inside
        elif not inside and byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif not inside and byte in b"]}":
            depth -= 1
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        shallow(data)
        return
    if len(data) <= 200_000 and deepest > MAX_DEPTH:
        try:
            shallow(data)
        except RecursionError:
            return
        raise AssertionError(f"{deepest} levels were taken")
    shallow(data)


def _texts(strategy: Any) -> st.SearchStrategy[bytes]:
    return st.sampled_from(KINDS).flatmap(
        lambda kind: st.builds(
            lambda texts, zone, empty: msgspec.json.encode([kind, zone, empty, texts]),
            st.lists(st.none() | strategy(kind), min_size=1, max_size=4),
            st.sampled_from(ZONES),
            st.booleans(),
        )
    )


_COLUMN = [msgspec.json.encode([kind, "Europe/Berlin", False, ["1", "2026-11-21", "true", None]]) for kind in KINDS]


def _column(data: bytes) -> tuple[str, str, bool, list[str | None]]:
    try:
        found = msgspec.json.decode(data, type=tuple[str, str, bool, list[str | None]])
        arrow_type(found[0])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError, ValueError):
        raise Skipped from None
    if found[1] not in ZONES:
        raise Skipped
    return found


@target("differential.texts", _COLUMN, made=_texts(texts_of), share=10.0)
def _texts_both(data: bytes, box: Box) -> None:
    kind, zone, empty, texts = _column(data)
    two.texts_agree(texts, kind, zone, empty)


@target("differential.values", _COLUMN, made=_texts(json_texts), share=10.0)
def _raws_both(data: bytes, box: Box) -> None:
    kind, zone, empty, texts = _column(data)
    for text in texts:
        try:
            msgspec.json.decode((text or "null").encode())
        except (msgspec.DecodeError, RecursionError):
            raise Skipped from None
    two.raws_agree(texts, kind, zone, empty)


@target(
    "differential.days",
    [],
    made=st.builds(lambda at, zone: f"{at.isoformat()} {zone}".encode(), st.datetimes(), st.sampled_from(ZONES)),
)
def _days_both(data: bytes, box: Box) -> None:
    at, _, zone = data.decode().partition(" ")
    two.days_agree([datetime.fromisoformat(at)], zone)
