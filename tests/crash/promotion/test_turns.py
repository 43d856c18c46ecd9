"""Whose turn it is, when a run is killed at each point of `begin` and `close`, and when runs race."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from include.standins.flexdeploy import FlexDeployStandIn
from nightshift.promotion.queue import QueuePosition
from nightshift.promotion.record import Version
from nightshift.promotion.recorder import TurnLost
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.crash.promotion.doomed import attempt
from tests.crash.promotion.looking import Stops, queue_of, record_of
from tests.crash.promotion.night import Airflow
from tests.crash.promotion.scene import WHOLE, Scene, scene
from tests.crash.workers import killed, start

BEGIN_POINTS = ("entered", "before_turn", "turn", "before_record", "record", "left")


@pytest.fixture
def airflow(vendor: FlexDeployStandIn, tmp_path: Path) -> Airflow:
    return Airflow(vendor.url, tmp_path)


def worker(airflow: Airflow, run: str, task: str, point: str | None = None) -> Any:
    return start(attempt, airflow.url, airflow.folder, {}, airflow.more, run, task, point, {})


def has_turn(airflow: Airflow, run: str) -> bool:
    """Look once for the turn."""
    done = airflow.attempt(run, "begin", follow=False)
    assert done.state in ("success", "deferred"), done.error
    return bool(done.state == "success")


def may_act(airflow: Airflow, *runs: str) -> list[str]:
    """Return the runs whose next step would be done: there must never be two."""
    latest = asyncio.run(airflow.turns.latest())
    return [
        run
        for run in runs
        if latest
        and latest.run_id == run
        and airflow.has_record(run)
        and airflow.record(run).turn == latest.number
        and airflow.record(run).closed is None
    ]


@pytest.mark.parametrize("point", BEGIN_POINTS)
def test_begin_is_killed(airflow: Airflow, point: str) -> None:
    airflow.start("a", "2026-11-20")
    airflow.start("b", "2026-11-21")
    killed(worker(airflow, "a", "begin", point))
    assert not has_turn(airflow, "b")
    assert may_act(airflow, "a", "b") in ([], ["a"])
    assert has_turn(airflow, "a")
    assert not has_turn(airflow, "b")
    assert may_act(airflow, "a", "b") == ["a"]
    assert airflow.attempt("a", "close").state == "failed", "nothing was built"
    airflow.end("a")
    assert has_turn(airflow, "b")
    assert may_act(airflow, "a", "b") == ["b"]
    assert asyncio.run(airflow.turns.waiting()) == []


@pytest.mark.parametrize("point", BEGIN_POINTS)
def test_begin_is_killed_and_its_run_is_given_up(airflow: Airflow, point: str) -> None:
    airflow.start("a")
    airflow.start("b")
    killed(worker(airflow, "a", "begin", point))
    airflow.end("a")
    assert has_turn(airflow, "b")
    assert may_act(airflow, "a", "b") == ["b"]
    airflow.clear("a", "begin")
    assert not has_turn(airflow, "a")
    assert may_act(airflow, "a", "b") == ["b"]


def test_two_race_twenty_times(airflow: Airflow) -> None:
    for number in range(20):
        runs = [f"{number} a", f"{number} b"]
        for run in runs:
            airflow.start(run)
        looks = [Look(airflow, run) for run in runs]
        for one in looks:
            one.start()
        for one in looks:
            one.join()
        first = [one.run_id for one in looks if one.place is QueuePosition.HAS_TURN]
        assert may_act(airflow, *runs) == first
        assert len(first) <= 1
        assert None not in [one.place for one in looks]
        for run in first or runs[:1]:
            over(airflow, run)
        for run in runs:
            if run not in first and airflow.alive(run):
                assert asyncio.run(look(airflow, run)) is QueuePosition.HAS_TURN
                assert may_act(airflow, *runs) == [run]
                over(airflow, run)


def over(airflow: Airflow, run: str) -> None:
    """Close a run as its last task does, or end one that never had a turn."""
    if airflow.has_record(run):
        airflow.write(airflow.record(run).close(PromotionOutcome.PROMOTED))
    airflow.end(run)


class Look(threading.Thread):
    """One look of a run at the queue, as fast as it can, with no Airflow in between."""

    def __init__(self, airflow: Airflow, run: str) -> None:
        super().__init__()
        self.airflow, self.run_id = airflow, run
        self.place: QueuePosition | None = None

    def run(self) -> None:
        self.place = asyncio.run(look(self.airflow, self.run_id))


async def look(airflow: Airflow, run: str) -> QueuePosition:
    record = await record_of(airflow, run)
    queue = queue_of(airflow, run)
    place = await queue.look(record)
    if place is QueuePosition.HAS_TURN:
        await airflow.records.write(record.changed(turn=queue.number))
        await airflow.turns.leave(run)
    return place


@pytest.mark.parametrize("point", ["before_record", "record", "left"])
def test_close_is_killed(vendor: FlexDeployStandIn, version: Version, tmp_path: Path, point: str) -> None:
    play = scene(vendor, tmp_path, WHOLE, version)
    airflow = play.airflow
    airflow.start("b")
    # The server that workers are forked from may have run a loop of its own for other tests; one that was forked from
    # such a server was seen to wait for the lake for ever.
    play.killed(point, step="close", fresh=True)
    assert has_turn(airflow, "b") is (point != "before_record")
    assert len(may_act(airflow, "r", "b")) == 1
    done = airflow.attempt("r", "close")
    assert done.state == "success", done.error
    assert airflow.record("r").outcome is PromotionOutcome.PROMOTED
    assert has_turn(airflow, "b")
    assert may_act(airflow, "r", "b") == ["b"]


def closed(play: Scene) -> Airflow:
    """Close the promotion of a scene; another run waits for its turn."""
    play.airflow.through("r", "close")
    play.airflow.end("r")
    play.airflow.start("b")
    return play.airflow


def test_a_run_is_cleared_before_another_takes_the_turn(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    play = scene(vendor, tmp_path, WHOLE, version)
    airflow = closed(play)
    airflow.clear("r", "TEST.stop", "close")
    assert airflow.attempt("r", "TEST.stop").state == "success"
    assert not has_turn(airflow, "b")
    assert may_act(airflow, "r", "b") == ["r"]
    airflow.through("r", "close")
    assert has_turn(airflow, "b")


def test_a_run_is_cleared_after_another_has_taken_the_turn(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    play = scene(vendor, tmp_path, WHOLE, version)
    airflow = closed(play)
    assert has_turn(airflow, "b")
    airflow.clear("r", "TEST.stop", "close")
    run = airflow.attempt("r", "TEST.stop")
    assert isinstance(run.error, TurnLost), run.error
    assert play.judge.made() == []
    assert may_act(airflow, "r", "b") == ["b"]


@pytest.mark.parametrize("was", ["closed", "left open"])
@pytest.mark.parametrize("seen", ["is_over", "write", "take"])
def test_a_run_is_cleared_while_another_takes_the_turn(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, was: str, seen: str
) -> None:
    """The one that looks at the queue is stopped at a point; the cleared run begins its step; then it goes on."""
    play = scene(vendor, tmp_path, WHOLE, version)
    airflow = closed(play) if was == "closed" else play.airflow
    if was == "left open":
        airflow.end("r")
        airflow.start("b")
    stops = Stops(airflow, "b", seen)

    def meanwhile() -> None:
        airflow.clear("r", "TEST.stop", "close")
        play.worker(follow=False, look=0.0).join(20)

    vendor.turn(utility_seconds=30.0)
    place = stops.look(asyncio.run(record_of(airflow, "b")), meanwhile)
    acts = airflow.states("r").get("TEST.stop") == "deferred"
    assert acts is bool(play.judge.made())
    assert not (acts and place == "has_turn"), "both act"
    if acts:
        assert not has_turn(airflow, "b"), "the other acts while FlexDeploy works for the cleared one"
        vendor.abort(play.judge.made()[-1])
        airflow.attempt("r", "close")
    assert has_turn(airflow, "b")
    assert may_act(airflow, "r", "b") == ["b"]


def test_the_one_that_waits_behind_a_cleared_run_is_given_up(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    """A turn that was taken and never used stands between two runs; the one behind it still sees who acts."""
    play = scene(vendor, tmp_path, WHOLE, version)
    airflow = closed(play)
    stops = Stops(airflow, "b", "take")

    def meanwhile() -> None:
        airflow.clear("r", "TEST.stop", "close")
        play.worker().join(20)
        assert airflow.states("r")["TEST.stop"] == "success"

    assert stops.look(asyncio.run(record_of(airflow, "b")), meanwhile) == "waits"
    airflow.end("b")
    airflow.start("c")
    assert not has_turn(airflow, "c")
    airflow.through("r", "close")
    assert has_turn(airflow, "c")


def test_a_cleared_run_and_the_next_do_not_wait_for_each_other(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    """Killed when it had taken its closed record up again; cleared from `begin` on, as it is told to."""
    play = scene(vendor, tmp_path, WHOLE, version)
    airflow = closed(play)
    stops = Stops(airflow, "b", "take")

    def meanwhile() -> None:
        airflow.clear("r", "TEST.stop", "close")
        play.killed("record", step="TEST.stop")

    assert stops.look(asyncio.run(record_of(airflow, "b")), meanwhile) == "waits"
    airflow.clear("r", "begin", "TEST.stop", "close")
    assert not has_turn(airflow, "r")
    assert has_turn(airflow, "b")
    assert not has_turn(airflow, "r")
    assert may_act(airflow, "r", "b") == ["b"]


@pytest.mark.parametrize("late", ["failed", "given up"])
def test_the_next_waits_for_what_flexdeploy_still_does(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, late: str
) -> None:
    vendor.turn(deploy_seconds=30.0)
    play = scene(vendor, tmp_path, "deploy", version)
    if late == "failed":
        while (run := play.retry(job_timeout=0.2)).state != "failed":
            assert run.state == "up_for_retry"
        play.airflow.attempt("r", "close")
        assert play.airflow.record("r").closed
    else:
        play.killed("noted")
        play.killed("before_intent")
    play.airflow.end("r")
    play.airflow.start("b")
    assert not has_turn(play.airflow, "b")
    assert play.state().state in (StepState.FAILED, StepState.STARTED)
    vendor.abort(play.judge.made()[0])
    assert has_turn(play.airflow, "b")


def test_a_worker_that_airflow_gave_up_does_not_overwrite_its_successor(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    with play.held():
        process = play.worker()
    made = play.judge.made()
    play.airflow.resolve("r", play.step, {"adopt": str(made[0])})
    assert play.retry().state == "success"
    process.join(20)
    assert play.state().state is StepState.DONE
    assert play.judge.made() == made
