"""What the FlexDeploy stand-in answers: the documented payloads, finding projects, topology, packages, releases."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from include.standins.flexdeploy.site import in_folder_path
from tests.contract.standins.flexdeploy.client import (
    APP,
    DEV,
    PORTAL,
    PROD,
    Caller,
    example,
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


class TestExecutions:
    def test_an_execution_has_the_known_attributes(self, caller: Caller) -> None:
        (run,) = caller.runs(caller.built()["workflowRequestId"])
        assert (run["executionStatus"], run["workflowType"], run["abortedBy"]) == ("Success", "BUILD", None)
        caller.vendor.turn(messages_key="")
        assert "messages" not in caller.runs(run["workflowRequestId"])[0]

    def test_executions_are_listed_by_any_attribute(self, caller: Caller) -> None:
        caller.built()
        number = caller.deployed()
        caller.vendor.clock.advance(1)
        assert len(caller.get("/v1/workflowexecution")) == 3
        assert len(caller.get("/v1/workflowexecution", projectId=PORTAL, workflowType="deploy")) == 2
        assert caller.get("/v1/workflowexecution", workflowRequestId=number, instanceId=APP)[0]["instanceId"] == APP
        assert len(caller.get("/v1/workflowexecution", strange=1)) == 3


class TestTopology:
    def test_environments_by_code(self, caller: Caller) -> None:
        (dev,) = caller.get("/v1/topology/environment", environmentCode="dev")
        assert (dev["environmentId"], dev["environmentName"], len(dev["instances"])) == (DEV, "Development", 3)
        assert dev["isBuildEnvironment"] is True
        assert caller.get("/v1/topology/environment", environmentCode="MOON") == []

    def test_the_shape_of_lists(self, caller: Caller) -> None:
        caller.vendor.turn(lists="items")
        assert len(caller.get("/v1/topology/environment")["items"]) == 3
        caller.vendor.turn(lists="bare_one")
        assert caller.get("/v1/topology/environment", environmentCode="PROD")["environmentId"] == PROD
