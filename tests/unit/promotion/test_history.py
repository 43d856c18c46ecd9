"""What runs where, and what was built last, told from the records; and how few of them are read for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nightshift.lake.errors import Damaged
from nightshift.promotion.deployed import deployed_by, overtaken
from nightshift.promotion.doubts import Doubt
from nightshift.promotion.history import CLOCK_SKEW, History
from nightshift.promotion.index import read_standing
from nightshift.promotion.record import Order, PromotionRecord, PromotionStep, Running, Version
from nightshift.promotion.rules.progress import built, deployed, in_doubt, passed
from nightshift.promotion.target import Target
from nightshift.promotion.vocabulary import StepKind, StepState
from tests.unit.promotion.records import MINUTE, NEW, OLD, T, deploy, record, step
from tests.unit.promotion.shelf import Shelf

V3 = Version(id=40002, name="1.0.3")
STAGES = ("DEV", "TEST")


def there(version: Version, minute: int, run_id: str = "r") -> Running:
    return Running(version=version, since=T + minute * MINUTE, run_id=run_id)


BACK = step("roll_back.deploy", 9, version=OLD, stage="TEST", requests=(12009,))


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((), {}),
        ((step("build", version=NEW), step("DEV.approve")), {}),
        ((deploy("DEV", minute=1), deploy("TEST", minute=5)), {"DEV": there(NEW, 2), "TEST": there(NEW, 6)}),
        ((deploy("DEV", minute=1, outcome="already_deployed", requests=()),), {"DEV": there(NEW, 2)}),
        ((deploy("DEV", state=StepState.FAILED),), {}),
        ((deploy("DEV", state=StepState.STARTED),), {}),
        ((deploy("DEV", state=StepState.SKIPPED, version=None),), {}),
        ((deploy("TEST", state=StepState.FAILED), BACK), {"TEST": there(OLD, 10)}),
        ((deploy("TEST", minute=1), BACK), {"TEST": there(OLD, 10)}),
        # After a clear the deployment comes after the roll-back, whose place in the record stays behind it.
        ((deploy("TEST", V3, minute=20), BACK), {"TEST": there(V3, 21)}),
    ],
)
def test_what_a_promotion_brought_to_each_stage(steps: tuple[PromotionStep, ...], told: dict[str, Running]) -> None:
    assert deployed(record(*steps)) == told


async def test_ties_go_to_the_record_that_was_changed_last(shelf: Shelf) -> None:
    await shelf.put(record(deploy("DEV", OLD, 1), run_id="one"), minute=2)
    await shelf.put(record(deploy("DEV", NEW, 1), run_id="two"), minute=3)
    assert await (await History.read(shelf.records)).running(["DEV"]) == {"DEV": there(NEW, 2, "two")}


async def test_a_stage_that_no_record_tells_of_is_not_known(shelf: Shelf) -> None:
    assert await (await History.read(shelf.records)).running(STAGES) == {"DEV": None, "TEST": None}
    await shelf.put(record(deploy("DEV", NEW, 1)), minute=2)
    assert await (await History.read(shelf.records)).running(STAGES) == {"DEV": there(NEW, 2), "TEST": None}


async def test_a_run_can_be_left_out(shelf: Shelf) -> None:
    await shelf.put(record(deploy("DEV", OLD, 1), run_id="one"), minute=2)
    await shelf.put(record(deploy("DEV", NEW, 30), run_id="two"), minute=31)
    assert await (await History.read(shelf.records)).running(["DEV"], but="two") == {"DEV": there(OLD, 2, "one")}
    assert await (await History.read(shelf.records)).running(["DEV"], but="one") == {"DEV": there(NEW, 31, "two")}


async def test_a_roll_back_of_an_older_run_that_came_later_counts(shelf: Shelf) -> None:
    await shelf.put(record(deploy("TEST", NEW, 5), run_id="two"), minute=6)
    await shelf.put(record(deploy("TEST", NEW, 1, StepState.FAILED), BACK, run_id="one"), minute=10)
    assert await (await History.read(shelf.records)).running(["TEST"]) == {"TEST": there(OLD, 10, "one")}


async def shelved(shelf: Shelf, count: int) -> None:
    """Write promotions an hour apart, each through both stages."""
    for number in range(count):
        at = 60 * number
        version = Version(id=50000 + number)
        built_then = step("build", at, version=version, requests=(1,))
        await shelf.put(
            record(built_then, deploy("DEV", version, at + 1), deploy("TEST", version, at + 2), run_id=f"r{number}"),
            minute=at + 3,
        )


async def test_no_record_is_read_that_cannot_matter(shelf: Shelf) -> None:
    await shelved(shelf, 30)
    # The newest decides. The one after it is looked at for its time alone, which costs one read.
    shelf.damage(*(f"r{number}" for number in range(28)))
    told = await (await History.read(shelf.records)).running(STAGES)
    assert {stage: one and one.version.id for stage, one in told.items()} == {"DEV": 50029, "TEST": 50029}
    assert await (await History.read(shelf.records)).last_built() == Version(id=50029)
    shelf.damage("r29")
    with pytest.raises(Damaged):
        await (await History.read(shelf.records)).running(STAGES)


async def test_a_stage_that_few_reach_makes_it_read_on(shelf: Shelf) -> None:
    await shelved(shelf, 5)
    for number in range(5, 9):
        await shelf.put(record(deploy("DEV", NEW, 60 * number), run_id=f"r{number}"), minute=60 * number + 1)
    shelf.damage("r0", "r1", "r2")
    told = await (await History.read(shelf.records)).running(STAGES)
    assert (told["DEV"], told["TEST"]) == (there(NEW, 481, "r8"), there(Version(id=50004), 243, "r4"))
    shelf.damage("r4")
    with pytest.raises(Damaged):
        await (await History.read(shelf.records)).running(STAGES)


async def test_clocks_of_two_machines_may_differ_a_little(shelf: Shelf) -> None:
    """The older one's deployment is by its worker's clock later than the newer one's record by the store's."""
    late = int(CLOCK_SKEW / timedelta(minutes=1)) - 1
    await shelf.put(record(deploy("DEV", OLD, 10), run_id="one"), minute=11)
    await shelf.put(record(deploy("DEV", NEW, 9 + late), run_id="two"), minute=10)
    assert await (await History.read(shelf.records)).running(["DEV"]) == {"DEV": there(NEW, 10 + late, "two")}


@pytest.mark.parametrize(
    ("one", "version"),
    [
        (record(step("build", version=NEW, outcome="built")), NEW),
        (record(step("build", outcome="no_changes")), None),
        (record(step("build", state=StepState.FAILED, version=NEW)), None),
        (record(step("build", state=StepState.STARTED, version=NEW)), None),
        (record(step("build", state=StepState.SKIPPED)), None),
        (record(deploy("DEV", NEW)), None),
    ],
)
def test_only_what_a_promotion_built_itself_is_built(one: PromotionRecord, version: Version | None) -> None:
    assert built(one) == version


async def test_what_was_built_last_is_told_by_the_builds_not_by_later_changes_of_a_record(shelf: Shelf) -> None:
    await shelf.put(record(step("build", 0, version=OLD), run_id="one"), minute=1)
    await shelf.put(record(step("build", 60, version=NEW), run_id="two"), minute=61)
    await shelf.put(record(step("build", 120, outcome="no_changes"), run_id="three"), minute=121)
    shelf.touch("one", 240)
    assert await (await History.read(shelf.records)).last_built() == NEW
    assert await (await History.read(shelf.records)).last_built(but="two") == OLD
    assert await (await History.read(shelf.records)).last_built(but="one") == NEW


async def test_nothing_may_have_been_built(shelf: Shelf) -> None:
    assert await (await History.read(shelf.records)).last_built() is None


@pytest.mark.parametrize(
    ("steps", "told"),
    [
        ((), set()),
        ((deploy("DEV"), deploy("TEST")), {("DEV", NEW.id), ("TEST", NEW.id)}),
        ((deploy("DEV"), deploy("TEST", state=StepState.FAILED)), {("DEV", NEW.id)}),
        ((deploy("DEV", outcome="already_deployed", requests=()),), {("DEV", NEW.id)}),
        # Deployed, and what follows in the stage failed or is not done: it has not got through.
        ((deploy("TEST"), step("TEST.restart", 5, StepState.FAILED)), set()),
        ((deploy("TEST"), step("TEST.restart", 5, StepState.STARTED)), set()),
        ((deploy("TEST", state=StepState.SKIPPED, version=None),), set()),
        # What was brought back ran there before.
        ((deploy("TEST", state=StepState.FAILED), BACK), {("TEST", OLD.id)}),
    ],
)
def test_what_got_through_a_stage(steps: tuple[PromotionStep, ...], told: set[tuple[str, int]]) -> None:
    assert {(stage, version.id) for stage, version in passed(record(*steps))} == told


async def test_a_version_has_the_name_that_a_record_of_its_server_tells(shelf: Shelf) -> None:
    there, other = (Target(connection="fd", server=one, project_id=1) for one in ("fd.test", "other.test"))
    of_other = deploy("DEV", Version(id=NEW.id, name="9.9"), target=other)
    await shelf.put(record(deploy("DEV", Version(id=NEW.id)), run_id="nameless"), minute=9)
    await shelf.put(record(of_other, run_id="other"), minute=8)
    await shelf.put(record(step("build", version=NEW, target=there), run_id="built"), minute=1)
    await shelf.put(record(deploy("TEST", OLD, target=there), run_id="brought"), minute=2)
    history = await History.read(shelf.records)
    for version in (OLD, NEW):
        assert await history.named(Version(id=version.id), server="fd.test") == version
    assert await history.named(Version(id=7), server="fd.test") == Version(id=7)


async def test_whether_a_version_got_through_a_stage_is_told_by_any_promotion(shelf: Shelf) -> None:
    await shelved(shelf, 20)
    assert await (await History.read(shelf.records)).has_passed("DEV", 50003)
    assert not await (await History.read(shelf.records)).has_passed("PROD", 50003)
    assert not await (await History.read(shelf.records)).has_passed("DEV", 50020)
    shelf.damage("r5")
    assert await (await History.read(shelf.records)).has_passed("DEV", 50003)
    with pytest.raises(Damaged):
        await (await History.read(shelf.records)).has_passed("DEV", 50005)


async def test_a_stage_is_in_doubt_until_a_deployment_there_ends_well(shelf: Shelf) -> None:
    bad = deploy("TEST", NEW, 5, StepState.FAILED, outcome="failed")
    await shelf.put(record(deploy("DEV", NEW, 1), bad, run_id="one", closed=T + 9 * MINUTE), minute=9)
    assert await (await History.read(shelf.records)).doubts() == {"TEST": Doubt("one", bad)}
    assert await (await History.read(shelf.records)).doubts(but="one") == {}
    underway = deploy("TEST", V3, 20, StepState.STARTED)
    await shelf.put(record(underway, run_id="two"), minute=21)
    assert await (await History.read(shelf.records)).doubts() == {"TEST": Doubt("one", bad)}
    await shelf.put(record(deploy("TEST", V3, 20), run_id="two"), minute=22)
    assert await (await History.read(shelf.records)).doubts() == {}


async def test_behind_the_newest_doubt_of_a_stage_are_those_before_it(shelf: Shelf) -> None:
    await shelf.put(record(deploy("TEST", V3, 1), run_id="well", closed=T + 2 * MINUTE), minute=2)
    marked = deploy("TEST", NEW, 5, StepState.STARTED)
    back = deploy("TEST", V3, 7, StepState.FAILED, outcome="failed").changed(
        task="roll_back.deploy", kind=StepKind.ROLL_BACK
    )
    await shelf.put(record(marked, back, run_id="one", closed=T + 9 * MINUTE), minute=9)
    bad = deploy("TEST", NEW, 15, StepState.FAILED, outcome="failed")
    await shelf.put(record(bad, run_id="two", closed=T + 19 * MINUTE), minute=19)
    own = Doubt("one", back, Doubt("one", marked))
    assert await (await History.read(shelf.records)).doubts(whole=True) == {"TEST": Doubt("two", bad, own)}
    assert await (await History.read(shelf.records)).doubts(but="two", whole=True) == {"TEST": own}
    assert await (await History.read(shelf.records)).doubts() == {"TEST": Doubt("two", bad)}
    await shelf.put(record(deploy("TEST", NEW, 25), run_id="three"), minute=26)
    assert await (await History.read(shelf.records)).doubts(whole=True) == {}


def brought(stage: str, version: Version, minute: int, order: Order | None, **more: Any) -> PromotionStep:
    return deploy(stage, version, minute, order=order, **more)


@pytest.mark.parametrize("ahead", [0, 4])
async def test_turns_say_what_was_brought_last_whatever_the_clocks_of_two_workers_say(shelf: Shelf, ahead: int) -> None:
    first = record(brought("TEST", OLD, ahead, (7, 2)), run_id="a", turn=7, closed=T)
    second = record(brought("TEST", NEW, 3, (8, 2)), run_id="b", turn=8)
    await shelf.put(second, minute=4)
    await shelf.put(first, minute=5)
    found = await (await History.read(shelf.records)).running(["TEST"])
    assert found["TEST"] == Running(version=NEW, since=T + 4 * MINUTE, run_id="b", order=(8, 2))
    here = deployed_by(second, StepKind.VERIFICATION, "TEST")
    assert await overtaken(shelf.records, here) == ""
    assert "run b brought" in await overtaken(shelf.records, deployed_by(first, StepKind.VERIFICATION, "TEST"))
    kept = (await read_standing(shelf.records)).stages["TEST"]
    assert (kept.run_id, kept.versions) == ("b", (NEW.id, OLD.id))


async def test_a_clear_that_renews_the_turn_of_a_record_makes_nothing_newer_that_is_not_done_again(
    shelf: Shelf,
) -> None:
    await shelf.put(record(brought("TEST", NEW, 9, (8, 2)), run_id="b", turn=8, closed=T), minute=11)
    again = record(brought("TEST", OLD, 1, (7, 2)), run_id="a", turn=9)
    await shelf.put(again, minute=20)
    assert (found := (await (await History.read(shelf.records)).running(["TEST"]))["TEST"]) is not None
    assert found.run_id == "b"
    await shelf.put(again.with_step(brought("TEST", OLD, 2, (9, 3))), minute=21)
    assert (found := (await (await History.read(shelf.records)).running(["TEST"]))["TEST"]) is not None
    assert found.run_id == "a"


async def test_what_the_release_before_did_came_before_and_is_ordered_by_time(shelf: Shelf) -> None:
    await shelf.put(record(brought("TEST", OLD, 1, None), run_id="one", turn=3), minute=2)
    await shelf.put(record(brought("TEST", NEW, 9, None), run_id="two", turn=2), minute=3)
    assert await (await History.read(shelf.records)).running(["TEST"]) == {"TEST": there(NEW, 10, "two")}
    await shelf.put(record(brought("TEST", V3, 5, (4, 1)), run_id="three", turn=4), minute=4)
    assert (found := (await (await History.read(shelf.records)).running(["TEST"]))["TEST"]) is not None
    assert found.run_id == "three"


async def test_a_doubt_is_over_by_a_deployment_of_a_later_turn_alone(shelf: Shelf) -> None:
    bad = brought("TEST", OLD, 9, (7, 2), state=StepState.FAILED, outcome="failed")
    await shelf.put(record(bad, run_id="a", turn=7, closed=T), minute=10)
    await shelf.put(record(brought("TEST", NEW, 3, (6, 2)), run_id="before", turn=6, closed=T), minute=10)
    assert (await (await History.read(shelf.records)).doubts()).keys() == {"TEST"}
    await shelf.put(record(brought("TEST", NEW, 3, (8, 2)), run_id="b", turn=8), minute=10)
    assert await (await History.read(shelf.records)).doubts() == {}


async def test_what_was_built_last_is_of_the_last_turn(shelf: Shelf) -> None:
    await shelf.put(record(step("build", 9, version=OLD, order=(7, 1)), run_id="a"), minute=10)
    await shelf.put(record(step("build", 5, version=NEW, order=(8, 1)), run_id="b"), minute=6)
    assert await (await History.read(shelf.records)).last_built() == NEW


def test_a_roll_back_comes_after_its_deployment_and_a_deployment_that_is_made_again_after_that() -> None:
    back = BACK.changed(order=(7, 3))
    assert deployed(record(brought("TEST", NEW, 12, (7, 2)), back))["TEST"].version == OLD
    assert in_doubt(record(brought("TEST", NEW, 12, (7, 2), state=StepState.FAILED), back)) == []
    again = brought("TEST", NEW, 5, (7, 4), state=StepState.FAILED)
    assert in_doubt(record(again, back)) == [again]
    assert deployed(record(brought("TEST", V3, 5, (7, 4)), back))["TEST"].version == V3
