from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from nightshift.promotion.record import PromotionRecord, PromotionStep, Verdict
from nightshift.promotion.rules.progress import outcome_of, passed
from nightshift.promotion.rules.verification import (
    DONE_AGAIN,
    begun_again,
    proofs,
    reported_failure,
    soak_end,
    unverified,
    unverified_before,
)
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from tests.unit.promotion.records import MINUTE, NEW, OLD, T, deploy, record, step

PROBE, SMOKE, SOAK, AGAIN = "DEV.verify.probe", "DEV.verify.smoke", "DEV.soak", "DEV.verify_again.probe"
DUE = {"DEV": (PROBE, SMOKE, SOAK, AGAIN), "roll_back.DEV": ("roll_back.verify.DEV_probe",)}


def check(task: str, minute: int = 1, state: StepState = StepState.DONE, **more: Any) -> PromotionStep:
    kinds = {SOAK: StepKind.SOAK, AGAIN: StepKind.SECOND_VERIFICATION}
    kind = StepKind.ROLL_BACK_VERIFICATION if task.startswith("roll_back.") else kinds.get(task, StepKind.VERIFICATION)
    outcome = {StepState.DONE: "verified", StepState.FAILED: "refuted"}.get(state)
    ended = None if state is StepState.STARTED else T + (minute + 1) * MINUTE
    given = {"version": NEW, "outcome": outcome, "stage": "DEV", **more}
    return PromotionStep(task=task, kind=kind, state=state, started=T + minute * MINUTE, ended=ended, **given)


def checked(*steps: PromotionStep, **more: Any) -> PromotionRecord:
    return record(deploy("DEV"), *steps, **{"due": DUE, **more})


ALL = (check(PROBE), check(SMOKE), check(SOAK), check(AGAIN))


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (checked(*ALL), ""),
        (record(deploy("DEV")), ""),
        (record(due=DUE), ""),
        (record(deploy("DEV", state=StepState.FAILED), due=DUE), ""),
        (checked(), f"{PROBE} was marked in Airflow before it had begun"),
        (checked(check(PROBE)), f"{SMOKE} was marked"),
        (checked(*ALL[:3]), f"{AGAIN} was marked"),
        (checked(check(PROBE, state=StepState.FAILED), *ALL[1:]), f"{PROBE} is not through: its record says refuted"),
        (
            checked(*ALL[:2], check(SOAK, state=StepState.STARTED), ALL[3]),
            f"{SOAK} is not through: its record says started",
        ),
        (checked(*ALL[:3], check(AGAIN, state=StepState.SKIPPED, detail=DONE_AGAIN)), f"{AGAIN} is not through"),
        (checked(check(PROBE, version=OLD), *ALL[1:]), f"{PROBE} looked at {OLD}, and DEV got {NEW}"),
        (checked(check(PROBE, version=None), *ALL[1:]), f"{PROBE} looked at None"),
    ],
)
def test_a_stage_is_verified_by_all_that_is_due_for_what_it_got(found: PromotionRecord, why: str) -> None:
    said = unverified(found, "DEV")
    assert said.startswith(why)
    assert bool(said) == bool(why)
    passes = bool(record_deploys(found)) and not why
    assert ("DEV" in {stage for stage, _ in passed(found)}) == passes


def record_deploys(found: PromotionRecord) -> list[PromotionStep]:
    return [one for one in found.steps_of({StepKind.DEPLOY}) if one.state is StepState.DONE]


@pytest.mark.parametrize(
    ("kind", "stage", "task", "done", "lacks"),
    [
        (StepKind.VERIFICATION, "DEV", PROBE, 0, ""),
        (StepKind.VERIFICATION, "DEV", SMOKE, 0, PROBE),
        (StepKind.VERIFICATION, "DEV", SMOKE, 1, ""),
        (StepKind.SOAK, "DEV", SOAK, 1, SMOKE),
        (StepKind.SOAK, "DEV", SOAK, 2, ""),
        (StepKind.SECOND_VERIFICATION, "DEV", AGAIN, 2, SOAK),
        (StepKind.FOLDERS, "DEV", "DEV.exago", 3, AGAIN),
        (StepKind.FOLDERS, "DEV", "DEV.exago", 4, ""),
        (StepKind.UTILITY, "DEV", "DEV.restart", 0, ""),
        (StepKind.DEPLOY, "DEV", "DEV.deploy", 0, ""),
        (StepKind.APPROVAL, "TEST", "TEST.approve", 3, AGAIN),
        (StepKind.WINDOW, "TEST", "TEST.window", 3, AGAIN),
        (StepKind.DEPLOY, "PROD", "PROD.deploy", 3, AGAIN),
        (StepKind.DEPLOY, "TEST", "TEST.deploy", 4, ""),
        (StepKind.ROLL_BACK, "TEST", "roll_back.deploy", 0, ""),
        (StepKind.ROLL_BACK_APPROVAL, "TEST", "roll_back.approve", 0, ""),
        (StepKind.ROLL_BACK_VERIFICATION, "TEST", "roll_back.verify.TEST_probe", 0, ""),
        (StepKind.BUILD, None, "build", 0, ""),
        (StepKind.DEPLOY, "ELSEWHERE", "ELSEWHERE.deploy", 0, ""),
    ],
)
def test_a_step_waits_for_what_is_due_before_it(
    kind: StepKind, stage: str | None, task: str, done: int, lacks: str
) -> None:
    why = unverified_before(checked(*ALL[:done]), kind=kind, stage=stage, task=task)
    assert why.partition(" ")[0] == lacks


@pytest.mark.parametrize(
    ("task", "kind", "stage", "counts"),
    [
        ("DEV.deploy", StepKind.DEPLOY, "DEV", []),
        (PROBE, StepKind.VERIFICATION, "DEV", [PROBE]),
        (SOAK, StepKind.SOAK, "DEV", [PROBE, SMOKE, SOAK]),
        (AGAIN, StepKind.SECOND_VERIFICATION, "DEV", [PROBE, SMOKE, SOAK, AGAIN]),
        ("DEV.restart", StepKind.UTILITY, "DEV", [PROBE, SMOKE, SOAK, AGAIN]),
        ("TEST.deploy", StepKind.DEPLOY, "TEST", [PROBE, SMOKE, SOAK, AGAIN]),
        ("roll_back.deploy", StepKind.ROLL_BACK, "DEV", [PROBE, SMOKE, SOAK, AGAIN]),
        ("build", StepKind.BUILD, None, [PROBE, SMOKE, SOAK, AGAIN]),
    ],
)
def test_what_comes_after_a_step_that_begins_again_counts_no_longer(
    task: str, kind: StepKind, stage: str | None, counts: list[str]
) -> None:
    found = begun_again(checked(*ALL), task, kind, stage)
    assert [one.task for one in found.steps if one.task in DUE["DEV"] and one.state is StepState.DONE] == counts
    voided = [one for one in found.steps if one.state is StepState.SKIPPED]
    assert {one.detail for one in voided} <= {DONE_AGAIN}


def test_what_nobody_knows_the_end_of_stays_so_when_it_no_longer_counts() -> None:
    failed = check(SMOKE, state=StepState.FAILED, requests=(7,))
    found = begun_again(checked(ALL[0], failed), "DEV.deploy", StepKind.DEPLOY, "DEV")
    assert found.step(SMOKE) == failed


@pytest.mark.parametrize(
    ("steps", "minutes"),
    [
        ((), 0),
        ((check(PROBE, 3),), 4),
        ((check(PROBE, 3), check(SMOKE, 7)), 8),
        ((check(PROBE, 3), check(AGAIN, 90)), 4),
    ],
)
def test_a_soak_is_counted_from_the_end_of_the_first_verification(steps: Any, minutes: int) -> None:
    end = soak_end(checked(*steps), "DEV", timedelta(hours=4), T)
    assert end == T + minutes * MINUTE + timedelta(hours=4)


def said(word: VerdictWord, minute: int = 5, by: str | None = None, task: str = PROBE, **more: Any) -> Verdict:
    given = {"kind": StepKind.VERIFICATION, "stage": "DEV", "version": NEW, "seen": "status 200", **more}
    return Verdict(task=task, word=word, at=T + minute * MINUTE, by=by, **given)


def test_the_word_of_a_person_counts_for_the_newest_deployment_only() -> None:
    word = said(VerdictWord.REFUTED, by="ann", task="DEV")
    assert reported_failure(checked(verdicts=(word,)), "DEV") == word
    assert reported_failure(checked(verdicts=(word,)), "TEST") is None
    later = record(deploy("DEV", minute=10), due=DUE, verdicts=(word,))
    assert reported_failure(later, "DEV") is None
    assert reported_failure(checked(verdicts=(said(VerdictWord.REFUTED),)), "DEV") is None


def test_a_promotion_whose_checks_were_marked_has_not_been_promoted() -> None:
    stages = ("DEV",)
    assert outcome_of(checked(*ALL, stages=stages), []) == ("promoted", f"{NEW} through DEV")
    outcome, why = outcome_of(checked(*ALL[:2], stages=stages), [])
    assert (outcome, SOAK in why) == ("failed", True)


def test_a_proof_tells_what_was_seen_and_what_lacks() -> None:
    assert proofs(record(deploy("DEV"))) == {}
    waits = check(SOAK, state=StepState.STARTED, until=T + timedelta(hours=4))
    found = proofs(checked(check(PROBE), check(SMOKE), waits, verdicts=(said(VerdictWord.VERIFIED),)))["DEV"]
    assert found.soaks_until == T + timedelta(hours=4)
    assert found.words == f"{PROBE} verified 2026-11-20 22:05 UTC: status 200; soaks until 2026-11-21 02:00 UTC"
    bad = proofs(checked(check(PROBE, state=StepState.FAILED), verdicts=(said(VerdictWord.REFUTED),)))["DEV"]
    assert bad.lacks.startswith(f"{PROBE} is not through")
    assert proofs(checked(*ALL))["DEV"].lacks == ""
    # What was said of the version that was there before it is no proof of this one.
    of_old = (said(VerdictWord.VERIFIED, version=OLD), said(VerdictWord.REFUTED, by="ann", task="DEV", version=OLD))
    assert proofs(checked(*ALL[:2], verdicts=of_old))["DEV"].seen == ()
    assert step("build").task == "build"


def test_a_word_is_about_the_deployment_that_it_names_whatever_the_clocks_say() -> None:
    word = said(VerdictWord.REFUTED, by="ann", task="DEV", about=(7, 2))
    assert reported_failure(record(deploy("DEV", minute=30, order=(7, 2)), due=DUE, verdicts=(word,)), "DEV") == word
    assert reported_failure(record(deploy("DEV", minute=1, order=(7, 5)), due=DUE, verdicts=(word,)), "DEV") is None
    # The release before kept no order.
    assert reported_failure(record(deploy("DEV", minute=1), due=DUE, verdicts=(word,)), "DEV") == word
