"""What the FlexDeploy stand-in refuses and how: validation, partial deployment, shapes of answers and errors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.standins.flexdeploy import (
    FINAL,
    State,
)
from tests.contract.standins.flexdeploy.client import (
    DEV,
    FORMS,
    MAIN,
    PORTAL,
    PROD,
    RESTART,
    WEB,
    Caller,
    only,
    site,
)

DB = 12003


@pytest.fixture
def caller() -> Iterator[Caller]:
    with site() as one:
        yield one


class TestUnknownProjects:
    def test_build_and_deploy_have_a_404_the_others_a_switch(self, caller: Caller) -> None:
        assert (caller.build(1).status, caller.deploy(1).status) == (404, 404)
        assert (caller.call("GET", "/v1/project/1").status, caller.execute(1).status) == (404, 404)
        for status in (400, 500):
            caller.vendor.turn(unknown_project_status=status)
            assert (caller.call("GET", "/v1/project/1").status, caller.execute(1).status) == (status, status)
        assert caller.build(1).status == 404
        assert caller.call("GET", "/v1/project/LicensePortal").status == 400

    def test_an_unknown_request(self, caller: Caller) -> None:
        caller.vendor.turn(unknown_request_status=500, error_body="null_pointer")
        answer = caller.call("GET", "/v1/workflowrequest/1")
        assert (answer.status, answer.body) == (500, b"java.lang.NullPointerException")
        assert caller.call("GET", "/v1/workflowrequest/x").status == 400


class TestBodies:
    @pytest.mark.parametrize(
        "body",
        [
            b"not json",
            b"[]",
            {"streamId": MAIN},
            {"environmentId": DEV},
            {"environmentId": None, "streamId": MAIN},
            {"environmentId": "DEV", "streamId": MAIN},
            {"environmentId": DEV, "streamId": MAIN, "forceBuild": "perhaps"},
            {"environmentId": DEV, "streamId": MAIN, "inputs": [{"value": "x"}]},
            {"environmentId": DEV, "streamId": MAIN, "inputs": {"code": "x"}},
            {"environmentId": DEV, "streamId": MAIN, "workflowVersionOverride": "9.9"},
            {"environmentId": DEV, "streamId": MAIN, "releaseId": 1},
            {"environmentId": DEV, "streamId": MAIN, "packageName": "P"},
            {"environmentId": DEV, "streamId": MAIN, "projectFiles": [{"path": "/a"}]},
            {"environmentId": 1, "streamId": MAIN},
            {"environmentId": DEV, "streamId": 1},
        ],
    )
    def test_of_a_build_that_are_refused(self, caller: Caller, body: Any) -> None:
        assert caller.call("POST", f"/v1/project/{PORTAL}/build", body).status == 400
        assert caller.vendor.ledger.effects() == []

    @pytest.mark.parametrize(
        "body",
        [
            {"instanceIds": [1]},
            {"instanceIds": [DB]},
            {"projectId": 1},
            {"projectVersionId": 1},
            {"projectVersionId": "newest"},
            {"packageDetails": [{"packageName": "P", "projectVersionId": 30101}]},
            {"startTime": "2026-11-22T12:00:00"},
            {"startTime": "2026-11-22T12:00:00.000Z"},
            {"startTime": "2026-11-22 12:00:00Z"},
            {"startTime": "2026-11-22T12:00:00+0100"},
            {"startTime": "2026-13-22T12:00:00Z"},
            {"changeTickets": "CHG1"},
        ],
    )
    def test_of_a_deploy_that_are_refused(self, caller: Caller, body: Any) -> None:
        assert caller.deploy(**{"forceDeploy": True, **body}).status == 400
        assert caller.vendor.ledger.effects() == []

    @pytest.mark.parametrize(
        "body",
        [
            {"inputs": []},
            {"inputs": None},
            {"instanceIds": [DB]},
            {"workflowVersionOverride": "2"},
            {"startTime": "soon"},
        ],
    )
    def test_of_an_execute_that_are_refused(self, caller: Caller, body: Any) -> None:
        assert caller.execute(**body).status == 400

    def test_what_comes_as_text_or_null_is_taken(self, caller: Caller) -> None:
        request = only(
            caller.build(
                environmentId=str(DEV),
                forceBuild="true",
                relatedTickets=None,
                inputs=None,
                workflowVersionOverride="1.0",
            )
        )
        assert (request["force"], request["workflowOverrideVersion"], request["environmentId"]) == (True, "1.0", DEV)
        assert only(caller.build(forceBuild=True, relatedTickets=["A-1", "A-2"]))["cmsissues"] == "A-1,A-2"
        assert only(caller.build(forceBuild=True, relatedTickets="A-1, A-2"))["cmsissues"] == "A-1,A-2"

    def test_a_project_without_the_workflow_or_not_active(self, caller: Caller) -> None:
        assert (
            caller.call("POST", f"/v1/project/{RESTART}/build", {"environmentId": DEV, "streamId": 10605}).status == 400
        )
        assert caller.deploy(RESTART).status == 400
        assert caller.execute(PORTAL).status == 400
        assert caller.build(10106).status == 400

    def test_a_utility_run(self, caller: Caller) -> None:
        answer = caller.execute(instanceIds=[WEB], flexFields=[{"code": "F", "value": 1}])
        assert list(answer.json) == ["warningMessage", "warningCode", "wfrequests"]
        number = only(answer)["workflowRequestId"]
        (run,) = caller.vendor.ledger.effects(kind="utility_run")
        assert (run.key, run.detail["instances"], run.detail["inputs"]) == (
            str(number),
            [WEB],
            [{"code": "SERVICE", "value": "web"}],
        )
        assert only(answer)["flexFields"] == [{"code": "F", "value": "1"}]
        caller.vendor.clock.advance(1)
        assert caller.status(number) == "COMPLETED"

    def test_the_switches_for_bodies(self, caller: Caller) -> None:
        assert caller.build(strange=1).status == 201
        assert caller.build(forceBuild=True, inputs=[{"code": "nobody"}]).status == 201
        caller.vendor.turn(
            unknown_keys="reject", unknown_codes="reject", project_id_required=True, bad_reference_status=404
        )
        assert caller.build(forceBuild=True, strange=1).status == 400
        assert caller.build(forceBuild=True, inputs=[{"code": "nobody"}]).status == 400
        assert caller.deploy(forceDeploy=True).status == 400
        assert caller.deploy(forceDeploy=True, projectId=PORTAL).status == 201
        assert caller.build(environmentId=1).status == 404


class TestPartialDeployment:
    def build(self, caller: Caller, **body: Any) -> dict[str, Any]:
        return caller.built(FORMS, **body)

    def test_nothing_named_builds_all_files(self, caller: Caller) -> None:
        request = self.build(caller)
        assert (request["packageName"], request["requestAllFiles"]) == (None, True)

    def test_a_package_alone_is_built_as_it_is(self, caller: Caller) -> None:
        request = self.build(caller, packageName="LEDGER")
        assert (request["packageName"], request["requestAllFiles"]) == ("LEDGER", False)
        assert caller.vendor.ledger.effects(kind="package_changed") == []
        for name in ("ledger", "FROZEN"):
            assert caller.build(FORMS, forceBuild=True, packageName=name).status == 400

    def test_a_package_with_files_need_not_be_there(self, caller: Caller) -> None:
        for name in ("LEDGER", "BRANDNEW"):
            files = [{"path": "/x.fmb", "scmRevision": "1515"}]
            assert self.build(caller, packageName=name, projectFiles=files)["packageName"] == name
        assert caller.build(FORMS, packageName="BRANDNEW", forceBuild=True).status == 201
        assert caller.build(FORMS, packageName="NOBODY", forceBuild=True).status == 400

    def test_files_alone_are_a_package_named_as_the_version(self, caller: Caller) -> None:
        request = self.build(caller, projectFiles=[{"path": "/x.fmb"}])
        assert request["packageName"] == request["projectVersionName"]

    def test_each_package_has_changes_of_its_own(self, caller: Caller) -> None:
        assert caller.build(FORMS, packageName="LEDGER").status == 201
        assert caller.build(FORMS, packageName="LEDGER").status == 200
        assert caller.build(FORMS, packageName="INVOICES").status == 201

    def test_several_packages_are_several_requests_in_order_of_priority(self, caller: Caller) -> None:
        ledger, invoices = (self.build(caller, packageName=name)["projectVersionId"] for name in ("LEDGER", "INVOICES"))
        whole = self.build(caller)["projectVersionId"]
        details = [
            {"packageName": "", "projectVersionId": whole},
            {"packageName": "LEDGER", "projectVersionId": str(ledger), "priority": 2},
            {"packageName": "INVOICES", "useLatestPackageVersion": "true", "priority": 1},
        ]
        answer = caller.deploy(FORMS, packageDetails=details)
        assert [one["packageName"] for one in answer.json["workflowRequests"]] == ["INVOICES", "LEDGER", None]
        assert [one["requestAllFiles"] for one in answer.json["workflowRequests"]] == [False, False, True]
        caller.vendor.clock.advance(1)
        assert {caller.status(one["workflowRequestId"]) for one in answer.json["workflowRequests"]} == {"COMPLETED"}
        live = {one.package: one.version for one in caller.vendor.runs_in("DEV") if one.project == FORMS}
        assert live == {None: whole, "INVOICES": invoices, "LEDGER": ledger}
        assert caller.deploy(FORMS, packageDetails=details).status == 200
        again = self.build(caller, packageName="LEDGER")["projectVersionId"]
        details[1]["projectVersionId"] = again
        assert only(caller.deploy(FORMS, packageDetails=details))["projectVersionId"] == again

    def test_what_the_details_have_to_say(self, caller: Caller) -> None:
        ledger = self.build(caller, packageName="LEDGER")["projectVersionId"]
        assert caller.deploy(FORMS).status == 400
        assert caller.deploy(FORMS, packageDetails=[{"packageName": "LEDGER"}]).status == 400
        assert (
            caller.deploy(FORMS, packageDetails=[{"packageName": "INVOICES", "projectVersionId": ledger}]).status == 400
        )
        latest = [{"packageName": "INVOICES", "useLatestPackageVersion": True}]
        assert caller.deploy(FORMS, packageDetails=latest).status == 400
        caller.vendor.turn(package_details_required=False)
        assert only(caller.deploy(FORMS))["requestAllFiles"] is True


class TestAnswers:
    def test_the_key_of_the_list(self, caller: Caller) -> None:
        caller.vendor.turn(list_key="wfrequests")
        assert "wfrequests" in caller.build().json
        assert caller.build().json["wfrequests"] == []
        caller.vendor.turn(list_key="workflowRequests")
        assert "workflowRequests" in caller.execute().json

    def test_bare_ids_of_older_servers(self, caller: Caller) -> None:
        caller.vendor.turn(answer_form="id_object")
        assert caller.build().json == {"workflowRequestId": "12001"}
        caller.vendor.turn(answer_form="bare_id")
        assert caller.execute().json == 12002

    def test_the_list_where_nothing_was_started(self, caller: Caller) -> None:
        caller.build()
        caller.vendor.turn(nothing="null")
        assert caller.build().json["workflowRequests"] is None
        assert caller.build().json["warningCode"] == "NO_CHANGES"
        caller.vendor.turn(nothing="absent")
        assert sorted(caller.build().json) == ["warningCode", "warningMessage"]

    def test_entity_names_of_6(self, caller: Caller) -> None:
        caller.vendor.turn(names="entity")
        request = only(caller.build(forceBuild=True))
        assert (request["requestStatus"], request["forceDeploy"], request["createdBy"]) == ("READY", True, "nightshift")
        assert "workflowRequestStatus" not in request
        assert caller.look(request["workflowRequestId"])["requestStatus"] == "READY"

    def test_a_request_is_seen_late(self, caller: Caller) -> None:
        caller.vendor.turn(visible_after=5)
        number = only(caller.build())["workflowRequestId"]
        assert caller.call("GET", f"/v1/workflowrequest/{number}").status == 404
        caller.vendor.clock.advance(5)
        assert caller.status(number) == "COMPLETED"

    @pytest.mark.parametrize(
        ("shape", "starts", "content_type"),
        [
            ("text", b"Project [1] not found.", "text/plain; charset=utf-8"),
            ("json", b'{"message"', "application/json"),
            ("html", b"<!DOCTYPE html>", "text/html; charset=utf-8"),
            ("empty", b"", None),
            ("null_pointer", b"java.lang.NullPointerException", "text/plain; charset=utf-8"),
        ],
    )
    def test_bodies_of_errors(self, caller: Caller, shape: str, starts: bytes, content_type: str | None) -> None:
        caller.vendor.turn(error_body=shape)
        answer = caller.build(1)
        assert answer.status == 404
        assert answer.body.startswith(starts)
        assert bool(answer.body) is bool(starts)
        assert answer.headers["Content-Type"] == content_type

    def test_paths_that_somebody_has_to_know(self) -> None:
        with site(
            abort_path="/rest/v1/workflowrequest/{workflowRequestId}/abort", approve_path="", approvals={"PROD": 1}
        ) as caller:
            number = caller.deployed(environment=PROD)
            task = caller.get("/v1/tasks/approval")[0]["taskId"]
            assert caller.call("PUT", f"/v1/tasks/approval/approve/{task}").status == 404
            assert caller.call("POST", f"/v1/workflowrequest/{number}/abort").json["workflowRequestStatus"] == "ABORTED"
            assert caller.call("PUT", f"/v1/workflowrequest/{number}/abort").status == 400
            assert caller.get(f"/v1/tasks/approval/{task}")["status"] == "CANCELLED"
        with site() as caller:
            number = caller.deployed()
            assert caller.call("PUT", f"/v1/workflowrequest/{number}/abort").status == 404


class TestStates:
    def test_four_are_final(self) -> None:
        assert {"COMPLETED", "FAILED", "ABORTED", "REJECTED"} == FINAL
        assert set(State) - FINAL == {"INITIATED", "PENDING_APPROVAL", "SCHEDULED", "READY", "SUBMITTED"}
