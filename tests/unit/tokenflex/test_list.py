"""The list of exports: how it is asked for, and what is concluded where it is empty, refused or odd."""

from __future__ import annotations

from typing import Any

import pytest

from include.standins import Fault, FaultKind
from nightshift.errors import BadResponse, Unreachable
from nightshift.jobs.state import JobState
from nightshift.tokenflex.adapter import TokenFlexExportAdapter
from nightshift.tokenflex.hook import TokenFlexHook
from tests.execution_api import FakeExecutionApi
from tests.unit.tokenflex.export_tasks import delete_task, request_task
from tests.unit.tokenflex.vendor import CONTRACT, NEVER, Vendor

DOUBTFUL = (400, {}, {"Code": "BadRequestError", "Message": "The requested item does not exist or is invalid"})
FORBIDDEN = (403, {}, {"Code": "ForbiddenError", "Message": "ForbiddenError: Invalid contract or access level"})
UNKNOWN = (400, {}, {"Code": "BadRequestError", "Message": "no such request"})


async def statuses(keys: list[str]) -> dict[str, Any]:
    async with TokenFlexExportAdapter("tokenflex_default", contract=CONTRACT) as adapter:
        return dict(await adapter.status(keys))


def test_an_export_is_found_where_the_list_takes_times_alone(vendor: Vendor, api: FakeExecutionApi) -> None:
    """The vendor's example of ``fromDate`` is a time with its zone."""
    vendor.turn(list_dates="times")
    vendor.fault("create", "drop_after")
    run = api.run(request_task())
    assert run.state == "success", run.error
    assert [run.result["request_key"]] == vendor.keys()


async def test_the_list_answers_for_all_where_it_takes_times_alone(vendor: Vendor, hook_connection: None) -> None:
    vendor.turn(list_dates="times")
    keys = [vendor.add().key for _ in range(5)]
    assert {status.state for status in (await statuses(keys)).values()} == {JobState.SUCCEEDED}
    assert len(vendor.seen) == 1


@pytest.mark.parametrize("refusal", [FORBIDDEN, DOUBTFUL, (404, {}, {}), (200, {}, {"message": "no list"}), "days"])
async def test_a_list_that_cannot_be_read_keeps_nobody_from_asking_by_key(
    vendor: Vendor, hook_connection: None, refusal: Any
) -> None:
    if refusal == "days":
        vendor.turn(list_dates=refusal)
    else:
        vendor.fault("list", *[refusal] * 5)
    first, second, third = (vendor.add().key for _ in range(3))
    found = await statuses([first, second, third])
    assert [found[one].state for one in (first, second)] == [JobState.SUCCEEDED] * 2
    assert isinstance(found[third], Unreachable)
    assert "the list of exports cannot be read" in str(found[third])


@pytest.mark.parametrize("more", [0, 1])
async def test_an_export_is_not_gone_where_only_its_key_is_refused_and_the_list_cannot_be_read(
    vendor: Vendor, hook_connection: None, more: int
) -> None:
    keys = [vendor.add(ready=NEVER).key for _ in range(1 + more)]
    vendor.fault("list", FORBIDDEN)
    vendor.fault("get", UNKNOWN)
    assert isinstance((await statuses(keys))[keys[0]], Unreachable)


async def test_an_odd_export_of_somebody_else_says_nothing_of_the_others(vendor: Vendor, hook_connection: None) -> None:
    mine = [vendor.add().key for _ in range(3)]
    odd = vendor.add(name="somebody else's", status_word=None)
    found = await statuses(mine)
    assert {status.state for status in found.values()} == {JobState.SUCCEEDED}
    assert len(vendor.seen) == 1
    assert (await statuses([*mine, odd.key]))[odd.key].state == JobState.UNKNOWN


def test_a_request_whose_export_the_list_shows_oddly_is_not_sent_again(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.fault("create", "drop_after")
    vendor.fault("list", (200, {}, [None, 7, {"downloadFileName": ["x"]}]))
    assert api.run(request_task()).result["request_key"] == vendor.keys()[0]
    api.task_store["nightshift_job"] = {**api.task_store["nightshift_job"], "id": None, "status": None, "done": False}
    name = next(iter(vendor.live_exports().values()))
    vendor.fault("list", (200, {}, [{"requestKey": None, "requestStatus": 1, "downloadFileName": name}]))
    assert isinstance(api.run(request_task()).error, BadResponse)
    assert api.run(request_task()).result["request_key"] == vendor.keys()[0]
    assert vendor.count("POST") == 1


@pytest.mark.parametrize("status", [204, 400])
def test_an_empty_list_may_be_no_content_or_say_that_nothing_exists(
    vendor: Vendor, api: FakeExecutionApi, status: int
) -> None:
    vendor.turn(empty_status=status)
    vendor.fault("create", "drop")
    assert api.run(request_task()).state == "up_for_retry"
    assert api.run(request_task()).state == "success"
    assert len(vendor.keys()) == 1
    vendor.forget()
    assert api.run(delete_task("2026-11-22T01:00:00#gone")).state == "success"


def test_a_refused_list_is_no_word_on_a_request_whose_answer_was_lost(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.fault("create", "drop_after")
    vendor.fault("list", *[DOUBTFUL] * 2)
    for _ in range(2):
        run = api.run(request_task())
        assert (run.state, type(run.error)) == ("up_for_retry", Unreachable)
        assert "the list of exports was refused" in str(run.error)
        assert "nightshift_resolve" in str(run.error)
        assert "fields, metrics" not in str(run.error)
    assert api.run(request_task()).result["request_key"] == vendor.keys()[0]
    assert vendor.count("POST") == 1


def test_the_test_button_takes_no_content_for_no_contract(vendor: Vendor, hook_connection: None) -> None:
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=204, path="/contract$", body="", content_type=""))
    ok, text = TokenFlexHook().test_connection()
    assert ok, text
    assert "missing role" in text


async def test_the_last_days_of_usage_may_be_no_content(vendor: Vendor, hook_connection: None) -> None:
    vendor.faults.add(Fault(kind=FaultKind.STATUS, status=204, path="/last$", body="", content_type=""))
    async with TokenFlexHook() as hook:
        assert await hook.usage_last(CONTRACT) == []
