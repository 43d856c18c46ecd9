"""What a request waits for at the FlexDeploy stand-in: approvals, schedules, windows, the queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from include.standins.flexdeploy import Window
from include.standins.flexdeploy.engine import next_opening
from tests.contract.standins.flexdeploy.client import (
    PROD,
    TEST,
    Caller,
    only,
    site,
)


def moves(caller: Caller, request: int) -> list[str]:
    """Return the states that a request went through."""
    caller.vendor.settle()
    return [effect.detail["status"] for effect in caller.vendor.ledger.effects(kind="request_moved", key=str(request))]


class TestApprovals:
    @pytest.fixture
    def caller(self) -> Iterator[Caller]:
        with site(approvals={"PROD": 2}) as one:
            yield one

    def test_all_of_them_have_to_be_given(self, caller: Caller) -> None:
        number = caller.deployed(environment=PROD)
        caller.vendor.clock.advance(3 * 86400)
        assert caller.status(number) == "PENDING_APPROVAL"
        first, second = caller.get("/v1/tasks/approval", workflowRequestId=number)
        assert (first["status"], first["requestType"], first["projectName"]) == ("PENDING", "Project", "LicensePortal")
        assert caller.call("PUT", f"/v1/tasks/approval/approve/{first['taskId']}").status == 200
        assert caller.status(number) == "PENDING_APPROVAL"
        assert caller.get(f"/v1/tasks/approval/{first['taskId']}")["status"] == "APPROVED"
        assert caller.call("PUT", f"/v1/tasks/approval/approve/{second['taskId']}").status == 200
        assert caller.status(number) == "READY"
        assert caller.call("PUT", f"/v1/tasks/approval/reject/{second['taskId']}").status == 400
        caller.vendor.clock.advance(1)
        assert moves(caller, number) == ["PENDING_APPROVAL", "READY", "SUBMITTED", "COMPLETED"]

    def test_one_rejection_ends_it(self, caller: Caller) -> None:
        number = caller.deployed(environment=PROD)
        task, _ = caller.get("/v1/tasks/approval", workflowRequestId=number)
        assert caller.call("PUT", f"/v1/tasks/approval/reject/{task['taskId']}").status == 200
        assert caller.status(number) == "REJECTED"
        assert [one["status"] for one in caller.get("/v1/tasks/approval", workflowRequestId=number)] == [
            "REJECTED",
            "CANCELLED",
        ]
        (decided,) = caller.vendor.ledger.effects(kind="approval_decided")
        assert (decided.detail["by"], decided.detail["decision"]) == ("nightshift", "REJECTED")

    def test_users_decide_too(self, caller: Caller) -> None:
        yes, no = caller.deployed(environment=PROD), caller.deployed(environment=PROD)
        caller.vendor.approve(yes)
        caller.vendor.reject(no)
        assert (caller.status(yes), caller.status(no)) == ("READY", "REJECTED")
        with pytest.raises(ValueError, match="no such task"):
            caller.vendor.approve(yes)

    def test_other_environments_and_builds_need_none(self, caller: Caller) -> None:
        assert caller.status(caller.deployed(environment=TEST)) == "READY"
        assert only(caller.build(environmentId=PROD))["workflowRequestStatus"] == "READY"

    def test_somebody_approves_by_and_by(self, caller: Caller) -> None:
        caller.vendor.turn(approve_after=60)
        number = caller.deployed(environment=PROD)
        caller.vendor.clock.advance(59)
        assert caller.status(number) == "PENDING_APPROVAL"
        caller.vendor.clock.advance(1)
        assert caller.status(number) == "READY"

    def test_an_external_approval_is_not_ours_to_decide(self, caller: Caller) -> None:
        caller.vendor.turn(external_approvals=True)
        number = caller.deployed(environment=PROD, changeTickets=["CHG42"])
        task, _ = caller.get("/v1/tasks/approval", workflowRequestId=number)
        assert (task["externalId"], task["externalSystemType"]) == ("CHG42", "ITSM")
        assert caller.call("PUT", f"/v1/tasks/approval/reject/{task['taskId']}").status == 400
        assert caller.status(number) == "PENDING_APPROVAL"
        caller.vendor.approve(number, by="servicenow")
        assert caller.status(number) == "READY"

    def test_tasks_that_are_not_there(self, caller: Caller) -> None:
        assert caller.get("/v1/tasks/approval") == []
        assert caller.call("GET", "/v1/tasks/approval/1").status == 404
        assert caller.call("PUT", "/v1/tasks/approval/reject/1").status == 404


class TestSchedules:
    def test_a_start_time_ahead_is_waited_for(self) -> None:
        with site() as caller:
            request = only(caller.deploy(forceDeploy=True, startTime="2026-11-22T14:00:00+01:00"))
            number = request["workflowRequestId"]
            assert (request["workflowRequestStatus"], request["requestedStartTime"]) == (
                "SCHEDULED",
                "2026-11-22T14:00:00+01:00",
            )
            (task,) = caller.get("/v1/tasks/scheduled")
            assert (task["scheduledDate"], task["status"]) == ("2026-11-22 13:00:00.0", "PENDING")
            caller.vendor.clock.advance(3599)
            assert caller.status(number) == "SCHEDULED"
            caller.vendor.clock.advance(1)
            assert caller.status(number) == "READY"
            assert caller.get(f"/v1/tasks/scheduled/{task['taskId']}")["status"] == "COMPLETED"

    def test_a_start_time_that_has_passed_does_not_wait(self) -> None:
        with site() as caller:
            assert caller.status(caller.deployed(startTime="2026-11-22T11:59:59Z")) == "READY"

    def test_cancelling_it_rejects_the_request(self) -> None:
        with site() as caller:
            first, second = (caller.deployed(startTime="2026-11-23T00:00:00Z") for _ in range(2))
            (task,) = caller.get("/v1/tasks/scheduled", workflowRequestId=first)
            assert caller.call("PUT", f"/v1/tasks/scheduled/cancel/{task['taskId']}").status == 200
            caller.vendor.cancel_schedule(second)
            assert (caller.status(first), caller.status(second)) == ("REJECTED", "REJECTED")
            assert caller.call("POST", f"/v1/tasks/scheduled/cancel/{task['taskId']}").status == 400

    def test_running_it_does_not_wait_any_longer(self) -> None:
        with site(windows={"DEV": Window("22:00", "04:00")}) as caller:
            first, second = (caller.deployed(startTime="2026-11-23T12:00:00Z") for _ in range(2))
            (task,) = caller.get("/v1/tasks/scheduled", workflowRequestId=first)
            assert caller.call("POST", f"/v1/tasks/scheduled/run/{task['taskId']}").status == 200
            caller.vendor.run_schedule(second)
            assert (caller.status(first), caller.status(second)) == ("READY", "READY")

    def test_approvals_come_before_the_schedule(self) -> None:
        with site(approvals={"DEV": 1}) as caller:
            number = caller.deployed(startTime="2026-11-22T13:00:00Z")
            assert caller.status(number) == "PENDING_APPROVAL"
            caller.vendor.approve(number)
            assert caller.status(number) == "SCHEDULED"
            caller.vendor.clock.advance(3601)
            assert moves(caller, number) == ["PENDING_APPROVAL", "SCHEDULED", "READY", "SUBMITTED", "COMPLETED"]


class TestWindows:
    @pytest.mark.parametrize(
        ("window", "at", "opens"),
        [
            (Window("22:00", "04:00"), "2026-11-22T12:00", "2026-11-22T22:00"),
            (Window("22:00", "04:00"), "2026-11-22T22:00", "2026-11-22T22:00"),
            (Window("22:00", "04:00"), "2026-11-23T03:59", "2026-11-23T03:59"),
            (Window("22:00", "04:00"), "2026-11-23T04:00", "2026-11-23T22:00"),
            (Window("08:00", "17:00"), "2026-11-22T17:00", "2026-11-23T08:00"),
            (Window("08:00", "17:00", [6]), "2026-11-22T12:00", "2026-11-28T08:00"),
            (Window("22:00", "04:00", [7]), "2026-11-23T03:00", "2026-11-23T03:00"),
            (Window("22:00", "04:00", [7]), "2026-11-23T05:00", "2026-11-29T22:00"),
            (Window("00:00", "00:00"), "2026-11-22T12:00", "2026-11-22T12:00"),
        ],
    )
    def test_when_it_is_open_next(self, window: Window, at: str, opens: str) -> None:
        given = datetime.fromisoformat(at).replace(tzinfo=UTC)
        assert next_opening(window, given) == datetime.fromisoformat(opens).replace(tzinfo=UTC)

    def test_outside_of_it_a_deploy_waits_and_a_build_does_not(self) -> None:
        with site(windows={"PROD": Window("22:00", "04:00")}) as caller:
            number = caller.deployed(environment=PROD)
            assert caller.status(number) == "SCHEDULED"
            assert only(caller.build(environmentId=PROD))["workflowRequestStatus"] == "READY"
            caller.vendor.clock.advance(10 * 3600)
            assert caller.status(number) == "READY"

    def test_an_exception_to_it_needs_the_window_approver(self) -> None:
        with site(windows={"PROD": Window("22:00", "04:00")}) as caller:
            number = caller.deployed(environment=PROD, exceptionToWindow=True)
            (task,) = caller.get("/v1/tasks/approval", workflowRequestId=number)
            assert (caller.status(number), "window" in task["notes"]) == ("PENDING_APPROVAL", True)
            assert caller.look(number)["exceptionToWindow"] is True
            caller.vendor.approve(number)
            assert caller.status(number) == "READY"
            caller.vendor.clock.advance(11 * 3600)
            assert caller.status(caller.deployed(environment=PROD, exceptionToWindow=True)) == "READY"


class TestQueue:
    def test_a_thread_is_waited_for_and_higher_environments_go_first(self) -> None:
        with site(threads=1) as caller:
            first, low, high = caller.deployed(), caller.deployed(), caller.deployed(environment=PROD)
            caller.vendor.clock.advance(0.9)
            assert [caller.status(one) for one in (first, low, high)] == ["SUBMITTED", "READY", "READY"]
            caller.vendor.clock.advance(0.1)
            assert [caller.status(one) for one in (first, low, high)] == ["COMPLETED", "READY", "SUBMITTED"]
            caller.vendor.clock.advance(1.6)
            assert caller.status(low) == "COMPLETED"
            starts = [caller.runs(one)[0]["startTime"][-12:-5] for one in (first, high, low)]
            assert starts == [":00.200", ":01.000", ":01.800"]

    def test_an_abort_gives_the_thread_to_the_next(self) -> None:
        with site(threads=1) as caller:
            first, second = caller.deployed(), caller.deployed()
            caller.vendor.clock.advance(0.3)
            caller.vendor.abort(first)
            assert caller.status(second) == "SUBMITTED"
