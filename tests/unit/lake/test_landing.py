from __future__ import annotations

import asyncio
import random
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from nightshift.lake.errors import Completed, Damaged, Incomplete, NoExtract, PageTaken
from nightshift.lake.landing import Landing, Manifest, VendorTotals
from nightshift.lake.store import Lake
from tests.unit.lake.conftest import NIGHT, land_night

WORDS = {
    "source": "flexnet",
    "report": "usage",
    "night": NIGHT,
    "extract": "x",
    "connection": "c",
    "attempt": 1,
    "started": "s",
    "finished": "f",
}


def raw(lake: Lake, *path: str) -> Path:
    return Path(lake.url.removeprefix("file://"), "raw", *path)


async def test_pages_land_as_received_in_any_order(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    bodies = {number: f'{{"data": [{number}], "x": "é"}}'.encode() for number in range(1, 30)}
    numbers = random.Random(1).sample(sorted(bodies), len(bodies))
    entries = await asyncio.gather(*(folder.write(number, bodies[number], 1) for number in numbers))
    assert await folder.landed() == sorted(bodies)
    assert await folder.read(7) == bodies[7]
    manifest = Manifest.of(entries, format="json", vendor_totals=VendorTotals(rows=29), **WORDS)
    await folder.complete(manifest)
    assert (manifest.rows, manifest.pages, manifest.bytes) == (29, 29, sum(map(len, bodies.values())))
    assert raw(lake, "flexnet", "usage", f"night={NIGHT}", "x", "page-00001.json.zst").is_file()
    assert await Landing(lake, "flexnet", "usage", NIGHT).manifest("x") == manifest


async def test_a_page_that_is_landed_is_not_written_again(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    first = await folder.write(1, b"[1]", 1)
    path = raw(lake, "flexnet", "usage", f"night={NIGHT}", "x", "page-00001.json.zst")
    before = path.stat()
    assert await folder.write(1, await folder.read(1), 1, landed=True) == first
    assert path.stat() == before


async def test_without_a_manifest_there_is_no_extract(lake: Lake) -> None:
    landing = Landing(lake, "flexnet", "usage", NIGHT)
    await landing.extract("x").write(1, b"[]", 0)
    assert await landing.latest() is None
    with pytest.raises(NoExtract, match="never completed"):
        await landing.manifest("x")


async def test_the_latest_extract_is_the_one_that_finished_last(lake: Lake) -> None:
    landing = Landing(lake, "flexnet", "usage", NIGHT)
    for name, finished in (("zebra", "2026-11-22T01:00:00+00:00"), ("aardvark", "2026-11-22T02:00:00+00:00")):
        words = {**WORDS, "extract": name, "finished": finished}
        await landing.extract(name).complete(Manifest.of([], format="json", **words))
    found = await landing.latest()
    assert found is not None
    assert found.extract == "aardvark"


async def test_an_extract_is_not_completed_without_its_pages(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    entry = await folder.write(1, b"[1]", 1)
    lost = entry.model_copy(update={"number": 2, "name": "page-00002.json.zst"})
    with pytest.raises(Incomplete, match=r"1 of 2 pages are not landed, the first is page-00002\.json\.zst"):
        await folder.complete(Manifest.of([entry, lost], format="json", **WORDS))
    with pytest.raises(Incomplete, match="was meant for"):
        await folder.complete(Manifest.of([entry], format="json", **{**WORDS, "report": "other"}))
    with pytest.raises(ValidationError, match="not 1 to n"):
        Manifest.of([lost], format="json", **WORDS)


async def test_pages_of_a_longer_attempt_are_not_left_behind(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    entries = [await folder.write(number, b"[1]", 1) for number in (1, 2)]
    await folder.complete(Manifest.of(entries[:1], format="json", **WORDS))
    assert await folder.landed() == [1]


async def test_a_damaged_page_is_named(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    await folder.write(1, b"[" + b"1," * 9999 + b"1]", 1)
    path = raw(lake, "flexnet", "usage", f"night={NIGHT}", "x", "page-00001.json.zst")
    whole = path.read_bytes()
    for broken in (whole[:-9], b"", bytes(len(whole)), whole[:20] + b"\0" + whole[21:]):
        path.write_bytes(broken)
        with pytest.raises(Damaged, match=r"page-00001\.json\.zst"):
            await folder.read(1)
    with pytest.raises(Damaged, match="no page 2"):
        await folder.read(2)


async def test_beginning_again_takes_another_folder_and_leaves_nothing_in_this_one(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"a": 1}], [{"a": 2}]])
    landing, told = Landing(lake, "flexnet", manifest.report, NIGHT), []
    path = raw(lake, "flexnet", manifest.report, f"night={NIGHT}", "first", "manifest.json")
    path.write_bytes(path.read_bytes()[:20])
    folder = landing.extract("first", told.append)
    await folder.begin_again()
    assert told == [folder.extract_id] != ["first"]
    assert (await folder.landed(), await landing.extract("first").landed(), await landing.latest()) == ([], [], None)
    await folder.begin_again()
    assert told == [folder.extract_id], "an empty folder is as good as another"


async def test_nothing_is_removed_where_the_other_folder_could_not_be_noted(lake: Lake) -> None:
    """Airflow takes no note of an attempt that is none any more: the pages are those of the attempt that is."""

    def refused(extract_id: str) -> None:
        raise PermissionError(extract_id)

    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x", refused)
    await folder.write(1, b'{"data": []}', 0)
    with pytest.raises(PermissionError):
        await folder.begin_again()
    assert (folder.extract_id, await folder.landed()) == ("x", [1])


async def test_a_worker_that_thaws_after_its_extract_was_completed_takes_nothing_of_it_away(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"a": 1}], [{"a": 2}]])
    landing = Landing(lake, "flexnet", manifest.report, NIGHT)
    thawed = landing.extract("first")
    with pytest.raises(Completed, match="was completed by another attempt"):
        await thawed.begin_again()
    with pytest.raises(Completed):
        await thawed.write(2, b'{"data": [{"a": 3}]}', 1)
    entries = [await thawed.write(1, await thawed.read(1), 1)]
    mine = Manifest.of(entries, **manifest.model_dump(exclude={"entries", "rows", "pages", "bytes", "sha256"}))
    with pytest.raises(Completed):
        await thawed.complete(mine)
    await thawed.complete(manifest)  # the answer to its own was lost
    assert await landing.latest() == manifest
    assert await landing.extract("first").landed() == [1, 2]


async def test_a_manifest_that_comes_while_its_pages_are_removed_is_not_left_without_them(lake: Lake) -> None:
    manifest = await land_night(lake, [[{"a": 1}], [{"a": 2}]])
    landing = Landing(lake, "flexnet", manifest.report, NIGHT)
    path = raw(lake, "flexnet", manifest.report, f"night={NIGHT}", "first", "manifest.json")
    late = path.read_bytes()
    path.unlink()
    await landing.extract("first", lambda extract_id: path.write_bytes(late)).begin_again()
    assert (path.exists(), await landing.latest(), await landing.extract("first").landed()) == (False, None, [])


async def test_a_page_of_another_attempt_is_not_written_over(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    first = await folder.write(1, b'{"data": [1]}', 1)
    assert await folder.write(1, b'{"data": [1]}', 1) == first
    with pytest.raises(PageTaken, match=r"x/page-00001\.json\.zst was landed by another attempt"):
        await folder.write(1, b'{"data": [2]}', 1)
    assert await folder.read(1) == b'{"data": [1]}'


async def test_a_page_that_has_rotted_is_landed_anew(lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("x")
    await folder.write(1, b'{"data": [1]}', 1)
    path = raw(lake, "flexnet", "usage", f"night={NIGHT}", "x", "page-00001.json.zst")
    path.write_bytes(path.read_bytes()[:-3])
    await folder.write(1, b'{"data": [1]}', 1)
    assert await folder.read(1) == b'{"data": [1]}'


@pytest.mark.parametrize("change", [b'"version": 2', b'"version": 1, "surprise": 1'])
async def test_a_manifest_that_is_not_understood_is_not_guessed_at(lake: Lake, change: bytes) -> None:
    await land_night(lake, [[{"a": 1}]], report="usage", extract="x")
    path = raw(lake, "flexnet", "usage", f"night={NIGHT}", "x", "manifest.json")
    path.write_bytes(path.read_bytes().replace(b'"version": 1', change))
    with pytest.raises(Damaged, match="is not a manifest of version 1"):
        await Landing(lake, "flexnet", "usage", NIGHT).manifest("x")


def csv_text(rows: int) -> bytes:
    lines = [f'{n},"line one\nline two of ""{n}""",12" disk\r\n' for n in range(rows)]
    return ("id,text,size\r\n" + "".join(lines)).encode()


async def feed(
    folder: Any, text: bytes, *, chunk: int, stop: int | None = None, resume: bool = True, **dialect: Any
) -> list[Any]:
    class Cut(Exception):
        pass

    stream = await folder.open_stream(**{"part_bytes": 3 << 20, "resume": resume, **dialect})
    try:
        async with stream:
            for at in range(stream.received, len(text) if stop is None else stop, chunk):
                await stream.write(text[at : at + chunk])
            if stop is not None:
                raise Cut
    except Cut:
        pass
    return list(stream.entries)


async def test_a_big_download_lands_as_parts_that_end_with_a_record(lake: Lake) -> None:
    text = csv_text(300_000)
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("x")
    entries = await feed(folder, text, chunk=70_001)
    parts = [await folder.read(number) for number in await folder.landed()]
    assert b"".join(parts) == text
    assert len(parts) > 3
    assert all(part.endswith(b"disk\r\n") for part in parts)
    assert [entry.rows for entry in entries] == [part.count(b" disk\r\n") for part in parts]


async def test_an_interrupted_download_goes_on_behind_its_last_part(lake: Lake) -> None:
    text = csv_text(300_000)[:-2]
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("x")
    before = await feed(folder, text, chunk=65_536, stop=len(text) // 2)
    assert before
    entries = await feed(folder, text, chunk=65_536)
    assert entries[: len(before)] == before
    assert b"".join([await folder.read(number) for number in await folder.landed()]) == text
    assert sum(entry.rows for entry in entries) == 300_000  # type: ignore[attr-defined]
    again = await feed(folder, text, chunk=65_536, resume=False)
    assert sum(entry.bytes for entry in again) == len(text)  # type: ignore[attr-defined]


async def test_a_quote_that_is_never_closed_is_an_error(lake: Lake) -> None:
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("x")
    with pytest.raises(Incomplete, match="a quote is never closed"):
        await feed(folder, b'a,b\n1,"' + b"x,y\n" * 5_000_000, chunk=1 << 20)


async def test_a_download_that_ends_inside_of_quotes_is_not_complete(lake: Lake) -> None:
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("x")
    with pytest.raises(Incomplete, match="ends inside of quotes, after 11 bytes"):
        await feed(folder, b'a,b\r\n1,"two', chunk=5)


@pytest.mark.parametrize("charset", ["utf-8-sig", "utf-16", "utf-16-be", "cp1252"])
async def test_parts_of_any_charset_and_line_end_are_gone_on_with(lake: Lake, charset: str) -> None:
    lines = "".join(f'{n},"caf\xe9 {n}\r\nat",x\r' for n in range(200_000))
    text = f"id,text,size\r{lines}".encode(charset)
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("x")
    named = "utf-8" if charset.startswith("utf") and charset != "utf-16-be" else charset
    before = await feed(folder, text, chunk=65_537, stop=3 << 20, part_bytes=1 << 20, charset=named)
    assert before
    entries = await feed(folder, text, chunk=65_537, part_bytes=1 << 20, charset=named)
    assert entries[: len(before)] == before
    assert b"".join([await folder.read(number) for number in await folder.landed()]) == text
    assert sum(entry.rows for entry in entries) == 200_000  # type: ignore[attr-defined]


@pytest.mark.parametrize("harm", ["a bit is turned", "the half is missing"])
async def test_a_download_goes_on_before_a_part_that_is_damaged(lake: Lake, harm: str) -> None:
    text = csv_text(120_000)
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("x")
    before = await feed(folder, text, chunk=65_536, stop=5 << 20, part_bytes=1 << 20)
    assert len(before) >= 2
    part = raw(lake, "flexnet", "usage").parent.parent / "tokenflex/usage" / f"night={NIGHT}" / "x" / before[-1].name
    packed = bytearray(part.read_bytes())
    packed[len(packed) // 2] ^= 16
    part.write_bytes(packed if harm == "a bit is turned" else packed[: len(packed) // 2])
    with pytest.raises(Damaged, match=before[-1].name):
        await folder.read(len(before))
    entries = await feed(folder, text, chunk=65_536, part_bytes=1 << 20)
    assert entries[: len(before) - 1] == before[:-1]
    assert b"".join([await folder.read(number) for number in await folder.landed()]) == text
    assert sum(entry.rows for entry in entries) == 120_000  # type: ignore[attr-defined]


async def test_what_is_on_its_way_to_the_store_is_there_before_anybody_begins_again(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Landing(lake, "tokenflex", "usage", NIGHT).extract("first")
    put, is_let = folder.put_packed, asyncio.Event()

    async def held_up(name: str, packed: bytes) -> None:
        await is_let.wait()
        await put(name, packed)

    monkeypatch.setattr(folder, "put_packed", held_up)
    stream = await folder.open_stream(part_bytes=1 << 20)

    async def changes() -> None:
        async with stream:
            await stream.write(b"a\n" * (1 << 20))
            asyncio.get_running_loop().call_later(0, is_let.set)
            raise ValueError("another file")

    with pytest.raises(ValueError, match="another file"):
        await changes()
    assert [entry.name for entry in stream.entries] == ["page-00001.csv.zst"]
    again = await folder.open_stream(resume=False)
    assert (again.received, [entry.name for entry in again.entries]) == (0, [])
