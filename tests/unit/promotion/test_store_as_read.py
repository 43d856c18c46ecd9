"""What was read is written back only as long as nobody else has written it since."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.lake.errors import Contended
from nightshift.lake.store import Lake
from nightshift.promotion.record import PromotionOutcome, PromotionRecord, now
from nightshift.promotion.store import Records

ONE = PromotionRecord(application="portal", dag_id="promote_portal", run_id="r1", opened=now())


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path / "a lake"))


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


async def test_what_was_not_there_is_made_once(lake: Lake) -> None:
    first, second = Records(lake, "portal"), Records(lake, "portal")
    assert await first.read("r1") is None
    assert await second.read("r1") is None
    await first.write(ONE)
    with pytest.raises(Contended):
        await second.write(ONE.close(PromotionOutcome.FAILED))


async def test_what_was_never_read_is_written_in_any_case(lake: Lake) -> None:
    await Records(lake, "portal").write(ONE)
    await Records(lake, "portal").write(ONE.close(PromotionOutcome.FAILED))
