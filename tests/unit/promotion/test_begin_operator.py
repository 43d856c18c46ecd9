"""The first task: what is promoted, whether it may be, and its plan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from deltalake import DeltaTable

from nightshift.promotion.begin_operator import PromotionBeginOperator
from nightshift.promotion.record import PromotionRecord, PromotionStep, Verdict, Version, now
from nightshift.promotion.revoked import report
from nightshift.promotion.store import Records
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.published import publish_night
from tests.unit.promotion.play import N1, N2, N3, NAME, OLD_VERSION, REPORTS, RESTART_IT, Play, Run, stage


def past(
    run_id: str,
    night: str | None,
    outcome: PromotionOutcome | None = PromotionOutcome.PROMOTED,
    *,
    deployed: bool = True,
) -> PromotionRecord:
    """Return the record of a promotion that ended before."""
    version = Version(id=40001, name="1.0.2")
    step = PromotionStep(
        task="DEV.deploy",
        kind=StepKind.DEPLOY,
        stage="DEV",
        state=StepState.DONE,
        started=now(),
        ended=now(),
        version=version,
    )
    return PromotionRecord(
        application=NAME,
        dag_id=f"promote_{NAME}",
        run_id=run_id,
        night=night,
        opened=now(),
        turn=1,
        closed=now(),
        outcome=outcome,
        version=version,
        steps=(step,) if deployed else (),
    )


def begun(run: Run) -> dict[str, Any]:
    done = run.do("begin")
    assert done.state == "success", done.error
    return dict(done.result)


def test_a_new_night_gets_its_turn_a_record_and_a_plan(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={"users": ["ann"]}, after=[RESTART_IT]), after=list(REPORTS))
    play.publish(N1, N2)
    run = play.start("r1", N2)
    told = begun(run)
    assert (told["night"], told["stages"], told["outcome"]) == (N2, ["DEV", "TEST"], None)
    assert told["plan"] == [
        "build project 10101 in environment 11001",
        "DEV: deploy what is built",
        "TEST: approval by ann, deploy what is built, run restart",
        "now in DEV: not known",
        "now in TEST: not known",
    ]
    record = run.record
    assert (record.night, record.by, record.turn, record.closed, record.version) == (N2, None, 1, None, None)
    assert [(one.name, one.night, one.rows, one.table_version, one.failed) for one in record.reports] == [
        (name, N2, 12, 2, ()) for name in REPORTS
    ]
    assert {"not_empty": "12 rows to publish", "unchanged": "12 rows, as published"}.items() <= record.reports[
        0
    ].checks.items()
    assert (play.latest_turn(), play.waiting(), play.asked()) == ((1, "r1"), [], 0)


def test_a_night_that_is_not_complete_fails_at_once_and_names_what_is_missing(play_of: Callable[..., Play]) -> None:
    play = play_of(after=[*REPORTS, "exago/tree"])
    play.publish(N1)
    publish_night(play.lake, "flexnet/entitlement", N2)
    run = play.start("r1", N2)
    done = run.do("begin")
    assert done.state == "failed"
    gone = "tokenflex/usage is not published for it, exago/tree is not published for it"
    assert f"The night {N2} is not complete: {gone}. Nothing was built." in str(done.error)
    assert (play.latest_turn(), play.waiting()) == (None, [])
    play.publish(N2)
    run.clear("begin")
    assert begun(run)["night"] == N2


def test_an_event_opens_nothing_that_the_lake_does_not_tell(play_of: Callable[..., Play]) -> None:
    """Anybody who may send asset events can start this run; the night of one report holds no rows any more."""
    play = play_of(after=list(REPORTS))
    play.publish(N2)
    DeltaTable(play.lake.table_url("tokenflex", "usage")).delete(f"night = '{N2}'")
    done = play.start("r1", N2).do("begin")
    assert done.state == "failed"
    assert (
        f"The night {N2} is not complete: tokenflex/usage is not sound (unchanged: 12 rows were published, the table "
        "has 0 now" in str(done.error)
    )
    assert (play.latest_turn(), play.asked()) == (None, 0)


def test_a_dry_run_says_all_and_asks_nothing(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS), build={"force": True})
    play.publish(N1)
    run = play.start("r1", None, by="ann", dry_run=True)
    told = begun(run)
    assert (told["outcome"], told["plan"][0]) == (
        "dry_run",
        "build project 10101 in environment 11001, even without changes",
    )
    for name in ("build", "DEV.deploy", "TEST.deploy"):
        assert run.do(name).state == "skipped"
    assert run.do("close").result["outcome"] == "dry_run"
    assert (run.record.outcome, run.record.by, run.record.steps) == (PromotionOutcome.DRY_RUN, "ann", ())
    assert (play.asked(), play.latest_turn(), play.vendor.ledger.effects()) == (0, None, [])


def test_a_dry_run_waits_for_nobody(play: Play) -> None:
    begun(play.start("r1"))
    assert begun(play.start("r2", dry_run=True))["outcome"] == "dry_run"


def test_a_version_can_be_given_and_some_stages_only(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST"), stage("PROD"))
    play.put(past("r0", None))
    run = play.start(version_id=40001, from_stage="TEST", to_stage="TEST", by="ann")
    told = begun(run)
    assert told["stages"] == ["TEST"]
    assert told["plan"][0] == "TEST: deploy 1.0.2 (id 40001)"
    assert (run.record.version, run.record.by) == (Version(id=40001, name="1.0.2"), "ann")
    assert run.record.form == {"version_id": 40001, "from_stage": "TEST", "to_stage": "TEST"}
    assert [line for line in told["plan"] if line.startswith("now in")] == [
        "now in DEV: 1.0.2 (id 40001)",
        "now in TEST: not known",
        "now in PROD: not known",
    ]


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize(("version", "first"), [(5, "TEST"), (40001, "PROD"), (5, "PROD")])
def test_a_stage_takes_no_version_that_has_not_got_through_the_one_before(
    play_of: Callable[..., Play], version: int, first: str, dry_run: bool
) -> None:
    play = play_of(stage("DEV"), stage("TEST"), stage("PROD"))
    play.put(past("r0", None))
    before = {"TEST": "DEV", "PROD": "TEST"}[first]
    done = play.start(version_id=version, from_stage=first, dry_run=dry_run).do("begin")
    assert done.state == "failed"
    why = f"no record tells that version {version} has got through {before}, so {first} does not take it"
    assert f"{why}. Nothing was deployed." in str(done.error)
    assert (play.latest_turn(), play.asked()) == (None, 0)


def test_a_version_that_failed_in_the_stage_before_has_not_got_through_it(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", after=[RESTART_IT]), stage("TEST"))
    record = past("r0", None, PromotionOutcome.FAILED)
    broken = PromotionStep(
        task="DEV.restart", kind=StepKind.UTILITY, stage="DEV", state=StepState.FAILED, started=now(), ended=now()
    )
    play.put(record.with_step(broken))
    assert play.start(version_id=40001, from_stage="TEST").do("begin").state == "failed"


def test_an_emergency_is_taken_recorded_and_shown(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV"), stage("TEST", approval={}))
    run = play.start(
        version_id=OLD_VERSION, from_stage="TEST", emergency="DEV is down, CVE-1", run_type="manual", by="ann"
    )
    assert begun(run)["plan"][0] == "EMERGENCY: DEV is down, CVE-1"
    assert run.record.form["emergency"] == "DEV is down, CVE-1"
    for name in ("build", "DEV.deploy", "TEST.approve"):
        run.do(name)
    [question] = run.apis["TEST.approve"].questions
    assert (
        "**EMERGENCY**: this version need not have run in the stage before TEST. Reason given: `DEV is down, CVE-1`"
        in question["body"]
    )
    run.answer("TEST.approve", "Approve")
    run.do("TEST.deploy")
    assert (run.step("TEST.deploy").state, run.step("TEST.deploy").outcome) == (StepState.DONE, "already_deployed")


@pytest.mark.parametrize(
    ("conf", "words"),
    [
        ({"stranger": 1}, "Unknown field in the run's conf: stranger"),
        ({"force_build": True, "version_id": 5}, "Force build and a Version exclude each other"),
        ({"from_stage": "TEST"}, "From stage needs a Version"),
        ({"emergency": "fire", "version_id": 5}, "An emergency lets From stage take a Version"),
        ({"emergency": "  ", "version_id": 5, "from_stage": "TEST"}, "An emergency lets From stage take a Version"),
        ({"inputs": {"A": "x" * 1001}}, "has 1001 characters; a text of the form may have 1000"),
    ],
)
def test_a_form_that_contradicts_itself_fails_at_once(play: Play, conf: dict[str, Any], words: str) -> None:
    done = play.start(**conf).do("begin")
    assert (done.state, words in str(done.error)) == ("failed", True), done.error
    assert play.latest_turn() is None


def test_what_becomes_of_lost_jobs_may_not_stand_in_the_conf(play: Play) -> None:
    """Whoever may start a run could pass off any workflow request as its own."""
    done = play.start(jobs={"adopt": {"build": "12001"}}).do("begin")
    assert "Unknown field in the run's conf: jobs" in str(done.error)


def test_the_form_cannot_contradict_the_partition_key(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS))
    done = play.start("r1", N1, night=N2).do("begin")
    assert f"The run's partition key is {N1} but the form says night {N2}" in str(done.error)


def test_a_night_of_the_form_has_to_be_published_too(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS))
    play.publish(N1)
    assert "is not complete" in str(play.start("r1", night=N2).do("begin").error)
    run = play.start("r2", night=N1)
    assert (begun(run)["night"], run.record.night) == (N1, N1)


def test_a_run_without_a_night_tells_what_is_published(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS))
    for night in (N2, N1):
        publish_night(play.lake, "flexnet/entitlement", night)
    run = play.start()
    begun(run)
    assert [(one.name, one.night) for one in run.record.reports] == [
        ("flexnet/entitlement", N2),
        ("tokenflex/usage", None),
    ]


IN_VAIN = [
    ({}, [past("r0", N2)], f"{N2} was promoted before (promoted, run r0), and was published again since"),
    ({}, [past("r0", N2, PromotionOutcome.REJECTED)], f"{N2} was promoted before (rejected, run r0)"),
    ({}, [past("r0", N2, PromotionOutcome.SKIPPED)], ""),
    ({}, [past("r0", N2, PromotionOutcome.ABANDONED)], ""),
    ({}, [past("r0", N2, PromotionOutcome.SUPERSEDED)], ""),
    ({}, [past("r0", None)], ""),
    ({}, [past("r0", N2).changed(turn=None, outcome=PromotionOutcome.DRY_RUN)], ""),
    ({"republished": "promote"}, [past("r0", N2)], ""),
    ({}, [past("r0", N3)], ""),
    ({"older": "skip"}, [past("r0", N3)], f"the newer night {N3} was promoted before (run r0)"),
    ({"older": "skip"}, [past("r0", N3, PromotionOutcome.REJECTED, deployed=False)], ""),
    ({"older": "skip"}, [past("r0", N1)], ""),
    ({"older": "skip"}, [past("r0", N1), past("r1", N3)], f"the newer night {N3}"),
]


@pytest.mark.parametrize(("more", "before", "why"), IN_VAIN)
def test_nights_that_are_promoted_in_vain(
    play_of: Callable[..., Play], more: dict[str, Any], before: list[PromotionRecord], why: str
) -> None:
    play = play_of(after=list(REPORTS), **more)
    play.publish(N1, N2)
    for record in before:
        play.put(record)
    run = play.start("mine", N2)
    told = begun(run)
    assert told["outcome"] == ("skipped" if why else None)
    assert run.record.reason.startswith(why)
    if why:
        assert run.do("build").state == "skipped"
        assert run.do("close").result["outcome"] == "skipped"
        assert play.vendor.ledger.effects() == []
    assert play.waiting() == []


def test_a_night_that_is_published_again_is_promoted_again_where_that_is_wanted(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS), republished="promote")
    play.publish(N2)
    first = play.start("r1", N2)
    begun(first)
    play.put(first.record.close(PromotionOutcome.PROMOTED))
    # Two publishes that saw the night complete at the same moment woke it twice.
    again = play.start("r2", N2)
    assert begun(again)["outcome"] == "skipped"
    assert again.record.reason == f"{N2} was promoted before (promoted, run r1)"
    publish_night(play.lake, REPORTS[1], N2, rows=13, extract="second")
    assert begun(play.start("r3", N2))["outcome"] is None


def test_a_person_may_promote_a_night_again(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS), older="skip")
    play.publish(N2)
    play.put(past("r0", N2))
    assert begun(play.start("mine", N2, run_type="manual", by="ann"))["outcome"] is None


def test_after_a_clear_the_same_run_is_not_its_own_republication(play_of: Callable[..., Play]) -> None:
    play = play_of(after=list(REPORTS))
    play.publish(N2)
    run = play.start("mine", N2)
    begun(run)
    play.put(run.record.close(PromotionOutcome.PROMOTED))
    run.clear("begin")
    assert begun(run)["outcome"] is None


def test_a_version_that_is_revoked_while_its_run_begins_again_stays_revoked(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, said = play.start("r1"), list[Verdict]()
    for name in ("begin", "build", "DEV.deploy"):
        assert run.do(name).state == "success"
    version = run.version

    async def check_names(*_: Any) -> None:
        said.append(await report(Records(play.lake, NAME), "r1", "DEV", version, by="dan", why="loses invoices"))

    monkeypatch.setattr(PromotionBeginOperator, "_check_names", check_names)
    run.clear("begin")
    assert run.do("begin").state == "success"
    assert list(run.record.verdicts) == said


def test_a_beginning_that_thaws_takes_nothing_from_the_attempt_after_it(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, later = play.start("r1"), list[PromotionRecord]()

    async def check_names(*_: Any) -> None:
        # While it stands still another attempt begins, and goes on.
        mine = past("r1", None, None).changed(turn=1, version=Version(id=40009))
        later.append(await Records(play.lake, NAME).write(mine))

    monkeypatch.setattr(PromotionBeginOperator, "_check_names", check_names)
    assert "written by another attempt meanwhile" in str(run.do("begin").error)
    assert [run.record] == later
