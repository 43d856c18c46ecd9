"""What a promotion may do next, and how it ended: each situation one line."""

from __future__ import annotations

from typing import Any

import pytest

from nightshift.promotion.record import PromotionRecord, PromotionStep, RecordedResolution, Version
from nightshift.promotion.rules.progress import held_back, in_doubt, in_flight, outcome_of, stage_lines, unfinished
from nightshift.promotion.rules.way_back import roll_back_of
from nightshift.promotion.vocabulary import PromotionOutcome, StepKind, StepState
from tests.unit.promotion.records import NEW, OFFER, OLD, T, approved, deploy, ran, record, step

FAILED, STARTED, SKIPPED, REJECTED = StepState.FAILED, StepState.STARTED, StepState.SKIPPED, StepState.REJECTED
REJECTED_TEST = step("TEST.approve", state=REJECTED, by="ann", outcome="Reject", version=NEW)
NOBODY = step("TEST.approve", state=REJECTED, outcome="Reject", version=NEW)
TEST_APPROVAL = (StepKind.APPROVAL, "TEST")
UPSTREAM = ("begin", "build", "DEV.deploy", "TEST.approve")
OVER = RecordedResolution(word="over", by="ann", why="stopped by hand", at=T)
OTHER = deploy("DEV").changed(version=OLD)
BACK_YES = step("roll_back.approve", 8, by="ann", outcome="Approve", version=OLD, stage="TEST")
BACK_NO = step("roll_back.approve", 8, REJECTED, by="ann", outcome="Reject", version=OLD, stage="TEST")
BACK = step("roll_back.deploy", 9, version=OLD, stage="TEST", requests=(12009,), outcome="deployed")


@pytest.mark.parametrize(
    ("one", "kind", "stage", "why"),
    [
        (record(), StepKind.BUILD, None, ""),
        (record(version=None), StepKind.BUILD, None, ""),
        (record(form={"version_id": 40001}), StepKind.BUILD, None, "the version 1.0.2 (id 40001) was given"),
        (record(outcome=PromotionOutcome.SKIPPED, reason="done before"), StepKind.BUILD, None, "done before"),
        (record(outcome=PromotionOutcome.DRY_RUN), StepKind.DEPLOY, "DEV", "the promotion is dry_run"),
        (record(outcome=PromotionOutcome.DRY_RUN), StepKind.ROLL_BACK, "DEV", "the promotion is dry_run"),
        # Other outcomes are those of the attempt before a clear.
        (record(outcome=PromotionOutcome.FAILED), StepKind.DEPLOY, "DEV", ""),
        (record(superseded_by="r2"), StepKind.BUILD, None, "r2, of a newer night, has taken its place"),
        (record(superseded_by="r2"), StepKind.DEPLOY, "DEV", "r2, of a newer night, has taken its place"),
        (record(superseded_by="r2", offer=OFFER), StepKind.ROLL_BACK_APPROVAL, None, ""),
        (record(BACK_YES, superseded_by="r2", offer=OFFER), StepKind.ROLL_BACK, "TEST", ""),
        (record(version=None), StepKind.DEPLOY, "DEV", "nothing was built"),
        (record(version=None), StepKind.APPROVAL, "TEST", "nothing was built"),
        (record(stages=("DEV",)), StepKind.APPROVAL, "TEST", "this promotion goes through DEV only"),
        (record(stages=("TEST", "PROD")), StepKind.DEPLOY, "DEV", "this promotion goes through TEST → PROD only"),
        (record(), StepKind.APPROVAL, "TEST", ""),
        (record(), StepKind.DEPLOY, "TEST", "TEST has not been approved"),
        (record(approved("TEST")), StepKind.DEPLOY, "TEST", ""),
        # Its name was not known then.
        (record(approved("TEST", Version(id=NEW.id))), StepKind.DEPLOY, "TEST", ""),
        (record(approved("TEST")), StepKind.FOLDERS, "PROD", ""),
        (record(REJECTED_TEST), StepKind.DEPLOY, "TEST", "TEST was rejected by ann"),
        (record(REJECTED_TEST), StepKind.APPROVAL, "PROD", "TEST was rejected by ann"),
        (record(NOBODY), StepKind.DEPLOY, "PROD", "TEST was rejected by nobody in time"),
        (
            record(step("TEST.approve", state=STARTED, version=NEW)),
            StepKind.DEPLOY,
            "TEST",
            "TEST has not been approved",
        ),
        (
            record(step("TEST.approve", state=FAILED, version=NEW)),
            StepKind.DEPLOY,
            "TEST",
            "TEST has not been approved",
        ),
        (
            record(approved("TEST", OLD)),
            StepKind.DEPLOY,
            "PROD",
            "TEST was approved for 1.0.1 (id 30001), not for 1.0.2",
        ),
        (record(step("roll_back.approve", state=REJECTED), offer=OFFER), StepKind.ROLL_BACK_APPROVAL, None, ""),
        (record(offer=OFFER), StepKind.ROLL_BACK, "TEST", "the roll-back has not been approved"),
        (record(BACK_NO, offer=OFFER), StepKind.ROLL_BACK, "TEST", "the roll-back has not been approved"),
        (record(BACK_YES, offer=OFFER), StepKind.ROLL_BACK, "TEST", ""),
        # Only what the record offers, for its stage and its version.
        (record(), StepKind.ROLL_BACK_APPROVAL, None, "no way back is offered"),
        (record(BACK_YES), StepKind.ROLL_BACK, "TEST", "no way back is offered"),
        (
            record(BACK_YES, offer=OFFER.changed(version=NEW)),
            StepKind.ROLL_BACK,
            "TEST",
            "the roll-back was approved for 1.0.1 (id 30001), not for 1.0.2",
        ),
        (
            record(BACK_YES, offer=OFFER.changed(stage="PROD")),
            StepKind.ROLL_BACK,
            "PROD",
            "the roll-back was approved for TEST, not for PROD",
        ),
    ],
)
def test_why_a_step_is_not_done(one: PromotionRecord, kind: StepKind, stage: str | None, why: str) -> None:
    upstream = UPSTREAM[:2] if stage in (None, "DEV") else UPSTREAM[:3] if (kind, stage) == TEST_APPROVAL else UPSTREAM
    found = held_back(one, kind=kind, stage=stage, upstream=upstream)
    assert found.startswith(why) if why else found == ""


def test_what_a_later_task_said_before_a_clear_does_not_count() -> None:
    one = record(REJECTED_TEST)
    assert held_back(one, kind=StepKind.DEPLOY, stage="DEV", upstream=("begin", "build")) == ""
    assert held_back(one, kind=StepKind.APPROVAL, stage="TEST", upstream=("begin", "build", "DEV.deploy")) == ""


OFFERED = "TEST.deploy 1.0.2 (id 40001) failed: disk full"
BAD: dict[str, Any] = {"state": FAILED, "outcome": "failed", "detail": "disk full"}
RESTART_BAD = step("TEST.restart", 5, FAILED, outcome="failed", detail="no route", requests=(12005,))


@pytest.mark.parametrize(
    ("steps", "more", "stage", "to", "why"),
    [
        ((deploy("DEV"), deploy("TEST", **BAD)), {}, "TEST", OLD, OFFERED),
        ((deploy("DEV", **BAD),), {}, "DEV", OLD, "DEV.deploy"),
        ((deploy("DEV"), deploy("TEST"), RESTART_BAD), {}, "TEST", OLD, "TEST.restart failed: no route"),
        ((deploy("TEST"), step("TEST.exago", state=FAILED)), {}, "TEST", OLD, "TEST.exago failed"),
        ((deploy("TEST", state=STARTED),), {}, "TEST", OLD, "TEST.deploy 1.0.2 (id 40001) started"),
        ((deploy("TEST", state=FAILED, outcome="timed_out"),), {}, "TEST", OLD, "TEST.deploy"),
        ((deploy("TEST", state=FAILED, outcome="12001 failed, 12002 rejected"),), {}, "TEST", OLD, "TEST.deploy"),
        # Nothing to bring back, and why not.
        ((deploy("TEST", **BAD),), {"before": {}}, "TEST", None, "no record tells what ran in TEST before"),
        ((deploy("TEST", **BAD),), {"before": {"TEST": ran(NEW)}}, "TEST", None, "is what ran in TEST before, too"),
        (
            (deploy("TEST", outcome="already_deployed", requests=()), RESTART_BAD),
            {},
            "TEST",
            None,
            "TEST ran 1.0.2 (id 40001) before and still does",
        ),
        ((deploy("TEST", state=STARTED, requests=()),), {}, "TEST", None, "nobody knows whether FlexDeploy was asked"),
    ],
)
def test_what_is_left_to_roll_back(
    steps: tuple[PromotionStep, ...], more: dict[str, Any], stage: str, to: Version | None, why: str
) -> None:
    before = dict.fromkeys(("DEV", "TEST", "PROD"), ran())
    found = roll_back_of(record(*steps, **{"before": before, **more}))
    assert found is not None
    assert (found.stage, found.to and found.to.version) == (stage, to)
    assert why in found.why


@pytest.mark.parametrize(
    "steps",
    [
        (),
        (deploy("DEV"), deploy("TEST")),
        (step("build", state=FAILED),),
        (step("TEST.stop", state=FAILED),),
        (step("TEST.stop", state=FAILED), deploy("TEST", state=SKIPPED, version=None, requests=())),
        (step("TEST.approve", state=FAILED),),
        (deploy("TEST", state=FAILED, outcome="rejected"),),
        (deploy("TEST", state=FAILED, outcome="ambiguous", requests=()),),
        (deploy("TEST", state=FAILED, outcome="AuthFailed", requests=()),),
        (deploy("TEST", state=FAILED, outcome="Rejected", requests=()),),
    ],
)
def test_nothing_is_left_where_no_deployment_began_to_change_a_stage(steps: tuple[PromotionStep, ...]) -> None:
    assert roll_back_of(record(*steps, before=dict.fromkeys(("DEV", "TEST", "PROD"), ran()))) is None


BUILT = step("build", version=NEW, outcome="built")
THROUGH = (BUILT, deploy("DEV"), approved("TEST"), deploy("TEST"), deploy("PROD", outcome="already_deployed"))
HELD = step("TEST.deploy", state=SKIPPED, detail="TEST has not been approved")
FAILED_TEST = deploy("TEST", minute=7, outcome="failed", state=FAILED)


@pytest.mark.parametrize(
    ("one", "failed", "outcome", "why"),
    [
        (record(*THROUGH), (), PromotionOutcome.PROMOTED, "1.0.2 (id 40001) through DEV → TEST → PROD"),
        (record(outcome=PromotionOutcome.DRY_RUN, reason="a dry run"), (), PromotionOutcome.DRY_RUN, "a dry run"),
        (record(outcome=PromotionOutcome.SKIPPED, reason="before"), (), PromotionOutcome.SKIPPED, "before"),
        (record(superseded_by="r2"), (), PromotionOutcome.SUPERSEDED, "by r2"),
        (record(BUILT, REJECTED_TEST), (), PromotionOutcome.REJECTED, "TEST.approve 1.0.2 (id 40001) Reject by ann"),
        (
            record(step("build", outcome="no_changes"), version=None),
            (),
            PromotionOutcome.NO_CHANGES,
            "build no_changes",
        ),
        (record(version=None), (), PromotionOutcome.FAILED, "nothing was built: the task build was marked"),
        (record(BUILT, FAILED_TEST), ("TEST.deploy",), PromotionOutcome.FAILED, "TEST.deploy 1.0.2 (id 40001) failed"),
        (record(BUILT, FAILED_TEST, BACK_YES, BACK), ("TEST.deploy",), PromotionOutcome.ROLLED_BACK, "TEST.deploy"),
        (record(BUILT, FAILED_TEST, BACK_NO), ("TEST.deploy",), PromotionOutcome.FAILED, "TEST.deploy"),
        # A roll-back of before the clear says nothing of what failed after it.
        (
            record(deploy("TEST", minute=20, state=FAILED), BACK),
            ("TEST.deploy",),
            PromotionOutcome.FAILED,
            "TEST.deploy",
        ),
        (
            record(deploy("TEST", minute=20), step("TEST.restart", 22, FAILED), BACK),
            ("x",),
            PromotionOutcome.FAILED,
            "TEST.rest",
        ),
        (record(BUILT), ("DEV.deploy", "TEST.deploy"), PromotionOutcome.FAILED, "failed: DEV.deploy, TEST.deploy"),
        (record(outcome=PromotionOutcome.SKIPPED), ("begin",), PromotionOutcome.FAILED, "failed: begin"),
        (record(superseded_by="r2"), ("close",), PromotionOutcome.FAILED, "failed: close"),
        # Tasks that a person marked as a success.
        (
            record(BUILT, deploy("DEV"), HELD),
            (),
            PromotionOutcome.REJECTED,
            "TEST.deploy skipped: TEST has not been approved",
        ),
        (record(BUILT, deploy("DEV")), (), PromotionOutcome.FAILED, "1.0.2 (id 40001) was not deployed to TEST"),
        (
            record(BUILT, deploy("DEV", state=STARTED)),
            (),
            PromotionOutcome.FAILED,
            "DEV.deploy 1.0.2 (id 40001) started",
        ),
        (
            record(BUILT, OTHER, approved("TEST"), deploy("TEST", minute=6)),
            (),
            PromotionOutcome.FAILED,
            "DEV.deploy was marked in Airflow, and what it deployed is 1.0.1",
        ),
    ],
)
def test_how_a_promotion_ended(
    one: PromotionRecord, failed: tuple[str, ...], outcome: PromotionOutcome, why: str
) -> None:
    found, reason = outcome_of(one, failed)
    assert (found, reason[: len(why)]) == (outcome, why)


@pytest.mark.parametrize(("deployed", "why"), [(deploy("DEV"), ""), (OTHER, "what it deployed is 1.0.1")])
def test_a_stage_that_has_an_earlier_build_lets_no_later_one_pass(deployed: PromotionStep, why: str) -> None:
    """Cleared, built anew, and marked before it was deployed anew."""
    found = unfinished(record(BUILT, deployed), kind=StepKind.APPROVAL, stage="TEST", upstream=UPSTREAM)
    assert (bool(found), why in found) == (bool(why), True)


@pytest.mark.parametrize(
    ("steps", "doubted"),
    [
        ((deploy("DEV"), deploy("TEST", state=FAILED)), ["TEST.deploy"]),
        ((deploy("TEST", state=STARTED),), ["TEST.deploy"]),
        ((FAILED_TEST, BACK), []),
        ((FAILED_TEST, step("roll_back.deploy", 9, FAILED, stage="TEST", requests=(9,))), ["roll_back.deploy"]),
        ((FAILED_TEST, step("roll_back.deploy", 9, FAILED, stage="TEST")), ["TEST.deploy"]),
        ((deploy("TEST", minute=20, state=FAILED), BACK), ["TEST.deploy"]),
        ((deploy("DEV", state=FAILED), deploy("TEST", state=STARTED)), ["DEV.deploy", "TEST.deploy"]),
        ((step("TEST.restart", state=FAILED), deploy("DEV", state=SKIPPED)), []),
        ((deploy("TEST", state=FAILED, outcome="Rejected", requests=()),), []),
        ((deploy("TEST", state=FAILED, outcome="ambiguous", requests=()),), ["TEST.deploy"]),
        ((deploy("TEST", state=FAILED, outcome="Rejected", requests=(), asked=T),), ["TEST.deploy"]),
        ((deploy("TEST", state=FAILED, outcome="given_up", requests=(), said=OVER),), ["TEST.deploy"]),
        ((deploy("TEST", state=FAILED, outcome="rejected"),), []),
        ((deploy("TEST", state=FAILED, outcome="rejected", tried=(12001,)),), []),
        ((deploy("TEST", state=FAILED, outcome="rejected", tried=(11999,)),), ["TEST.deploy"]),
        ((deploy("TEST", state=FAILED, outcome="rejected", asked=T),), ["TEST.deploy"]),
        (
            (FAILED_TEST, step("roll_back.deploy", 9, FAILED, stage="TEST", requests=(9,), outcome="rejected")),
            ["TEST.deploy"],
        ),
    ],
)
def test_which_stages_are_in_doubt(steps: tuple[PromotionStep, ...], doubted: list[str]) -> None:
    assert [one.task for one in in_doubt(record(*steps))] == doubted


def test_where_things_stand_in_words() -> None:
    one = record(deploy("DEV"), deploy("TEST", state=FAILED, outcome="failed", detail="disk full"))
    assert stage_lines(one, {"DEV": ran(NEW), "TEST": ran(OLD), "PROD": None}) == [
        "DEV: 1.0.2 (id 40001)",
        "TEST: 1.0.1 (id 30001); in doubt: TEST.deploy 1.0.2 (id 40001) failed: disk full",
        "PROD: not known",
    ]


@pytest.mark.parametrize(
    ("one", "flies"),
    [
        (deploy("DEV", state=STARTED), True),
        (deploy("DEV", state=FAILED, outcome="timed_out"), True),
        (step("build", state=STARTED, requests=(1,)), True),
        (step("DEV.restart", state=STARTED, requests=(1,)), True),
        (step("roll_back.deploy", state=STARTED, requests=(1,)), True),
        (deploy("DEV", state=STARTED, requests=()), False),
        (deploy("DEV"), False),
        (deploy("DEV", state=SKIPPED), False),
        (step("DEV.approve", state=STARTED), False),
        (step("DEV.exago", state=STARTED), False),
    ],
)
def test_what_may_still_go_on_at_the_vendor(one: PromotionStep, flies: bool) -> None:
    assert in_flight(record(one)) == ([one] if flies else [])
