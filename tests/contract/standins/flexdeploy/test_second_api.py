"""The v2 API of the FlexDeploy stand-in, as far as a source has it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from tests.contract.standins.client import basic
from tests.contract.standins.flexdeploy.client import (
    DEV,
    FORMS,
    MAIN,
    PORTAL,
    Caller,
    site,
)


@pytest.fixture
def caller() -> Iterator[Caller]:
    with site() as one:
        yield one


class TestSecondGeneration:
    body: ClassVar[dict[str, Any]] = {"projectId": PORTAL, "environmentId": DEV, "projectStreamId": MAIN, "force": True}

    def test_a_build_and_its_poll(self, caller: Caller) -> None:
        more = {
            "workflowVersionOverrideId": 14002,
            "issueNumbers": ["ABC-1", "ABC-2"],
            "inputs": [{"code": "input1", "value": "x"}],
        }
        made = caller.call("POST", "/v2/workflowrequest/build", {**self.body, **more})
        assert made.status == 201
        assert isinstance(made.json["workflowRequestId"], int)
        assert (made.json["requestStatus"], made.json["createdBy"]) == ("READY", "nightshift")
        (build,) = caller.vendor.ledger.effects(kind="build_made")
        assert (build.detail["workflowVersion"], build.detail["tickets"]) == ("1.1", ["ABC-1", "ABC-2"])
        caller.vendor.clock.advance(1)
        polled = caller.get(f"/v2/workflowrequest/{made.json['workflowRequestId']}")
        assert polled["requestStatus"] == "COMPLETED"
        assert "workflowRequestStatus" not in polled

    def test_a_build_without_changes(self, caller: Caller) -> None:
        caller.built()
        assert caller.call("POST", "/v2/workflowrequest/build", {**self.body, "force": False}).status == 200

    def test_files_of_a_partial_project(self, caller: Caller) -> None:
        body = {**self.body, "projectId": FORMS, "projectStreamId": FORMS + 400, "packageName": "PKG1"}
        files = [{"projectObjectId": 2, "scmRevision": "15", "fromPackageObjectId": None}]
        assert caller.call("POST", "/v2/workflowrequest/build", {**body, "buildFileInputs": files}).status == 201
        assert caller.vendor.ledger.effects(kind="build_made")[0].detail["package"] == "PKG1"
        files = [{"projectObjectId": 9}]
        assert caller.call("POST", "/v2/workflowrequest/build", {**body, "buildFileInputs": files}).status == 400

    def test_the_connection_test_of_the_vendors_own_plugin(self, caller: Caller) -> None:
        answer = caller.call("GET", "/v2/workflowrequest/1")
        assert (answer.status, b"WorkflowRequest not found" in answer.body) == (404, True)
        wrong = caller.call("GET", "/v2/workflow_request/1")
        assert (wrong.status, b"WorkflowRequest not found" in wrong.body) == (404, False)

    def test_lookups_have_items(self, caller: Caller) -> None:
        projects = caller.get("/v2/project", projectName="licenseportal", folderId=10001)["items"]
        assert [one["projectId"] for one in projects] == [PORTAL, PORTAL + 1]
        assert caller.get(f"/v2/project/{PORTAL}")["projectWorkflows"][0] == {
            "projectWorkflowType": "BUILD",
            "workflowId": 13001,
        }
        assert caller.get(f"/v2/project/{PORTAL}/branch", branchName="main")["items"][0]["projectBranchId"] == MAIN
        folders = caller.get("/v2/folder", folderName="port", parentFolderId=201)["items"]
        assert [one["folderId"] for one in folders] == [10001]
        assert caller.get("/v2/folder", folderName="FlexDeploy")["items"][0]["folderId"] == 99
        (dev,) = caller.get("/v2/topology/environment", environmentCode="DEV")["items"]
        assert (dev["environmentId"], "instances" in dev, len(dev["targets"])) == (DEV, False, 3)
        assert caller.get("/v2/workflow/13001")["workflowVersions"][-1] == {
            "workflowVersion": "1.1",
            "workflowVersionId": 14002,
        }

    @pytest.mark.parametrize(
        ("told", "row", "itself", "above"),
        [
            ("rows", 10001, (10001, None), 201),
            ("by_id", None, (10001, None), 201),
            ("path_by_id", None, (None, "FlexDeploy/Licensing/Portal"), 201),
            ("nowhere", None, (None, None), None),
        ],
    )
    def test_where_it_tells_the_folder(
        self, caller: Caller, told: str, row: int | None, itself: tuple[int | None, str | None], above: int | None
    ) -> None:
        caller.vendor.turn(folder_told=told)
        (listed,) = caller.get("/v2/project", projectName="LicensePortalReports")["items"]
        one = caller.get(f"/v2/project/{PORTAL}")
        (folder,) = caller.get("/v2/folder", folderName="portal")["items"]
        assert listed.get("folderId") == row
        assert (one.get("folderId"), one.get("folderPath")) == itself
        assert folder.get("parentFolderId") == (201 if told == "rows" else None)
        assert caller.get("/v1/folder/10001").get("parentFolderId") == above

    def test_whether_it_finds_what_lies_deeper_and_all_of_it(self, caller: Caller) -> None:
        above = {"projectName": "LicensePortal", "folderId": 201}
        assert caller.get("/v2/project", **above) == {"items": []}
        caller.vendor.turn(sub_folders=True, most_items=1)
        found = caller.get("/v2/project", **above)
        assert ([one["projectId"] for one in found["items"]], found["hasMore"]) == ([PORTAL], True)
        assert caller.get("/v2/folder", folderName="Portal", parentFolderId=99)["items"][0]["folderId"] == 10001

    @pytest.mark.parametrize("path", ["/v2/project/1", "/v2/workflow/1"])
    def test_what_is_not_there(self, caller: Caller, path: str) -> None:
        assert caller.call("GET", path).status == 404

    def test_a_server_of_one_generation(self, caller: Caller) -> None:
        caller.vendor.turn(v1=False)
        assert caller.call("GET", f"/v1/project/{PORTAL}").status == 404
        assert caller.call("GET", f"/v2/project/{PORTAL}").status == 200
        caller.vendor.turn(v1=True, v2=False)
        assert caller.call("GET", f"/v2/project/{PORTAL}").status == 404
        assert caller.header == basic("nightshift", "standin-flexdeploy")
