"""The word of a person on what runs in a stage, however it came there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nightshift.promotion.record import Order, PromotionStep, Version, now
from nightshift.promotion.revoked import RunsAnother, report, what_follows
from nightshift.promotion.rules.delivery import DeliveryVerdict, deliveries_of
from nightshift.promotion.rules.verification import reported_failure
from nightshift.promotion.vocabulary import StepState, VerdictWord
from tests.unit.promotion.records import NEW, OLD, deploy, ran, record, step
from tests.unit.promotion.shelf import Shelf

AHEAD = timedelta(minutes=3)
BACK = step("roll_back.deploy", 9, stage="TEST", version=OLD, requests=(12009,), order=(1, 5))
REFUTED, BROKEN = deploy("TEST", order=(1, 3)), deploy("TEST", state=StepState.FAILED, outcome="failed", order=(1, 3))
AGAIN = deploy("TEST", state=StepState.STARTED, order=(1, 5), brought=ran(NEW, "a", 1).changed(order=(1, 3)))


@pytest.mark.parametrize("order", [None, (1, 2)])
async def test_a_report_is_never_before_the_end_of_the_deployment_that_it_is_about(
    shelf: Shelf, order: Order | None
) -> None:
    ended = now() + AHEAD
    brought = deploy("DEV", started=ended, ended=ended, order=order)
    soak = step("DEV.soak", state=StepState.STARTED)
    await shelf.put(record(brought, soak, run_id="a", due={"DEV": ("DEV.soak",)}), minute=1)
    verdict = await report(shelf.records, "a", "DEV", NEW, by="dan", why="loses invoices")
    found = await shelf.records.read("a")
    assert found is not None
    assert "Its soak in DEV ends" in what_follows(found, "DEV", None)
    assert (verdict.at, verdict.about, reported_failure(found, "DEV")) == (ended, order, verdict)
    assert [one.verdict for one in deliveries_of(found)] == [DeliveryVerdict.FAILED]


@pytest.mark.parametrize(
    ("steps", "there", "about"),
    [
        ((REFUTED, BACK), OLD, (1, 5)),
        ((BROKEN, BACK), OLD, (1, 5)),
        ((AGAIN,), NEW, (1, 3)),
        ((REFUTED.changed(order=(1, 7)), BACK), NEW, (1, 7)),
    ],
    ids=["rolled back", "failed and rolled back", "begun again", "rolled back and deployed anew"],
)
async def test_a_report_is_about_what_runs_in_the_stage(
    shelf: Shelf, steps: tuple[PromotionStep, ...], there: Version, about: Order
) -> None:
    await shelf.put(record(*steps, run_id="a", due={"TEST": ("TEST.soak",)}), minute=1)
    [other] = {OLD, NEW} - {there}
    with pytest.raises(RunsAnother, match=f"TEST runs {there.name} .* by now, and not {other.name}"):
        await report(shelf.records, "a", "TEST", other, by="dan", why="loses invoices")
    verdict = await report(shelf.records, "a", "TEST", there, by="dan", why="loses invoices")
    assert (verdict.version, verdict.about, verdict.word) == (there, about, VerdictWord.REFUTED)
    found = await shelf.records.read("a")
    assert found is not None
    judged = {one.version: one.verdict for one in deliveries_of(found) if one.verdict is DeliveryVerdict.FAILED}
    assert there is NEW or there.name in judged
    # No word on what was brought back says anything of the deployment before it.
    is_of_the_deployment = about in [step.order for step in steps[:1] if step.state is StepState.DONE]
    assert (reported_failure(found, "TEST") is not None) == is_of_the_deployment
