"""A record is written in the place of what it was made of, and of nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.errors import Contended, UnfitStore
from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionRecord, RecordedResolution, Verdict, now
from nightshift.promotion.revoked import report
from nightshift.promotion.store import AsRead, Records
from nightshift.promotion.vocabulary import PromotionOutcome, StepState, VerdictWord
from tests.unit.lake.test_s3 import bucket, endpoint  # noqa: F401 - fixtures
from tests.unit.promotion.records import NEW, deploy, record, step

ONE = PromotionRecord(application="portal", dag_id="promote_portal", run_id="r1", opened=now())


@pytest.fixture(params=["a folder", "S3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "S3":
        found: Lake = request.getfixturevalue("bucket")
        return found
    return Lake.from_url(str(tmp_path / "a lake"))


async def there(lake: Lake) -> PromotionRecord:
    found = await Records(lake, "portal").read("r1")
    assert found is not None
    return found


async def test_a_thawed_writer_overwrites_nothing(lake: Lake) -> None:
    await Records(lake, "portal").write(ONE)
    frozen, newer = Records(lake, "portal"), Records(lake, "portal")
    old = await frozen.read("r1")
    new = await newer.read("r1")
    assert old is not None
    assert new is not None
    await newer.write(new.close(PromotionOutcome.PROMOTED))
    with pytest.raises(Contended, match=r"r1\.json was written by another attempt meanwhile"):
        await frozen.write(old.close(PromotionOutcome.FAILED))
    told = await frozen.read("r1")
    assert told is not None
    assert told.outcome is PromotionOutcome.PROMOTED
    await frozen.write(told.close(PromotionOutcome.FAILED))


async def test_reading_it_once_more_makes_nothing_newer_of_what_was_read_before(lake: Lake) -> None:
    mine, other = Records(lake, "portal"), Records(lake, "portal")
    await mine.write(ONE)
    old = await mine.read("r1")
    assert old is not None
    await other.write((await there(lake)).changed(reason="by somebody else"))
    assert await mine.read("r1") != old
    assert await mine.read_named("r1.json") != old
    with pytest.raises(Contended):
        await mine.write(old.close(PromotionOutcome.FAILED))
    assert (await there(lake)).reason == "by somebody else"


async def test_after_a_write_the_next_one_is_of_what_was_written(lake: Lake) -> None:
    mine = Records(lake, "portal")
    first = await mine.write(ONE)
    second = await mine.write(first.changed(reason="once"))
    third = await mine.write(second.changed(reason="twice"))
    assert (third.origin, third) == ((await there(lake)).origin, await there(lake))
    await Records(lake, "portal").write(third.changed(reason="by somebody else"))
    for stale in (ONE, first, second, third):
        with pytest.raises(Contended):
            await mine.write(stale.changed(reason="stale"))
    assert (await there(lake)).reason == "by somebody else"


async def test_what_was_not_there_is_made_once(lake: Lake) -> None:
    first, second = Records(lake, "portal"), Records(lake, "portal")
    assert await first.read("r1") is None
    assert await second.read("r1") is None
    await first.write(ONE)
    with pytest.raises(Contended):
        await second.write(ONE.close(PromotionOutcome.FAILED))


async def test_what_is_gone_is_not_made_again(lake: Lake) -> None:
    import obstore

    written = await Records(lake, "portal").write(ONE)
    await obstore.delete_async(lake.objects("promotions", "portal"), "r1.json")
    with pytest.raises(Contended):
        await Records(lake, "portal").write(written.close(PromotionOutcome.FAILED))


async def test_a_write_whose_answer_was_lost_is_known_again(bucket: Lake) -> None:  # noqa: F811 - the fixture
    written = await Records(bucket, "portal").write(ONE)
    again = await Records(bucket, "portal").write(ONE)
    assert (again, again.origin) == (written, written.origin)


async def test_a_store_that_does_not_tell_contents_apart_is_not_written(lake: Lake) -> None:
    written = await Records(lake, "portal").write(ONE)
    with pytest.raises(UnfitStore, match=r"does not tell one content of promotions/portal/r1\.json from another"):
        await Records(lake, "portal").write(written.of({}).close(PromotionOutcome.FAILED))
    assert (await there(lake)).closed is None


FAILED = step("DEV.restart", 3, StepState.FAILED, outcome="ambiguous")
SAID = RecordedResolution(word="over", by="dan", why="looked", at=now())
TOLD = Verdict(
    task="DEV",
    kind="verification",
    stage="DEV",
    version=deploy("DEV").version,
    word=VerdictWord.REFUTED,
    at=now(),
    by="dan",
)


@pytest.mark.parametrize(
    ("meanwhile", "is_kept"),
    [
        ({"verdicts": (TOLD,)}, True),
        ({"steps": (deploy("DEV"), FAILED.changed(said=SAID))}, True),
        ({"steps": (deploy("DEV"), FAILED.changed(attempt=2))}, False),
        ({"steps": (deploy("DEV", state=StepState.STARTED), FAILED), "verdicts": (TOLD,)}, False),
        ({"turn": 2}, False),
        ({"closed": now(), "outcome": PromotionOutcome.ABANDONED}, False),
    ],
)
async def test_what_people_say_meanwhile_is_kept_and_what_attempts_do_is_not_written_over(
    tmp_path: Path, meanwhile: dict[str, Any], is_kept: bool
) -> None:
    lake = Lake.from_url(str(tmp_path))
    mine = Records(lake, "portal")
    await mine.write(record(deploy("DEV"), FAILED, run_id="r1"))
    read = await mine.read("r1")
    assert read is not None
    changed = await Records(lake, "portal").write((await there(lake)).changed(**meanwhile))
    closed = read.close(PromotionOutcome.FAILED)
    if is_kept:
        written = await mine.rewrite(closed, read=read)
        assert written == await there(lake) == closed.changed(**meanwhile)
    else:
        with pytest.raises(Contended):
            await mine.rewrite(closed, read=read)
        assert await there(lake) == changed


async def test_everybody_who_says_something_at_once_is_heard(lake: Lake) -> None:
    await Records(lake, "portal").write(record(deploy("DEV"), run_id="r1"))
    people = [f"p{number}" for number in range(3)]
    await asyncio.gather(*(report(Records(lake, "portal"), "r1", "DEV", NEW, by=one, why="slow") for one in people))
    assert {one.by for one in (await there(lake)).verdicts} == set(people)


async def test_the_tag_is_no_part_of_what_a_record_says(lake: Lake) -> None:
    written = await Records(lake, "portal").write(ONE)
    assert written == ONE
    assert written.to_json() == ONE.to_json()
    content = await AsRead(lake.objects("promotions", "portal"), lake, ("promotions", "portal")).read("r1.json")
    assert content is not None
    assert (content.text, content.tag) == (ONE.to_json(), written.origin)
