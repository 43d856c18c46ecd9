"""What people and other attempts write while the end of a promotion is written."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from nightshift.promotion.closing_operators import RollBackOfferOperator
from nightshift.promotion.history import History
from nightshift.promotion.record import Verdict, Version
from nightshift.promotion.revoked import report, revocation_of
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import NAME, Play, Run
from tests.unit.promotion.test_roll_back import BROKEN, failed, settled


def through(play: Play) -> Run:
    run = play.start("r1")
    for name in ("begin", "build", "DEV.deploy", "TEST.deploy"):
        assert run.do(name).state == "success"
    return run


async def revoke(play: Play, version: Version, stage: str) -> Verdict:
    """Press Revoke, as somebody does on the board."""
    return await report(Records(play.lake, NAME), "r1", stage, version, by="dan", why="loses invoices")


def test_a_version_that_is_revoked_while_its_promotion_closes_stays_revoked(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, said = through(play), list[Verdict]()
    version = run.version
    ran = History.running

    async def running(*given: Any, **more: Any) -> Any:
        said.append(await revoke(play, version, "TEST"))
        return await ran(*given, **more)

    monkeypatch.setattr(History, "running", running)
    assert run.do("close").state == "success"
    assert (list(run.record.verdicts), run.record.outcome) == (said, PromotionOutcome.PROMOTED)
    assert asyncio.run(revocation_of(Records(play.lake, NAME), run.record.version, run.record)) is not None


def test_a_close_that_thaws_closes_nothing_that_goes_on_again(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    run, seen = through(play), list[str]()
    ran = History.running

    async def running(*given: Any, **more: Any) -> Any:
        if not seen:
            # While it stands still its retry closes, and a person clears what has failed.
            seen.append("frozen")
            other = await Records(play.lake, NAME).read("r1")
            assert other is not None
            begun = [one.changed(state=StepState.STARTED, attempt=2) for one in other.steps if one.stage == "TEST"]
            await Records(play.lake, NAME).write(other.with_step(begun[0]))
        return await ran(*given, **more)

    monkeypatch.setattr(History, "running", running)
    done = run.do("close")
    assert "written by another attempt meanwhile" in str(done.error)
    assert (run.record.closed, run.step("TEST.deploy").attempt) == (None, 2)


def test_a_version_that_is_revoked_while_a_way_back_is_offered_again_stays_revoked(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    settled(play)
    run, said = failed(play, BROKEN), list[Verdict]()
    version = run.version
    assert run.do("roll_back.offer").state == "success"
    offered = run.record.offer
    waited = RollBackOfferOperator._wait_for_the_vendor

    async def wait(*given: Any) -> None:
        said.append(await revoke(play, version, "DEV"))
        await waited(*given)

    monkeypatch.setattr(RollBackOfferOperator, "_wait_for_the_vendor", wait)
    run.clear("roll_back.offer")
    assert run.do("roll_back.offer").state == "success"
    assert (list(run.record.verdicts), run.record.offer) == (said, offered)
