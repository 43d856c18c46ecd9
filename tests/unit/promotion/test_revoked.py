"""The word of a person, from a machine whose clock is not that of the worker that deployed."""

from __future__ import annotations

from datetime import timedelta

import pytest

from nightshift.promotion.record import Order, StepState, now
from nightshift.promotion.revoked import report, what_follows
from nightshift.promotion.rules.delivery import DeliveryVerdict, deliveries_of
from nightshift.promotion.rules.verification import reported_failure
from tests.unit.promotion.records import deploy, record, step
from tests.unit.promotion.shelf import Shelf

AHEAD = timedelta(minutes=3)


@pytest.mark.parametrize("order", [None, (1, 2)])
async def test_a_report_is_never_before_the_end_of_the_deployment_that_it_is_about(
    shelf: Shelf, order: Order | None
) -> None:
    ended = now() + AHEAD
    brought = deploy("DEV", started=ended, ended=ended, order=order)
    soak = step("DEV.soak", state=StepState.STARTED)
    await shelf.put(record(brought, soak, run_id="a", due={"DEV": ("DEV.soak",)}), minute=1)
    verdict = await report(shelf.records, "a", "DEV", by="dan", why="loses invoices")
    found = await shelf.records.read("a")
    assert found is not None
    assert "Its soak in DEV ends" in what_follows(found, "DEV", None)
    assert (verdict.at, verdict.about, reported_failure(found, "DEV")) == (ended, order, verdict)
    assert [one.verdict for one in deliveries_of(found)] == [DeliveryVerdict.FAILED]
