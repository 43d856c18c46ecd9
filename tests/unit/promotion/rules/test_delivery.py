"""What a record tells of each stage, as a table: what counts as a deployment, and how it is judged."""

from __future__ import annotations

from typing import Any

import pytest

from nightshift.promotion.record import PromotionStep, Verdict
from nightshift.promotion.rules.delivery import deliveries_of
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from tests.unit.promotion.records import MINUTE, NEW, OLD, T, approved, deploy, record, step

FAILED, STARTED, SKIPPED = StepState.FAILED, StepState.STARTED, StepState.SKIPPED
BACK = step("roll_back.deploy", 9, version=OLD, stage="TEST", requests=(12009,))


def told(*steps: PromotionStep, **more: Any) -> list[tuple[str, str, str, str]]:
    found = deliveries_of(record(*steps, **{"closed": T, **more}))
    return [(one.stage, one.version, str(one.kind), str(one.verdict)) for one in found]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), []),
        ((approved("TEST"), step("TEST.stop")), []),
        ((deploy("TEST"),), [("TEST", "1.0.2", "deployed", "good")]),
        ((deploy("TEST", outcome="already_deployed"),), [("TEST", "1.0.2", "already_there", "good")]),
        ((deploy("TEST", state=SKIPPED, version=None, requests=()),), []),
        ((deploy("TEST", state=FAILED, outcome="failed"),), [("TEST", "1.0.2", "deployed", "failed")]),
        ((deploy("TEST", state=FAILED, outcome="timed_out"),), [("TEST", "1.0.2", "deployed", "failed")]),
        ((deploy("TEST", state=FAILED, outcome="rejected"),), []),
        ((deploy("TEST", state=FAILED, outcome="Rejected", requests=()),), []),
        ((deploy("TEST", state=FAILED, outcome="ambiguous", requests=()),), [("TEST", "1.0.2", "deployed", "doubt")]),
        ((deploy("TEST", state=FAILED, requests=(), asked=T),), [("TEST", "1.0.2", "deployed", "doubt")]),
        ((deploy("TEST", state=STARTED),), [("TEST", "1.0.2", "deployed", "doubt")]),
        ((deploy("TEST", state=STARTED, requests=()),), []),
        # What comes before a deployment in its stage is no word on it; what comes after it is.
        ((step("TEST.stop", state=FAILED), deploy("TEST")), [("TEST", "1.0.2", "deployed", "good")]),
        ((deploy("TEST"), step("TEST.restart", 3, FAILED)), [("TEST", "1.0.2", "deployed", "failed")]),
        ((deploy("TEST"), step("PROD.restart", 3, FAILED)), [("TEST", "1.0.2", "deployed", "good")]),
        ((deploy("TEST"), step("TEST.restart", 3, STARTED)), [("TEST", "1.0.2", "deployed", "doubt")]),
        ((deploy("TEST"), BACK), [("TEST", "1.0.2", "deployed", "failed"), ("TEST", "1.0.1", "rolled_back", "good")]),
        # Deployed anew after the roll-back, by a clear.
        (
            (deploy("TEST", minute=20), BACK),
            [("TEST", "1.0.2", "deployed", "good"), ("TEST", "1.0.1", "rolled_back", "good")],
        ),
        (
            (deploy("TEST", state=FAILED, outcome="failed", version=None), BACK.changed(state=FAILED)),
            [("TEST", "1.0.2", "deployed", "failed"), ("TEST", "1.0.1", "rolled_back", "failed")],
        ),
    ],
)
def test_what_counts_and_how_it_is_judged(
    steps: tuple[PromotionStep, ...], expected: list[tuple[str, str, str, str]]
) -> None:
    assert told(*steps) == expected


def test_what_is_underway_is_not_judged() -> None:
    assert told(deploy("TEST", state=STARTED), closed=None) == []
    assert told(deploy("TEST"), step("TEST.restart", 3, STARTED), closed=None) == [
        ("TEST", "1.0.2", "deployed", "open")
    ]


def test_a_failure_is_known_when_what_failed_first_had_ended() -> None:
    steps = (deploy("TEST", minute=1), step("TEST.restart", 5, FAILED), step("TEST.exago", 7, FAILED))
    [one] = deliveries_of(record(*steps, closed=T))
    assert (one.at, one.failed) == (T + 2 * MINUTE, T + 6 * MINUTE)
    [one, _] = deliveries_of(record(deploy("TEST", NEW, 1), BACK, closed=T))
    assert one.failed == T + 9 * MINUTE


def check(minute: int, word: VerdictWord, task: str = "TEST.verify.probe", **more: Any) -> Verdict:
    kind = StepKind.ROLL_BACK_VERIFICATION if task.startswith("roll_back") else StepKind.VERIFICATION
    given = {"stage": "TEST", "version": NEW, "kind": kind, **more}
    return Verdict(task=task, word=word, at=T + minute * MINUTE, **given)


def checked(state: StepState) -> PromotionStep:
    return step("TEST.restart", 3, state).changed(task="TEST.verify.probe", kind=StepKind.VERIFICATION)


GOOD, BAD = VerdictWord.VERIFIED, VerdictWord.REFUTED


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([check(3, GOOD)], [("good", 2, None)]),
        ([check(3, GOOD), check(9, BAD)], [("failed", 2, 9)]),
        ([check(3, GOOD), check(9, BAD, "TEST", by="ann")], [("failed", 2, 9)]),
        ([check(3, GOOD), check(9, VerdictWord.OVERTAKEN)], [("good", 2, None)]),
        # Of another stage, another version, or of what ran there before this deployment.
        ([check(9, BAD, stage="DEV")], [("good", 2, None)]),
        ([check(9, BAD, version=OLD)], [("good", 2, None)]),
        ([check(1, BAD)], [("good", 2, None)]),
        # It failed all the same, and was good again later.
        ([check(3, BAD), check(9, GOOD)], [("failed", 2, 3), ("good", 9, None)]),
    ],
)
def test_what_a_check_said_is_never_forgotten(
    verdicts: list[Verdict], expected: list[tuple[str, int, int | None]]
) -> None:
    found = deliveries_of(record(deploy("TEST", minute=1), closed=T, verdicts=tuple(verdicts)))
    minutes = [(str(one.verdict), one.at, one.failed) for one in found]
    assert minutes == [
        (verdict, T + at * MINUTE, None if failed is None else T + failed * MINUTE) for verdict, at, failed in expected
    ]


def test_what_was_brought_back_is_judged_by_its_own_checks() -> None:
    bad = check(12, BAD, "roll_back.verify.TEST_probe", version=OLD)
    found = deliveries_of(record(deploy("TEST", state=FAILED, outcome="failed"), BACK, closed=T, verdicts=(bad,)))
    assert [str(one.verdict) for one in found] == ["failed", "failed"]


@pytest.mark.parametrize(
    ("steps", "closed", "verdict"),
    [
        ((), None, "open"),
        ((), T, "doubt"),
        ((checked(SKIPPED),), T, "doubt"),
        ((checked(StepState.DONE),), T, "good"),
    ],
)
def test_what_has_to_be_verified_is_good_when_it_was(
    steps: tuple[PromotionStep, ...], closed: Any, verdict: str
) -> None:
    due = {"TEST": ("TEST.verify.probe",)}
    [one] = deliveries_of(record(deploy("TEST", minute=1), *steps, closed=closed, due=due))
    assert str(one.verdict) == verdict
