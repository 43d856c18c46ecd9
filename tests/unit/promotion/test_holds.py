"""One press stops the line; what stands in the lake stands, whoever wrote what beside it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from nightshift.lake.store import Lake
from nightshift.promotion.holds import every_hold, hold, holds, lift

T = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.from_url(str(tmp_path))


def folder(tmp_path: Path) -> Path:
    return tmp_path / "claims" / "holds"


async def test_a_hold_stands_for_its_application_until_it_is_lifted(lake: Lake) -> None:
    assert await holds(lake) == ()
    put = await hold(lake, application="portal", by=" ann ", reason="audit", until=None, at=T)
    assert await holds(lake, application="portal", at=T + 1000 * HOUR) == (put,)
    assert await holds(lake, application="billing", at=T) == ()
    lifted = await lift(lake, put.id, by="bob", reason="audit is over", at=T + HOUR)
    assert await holds(lake, at=T + HOUR) == ()
    assert await every_hold(lake) == (lifted,)
    assert (lifted.by, lifted.lifted and lifted.lifted.by) == ("ann", "bob")


async def test_a_hold_for_all_ends_by_itself(lake: Lake) -> None:
    put = await hold(lake, application=None, by="ann", reason="audit", until=T + HOUR, at=T)
    assert await holds(lake, application="portal", at=T) == (put,)
    assert await holds(lake, application="portal", at=T + HOUR) == ()


async def test_of_two_that_press_both_count_and_the_lift_of_one_ends_one(lake: Lake) -> None:
    one, two = await asyncio.gather(
        hold(lake, application="portal", by="ann", reason="audit", until=None, at=T),
        hold(lake, application="portal", by="bob", reason="outage", until=None, at=T),
    )
    assert len({one.id, two.id}) == 2
    await lift(lake, one.id, by="ann", reason="done", at=T)
    assert await holds(lake, application="portal", at=T) == (two,)


async def test_of_two_that_lift_the_first_is_told_by_both(lake: Lake) -> None:
    put = await hold(lake, application=None, by="ann", reason="audit", until=None, at=T)
    first = await lift(lake, put.id, by="bob", reason="first", at=T + HOUR)
    again = await lift(lake, put.id, by="eve", reason="second", at=T + 2 * HOUR)
    assert first == again


@pytest.mark.parametrize("text", ["", "{", "[]", '{"by": "ann"}', '{"application": "billing", "by": "ann", "reas'])
async def test_a_hold_that_cannot_be_read_stops_all_until_a_person_lifts_it(
    tmp_path: Path, lake: Lake, text: str
) -> None:
    put = await hold(lake, application="billing", by="ann", reason="audit", until=T + HOUR, at=T)
    (folder(tmp_path) / f"{put.id}.json").write_text(text)
    [found] = await holds(lake, application="portal", at=T + 9 * HOUR)
    assert (found.id, found.damage) == (put.id, f"claims/holds/{put.id}.json cannot be read")
    await lift(lake, put.id, by="bob", reason="restored", at=T)
    assert await holds(lake, at=T) == ()


async def test_a_lift_that_cannot_be_read_lifts_nothing_and_is_named(tmp_path: Path, lake: Lake) -> None:
    put = await hold(lake, application="portal", by="ann", reason="audit", until=None, at=T)
    name = f"{put.id}.lift-00000000.json"
    (folder(tmp_path) / name).write_text("{")
    [found] = await holds(lake, application="portal", at=T)
    assert found.damage == f"claims/holds/{name} cannot be read"
    await lift(lake, put.id, by="bob", reason="done", at=T)
    assert await holds(lake, at=T) == ()


async def test_a_stranger_among_them_stops_all_and_is_named(tmp_path: Path, lake: Lake) -> None:
    await hold(lake, application="portal", by="ann", reason="audit", until=T + HOUR, at=T)
    (folder(tmp_path) / "copy of a hold.json").write_text("{}")
    assert [one.id for one in await holds(lake, application="billing", at=T)] == ["copy of a hold"]


@pytest.mark.parametrize(
    "given",
    [
        {"by": " "},
        {"reason": ""},
        {"reason": "x" * 1001},
        {"until": T},
        {"until": datetime(2027, 1, 1)},  # noqa: DTZ001
        {"application": "../portal"},
    ],
)
async def test_a_hold_is_by_somebody_for_a_reason_and_ends_in_time_to_come(
    lake: Lake, given: dict[str, object]
) -> None:
    whole = {"application": None, "by": "ann", "reason": "audit", "until": None, "at": T}
    with pytest.raises(ValueError):
        await hold(lake, **{**whole, **given})  # type: ignore[arg-type]
    assert await every_hold(lake) == ()


async def test_a_lift_is_by_somebody_for_a_reason_of_a_hold_that_is_there(lake: Lake) -> None:
    put = await hold(lake, application=None, by="ann", reason="audit", until=None, at=T)
    for given in ({"by": ""}, {"reason": " "}):
        with pytest.raises(ValueError, match="give both"):
            await lift(lake, put.id, **{"by": "bob", "reason": "done", "at": T, **given})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="there is no hold 'other'"):
        await lift(lake, "other", by="bob", reason="done", at=T)
    assert await holds(lake, at=T) == (put,)


async def test_a_lake_that_is_away_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "claims").write_text("in the way")
    with pytest.raises(Exception, match="claims"):
        await holds(Lake.from_url(str(tmp_path)))
