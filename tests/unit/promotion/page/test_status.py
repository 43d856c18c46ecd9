from __future__ import annotations

import asyncio
from pathlib import Path

from nightshift.lake.store import Lake
from nightshift.promotion.index import running
from nightshift.promotion.page.status import ApplicationStatus, read_status, trouble_of
from nightshift.promotion.record import PromotionOutcome, PromotionRecord, StepState
from nightshift.promotion.store import Records
from tests.unit.promotion.page.records import ONE, STAGES, THREE, TWO, deploy, promoted, record, run_of, runs


async def stand(
    lake: Lake, *records: PromotionRecord, newest_records: int = 10, stages: tuple[str, ...] = STAGES
) -> ApplicationStatus:
    """Write the records, the oldest first, and read how it stands."""
    store = Records(lake, "portal")
    for one in records:
        await store.write(one)
        # Folders of some machines keep the time of a change no finer than a kernel's tick.
        await asyncio.sleep(0.02)
    return await read_status(lake, "portal", stages, newest_records=newest_records)


async def test_the_newest_deployment_of_each_stage_runs_there(lake: Lake) -> None:
    half = record(2, deploy("DEV", TWO, 121), outcome=None, before={stage: runs(ONE, 61, 1) for stage in STAGES})
    found = await stand(lake, promoted(1, ONE), half)
    assert {stage: one.version for stage, one in found.running.items() if one} == {"DEV": TWO, "TEST": ONE}
    assert found.running == await running(Records(lake, "portal"), STAGES)
    assert [one.run_id for one in found.underway] == [run_of(2)]
    assert found.last is not None
    assert found.last.run_id == run_of(1)
    assert found.trouble == ""


async def test_what_older_records_tell_is_known_from_the_newest_alone(lake: Lake) -> None:
    idle = [
        record(n, outcome=PromotionOutcome.NO_CHANGES, before={s: runs(ONE, 71, 1) for s in STAGES}) for n in (2, 3, 4)
    ]
    found = await stand(lake, promoted(1, ONE), *idle, newest_records=2)
    assert [one.run_id for one in found.records] == [run_of(4), run_of(3)]
    assert {one.run_id for one in found.running.values() if one} == {run_of(1)}


async def test_goes_on_reading_where_the_newest_do_not_tell_of_a_stage(lake: Lake) -> None:
    waiting = [record(n, outcome=PromotionOutcome.SKIPPED, before={}, turn=None) for n in (2, 3, 4)]
    found = await stand(lake, promoted(1, ONE), *waiting, newest_records=2)
    assert len(found.records) == 2
    assert {stage: one.version for stage, one in found.running.items() if one} == {"DEV": ONE, "TEST": ONE}


async def test_a_stage_whose_newest_deployment_failed_is_in_doubt_until_one_ends_well(lake: Lake) -> None:
    before = {stage: runs(ONE, 71, 1) for stage in STAGES}
    bad = record(
        2, deploy("TEST", TWO, 130, StepState.FAILED, requests=(12002,)), outcome=PromotionOutcome.FAILED, before=before
    )
    found = await stand(lake, promoted(1, ONE), bad)
    assert {stage: one.version for stage, one in found.doubts.items()} == {"TEST": TWO}
    assert (await stand(lake, promoted(3, THREE, before=before))).doubts == {}


async def test_a_deployment_under_way_is_no_doubt_and_one_that_was_abandoned_is(lake: Lake) -> None:
    busy = deploy("DEV", TWO, 121, StepState.STARTED)
    assert (await stand(lake, record(2, busy, outcome=None))).doubts == {}
    assert set((await stand(lake, record(2, busy, outcome=PromotionOutcome.ABANDONED))).doubts) == {"DEV"}


async def test_the_promotion_that_has_its_turn_comes_before_those_that_wait(lake: Lake) -> None:
    waits = record(1, outcome=None, turn=None, before={})
    found = await stand(lake, waits, record(2, outcome=None))
    assert [one.run_id for one in found.underway] == [run_of(2), run_of(1)]


async def test_a_damaged_record_is_told_with_what_could_be_read(lake: Lake, tmp_path: Path) -> None:
    await stand(lake, promoted(1, ONE))
    (tmp_path / "lake/promotions/portal/broken.json").write_text("{")
    found = await read_status(lake, "portal", STAGES, newest_records=10)
    assert "promotions/portal/broken.json is not the record of a promotion" in found.trouble
    assert [one.run_id for one in found.records] == [run_of(1)]
    assert found.running["DEV"] is not None


async def test_a_lake_that_cannot_be_is_told(tmp_path: Path, config: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    found = await read_status(Lake.from_url(str(tmp_path / "lake")), "portal", STAGES, newest_records=10)
    assert found.trouble.startswith(f"The lake cannot be written: the folder {tmp_path}")
    assert "NIGHTSHIFT_LAKE" in found.trouble


def test_others_errors_are_told_by_their_kind_alone(tmp_path: Path) -> None:
    said = trouble_of(OSError(f"no key of {tmp_path}"))
    assert said.startswith("The lake cannot be read (OSError)")
    assert "NIGHTSHIFT_LAKE" in said
    assert str(tmp_path) not in said


async def test_a_lake_that_does_not_answer_is_not_waited_for() -> None:
    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        options = {
            "aws_endpoint": f"http://127.0.0.1:{port}", "aws_allow_http": "true", "aws_region": "us-east-1",
            "aws_access_key_id": "key", "aws_secret_access_key": "hush",
        }  # fmt: skip
        lake = Lake.from_url("s3://bucket", options)
        found = await read_status(lake, "portal", STAGES, newest_records=10, seconds=0.3)
    assert "did not answer" in found.trouble
    assert found.running == dict.fromkeys(STAGES)
