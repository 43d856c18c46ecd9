"""One export of ours is alive, whatever others have listed, however late the list is: judged by the vendor's ledger."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from airflow.sdk import DAG

from include.standins import Fault, FaultKind
from include.standins.tokenflex import TokenFlexStandIn, vendor_fault
from nightshift.errors import Ambiguous, Rejected
from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.operators import TokenFlexRequestExportOperator
from nightshift.tokenflex.sensors import TokenFlexExportSensor
from tests.contract.tokenflex.conftest import CONTRACT, airflow
from tests.contract.tokenflex.test_exports import EXPORT, NIGHT, request
from tests.execution_api import FakeExecutionApi

StartVendor = Callable[..., TokenFlexStandIn]
OTHER = "110000411502"
RECORD = "nightshift_job"


def made(vendor: TokenFlexStandIn) -> list[str]:
    """Keys of the exports that we have asked for, oldest first."""
    return [effect.key for effect in vendor.ledger.effects(kind="export_created")]


def alive(vendor: TokenFlexStandIn) -> list[str]:
    """Those of them that are still there."""
    return [key for key in made(vendor) if key in vendor.live_exports()]


def body(name: str) -> dict[str, Any]:
    return {"fields": ["usageDate"], "metrics": ["tokensConsumed"], "downloadFileName": name}


def in_doubt(api: FakeExecutionApi) -> str:
    """Leave the record as kill -9 leaves it between the vendor's answer and our note of it; return the name sent."""
    record = dict(api.task_store[RECORD])
    api.task_store[RECORD] = {**record, "id": None, "status": None, "done": False}
    return str(record["intent"]["name"])


SIMILAR: dict[str, Callable[[str], str]] = {
    "ends alike": lambda name: f"old {name}",
    "begins alike": lambda name: f"{name} copy",
    "marker alone": lambda name: name.rpartition(" ")[2],
    "another night": lambda name: name.replace(NIGHT, "2020-01-01"),
    "other case": str.upper,
    "extension twice": lambda name: f"{name}.csv",
}


@pytest.mark.parametrize("how", SIMILAR)
def test_another_export_with_a_similar_name_is_never_ours(vendor_with: StartVendor, how: str) -> None:
    vendor = vendor_with()
    api = airflow(vendor)
    ours = request(api).result["request_key"]
    name = in_doubt(api)
    theirs = vendor.add_from_elsewhere(body(SIMILAR[how](name))).key
    assert request(api).result["request_key"] == ours
    assert made(vendor) == [ours]
    in_doubt(api)
    vendor.exports.remove(next(one for one in vendor.exports.all() if one.key == ours))
    again = request(api).result["request_key"]
    assert again not in (ours, theirs)
    assert alive(vendor) == [again]
    assert theirs in vendor.live_exports()


@pytest.mark.parametrize("given", [{"contract_number": OTHER}, {"schedule": "7"}], ids=["other contract", "a schedule"])
def test_the_very_name_is_not_enough_where_the_list_says_otherwise(
    vendor_with: StartVendor, given: dict[str, str]
) -> None:
    vendor = vendor_with()
    api = airflow(vendor)
    ours = request(api).result["request_key"]
    vendor.add_from_elsewhere(body(in_doubt(api)), **given)
    assert request(api).result["request_key"] == ours
    assert made(vendor) == [ours]


def test_two_of_the_very_same_name_are_a_persons_matter_and_the_right_one_is_taken(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    api = airflow(vendor)
    ours = request(api).result["request_key"]
    name = in_doubt(api)
    theirs = vendor.add_from_elsewhere(body(f"old {name}")).key
    vendor.add_from_elsewhere(body(name))
    assert isinstance(request(api).error, Ambiguous)
    api.task_store["nightshift_resolve"] = {"adopt": theirs}
    refused = request(api)
    assert isinstance(refused.error, Rejected)
    assert f"is called 'old {name}'" in str(refused.error)
    api.task_store["nightshift_resolve"] = {"adopt": "2020-01-01T00:00:00#nobody"}
    assert "does not show it" in str(request(api).error)
    api.task_store["nightshift_resolve"] = {"adopt": ours}
    assert request(api).result["request_key"] == ours
    assert made(vendor) == [ours]


def test_a_list_that_is_later_than_every_look_leaves_one_export_alive(vendor_with: StartVendor) -> None:
    """The first export is listed only after a second was made; the next look of the task deletes the first."""
    vendor = vendor_with()
    vendor.faults.add(vendor_fault("list_late", seconds=600))
    vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path="/requests$"))
    api = airflow(vendor)
    run = request(api)
    assert run.state == "up_for_retry"
    assert "It is not sent again on a guess" in str(run.error)
    assert request(api).state == "success"
    first, second = made(vendor)
    assert api.task_store[RECORD]["id"] == second
    vendor.clock.advance(601)
    assert request(api).result["request_key"] == second
    assert alive(vendor) == [second]
    assert [effect.key for effect in vendor.ledger.effects(kind="export_deleted")] == [first]


def test_what_is_listed_while_the_second_export_is_waited_for_is_deleted_by_the_wait(vendor_with: StartVendor) -> None:
    vendor = vendor_with()
    vendor.faults.add(vendor_fault("list_late", seconds=600))
    vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path="/requests$"))
    api = airflow(vendor)
    assert request(api).state == "up_for_retry"
    key = request(api).result["request_key"]
    first, second = made(vendor)
    assert key == second
    vendor.clock.advance(601)
    api.task_store.clear()
    with DAG("d", schedule=None):
        wait = TokenFlexExportSensor(
            task_id="wait", contract=CONTRACT, request_key=key, requested_by="request", poll_first=0.05, poll_cap=0.1
        )
    run = api.run(wait, follow=True)
    assert run.state == "success", run.error
    assert run.result["job_id"] == second
    assert alive(vendor) == [second]
    assert [effect.key for effect in vendor.ledger.effects(kind="export_deleted")] == [first]


@pytest.mark.parametrize("fault", [{"status": 404}, {"status": 400}])
def test_a_proxys_word_on_an_export_is_no_word_on_it(vendor_with: StartVendor, fault: dict[str, int]) -> None:
    """While the service restarts, a page with 404 or 400 answers everything: no second export is made of that."""
    vendor = vendor_with()
    api = airflow(vendor)
    ours = request(api).result["request_key"]
    api.task_store[RECORD] = {**api.task_store[RECORD], "done": False}
    vendor.faults.add(
        Fault(
            kind=FaultKind.STATUS,
            method="GET",
            path="/requests",
            times=2,
            body="<html>restarting</html>",
            content_type="text/html",
            **fault,
        )
    )
    for _ in range(2):
        run = request(api)
        assert run.state in ("success", "up_for_retry"), run.error
    assert request(api).result["request_key"] == ours
    assert made(vendor) == [ours]


class Paced(TokenFlexExportAdapter):
    """A turn comes every one and a half seconds, the last one is just gone; a request has to leave in half a second."""

    settle = 0.2
    send_within = 0.5

    async def ready(self) -> None:
        assert self.hook._pacer is not None
        self.hook._pacer.allow(1)
        self.hook._pacer._window = 1.5
        self.hook._pacer.book()
        await super().ready()


class PacedRequest(TokenFlexRequestExportOperator):
    adapter_type = Paced


def test_a_pace_slower_than_the_window_costs_no_second_export(vendor_with: StartVendor) -> None:
    """The turn is waited for before the intent, so that the request leaves right after it."""
    vendor = vendor_with()
    api = airflow(vendor)
    with DAG("d", schedule=None):
        task = PacedRequest(
            task_id="request",
            contract=CONTRACT,
            night=NIGHT,
            fields=EXPORT.fields,
            metrics=EXPORT.metrics,
            categories=EXPORT.category,
        )
    began = time.monotonic()
    run = api.run(task)
    assert run.state == "success", run.error
    assert time.monotonic() - began > 1
    assert made(vendor) == [run.result["request_key"]]
