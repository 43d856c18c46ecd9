"""What the FlexDeploy stand-in answers: the documented payloads, finding projects, topology, packages, releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.standins.flexdeploy.planted import DASHBOARD, DEPLOY_FLOW, SPRING
from include.standins.flexdeploy.site import in_folder_path
from tests.contract.standins.flexdeploy_client import (
    APP,
    DEV,
    FORMS,
    PORTAL,
    PROD,
    TEST,
    Caller,
    example,
    only,
    site,
)


@pytest.fixture
def caller() -> Iterator[Caller]:
    with site() as one:
        yield one


def fdadmin(vendor: Any) -> Caller:
    return Caller(vendor, "fdadmin", "standin-fdadmin")


class TestDocumentedPayloads:
    def test_a_project_by_id(self) -> None:
        with site(documented_site=True) as caller:
            assert caller.get("/v1/project/10002") == example("project_get_by_id_response_200")

    def test_projects_by_application_as_they_are_stored_and_as_the_page_answers(self) -> None:
        with site(documented_site=True) as caller:
            stored = [example("project_query_stored_project1"), example("project_query_stored_project2")]
            found = caller.get("/v1/project", applicationId=10001)
            assert found[:2] == stored
            assert caller.get("/v1/project", projectName="project2") == example("project_query_response_200")
            caller.vendor.turn(project_list="last_bare")
            assert caller.get("/v1/project", applicationId=10001, projectName="Project") == example(
                "project_query_response_200"
            )

    def test_keys_can_be_missing_as_in_the_stored_project(self, caller: Caller) -> None:
        assert set(caller.get(f"/v1/project/{PORTAL}")) == set(example("project_get_by_id_stored_project1"))

    def test_a_build(self) -> None:
        with site(documented_site=True, first_request_id=12019) as caller:
            body = {"environmentId": 11016, "streamId": 10502, "forceBuild": False}
            answer = fdadmin(caller.vendor).call("POST", "/v1/project/10501/build", body)
            assert answer.status == 201
            assert answer.json == example("project_build_response_201")
            assert list(answer.json["workflowRequests"][0]) == list(
                example("project_build_response_201")["workflowRequests"][0]
            )

    def test_a_deploy(self) -> None:
        with site(documented_site=True) as caller:
            body = {"environmentId": 11210, "forceDeploy": True}
            answer = fdadmin(caller.vendor).call("POST", "/v1/project/10501/deploy", body)
            assert (answer.status, answer.json) == (201, example("project_deploy_response_201"))

    def test_an_execute(self) -> None:
        with site(documented_site=True, first_request_id=11819) as caller:
            answer = fdadmin(caller.vendor).call("POST", "/v1/project/29801/execute", {"environmentId": 11210})
            assert (answer.status, answer.json) == (201, example("project_execute_response_201"))

    def test_the_documented_requests_are_taken(self) -> None:
        with site(documented_site=True, package_details_required=False) as caller:
            for what in ("build", "deploy", "execute"):
                answer = caller.call("POST", f"/v1/project/10004/{what}", example(f"project_{what}_request"))
                assert answer.status == 201, (what, answer.body)
            build, deploy, execute = (
                caller.vendor.ledger.effects(kind=kind)[0].detail
                for kind in ("build_made", "deploy_made", "utility_run")
            )
            assert build["package"] == "ALM150"
            assert build["flexFields"] == [{"code": "Build FlexField", "value": "10"}]
            assert (build["release"], build["snapshot"] is not None, build["force"]) == (27003, True, True)
            assert (deploy["force"], deploy["instances"]) == (False, [100001])
            assert deploy["inputs"][0] == {"code": "RESTART_SEVER", "value": "true"}
            assert (execute["startTime"], execute["workflowVersion"]) == ("2018-07-20T11:31:06Z", "1.0")


class TestFindingProjects:
    def test_by_a_part_of_the_name_in_any_letter_case(self, caller: Caller) -> None:
        names = [one["projectName"] for one in caller.get("/v1/project", projectName="PORTAL")]
        assert names == ["LicensePortal", "LicensePortalReports", "RetiredPortal"]
        assert len(caller.get("/v1/project", projectName="Toolbox")) == 2
        assert len(caller.get("/v1/project")) == 8

    def test_one_is_a_bare_object_none_is_an_empty_array(self, caller: Caller) -> None:
        assert caller.get("/v1/project", projectName="UsageDash")["projectName"] == "UsageDashboard"
        assert caller.get("/v1/project", projectName="nope") == []

    @pytest.mark.parametrize(
        ("shape", "one"), [("array", list), ("bare_one", dict), ("items", dict), ("last_bare", dict)]
    )
    def test_the_shape_of_the_list(self, caller: Caller, shape: str, one: type) -> None:
        caller.vendor.turn(project_list=shape)
        found = caller.get("/v1/project", projectName="UsageDashboard")
        assert isinstance(found, one)
        rows = found if shape == "array" else found["items"] if shape == "items" else [found]
        assert [row["projectName"] for row in rows] == ["UsageDashboard"]

    def test_active_or_not(self, caller: Caller) -> None:
        assert caller.get("/v1/project", isActive="false")["projectName"] == "RetiredPortal"
        assert len(caller.get("/v1/project", isActive="TRUE")) == 7
        assert caller.call("GET", "/v1/project", isActive="maybe").status == 400
        assert caller.call("GET", "/v1/project", applicationId="x").status == 400

    @pytest.mark.parametrize(
        ("asked", "fits"),
        [
            ("/Flexdeploy/CommerceProjects/AccountingApps/", True),
            ("CommerceProjects\\AccountingApps", True),
            ("commerceprojects", True),
            ("\\FlexDeploy", True),
            ("", True),
            ("/", True),
            ("AccountingApps", False),
            ("//CommerceProjects", False),
            ("CommerceProjects/Accounting", False),
            ("CommerceProjects/AccountingApps/Project1", False),
        ],
    )
    def test_a_folder_path_is_a_beginning_of_the_path(self, asked: str, fits: bool) -> None:
        assert in_folder_path(("FlexDeploy", "CommerceProjects", "AccountingApps"), asked) is fits

    def test_by_folder_path(self, caller: Caller) -> None:
        found = caller.get("/v1/project", folderPath="\\flexdeploy\\OPERATIONS\\")
        assert [one["projectName"] for one in found] == ["RestartServices", "Toolbox"]
        assert caller.get("/v1/project", folderPath="Licensing/Usage", projectName="toolbox")["applicationId"] == 10002

    def test_its_path_where_the_switch_shows_it(self, caller: Caller) -> None:
        assert "projectPath" not in caller.get(f"/v1/project/{PORTAL}")
        caller.vendor.turn(project_path_shown=True)
        assert caller.get(f"/v1/project/{PORTAL}")["projectPath"] == "FlexDeploy/Licensing/Portal/LicensePortal"


class TestVersionsAndExecutions:
    def test_versions_come_newest_first(self, caller: Caller) -> None:
        request = caller.built()
        newest, oldest = caller.get(f"/v1/project/{PORTAL}/version")
        assert (newest["projectVersionName"], oldest["projectVersionName"]) == ("1.0.2", "1.0.1")
        assert newest["projectVersionId"] == request["projectVersionId"]
        assert set(newest) == {
            "projectVersionId", "projectVersionName", "isActive", "projectStreamId", "packageName", "requestAllFiles", "scmRevision",
        }  # fmt: skip
        assert caller.get(f"/v1/project/{PORTAL}/version", projectVersionName="1.0.1") == [oldest]
        assert caller.call("GET", f"/v1/project/{DASHBOARD}/version/{newest['projectVersionId']}").status == 404

    def test_an_execution_has_the_known_attributes(self, caller: Caller) -> None:
        (run,) = caller.runs(caller.built()["workflowRequestId"])
        assert caller.get(f"/v1/workflowexecution/{run['workflowExecutionId']}") == run
        assert (run["executionStatus"], run["workflowType"], run["abortedBy"]) == ("Success", "BUILD", None)
        assert "workflowExecutionOutputs" not in run
        caller.vendor.turn(messages_key="", outputs_shown=True)
        (run,) = caller.runs(run["workflowRequestId"])
        assert run["workflowExecutionOutputs"] == [{"code": "VERSION", "value": "1.0.2"}]
        assert "messages" not in run
        assert caller.call("GET", "/v1/workflowexecution/1").status == 404

    def test_executions_are_listed_by_any_attribute(self, caller: Caller) -> None:
        caller.built()
        number = caller.deployed()
        caller.vendor.clock.advance(1)
        assert len(caller.get("/v1/workflowexecution")) == 3
        assert len(caller.get("/v1/workflowexecution", projectId=PORTAL, workflowType="deploy")) == 2
        assert caller.get("/v1/workflowexecution", workflowRequestId=number, instanceId=APP)[0]["instanceId"] == APP
        assert len(caller.get("/v1/workflowexecution", strange=1)) == 3
        caller.vendor.turn(unknown_parameters="reject")
        assert caller.call("GET", "/v1/workflowexecution", strange=1).status == 400
        assert caller.call("GET", "/v1/project", strange=1).status == 400

    def test_a_log_where_somebody_knows_its_path(self) -> None:
        with site(log_path="/rest/v1/workflowexecution/{workflowExecutionId}/log") as caller:
            (run,) = caller.runs(caller.built()["workflowRequestId"])
            log = caller.call("GET", f"/v1/workflowexecution/{run['workflowExecutionId']}/log")
            assert log.body.decode().splitlines() == run["messages"]


class TestTopology:
    def test_folders(self, caller: Caller) -> None:
        root = caller.get("/v1/folder/99")
        assert (root["folderName"], root["parentFolderId"]) == ("FlexDeploy", None)
        licensing = caller.get(f"/v1/folder/{root['subFolders'][0]['folderId']}")
        assert [one["applicationName"] for one in licensing["applications"]] == ["Portal", "Usage"]
        assert caller.call("GET", "/v1/folder/1").status == 404

    def test_environments_by_id_and_code(self, caller: Caller) -> None:
        (dev,) = caller.get("/v1/topology/environment", environmentCode="dev")
        assert dev == caller.get(f"/v1/topology/environment/{DEV}")
        assert (dev["environmentName"], dev["isBuildEnvironment"], len(dev["instances"])) == ("Development", True, 3)
        assert caller.get("/v1/topology/environment", environmentCode="MOON") == []
        assert caller.call("GET", "/v1/topology/environment/1").status == 404

    def test_an_environment_is_made_and_changed(self, caller: Caller) -> None:
        made = caller.call(
            "POST", "/v1/topology/environment", {"environmentCode": "UAT", "environmentName": "UAT", "instances": [APP]}
        )
        assert made.status == 201
        number = made.json["environmentId"]
        assert only(caller.deploy(environment=number))["environmentId"] == number
        off = caller.call("PATCH", f"/v1/topology/environment/{number}", {"isActive": False})
        assert (off.json["isActive"], off.json["instances"]) == (False, [APP])
        assert caller.deploy(environment=number).status == 400
        again = {"environmentCode": "UAT", "environmentName": "x"}
        assert caller.call("POST", "/v1/topology/environment", again).status == 400

    def test_an_instance_in_an_environment(self, caller: Caller) -> None:
        path = f"/v1/topology/environmentinstance/{DEV}/{APP}"
        assert caller.get(path) == {"isActive": True, "endPoints": [], "properties": []}
        assert caller.call("PUT", path, {"isActive": False}).json["isActive"] is False
        assert caller.deploy(instanceIds=[APP]).status == 400
        assert caller.call("GET", f"/v1/topology/environmentinstance/{DEV}/1").status == 404

    def test_workflows(self, caller: Caller) -> None:
        (deploy,) = caller.get("/v1/workflows", workflowName="Deploy")
        assert deploy["workflowId"] == DEPLOY_FLOW

    def test_the_shape_of_lists(self, caller: Caller) -> None:
        caller.vendor.turn(lists="items")
        assert len(caller.get("/v1/topology/environment")["items"]) == 3
        caller.vendor.turn(lists="bare_one")
        assert caller.get("/v1/topology/environment", environmentCode="PROD")["environmentId"] == PROD


class TestPackages:
    base = f"/v1/project/{FORMS}/package"

    def test_are_made_replaced_appended_to_and_deleted(self, caller: Caller) -> None:
        one, two = (
            {"filePath": "/a.fmb", "objectType": "FORM", "sequenceNumber": 1},
            {"filePath": "/b.fmb", "objectType": "FORM", "sequenceNumber": 2},
        )
        assert caller.call("POST", self.base, {"packageName": "NEW", "files": [one]}).status == 201
        assert caller.get(f"{self.base}/NEW")["files"] == [one]
        patched = caller.call("PATCH", f"{self.base}/NEW", {"packageType": None, "files": [two]}).json
        assert (patched["files"], patched["packageType"]) == ([one, two], "USER_MANAGED")
        assert caller.call("PUT", f"{self.base}/NEW", {"files": [two]}).json["files"] == [two]
        assert [caller.call("DELETE", f"{self.base}/NEW").status for _ in range(2)] == [200, 200]
        assert len(caller.vendor.ledger.effects(kind="package_deleted")) == 1
        assert caller.call("DELETE", "/v1/project/1/package/NEW").status == 404

    @pytest.mark.parametrize(
        ("method", "name", "body"),
        [
            ("PUT", "INVOICES", {"packageName": "OTHER"}),
            ("PATCH", "INVOICES", {"packageStatus": "DONE"}),
            ("PATCH", "INVOICES", {"files": [{"filePath": "/b", "sequenceNumber": 1}]}),
            ("PATCH", "FROZEN", {"files": [{"filePath": "/b"}]}),
            ("GET", "invoices", None),
        ],
    )
    def test_rules(self, caller: Caller, method: str, name: str, body: Any) -> None:
        assert caller.call(method, f"{self.base}/{name}", body).status == 400

    def test_a_package_that_is_there_or_a_full_project(self, caller: Caller) -> None:
        assert caller.call("POST", self.base, {"packageName": "INVOICES"}).status == 400
        assert caller.call("POST", f"/v1/project/{PORTAL}/package", {"packageName": "P"}).status == 400
        assert [one["packageName"] for one in caller.get(self.base)] == ["INVOICES", "LEDGER", "FROZEN"]


class TestReleases:
    base = f"/v1/releases/{SPRING}/snapshot"

    def test_are_found_by_name(self, caller: Caller) -> None:
        (spring,) = caller.get("/v1/releases", releaseName="spring")
        assert spring == {
            "releaseId": SPRING,
            "releaseName": "Spring",
            "projects": [{"projectId": PORTAL}, {"projectId": DASHBOARD}],
        }

    def test_a_build_for_a_release_makes_a_snapshot(self, caller: Caller) -> None:
        request = only(caller.build(releaseId=str(SPRING)))
        assert request["releaseDefinitionId"] == SPRING
        progress = f"{self.base}/{request['releaseSnapshotId']}/execution"
        assert caller.get(progress)["pipelineExecutionStatus"] == "NOT_STARTED"
        caller.vendor.clock.advance(1)
        caller.vendor.turn(state_words={"RUNNING": "Running"})
        shown = caller.get(progress, environmentId=TEST)
        assert shown["pipelineExecutionStatus"] == "Running"
        assert shown["stageExecutions"] == [{"environmentId": TEST, "stageExecutionStatus": "Not Started"}]

    def test_a_snapshot_builds_what_has_no_version(self, caller: Caller) -> None:
        version = caller.vendor.newest_version(PORTAL).id
        inputs = [{"projectId": PORTAL, "projectVersionId": version}, {"projectId": DASHBOARD}]
        made = caller.call(
            "POST", self.base, {"action": "createSnapshot", "description": "d", "snapshotVersionInputs": inputs}
        )
        assert (made.status, made.json["snapshotStatus"]) == (201, "BUILDING")
        first, second = made.json["snapshotVersions"]
        assert (first["projectVersionId"], first["snapshotVersionStatus"]) == (version, "CREATED")
        assert second["snapshotVersionStatus"] == "BUILDING"
        (build,) = caller.vendor.ledger.effects(kind="build_made")
        assert (build.detail["project"], build.detail["snapshot"]) == (DASHBOARD, made.json["snapshotId"])

    def test_the_action_alone_is_enough(self, caller: Caller) -> None:
        made = caller.call("POST", self.base, {"action": "createSnapshot"})
        assert [one["projectId"] for one in made.json["snapshotVersions"]] == [PORTAL, DASHBOARD]
        promoted = caller.call("POST", self.base, {"action": "promoteToRelease", "snapshotId": made.json["snapshotId"]})
        assert promoted.json["snapshotVersions"] == made.json["snapshotVersions"]

    @pytest.mark.parametrize(
        "body",
        [
            {"action": "createSnapshot", "snapshotVersionInputs": [{"projectId": FORMS}]},
            {"action": "createSnapshot", "snapshotVersionInputs": [{"projectId": PORTAL, "projectVersionId": 1}]},
            {"action": "promoteToRelease", "snapshotId": 1},
            {"action": "explode"},
        ],
    )
    def test_rules(self, caller: Caller, body: Any) -> None:
        assert caller.call("POST", self.base, body).status == 400
        assert caller.vendor.ledger.effects(kind="snapshot_made") == []
        assert caller.call("POST", "/v1/releases/1/snapshot", body).status == 404
