"""What a record tells of each stage, as a table: what counts as a deployment, and how it is judged."""

from __future__ import annotations

from typing import Any

import pytest

from nightshift.promotion.record import PromotionStep, StepState
from nightshift.promotion.rules.delivery import deliveries_of
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
        ((deploy("TEST", minute=20), BACK), [("TEST", "1.0.2", "deployed", "good"), ("TEST", "1.0.1", "rolled_back", "good")]),
        (
            (deploy("TEST", state=FAILED, outcome="failed", version=None), BACK.changed(state=FAILED)),
            [("TEST", "1.0.2", "deployed", "failed"), ("TEST", "1.0.1", "rolled_back", "failed")],
        ),
    ],
)  # fmt: skip
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
