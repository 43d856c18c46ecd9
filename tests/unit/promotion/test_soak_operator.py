"""The soak, the second verification, and what becomes of a version that a person or a check takes back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.standins.flexdeploy.planted import PORTAL
from nightshift.promotion.holds import hold, lift
from nightshift.promotion.revoked import report
from nightshift.promotion.triggers import SoakTrigger
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from tests.unit.promotion.play import N1, N2, Play, Run, stage


@pytest.fixture
def soaking(play_of: Callable[..., Play], vendor: Any) -> Callable[..., Run]:
    """Bring a version to DEV, verify it, and let it soak."""

    def of(soak: str = "4h", test: dict[str, Any] | None = None, **dev: Any) -> Run:
        url = f"{vendor.url}/apps/DEV/{PORTAL}/health"
        verify = {"probes": [{"url": url, "expect": {"version": "${version}"}, "tries": 1}]}
        play = play_of(stage("DEV", verify=verify, soak=soak, **dev), stage("TEST", **(test or {})))
        run = play.start("r1", N1, run_type="manual")
        for name in ("begin", "build", "DEV.deploy", "DEV.verify.probe"):
            assert run.do(name).state == "success", run.parked[name].error
        return run

    return of


def past(run: Run, hours: float) -> None:
    """Let so much time have passed since the deployment and its verification, as the record tells it."""
    gone = timedelta(hours=hours)
    steps = [
        step.changed(started=step.started - gone, ended=step.ended and step.ended - gone) for step in run.record.steps
    ]
    verdicts = [one.changed(at=one.at - gone) for one in run.record.verdicts]
    run.play.put(run.record.changed(steps=tuple(steps), verdicts=tuple(verdicts)))


def fired(trigger: SoakTrigger, interval: float = 0.02) -> Any:
    kwargs = {**trigger.serialize()[1], "interval": interval}

    async def first() -> Any:
        return (await asyncio.wait_for(anext(SoakTrigger(**kwargs).run()), 10)).payload

    return asyncio.run(first())


def parked(run: Run) -> SoakTrigger:
    found = run.apis["DEV.soak"].trigger(run.parked["DEV.soak"].message)
    assert isinstance(found, SoakTrigger)
    return found


def test_it_ends_so_long_after_the_verification_whatever_is_cleared(soaking: Callable[..., Run]) -> None:
    run = soaking()
    verified = run.step("DEV.verify.probe").ended
    assert verified is not None
    assert run.do("DEV.soak").state == "deferred"
    assert parked(run).until == (verified + timedelta(hours=4)).timestamp()
    step = run.step("DEV.soak")
    assert (step.kind, step.state, step.until) == (StepKind.SOAK, StepState.STARTED, verified + timedelta(hours=4))
    assert run.resume("DEV.soak", {"why": "it has soaked"}).state == "deferred", "an event is believed"
    past(run, 1)
    run.clear("DEV.soak")
    assert run.do("DEV.soak").state == "deferred"
    assert parked(run).until == (verified + timedelta(hours=3)).timestamp()
    past(run, 3.01)
    assert run.resume("DEV.soak", None).state == "success"
    assert (run.step("DEV.soak").state, run.step("DEV.soak").outcome) == (StepState.DONE, "soaked")


def test_the_next_stage_waits_for_the_soak_and_the_second_verification(soaking: Callable[..., Run]) -> None:
    run = soaking()
    assert "DEV.soak was marked in Airflow before it had begun" in str(run.do("TEST.deploy").error)
    run.do("DEV.soak")
    assert "DEV.soak" in str(run.do("TEST.deploy").error)
    past(run, 5)
    assert run.resume("DEV.soak", None).state == "success"
    assert "DEV.verify_again.probe was marked" in str(run.do("TEST.deploy").error)
    assert run.do("DEV.verify_again.probe").state == "success"
    assert run.do("TEST.deploy").state == "success"
    assert [(one.kind, one.word) for one in run.record.verdicts] == [
        (StepKind.VERIFICATION, VerdictWord.VERIFIED),
        (StepKind.SECOND_VERIFICATION, VerdictWord.VERIFIED),
    ]
    assert run.do("close").result["outcome"] == "promoted"


def test_a_first_verification_that_is_cleared_makes_the_soak_begin_anew(soaking: Callable[..., Run]) -> None:
    run = soaking("1s")
    past(run, 1)
    assert run.do("DEV.soak").state == "success"
    run.clear("DEV.verify.probe")
    assert run.do("DEV.verify.probe").state == "success"
    assert run.step("DEV.soak").state is StepState.SKIPPED
    assert "DEV.soak" in str(run.do("DEV.verify_again.probe").error)


def test_a_hold_keeps_it_from_ending(soaking: Callable[..., Run]) -> None:
    run = soaking("1s")
    past(run, 1)
    held = asyncio.run(hold(run.play.lake, application="portal", by="ann", reason="audit", until=None))
    assert run.do("DEV.soak").state == "deferred"
    assert "held by ann" in run.step("DEV.soak").detail
    assert parked(run).until <= (datetime.now(UTC) + timedelta(minutes=1)).timestamp()
    asyncio.run(lift(run.play.lake, held.id, by="ann", reason="done"))
    assert run.resume("DEV.soak", None).state == "success"


def test_a_failure_that_a_person_reports_ends_it_and_revokes_the_version(soaking: Callable[..., Run]) -> None:
    run = soaking()
    run.do("DEV.soak")
    with pytest.raises(ValueError, match="somebody who says why"):
        asyncio.run(report(run.play.records, "r1", "DEV", run.version, by="ann", why=" "))
    with pytest.raises(ValueError, match="has brought nothing to TEST"):
        asyncio.run(report(run.play.records, "r1", "TEST", run.version, by="ann", why="slow"))
    asyncio.run(report(run.play.records, "r1", "DEV", run.version, by="ann", why="invoices are empty"))
    assert fired(parked(run)) == {"why": "a failure was reported"}
    done = run.resume("DEV.soak", {"why": "a failure was reported"})
    assert (done.state, run.step("DEV.soak").outcome) == ("failed", "refuted")
    assert "by ann" in str(done.error)
    assert "invoices are empty" in str(done.error)
    version = run.record.version
    assert version is not None
    run.states["DEV.soak"] = "failed"
    run.do("close")
    run.end()
    again = run.play.start("r2", run_type="manual", version_id=version.id)
    refused = again.do("begin")
    assert refused.state == "failed"
    assert f"the verification of id {version.id} was revoked: DEV refuted by ann" in str(refused.error)


def test_a_second_verification_that_fails_revokes_until_a_person_says_otherwise(
    soaking: Callable[..., Run], vendor: Any
) -> None:
    run = soaking("1s")
    past(run, 1)
    assert run.do("DEV.soak").state == "success"
    vendor.turn(bad_after_calls=1)
    assert run.do("DEV.verify_again.probe").state == "failed"
    version, before = run.record.version, run.play.deployments()
    assert version is not None
    vendor.turn(bad_after_calls=None)
    run.clear("DEV.verify_again.probe")
    assert run.do("DEV.verify_again.probe").state == "success"
    refused = run.do("TEST.deploy")
    assert refused.state == "failed"
    assert "was revoked: DEV.verify_again.probe refuted" in str(refused.error)
    assert f"Version {version.id}, From stage TEST and the reason in the field Emergency" in str(refused.error)
    assert run.play.deployments() == before
    run.states["TEST.deploy"] = "failed"
    run.do("close")
    run.end()
    same = run.play.start("r2", run_type="manual", version_id=version.id, from_stage="TEST")
    assert "was revoked" in str(same.do("begin").error)
    same.end()
    said = run.play.start(
        "r3", run_type="manual", version_id=version.id, from_stage="TEST", emergency="the probe was wrong"
    )
    for name in ("begin", "build", "TEST.deploy"):
        assert said.do(name).state in ("success", "skipped"), said.parked[name].error
    assert run.play.deployments() == [*before, ("TEST", version.id)]


def test_a_revoked_version_is_not_built_upon(soaking: Callable[..., Run], vendor: Any) -> None:
    """Another promotion that goes on with what was built last is stopped as well."""
    run = soaking()
    run.do("DEV.soak")
    asyncio.run(report(run.play.records, "r1", "DEV", run.version, by="ann", why="bad"))
    run.resume("DEV.soak", None)
    run.states["DEV.soak"] = "failed"
    run.do("close")
    run.end()
    version = run.record.version
    assert version is not None
    second = run.play.start("r2", N2, run_type="manual")
    assert second.do("begin").state == "success"
    second.do("build")
    run.play.put(second.record.changed(version=version))
    before = run.play.deployments()
    assert "was revoked" in str(second.do("DEV.deploy").error)
    assert run.play.deployments() == before


def test_the_question_of_the_next_stage_tells_what_was_seen(soaking: Callable[..., Run]) -> None:
    run = soaking("1s", test={"approval": {}})
    past(run, 1)
    for name in ("DEV.soak", "DEV.verify_again.probe"):
        assert run.do(name).state == "success"
    assert run.do("TEST.approve").state == "awaiting_input"
    [question] = run.apis["TEST.approve"].questions
    version = run.record.version
    assert version is not None
    [line] = [line for line in question["body"].splitlines() if line.startswith("* DEV: `DEV.verify.probe verified")]
    assert f'status 200; version is "{version.name}"' in line
    assert "`soaked until " in line
    assert "`DEV.verify_again.probe verified" in line
