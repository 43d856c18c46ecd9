"""The life of requests at the FlexDeploy stand-in: states, versions, failures, aborts, and what runs where."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import (
    Changes,
    FlexDeployStandIn,
    FlexDeploySwitches,
    Kind,
    State,
    vendor_fault,
)
from tests.contract.standins.flexdeploy.client import (
    APP,
    DEV,
    MAIN,
    PORTAL,
    TEST,
    WEB,
    Caller,
    only,
    site,
)


@pytest.fixture
def caller() -> Iterator[Caller]:
    with site() as one:
        yield one


def moves(caller: Caller, request: int) -> list[str]:
    """Return the states that a request went through."""
    caller.vendor.settle()
    return [effect.detail["status"] for effect in caller.vendor.ledger.effects(kind="request_moved", key=str(request))]


def versions_in(caller: Caller, environment: str, project: int = PORTAL) -> dict[str, str]:
    """Return instance → version of a project."""
    return {
        live.instance_code: live.version_name for live in caller.vendor.runs_in(environment) if live.project == project
    }


def wait_until(true: Callable[[], object], seconds: float = 3) -> bool:
    """Wait for something that another thread does by real time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(0.005)
    return False


class TestBuild:
    def test_goes_from_ready_over_submitted_to_completed(self, caller: Caller) -> None:
        request = only(caller.build())
        number = request["workflowRequestId"]
        assert request["workflowRequestStatus"] == "READY"
        caller.vendor.clock.advance(0.19)
        assert caller.status(number) == "READY"
        caller.vendor.clock.advance(0.01)
        assert caller.status(number) == "SUBMITTED"
        caller.vendor.clock.advance(0.79)
        assert caller.status(number) == "SUBMITTED"
        caller.vendor.clock.advance(0.01)
        assert caller.status(number) == "COMPLETED"
        assert moves(caller, number) == ["READY", "SUBMITTED", "COMPLETED"]
        (made,) = caller.vendor.ledger.effects(kind="build_made")
        assert (made.key, made.detail["versionName"], made.detail["user"]) == (str(number), "1.0.2", "nightshift")
        (ended,) = caller.vendor.ledger.effects(kind="request_ended")
        assert ended.detail["status"] == "COMPLETED"

    def test_a_night_that_is_skipped_leaves_the_same_times(self, caller: Caller) -> None:
        number = only(caller.build())["workflowRequestId"]
        caller.vendor.clock.advance(10 * 3600)
        (run,) = caller.runs(number)
        assert (run["startTime"], run["endTime"]) == ("2026-11-22T12:00:00.200+0000", "2026-11-22T12:00:01.000+0000")

    def test_initiated_comes_first_where_the_switch_says_so(self) -> None:
        with site(initiated_seconds=2) as caller:
            request = only(caller.build())
            assert request["workflowRequestStatus"] == "INITIATED"
            caller.vendor.clock.advance(2)
            assert caller.status(request["workflowRequestId"]) == "READY"

    def test_there_are_changes_once_a_day_and_after_a_commit(self, caller: Caller) -> None:
        assert caller.build().status == 201
        again = caller.build()
        assert again.status == 200
        assert again.json["workflowRequests"] == []
        assert "No changes" in again.json["warningMessage"]
        assert again.json["warningCode"] == "NO_CHANGES"
        caller.vendor.commit(PORTAL)
        assert [caller.build().status, caller.build().status] == [201, 200]
        caller.vendor.clock.advance(12 * 3600)
        assert [caller.build().status, caller.build().status] == [201, 200]
        assert caller.build(forceBuild=True).status == 201
        assert caller.build(streamId=MAIN + 10).status == 201
        assert len(caller.vendor.ledger.effects(kind="build_unneeded")) == 3

    def test_the_switch_for_changes(self) -> None:
        with site(changes=Changes.COMMITS) as caller:
            assert caller.build().status == 200
            caller.vendor.commit(PORTAL)
            assert caller.build().status == 201
            caller.vendor.turn(changes=Changes.ALWAYS)
            assert [caller.build().status, caller.build().status] == [201, 201]

    def test_a_failed_build_leaves_no_version_to_deploy_and_its_changes(self, caller: Caller) -> None:
        caller.vendor.faults.add(vendor_fault("run_fails", detail={"message": "compiler error"}))
        failed = only(caller.build())
        caller.vendor.clock.advance(1)
        assert caller.status(failed["workflowRequestId"]) == "FAILED"
        (run,) = caller.runs(failed["workflowRequestId"])
        assert run["executionStatus"] == "Failure"
        assert run["messages"][-1] == "compiler error"
        assert caller.vendor.newest_version(PORTAL).name == "1.0.1"
        assert caller.deploy(projectVersionId=failed["projectVersionId"]).status == 400
        assert caller.build().status == 201


class TestDeploy:
    def test_brings_the_newest_version_to_all_instances_one_after_the_other(self, caller: Caller) -> None:
        caller.built()
        request = only(caller.deploy())
        assert request["projectVersionName"] == "1.0.2"
        caller.vendor.clock.advance(0.6)
        assert versions_in(caller, "DEV") == {"APP": "1.0.2", "WEB": "1.0.1"}
        assert [run["executionStatus"] for run in caller.runs(request["workflowRequestId"])] == ["Success", "Running"]
        caller.vendor.clock.advance(0.4)
        assert versions_in(caller, "DEV") == {"APP": "1.0.2", "WEB": "1.0.2"}
        assert caller.status(request["workflowRequestId"]) == "COMPLETED"
        assert versions_in(caller, "TEST") == {"APP": "1.0.1", "WEB": "1.0.1"}
        went = caller.vendor.ledger.effects(kind="version_live", key="DEV")
        assert [(one.detail["instance"], one.detail["versionName"]) for one in went] == [(APP, "1.0.2"), (WEB, "1.0.2")]

    def test_a_version_that_is_there_is_not_deployed_unless_forced(self, caller: Caller) -> None:
        caller.built()
        only(caller.deploy(instanceIds=[APP]))
        caller.vendor.clock.advance(1)
        there = caller.deploy(instanceIds=[APP])
        assert (there.status, there.json["workflowRequests"], there.json["warningCode"]) == (
            200,
            [],
            "ALREADY_DEPLOYED",
        )
        only(caller.deploy())
        assert caller.vendor.ledger.effects(kind="deploy_made")[-1].detail["instances"] == [WEB]
        caller.vendor.clock.advance(1)
        assert caller.deploy().status == 200
        only(caller.deploy(forceDeploy="true"))
        assert caller.vendor.ledger.effects(kind="deploy_made")[-1].detail["instances"] == [APP, WEB]

    def test_an_older_version_goes_back(self, caller: Caller) -> None:
        first = caller.vendor.newest_version(PORTAL).id
        caller.built()
        only(caller.deploy())
        caller.vendor.clock.advance(1)
        only(caller.deploy(projectVersionId=first))
        caller.vendor.clock.advance(1)
        assert versions_in(caller, "DEV") == {"APP": "1.0.1", "WEB": "1.0.1"}

    def test_a_failure_leaves_what_was_done_before_it(self, caller: Caller) -> None:
        caller.built()
        caller.vendor.faults.add(vendor_fault("run_fails", detail={"after": 1, "message": "disk full"}))
        number = caller.deployed()
        caller.vendor.clock.advance(5)
        assert caller.status(number) == "FAILED"
        assert versions_in(caller, "DEV") == {"APP": "1.0.2", "WEB": "1.0.1"}
        assert caller.runs(number)[-1]["messages"][-1] == "disk full"

    def test_a_user_aborts_it_in_the_middle(self, caller: Caller) -> None:
        caller.built()
        caller.vendor.faults.add(vendor_fault("run_aborted", detail={"after_seconds": 0.5}))
        number = caller.deployed()
        caller.vendor.clock.advance(5)
        assert caller.status(number) == "ABORTED"
        assert versions_in(caller, "DEV") == {"APP": "1.0.2", "WEB": "1.0.1"}
        run = caller.runs(number)[-1]
        assert (run["executionStatus"], run["abortedBy"], run["abortedOn"]) == ("Aborted", "fdadmin", run["endTime"])
        assert moves(caller, number) == ["READY", "SUBMITTED", "ABORTED"]

    def test_a_user_aborts_it_while_it_waits(self, caller: Caller) -> None:
        number = caller.deployed(startTime="2026-11-22T20:00:00Z")
        caller.vendor.abort(number)
        caller.vendor.clock.advance(24 * 3600)
        assert caller.status(number) == "ABORTED"
        assert caller.vendor.executions(number) == []
        with pytest.raises(ValueError, match="ABORTED"):
            caller.vendor.abort(number)

    def test_how_long_it_takes_and_what_a_poll_may_say_meanwhile(self, caller: Caller) -> None:
        caller.vendor.faults.add(
            vendor_fault("run_takes", seconds=3600),
            vendor_fault("odd_status", detail={"status": "ON_HOLD"}),
            vendor_fault("request_unseen", after=1),
        )
        number = caller.deployed()
        assert caller.status(number) == "ON_HOLD"
        unseen = caller.call("GET", f"/v1/workflowrequest/{number}")
        assert (unseen.status, unseen.body) == (404, f"WorkflowRequest not found [{number}]".encode())
        caller.vendor.clock.advance(3600)
        assert caller.status(number) == "SUBMITTED"
        caller.vendor.clock.advance(1)
        assert caller.status(number) == "COMPLETED"

    def test_what_others_do_meanwhile_is_theirs(self, caller: Caller) -> None:
        (number,) = caller.vendor.start_as_user(Kind.BUILD, PORTAL, by="cipoller", environmentId=DEV, streamId=MAIN)
        assert caller.look(number)["requestedBy"] == "cipoller"
        with pytest.raises(ValueError, match="Stream"):
            caller.vendor.start_as_user(Kind.BUILD, PORTAL, environmentId=DEV, streamId=1)

    def test_at_the_start_the_first_version_runs_everywhere(self, caller: Caller) -> None:
        for environment in ("DEV", TEST, "PROD"):
            assert {live.version_name for live in caller.vendor.runs_in(environment)} == {"1.0.1"}
        with pytest.raises(KeyError):
            caller.vendor.runs_in("MOON")


class TestTime:
    def test_requests_go_on_by_real_time_without_anybody_asking(self) -> None:
        fast = FlexDeploySwitches(ready_seconds=0.01, build_seconds=0.01)
        with FlexDeployStandIn(switches=fast) as vendor:
            number = only(Caller(vendor).build())["workflowRequestId"]
            assert wait_until(lambda: vendor.ledger.effects(kind="request_ended"))
            assert vendor.state(number) is State.COMPLETED

    def test_a_lost_answer_has_done_its_work(self) -> None:
        with site() as caller:
            caller.vendor.faults.add(Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path="/build$"))
            with pytest.raises(ConnectionError):
                caller.build()
            caller.vendor.clock.advance(1)
            caller.vendor.settle()
            (made,) = caller.vendor.ledger.effects(kind="build_made")
            (run,) = caller.runs(int(made.key))
            assert (run["executionStatus"], run["createdBy"]) == ("Success", "nightshift")
            assert caller.vendor.newest_version(PORTAL).id == made.detail["version"]

    def test_a_lost_request_has_done_nothing(self) -> None:
        with site() as caller:
            caller.vendor.faults.add(Fault(kind=FaultKind.RESET, method="POST"))
            with pytest.raises(ConnectionError):
                caller.build()
            assert caller.vendor.ledger.effects() == []
