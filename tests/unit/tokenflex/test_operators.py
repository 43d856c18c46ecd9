"""Requesting, waiting and deleting, with Airflow's own task runner against the stand-in of Token Flex."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.tokenflex import vendor_fault
from nightshift.errors import Ambiguous, AuthFailed, BadResponse, JobFailed, Rejected, Unreachable
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.poller import follow
from nightshift.jobs.state import JobState, JobStatus
from nightshift.jobs.waiting import WaitPlan, Watch
from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.sensors import RETRIES_KEY
from tests.execution_api import LATER, FakeExecutionApi
from tests.unit.tokenflex.export_tasks import delete_task, request_task, sensor_task
from tests.unit.tokenflex.vendor import CONTRACT, NEVER, TOKEN, Vendor

WINDOW = "usageDate >= '2026-11-21' and usageDate < '2026-11-22'"


def test_an_export_is_requested_with_its_window_and_a_marker_in_its_name(vendor: Vendor, api: FakeExecutionApi) -> None:
    run = api.run(request_task())
    assert run.state == "success", run.error
    ((key, file_name),) = vendor.live_exports().items()
    assert vendor.payloads()[0]["where"] == WINDOW
    assert file_name.startswith("desktop 2026-11-21 nightshift-")
    assert run.result == {"request_key": key, "file_name": file_name, "where": WINDOW}


def test_the_look_back_widens_the_window(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.run(request_task(look_back=3, where="contractYear = 1 or contractYear = 2"))
    assert vendor.payloads()[0]["where"] == (
        "(contractYear = 1 or contractYear = 2) and usageDate >= '2026-11-18' and usageDate < '2026-11-22'"
    )


def test_a_condition_without_an_operator_is_an_equation(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.run(request_task(conditions=[{"field": "userName", "value": "ann"}]))
    assert vendor.payloads()[0]["where"] == f"userName = 'ann' and {WINDOW}"


def test_a_templated_value_is_quoted_and_never_ends_its_quotes(vendor: Vendor, api: FakeExecutionApi) -> None:
    condition = {"field": "userName", "operator": "=", "value": "{{ dag_run.conf['user'] }}"}
    api.conf = {"user": "ann"}
    api.run(request_task(conditions=[condition]))
    assert vendor.payloads()[0]["where"] == f"userName = 'ann' and {WINDOW}"
    api.conf = {"user": "x' or '1'='1"}
    run = api.run(request_task(conditions=[condition], task_id="other"))
    assert isinstance(run.error, Rejected)
    assert len(vendor.keys()) == 1


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"fields": ["chargedItemID"]}, "session-level-category"),
        ({"where": "userName = '{{ params.user }}'"}, "where-value"),
        ({"date_field": "usageMonth"}, "night-field"),
        ({"conditions": [{"field": "userName", "operator": "LIKE", "value": "b%"}]}, "where-pattern"),
        ({"conditions": [{"field": "userName"}]}, "conditions have one without 'value'"),
        ({"conditions": [{"value": "{{ ds }}"}]}, "conditions have one without 'field'"),
        ({"conditions": [{"field": "userName", "op": "=", "value": "ann"}]}, "conditions have one with 'op'"),
        ({"conditions": [{"field": 7, "value": "ann"}]}, "7 is not the name of a field"),
        ({"conditions": [{"field": "userName", "operator": None, "value": "ann"}]}, "is compared with None"),
        ({"conditions": {"field": "userName", "value": "ann"}}, "conditions have a str among them"),
    ],
)
def test_a_request_that_breaks_a_rule_is_refused_when_the_dag_is_read(given: dict[str, Any], rule: str) -> None:
    with pytest.raises(Rejected, match=rule):
        request_task(**given)


def test_a_retry_takes_up_the_export_there_is(vendor: Vendor, api: FakeExecutionApi) -> None:
    first = api.run(request_task())
    assert api.run(request_task()).result == first.result
    assert len(vendor.keys()) == 1


def test_an_export_whose_answer_was_lost_is_found_by_its_name(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.fault("create", "drop_after")
    run = api.run(request_task())
    assert run.state == "success", run.error
    assert [run.result["request_key"]] == vendor.keys()


def test_a_request_that_was_lost_is_sent_again_by_the_next_attempt(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.fault("create", "drop")
    assert api.run(request_task()).state == "up_for_retry"
    assert api.run(request_task()).state == "success"
    assert len(vendor.keys()) == 1


def test_an_export_of_a_killed_attempt_is_adopted(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.run(request_task())
    record = dict(api.task_store["nightshift_job"])
    # As kill -9 leaves it between the vendor's answer and our note of it.
    api.task_store["nightshift_job"] = {**record, "id": None, "status": None, "done": False}
    assert api.run(request_task()).result["request_key"] == vendor.keys()[0]
    assert len(vendor.keys()) == 1


def test_two_exports_with_the_marker_are_a_persons_matter(vendor: Vendor, api: FakeExecutionApi) -> None:
    api.run(request_task())
    name = next(iter(vendor.live_exports().values())).removesuffix(".csv")
    vendor.add(name=name)
    api.task_store["nightshift_job"] = {**api.task_store["nightshift_job"], "id": None, "status": None, "done": False}
    assert isinstance(api.run(request_task()).error, Ambiguous)


def test_clearing_makes_a_new_export_and_deletes_the_pending_one_that_it_replaces(
    vendor: Vendor, api: FakeExecutionApi
) -> None:
    vendor.turn(processing_seconds=NEVER)
    old = api.run(request_task()).result["request_key"]
    api.clear()
    new = api.run(request_task()).result["request_key"]
    assert old != new
    assert vendor.deleted == [old]
    assert vendor.keys() == [new]


@pytest.mark.parametrize(("delete", "left"), [(False, 2), (True, 1)])
def test_a_finished_export_that_a_clear_replaces_is_deleted_only_when_asked_for(
    vendor: Vendor, api: FakeExecutionApi, delete: bool, left: int
) -> None:
    vendor.turn(processing_seconds=0)
    api.run(request_task(delete_replaced=delete))
    api.clear()
    api.run(request_task(delete_replaced=delete))
    assert len(vendor.keys()) == left


def test_an_export_for_another_request_is_deleted_before_a_new_one_is_made(
    vendor: Vendor, api: FakeExecutionApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nightshift.tokenflex.operators.AGAIN_AFTER", 0)
    vendor.turn(processing_seconds=NEVER)
    api.run(request_task())
    api.task_store["nightshift_job"] = {**api.task_store["nightshift_job"], "done": False}
    run = api.run(request_task(metrics=["useCount"]))
    assert run.state == "success", run.error
    assert [one["metrics"] for one in vendor.payloads()] == [["useCount"]]


def test_a_full_queue_is_waited_for_without_a_worker_and_without_using_up_retries(
    vendor: Vendor, api: FakeExecutionApi
) -> None:
    vendor.fault("create", 429, (429, {"Retry-After": "400"}, {}))
    began = time.time()
    run = api.run(request_task())
    assert run.state == "deferred"
    first = api.trigger(run.message)._moment.timestamp() - began
    assert 60 <= first <= 75
    run = api.run(request_task(), resume=("resume", None))
    assert run.state == "deferred"
    assert api.trigger(run.message)._moment.timestamp() - began >= 400
    assert api.run(request_task(), resume=("resume", None)).state == "success"
    assert len(vendor.keys()) == 1
    assert "tokenflex_queue" not in api.task_store


@pytest.mark.parametrize("asked", ["4071404540000", "Fri, 31 Dec 9999 23:59:59 GMT", "9" * 400, "5000"])
def test_a_full_queue_is_looked_at_again_before_its_time_is_over_whatever_the_vendor_asks(
    vendor: Vendor, api: FakeExecutionApi, asked: str
) -> None:
    vendor.fault("create", (429, {"Retry-After": asked}, {}))
    began = time.time()
    run = api.run(request_task(queue_timeout=900))
    assert run.state == "deferred"
    assert api.trigger(run.message)._moment.timestamp() - began <= 901
    assert api.run(request_task(queue_timeout=900), resume=("resume", None)).state == "success"
    assert len(vendor.keys()) == 1


def test_a_queue_that_stays_full_is_given_up(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.fault("create", 429, 429)
    assert api.run(request_task(queue_timeout=0)).state == LATER
    assert vendor.keys() == []


def test_the_sensor_defers_without_a_question_and_ends_when_the_file_is_ready(
    vendor: Vendor, api: FakeExecutionApi
) -> None:
    export = vendor.add(ready=0.1)
    run = api.run(sensor_task(export.key))
    assert run.state == "deferred"
    assert vendor.seen == []
    run = api.run(sensor_task(export.key), follow=True)
    assert run.state == "success", run.error
    assert run.result["result"] == {"file_name": "made elsewhere.csv"}
    assert "Signature" not in str(run.events) + str(api.xcoms) + str(dict(api.task_store)) + str(api.rendered)


def test_a_failed_export_is_tried_again_at_the_vendor(vendor: Vendor, api: FakeExecutionApi) -> None:
    export = vendor.add(fails=2)
    run = api.run(sensor_task(export.key), follow=True)
    assert run.state == "success", run.error
    assert vendor.retries == 2


def test_an_export_that_keeps_failing_is_a_failure_after_so_many_tries(vendor: Vendor, api: FakeExecutionApi) -> None:
    export = vendor.add(fails=99)
    run = api.run(sensor_task(export.key, vendor_retries=2), follow=True)
    assert isinstance(run.error, JobFailed)
    assert run.error.state == "Error"
    assert "clear the task that requests it" in str(run.error)
    assert vendor.retries == 2
    assert api.task_store[RETRIES_KEY] == {"export": export.key, "count": 2, "asked": True}


@pytest.mark.parametrize(("kept", "expected"), [({}, 1), ({"asked": True}, 1), ({"asked": False}, 2)])
def test_an_attempt_that_ended_before_it_asked_for_a_try_uses_none_up(
    vendor: Vendor, api: FakeExecutionApi, kept: dict[str, Any], expected: int
) -> None:
    """What a release before this one has kept, or an attempt that was not killed, is a try that was asked for."""
    export = vendor.add(fails=99)
    api.task_store[RETRIES_KEY] = {"export": export.key, "count": 1, **kept}
    run = api.run(sensor_task(export.key, vendor_retries=2), follow=True)
    assert isinstance(run.error, JobFailed)
    assert vendor.retries == expected


def test_an_unknown_state_is_waited_on(vendor: Vendor, api: FakeExecutionApi) -> None:
    export = vendor.add()
    vendor.faults.add(vendor_fault("export_status", detail={"status": "Queued for lunch"}))
    assert api.run(sensor_task(export.key), follow=True).state == "success"


def test_200_waits_cost_one_call_a_round(vendor: Vendor, hook_connection: None) -> None:
    keys = [vendor.add(ready=0.7).key for _ in range(200)]
    spec = AdapterSpec.of(TokenFlexExportAdapter, "tokenflex_default", contract=CONTRACT)

    class Quiet:
        def log(self, level: int, msg: str, /) -> None:
            pass

    async def wait(key: str) -> Any:
        plan = WaitPlan(job_id=key, started=time.time(), deadline=time.time() + 30, first=0.5, cap=0.5)
        return await follow(spec, Watch(plan, time.time()), Quiet())

    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*map(wait, keys))

    events = asyncio.run(all_of_them())
    assert {event.seen.vendor_state for event in events} == {"Download"}
    assert vendor.count("GET") < 20
    assert sum("requests/" in one.path for one in vendor.seen) <= 1


async def test_an_export_that_the_list_leaves_out_is_asked_for_by_its_key(
    vendor: Vendor, hook_connection: None
) -> None:
    here, hidden = vendor.add(), vendor.add(listed=datetime.max.replace(tzinfo=UTC))
    async with TokenFlexExportAdapter("tokenflex_default", contract=CONTRACT) as adapter:
        found = await adapter.status([here.key, hidden.key, "2026-01-01T00:00:00#gone"])
    assert {key: status.state for key, status in found.items()} == {  # type: ignore[union-attr]
        here.key: "succeeded",
        hidden.key: "succeeded",
        "2026-01-01T00:00:00#gone": "gone",
    }


async def test_an_answer_about_another_export_is_a_failed_look_at_this_one_alone(
    vendor: Vendor, hook_connection: None
) -> None:
    here, hidden, other = vendor.add(), vendor.add(listed=datetime.max.replace(tzinfo=UTC)), vendor.add()
    vendor.fault("get", (200, {}, {"requestKey": other.key, "requestStatus": "Error"}))
    async with TokenFlexExportAdapter("tokenflex_default", contract=CONTRACT) as adapter:
        found = await adapter.status([here.key, hidden.key])
        again = await adapter.status([here.key, hidden.key])
    assert isinstance(found[hidden.key], BadResponse)
    assert [found[here.key], again[hidden.key]] == [
        JobStatus(
            id=one.key, state=JobState.SUCCEEDED, vendor_state="Download", attributes={"file_name": one.asked.file_name}
        )
        for one in (here, hidden)
    ]


async def test_a_page_is_no_word_on_an_export(vendor: Vendor, hook_connection: None) -> None:
    """A web server that restarts, or a proxy, answers with 404 or 400 as well: that is a failed look, not an end."""
    export, page = vendor.add(ready=NEVER), (404, {"Content-Type": "text/html"}, "<html>restarting</html>")
    vendor.fault("get", page, (400, *page[1:]))
    async with TokenFlexExportAdapter("tokenflex_default", contract=CONTRACT) as adapter:
        for _ in range(2):
            assert isinstance((await adapter.status([export.key]))[export.key], Unreachable)
        found = (await adapter.status([export.key]))[export.key]
    assert isinstance(found, JobStatus)
    assert found.vendor_state == "Requested"


async def test_gone_is_what_the_list_and_the_question_by_its_key_agree_on(
    vendor: Vendor, hook_connection: None
) -> None:
    export, unknown = vendor.add(ready=NEVER), (400, {}, {"Code": "BadRequestError", "Message": "no such request"})
    vendor.fault("get", unknown)
    async with TokenFlexExportAdapter("tokenflex_default", contract=CONTRACT) as adapter:
        listed = (await adapter.status([export.key]))[export.key]
        assert isinstance(listed, JobStatus)
        assert listed.state == "running"
        vendor.forget()
        gone = (await adapter.status([export.key]))[export.key]
    assert isinstance(gone, JobStatus)
    assert gone.state == "gone"


def test_a_page_of_a_proxy_is_no_deletion(vendor: Vendor, api: FakeExecutionApi) -> None:
    export = vendor.add()
    vendor.faults.add(Fault(kind=FaultKind.HTML_200, method="DELETE"))
    assert api.run(delete_task(export.key)).state == "success"
    assert vendor.deleted == [export.key]


def test_a_success_of_another_kind_is_no_deletion_where_the_export_is_still_there(
    vendor: Vendor, api: FakeExecutionApi
) -> None:
    export = vendor.add()
    vendor.faults.add(Fault(kind=FaultKind.EMPTY_200, method="DELETE"))
    run = api.run(delete_task(export.key))
    assert (run.state, vendor.deleted) == ("up_for_retry", [])
    assert "the export is still there" in str(run.error)
    assert api.run(delete_task(export.key)).state == "success"
    assert vendor.deleted == [export.key]


@pytest.mark.parametrize(
    "refusal",
    [
        (400, {}, {"Code": "BadRequestError", "Message": "BadRequestError: it cannot be deleted at this time"}),
        (404, {}, {"message": "it cannot be deleted at this time: no Route matched"}),
    ],
)
def test_a_deletion_that_is_refused_is_none_while_the_export_is_still_there(
    vendor: Vendor, api: FakeExecutionApi, refusal: Any
) -> None:
    export, unknown = vendor.add(), (400, {}, {"Code": "BadRequestError", "Message": "no such request"})
    vendor.fault("delete", refusal, refusal)
    run = api.run(delete_task(export.key))
    assert (run.state, type(run.error), vendor.keys()) == ("failed", Rejected, [export.key])
    assert "it cannot be deleted at this time" in str(run.error)
    api.clear()
    vendor.fault("get", unknown)
    run = api.run(delete_task(export.key))
    assert (run.state, type(run.error), vendor.keys()) == ("up_for_retry", BadResponse, [export.key])
    assert api.run(delete_task(export.key)).state == "success"
    assert vendor.deleted == [export.key]


@pytest.mark.parametrize("faults", [[], ["drop_after"]])
def test_an_export_is_deleted_whatever_becomes_of_the_answer(
    vendor: Vendor, api: FakeExecutionApi, faults: list[str]
) -> None:
    vendor.fault("delete", *faults)
    export = vendor.add()
    assert api.run(delete_task(export.key)).state == "success"
    assert vendor.deleted == [export.key]
    assert api.run(delete_task(export.key)).state == "success"


def test_a_wrong_token_fails_at_once(vendor: Vendor, api: FakeExecutionApi, connection: dict[str, str]) -> None:
    connection["extra"] = connection["extra"].replace(TOKEN, "another-token")
    run = api.run(request_task())
    assert isinstance(run.error, AuthFailed)
    assert run.state == "failed"
