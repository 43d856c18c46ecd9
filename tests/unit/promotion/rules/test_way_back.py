"""What follows where a stage failed; what can be brought back at all is in ``test_progress``."""

from __future__ import annotations

import pytest

from nightshift.promotion.record import PromotionStep
from nightshift.promotion.rules.way_back import response, roll_back_of
from nightshift.promotion.vocabulary import StepState
from tests.unit.promotion.records import deploy, ran, record, step

REFUTED = step("TEST.probe", state=StepState.FAILED, outcome="refuted")
BROKEN = deploy("TEST", state=StepState.FAILED, outcome="failed")


@pytest.mark.parametrize(
    ("said", "bad", "revoked", "unapproved", "follows"),
    [
        ("roll_back", REFUTED, "", "", "roll_back"),
        ("roll_back", BROKEN, "", "", "roll_back"),
        ("roll_back", step("TEST.restart", state=StepState.FAILED, outcome="failed"), "", "", "roll_back"),
        ("roll_back", step("TEST.soak", state=StepState.FAILED, outcome="refuted"), "", "", "roll_back"),
        ("roll_back", REFUTED, "it loses invoices", "", "offer"),
        ("roll_back", REFUTED, "", "another rule was approved", "offer"),
        ("roll_back", deploy("TEST", state=StepState.FAILED, outcome="timed_out"), "", "", "offer"),
        ("roll_back", deploy("TEST", state=StepState.FAILED, outcome="aborted"), "", "", "offer"),
        ("roll_back", deploy("TEST", state=StepState.STARTED), "", "", "offer"),
        ("roll_back", step("TEST.probe", state=StepState.FAILED, outcome="Contended"), "", "", "offer"),
        ("roll_back", step("TEST.exago", state=StepState.FAILED, outcome="failed"), "", "", "offer"),
        ("offer", REFUTED, "", "", "offer"),
        ("stop", REFUTED, "", "", "stop"),
        ("stop", BROKEN, "x", "y", "stop"),
    ],
)
def test_nothing_comes_back_unasked_unless_it_is_known_what_is_at_fault(
    said: str, bad: PromotionStep, revoked: str, unapproved: str, follows: str
) -> None:
    found, why = response(said, bad, revoked=revoked, unapproved=unapproved)  # type: ignore[arg-type]
    assert found == follows
    assert why


@pytest.mark.parametrize(
    ("bad", "brought_back"),
    [
        (REFUTED, True),
        (step("TEST.soak", state=StepState.FAILED, outcome="refuted"), True),
        (step("TEST.probe", state=StepState.FAILED, outcome="overtaken"), False),
    ],
)
def test_a_check_that_fails_leaves_a_way_back_unless_somebody_else_deployed_since(
    bad: PromotionStep, brought_back: bool
) -> None:
    found = roll_back_of(record(deploy("TEST"), bad, before={"TEST": ran()}))
    assert found is not None
    assert (found.stage, found.bad, found.to is not None) == ("TEST", bad, brought_back)
