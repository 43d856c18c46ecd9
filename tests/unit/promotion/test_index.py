"""The index of the records: as right as the records themselves, whatever happened to it, and cheap."""

from __future__ import annotations

import asyncio
import multiprocessing
import random
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.errors import Contended
from nightshift.lake.store import Lake
from nightshift.promotion.index import STANDING, read_index, read_standing
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.store import BESIDE, Records
from nightshift.promotion.summary import RecordSummary, doubted, newest_running
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.records import MINUTE, NEW, T, deploy, put, record, step
from tests.unit.promotion.shelf import Shelf

PROCESSES = multiprocessing.get_context("forkserver")


class Counting(Records):
    """Counts the records that are read."""

    reads = 0

    async def read_named(self, name: str) -> PromotionRecord | None:
        self.reads += 1
        return await super().read_named(name)


def numbered(number: int, **more: Any) -> PromotionRecord:
    version = Version(id=50000 + number)
    at = 60 * number
    given = {"closed": T + (at + 3) * MINUTE, "outcome": PromotionOutcome.PROMOTED, "version": version, **more}
    steps = (step("build", at, version=version), deploy("DEV", version, at + 1), deploy("TEST", version, at + 2))
    return record(*steps, run_id=f"r{number}", **given)


async def without_index(records: Records) -> tuple[RecordSummary, ...]:
    """Return what the records tell, from themselves."""
    listed = sorted(await records.listed(), key=lambda one: (one.changed, one.name), reverse=True)
    read = [(one, await records.read_named(one.name)) for one in listed]
    return tuple(RecordSummary.of(found, one.mark) for one, found in read if found is not None)


async def test_only_what_has_changed_is_read(tmp_path: Path) -> None:
    records = Counting(Lake.from_url(str(tmp_path)), "portal")
    for number in range(250):
        await records.write(numbered(number))
    first = await read_index(records)
    assert (records.reads, len(first.summaries)) == (250, 250)
    assert await read_index(records) == first
    assert records.reads == 250
    await put(records, numbered(7, reason="changed"))
    await records.write(numbered(250))
    assert newest_running((await read_index(records)).summaries)["TEST"].version.id == 50250
    assert records.reads == 252


@pytest.mark.parametrize("spoiled", [b"", b"{", b"[]", b'{"format":2,"told":{}}', b"\xff\xfe", None])
async def test_it_is_made_anew_where_it_is_missing_or_cannot_be_read(shelf: Shelf, spoiled: bytes | None) -> None:
    for number in range(5):
        await shelf.put(numbered(number), minute=number)
    before = await read_index(shelf.records)
    if spoiled is None:
        (shelf.folder / BESIDE).unlink()
    else:
        (shelf.folder / BESIDE).write_bytes(spoiled)
    assert await read_index(shelf.records) == before
    assert (shelf.folder / BESIDE).read_bytes() != (spoiled or b"")


async def test_what_is_gone_or_was_put_back_is_no_longer_told(shelf: Shelf) -> None:
    for number in range(3):
        await shelf.put(numbered(number), minute=number)
    assert newest_running((await read_index(shelf.records)).summaries)["DEV"].run_id == "r2"
    kept = (shelf.folder / "r2.json").read_bytes()
    (shelf.folder / "r2.json").unlink()
    assert newest_running((await read_index(shelf.records)).summaries)["DEV"].run_id == "r1"
    (shelf.folder / "r2.json").write_bytes(kept)
    assert newest_running((await read_index(shelf.records)).summaries)["DEV"].run_id == "r2"


async def test_an_index_that_cannot_be_written_costs_time_only(shelf: Shelf) -> None:
    await shelf.put(numbered(1), minute=1)
    (shelf.folder / BESIDE).mkdir()
    found = await read_index(shelf.records)
    assert [one.run_id for one in found.summaries] == ["r1"]


async def test_a_record_that_cannot_be_read_is_named_and_the_others_are_told(shelf: Shelf) -> None:
    for number in range(3):
        await shelf.put(numbered(number), minute=number)
    shelf.damage("r1")
    for _ in range(2):
        found = await read_index(shelf.records)
        assert [one.run_id for one in found.summaries] == ["r2", "r0"]
        [(_, error)] = found.damaged
        assert "r1.json is not the record of a promotion" in str(error)


def test_what_is_in_doubt_is_the_newest_that_nothing_followed() -> None:
    def told(*steps: Any, **more: Any) -> RecordSummary:
        return RecordSummary.of(record(*steps, **{"closed": T, **more}), "")

    bad = told(deploy("TEST", NEW, 5, StepState.FAILED), run_id="bad")
    worse = told(deploy("TEST", NEW, 9, StepState.FAILED), run_id="worse")
    good = told(deploy("TEST", NEW, 20), run_id="good")
    assert doubted([bad, worse]) == doubted([worse, bad]) == {"TEST": "worse"}
    assert doubted([bad, good, worse]) == {}
    abandoned = told(deploy("DEV", NEW, 30, StepState.STARTED), run_id="left")
    underway = told(deploy("DEV", NEW, 30, StepState.STARTED), run_id="busy", closed=None)
    assert (doubted([abandoned]), doubted([underway])) == ({"DEV": "left"}, {})


def _work(folder: str, seed: int) -> None:
    """Write records and read the index, again and again, as one of several processes."""

    async def go() -> None:
        draw, records = random.Random(seed), Records(Lake.from_url(folder), "portal")
        for _ in range(60):
            number = draw.randrange(12)
            if draw.random() < 0.6:
                with suppress(Contended):
                    await put(
                        records, numbered(number, reason=f"{seed} {draw.random()}", opened=T + timedelta(seconds=seed))
                    )
            else:
                await read_index(records)

    asyncio.run(go())


def test_processes_that_write_at_once_leave_it_as_right_as_the_records(tmp_path: Path) -> None:
    workers = [PROCESSES.Process(target=_work, args=(str(tmp_path), seed)) for seed in range(4)]
    for one in workers:
        one.start()
    for one in workers:
        one.join(60)
        assert one.exitcode == 0

    async def both() -> None:
        records = Records(Lake.from_url(str(tmp_path)), "portal")
        assert (await read_index(records)).summaries == await without_index(records)

    asyncio.run(both())


async def test_what_is_kept_of_the_stages_is_told_again_as_long_as_the_records_are_the_same(shelf: Shelf) -> None:
    for number in (1, 2):
        await shelf.put(numbered(number), minute=number)
    first = await read_standing(shelf.records)
    assert first.stages["TEST"].run_id == "r2"
    (shelf.folder / BESIDE).write_bytes(b"nobody looks here")
    assert await read_standing(shelf.records) == first
    assert (shelf.folder / BESIDE).read_bytes() == b"nobody looks here"
    kept = shelf.folder / STANDING
    kept.write_bytes(kept.read_bytes().replace(b'"last":"r2"', b'"last":"r1"'))
    assert await read_standing(shelf.records) == first, "what somebody changed is none of what was kept"
    assert (shelf.folder / BESIDE).read_bytes() != b"nobody looks here"
    shelf.touch("r2", 7)
    assert (await read_standing(shelf.records)).made_of != first.made_of, "another content may be there"
    (shelf.folder / "r2.json").unlink()
    assert (await read_standing(shelf.records)).stages["TEST"].run_id == "r1"
    shelf.damage("r1")
    for _ in range(2):
        found = await read_standing(shelf.records)
        assert (found.made_of, len(found.unread)) == ("", 1), "what could not be read is looked at again"
