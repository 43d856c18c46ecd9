"""One of many gets the next turn; those who wait have an order."""

from __future__ import annotations

import asyncio
import random
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path
from threading import Barrier

import pytest

from nightshift.lake.errors import Damaged
from nightshift.lake.store import Lake
from nightshift.promotion.turns import KEPT, Turn, Turns, Waiter
from tests.unit.promotion.records import T


@pytest.fixture
def turns(tmp_path: Path) -> Turns:
    return Turns(Lake.from_url(str(tmp_path)), "portal")


def waiter(run_id: str, night: str | None = "2026-11-20", opened: datetime = T) -> Waiter:
    return Waiter(run_id=run_id, night=night, opened=opened)


async def test_turns_are_numbered_without_gaps_and_remember_whose_they_were(turns: Turns) -> None:
    assert await turns.latest() is None
    first = await turns.take(waiter("one"), None)
    assert first == Turn(number=1, run_id="one", night="2026-11-20", opened=T)
    second = await turns.take(waiter("two", None), first)
    assert second is not None
    assert (second.number, await turns.latest()) == (2, second)
    assert (await turns.before(second), await turns.before(first)) == (first, None)


@pytest.mark.parametrize("runs", [2, 20])
@pytest.mark.parametrize("turn", [0, 1])
async def test_of_many_tasks_exactly_one_gets_the_next_turn(turns: Turns, runs: int, turn: int) -> None:
    after = await turns.take(waiter("zero"), None) if turn else None
    got = await asyncio.gather(*(turns.take(waiter(f"r{number}"), after) for number in range(runs)))
    [winner] = [one for one in got if one is not None]
    assert (winner.number, await turns.latest()) == (turn + 1, winner)


@pytest.mark.parametrize("runs", [2, 20])
def test_of_many_workers_exactly_one_gets_each_of_ten_turns(tmp_path: Path, runs: int) -> None:
    together = Barrier(runs)

    def work(number: int) -> list[Turn | None]:
        # As on a worker of its own: another store, another event loop.
        mine = Turns(Lake.from_url(str(tmp_path)), "portal")
        got, after = [], None
        for _ in range(10):
            together.wait(20)
            got.append(asyncio.run(mine.take(waiter(f"r{number}"), after)))
            together.wait(20)
            after = asyncio.run(mine.latest())
        return got

    with ThreadPoolExecutor(runs) as workers:
        rounds = list(zip(*workers.map(work, range(runs)), strict=True))
    assert [len([one for one in turn if one is not None]) for turn in rounds] == [1] * 10
    assert [next(one.number for one in turn if one) for turn in rounds] == list(range(1, 11))


async def test_a_turn_that_was_taken_is_never_changed(turns: Turns) -> None:
    first = await turns.take(waiter("one"), None)
    assert await turns.take(waiter("two"), None) is None
    assert await turns.latest() == first


async def test_old_turns_are_pruned(turns: Turns, tmp_path: Path) -> None:
    after = None
    for number in range(KEPT + 3):
        after = await turns.take(waiter(f"r{number}"), after)
    assert after is not None
    assert after.number == KEPT + 3
    assert kept_in(tmp_path) == [f"{number:08d}.json" for number in range(4, KEPT + 4)]
    before = await turns.before(after)
    assert before is not None
    assert before.run_id == f"r{KEPT + 1}"


def kept_in(lake: Path) -> list[str]:
    return sorted(path.name for path in (lake / "claims" / "promotions" / "portal" / "turns").iterdir())


def days(number: float) -> timedelta:
    return timedelta(days=number)


async def test_those_who_wait_have_an_order(turns: Turns) -> None:
    """Nights in their own order, whenever they came; a person's run among them by its day; then who came first."""
    queue = [
        waiter("old night, late", "2026-11-18", T + days(9)),
        waiter("night, first", "2026-11-20", T),
        waiter("person", None, T + days(0.01)),
        waiter("night again", "2026-11-20", T + days(0.02)),
        waiter("night after, early", "2026-11-21", T - days(3)),
        waiter("person of later", None, T + days(2)),
    ]
    for one in random.Random(7).sample(queue, len(queue)):
        await turns.enter(one)
    assert await turns.waiting() == queue


async def test_saying_it_again_changes_nothing_and_leaving_twice_is_no_error(turns: Turns) -> None:
    for days_later in range(2):
        assert (await turns.enter(waiter("one", opened=T + days(days_later)))).opened == T
    await turns.enter(waiter("manual / strange"))
    assert {one.run_id for one in await turns.waiting()} == {"one", "manual / strange"}
    assert len(await turns.waiting()) == 2
    for _ in range(2):
        await turns.leave("manual / strange")
    assert [one.run_id for one in await turns.waiting()] == ["one"]


async def test_what_cannot_be_read_stops_with_where_it_is_and_what_to_do(turns: Turns, tmp_path: Path) -> None:
    await turns.take(waiter("one"), None)
    await turns.enter(waiter("one"))
    for folder, look in (("turns", turns.latest), ("waiting", turns.waiting)):
        (path,) = (tmp_path / "claims" / "promotions" / "portal" / folder).glob("*.json")
        path.write_text('{"run_id": "one"')
        with pytest.raises(Damaged, match=rf"claims/promotions/portal/{folder}/{path.name}.*then clear the task\.$"):
            await look()
    assert (await turns.enter(waiter("one"))).run_id == "one"
    assert [one.run_id for one in await turns.waiting()] == ["one"]


@pytest.mark.parametrize(
    ("night", "than", "newer"),
    [
        ("2026-11-21", "2026-11-20", True),
        ("2026-11-20", "2026-11-20", False),
        ("2026-11-19", "2026-11-20", False),
        (None, "2026-11-20", False),
        ("2026-11-21", None, False),
    ],
)
def test_only_a_night_is_newer_than_a_night(night: str | None, than: str | None, newer: bool) -> None:
    assert waiter("one", night).is_newer_than(than) is newer
