"""An older extract never replaces a newer one, whatever the order, the nights they share, or who is between them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nightshift.lake.delta import NightTable, published_night
from nightshift.lake.extract import Manifest
from nightshift.lake.published import Published
from nightshift.lake.spec import PublishSpec
from nightshift.lake.store import Lake
from nightshift.lake.tables import publish
from tests.unit.lake.conftest import NIGHT, land_night, read_table

EARLIER, EARLIEST = "2026-11-20", "2026-11-19"
NIGHTS = (EARLIEST, EARLIER, NIGHT)


def at(hour: int) -> str:
    return f"2026-11-22T{hour:02d}:00:00+00:00"


def looking_back(*nights: str) -> PublishSpec:
    return PublishSpec(night_column="at", nights=nights, timezone="UTC")


async def land(lake: Lake, name: str, hour: int, nights: tuple[str, ...] = (NIGHT,), **more: Any) -> Manifest:
    rows = [{"at": f"{night}T12:00:00Z", "by": name} for night in nights]
    return await land_night(lake, [rows], extract=name, finished=at(hour), **more)


def told(lake: Lake) -> dict[str, str]:
    found = [(str(row["night"]), row["by"]) for row in read_table(lake)]
    assert len(dict(found)) == len(found)
    return dict(found)


async def test_the_newer_extract_stays(lake: Lake) -> None:
    older, newer = await land(lake, "older", 1), await land(lake, "newer", 2)
    spec = looking_back(NIGHT)
    first = publish(lake, newer, spec)
    said: list[str] = []
    done = publish(lake, older, spec, say=said.append)
    assert (done.already, done.kept, done.nights, done.rows) == (True, {NIGHT: at(2)}, {NIGHT: 1}, 1)
    assert (done.version, done.checks) == (first.version, first.checks)
    assert told(lake) == {NIGHT: "newer"}
    assert said == [
        f"Night {NIGHT} stays as it is: the table has an extract of it that was finished at {at(2)}, this one "
        f"(older) at {at(1)}. Publish with force to replace it all the same"
    ]


async def test_force_overrules_and_says_so(lake: Lake) -> None:
    older, newer = await land(lake, "older", 1), await land(lake, "newer", 2)
    spec = looking_back(NIGHT)
    publish(lake, newer, spec)
    said: list[str] = []
    done = publish(lake, older, spec, force=True, say=said.append)
    assert (done.already, done.kept, done.overruled) == (False, {}, {NIGHT: at(2)})
    assert told(lake) == {NIGHT: "older"}
    assert any(
        line.startswith(f"FORCED: night {NIGHT} was of an extract that was finished at {at(2)}") for line in said
    )
    assert publish(lake, newer, spec).overruled == {}
    assert told(lake) == {NIGHT: "newer"}


async def test_of_a_look_back_the_nights_that_are_newer_stay_and_the_others_are_replaced(lake: Lake) -> None:
    publish(lake, await land(lake, "first", 1, NIGHTS), looking_back(*NIGHTS))
    late = await land(lake, "late", 3, (EARLIEST, EARLIER), night=EARLIER)
    publish(lake, late, looking_back(EARLIEST, EARLIER))
    done = publish(lake, await land(lake, "between", 2, NIGHTS), looking_back(*NIGHTS))
    assert told(lake) == {EARLIEST: "late", EARLIER: "late", NIGHT: "between"}
    assert (done.already, done.kept) == (False, {EARLIEST: at(3), EARLIER: at(3)})
    assert (done.nights, done.rows) == (dict.fromkeys(NIGHTS, 1), 3)
    again = publish(lake, await land(lake, "between", 2, NIGHTS), looking_back(*NIGHTS))
    assert (again.already, again.version, again.kept) == (True, done.version, done.kept)


async def test_a_moment_is_compared_across_zones_and_one_that_is_none_overrules_nothing(lake: Lake) -> None:
    spec = looking_back(NIGHT)
    publish(
        lake, await land_night(lake, [[{"at": f"{NIGHT}T12:00:00Z", "by": "a"}]], extract="a", finished=at(4)), spec
    )
    east = await land_night(
        lake, [[{"at": f"{NIGHT}T12:00:00Z", "by": "b"}]], extract="b", finished="2026-11-22T05:30:00+02:00"
    )
    assert publish(lake, east, spec).kept == {NIGHT: at(4)}
    unknown = await land_night(lake, [[{"at": f"{NIGHT}T12:00:00Z", "by": "c"}]], extract="c", finished="soon")
    assert publish(lake, unknown, spec).kept == {}
    found = published_night(lake, "flexnet", "entitlement", NIGHT)
    assert found is not None
    assert found.extract == "c"


def between(line: str, act: Callable[[], Published]) -> Callable[[str], None]:
    """Let another publisher come at the moment that a line of progress is told."""
    done: list[Published] = []

    def say(text: str) -> None:
        if line in text and not done:
            done.append(act())

    return say


@pytest.mark.parametrize("line", ["rows read and cast", "files are in place"])
async def test_a_newer_extract_that_comes_in_between_stays(lake: Lake, line: str) -> None:
    older, newer = await land(lake, "older", 1, NIGHTS), await land(lake, "newer", 2, (EARLIER, NIGHT))
    spec = looking_back(*NIGHTS)
    say = between(line, lambda: publish(lake, newer, looking_back(EARLIER, NIGHT)))
    done = publish(lake, older, spec, say=say)
    assert told(lake) == {EARLIEST: "older", EARLIER: "newer", NIGHT: "newer"}
    assert done.kept == {EARLIER: at(2), NIGHT: at(2)}


async def test_a_newer_extract_of_every_night_that_comes_in_between_leaves_nothing_to_commit(lake: Lake) -> None:
    older, newer = await land(lake, "older", 1), await land(lake, "newer", 2)
    spec = looking_back(NIGHT)
    done = publish(lake, older, spec, say=between("files are in place", lambda: publish(lake, newer, spec)))
    assert told(lake) == {NIGHT: "newer"}
    assert (done.already, done.kept, done.rows) == (True, {NIGHT: at(2)}, 1)
    objects = NightTable(lake, "flexnet", "entitlement").objects()
    paths = [entry["path"] for batch in objects.list() for entry in batch]
    assert len([path for path in paths if path.endswith(".parquet")]) == 1


async def test_an_older_extract_that_comes_in_between_is_replaced(lake: Lake) -> None:
    older, newer = await land(lake, "older", 1), await land(lake, "newer", 2)
    spec = looking_back(NIGHT)
    done = publish(lake, newer, spec, say=between("files are in place", lambda: publish(lake, older, spec)))
    assert told(lake) == {NIGHT: "newer"}
    assert (done.already, done.overruled) == (False, {})


@settings(max_examples=25)
@given(
    extracts=st.lists(st.sets(st.sampled_from(NIGHTS), min_size=1), min_size=2, max_size=5),
    data=st.data(),
)
def test_in_any_order_each_night_ends_as_its_newest_extract(extracts: list[set[str]], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(extracts))))
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.from_url(folder)
        newest: Mapping[str, str] = {night: str(hour) for hour, nights in enumerate(extracts) for night in nights}
        for hour in (*order, *order):
            nights = tuple(sorted(extracts[hour]))
            publish(lake, asyncio.run(land(lake, str(hour), hour, nights)), looking_back(*nights))
        assert told(lake) == newest
