"""The client against the small FlexDeploy: shapes, versions, the sign-in, the test button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from nightshift.errors import Ambiguous, AuthFailed, BadResponse, NotFound, NotShown, Rejected, Unreachable
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest
from nightshift.flexdeploy.vocabulary import RequestState
from tests.unit.flexdeploy.deploy_server import LOGIN, SECRET, DeployServer

Connect = Callable[..., None]
BUILD = BuildRequest.of(environment_id=1, stream_id=2)
ROW = {"projectName": "Project2", "streams": []}


def hook_of(**given: Any) -> FlexDeployHook:
    hook = FlexDeployHook(**given)
    hook.backoff.first = 0.01
    return hook


@pytest.mark.parametrize("shape", [ROW, [ROW], {"items": [ROW]}, {"projects": [ROW]}])
async def test_a_list_may_come_as_one_object_an_array_or_wrapped(
    vendor: DeployServer, connect: Connect, shape: Any
) -> None:
    vendor.canned["GET", "/rest/v1/project"] = shape
    async with hook_of() as hook:
        assert await hook.projects(name="project2", application_id="10001", is_active=True) == [ROW]
    assert vendor.seen[0].query == "projectName=project2&applicationId=10001&isActive=true"


@pytest.mark.parametrize("shape", [[], {"items": []}, {}, (200, "null"), (200, "")])
async def test_an_empty_list_has_many_shapes_too(vendor: DeployServer, connect: Connect, shape: Any) -> None:
    vendor.canned["GET", "/rest/v1/project"] = shape
    async with hook_of() as hook:
        assert await hook.projects() == []


@pytest.mark.parametrize("shape", [5, [1, 2], (200, '"x"')])
async def test_another_shape_is_no_list(vendor: DeployServer, connect: Connect, shape: Any) -> None:
    vendor.canned["GET", "/rest/v1/project"] = shape
    async with hook_of() as hook:
        with pytest.raises(BadResponse):
            await hook.projects()


@pytest.mark.parametrize("status_key", ["workflowRequestStatus", "requestStatus"])
async def test_the_status_has_two_spellings(vendor: DeployServer, connect: Connect, status_key: str) -> None:
    vendor.status_key = status_key
    vendor.add("PENDING_APPROVAL")
    async with hook_of() as hook:
        assert (await hook.workflow_request(12001)).state is RequestState.PENDING_APPROVAL


@pytest.mark.parametrize(
    "answer", [{"workflowRequestId": 12001}, {"workflowRequestId": 4, "requestStatus": "FAILED"}, []]
)
async def test_an_answer_that_says_nothing_of_the_request_is_no_verdict(
    vendor: DeployServer, connect: Connect, answer: Any
) -> None:
    vendor.canned["GET", "/rest/v1/workflowrequest/12001"] = answer
    async with hook_of() as hook:
        with pytest.raises(BadResponse):
            await hook.workflow_request("12001")


@pytest.mark.parametrize(
    ("fault", "error"),
    [((500, "java.lang.NullPointerException"), Ambiguous), ((400, "bad"), Rejected), ("drop", Ambiguous)],
)
async def test_a_start_is_never_repeated(vendor: DeployServer, connect: Connect, fault: Any, error: type) -> None:
    vendor.fault("start", fault)
    async with hook_of() as hook:
        with pytest.raises(error):
            await hook.build(10004, BUILD)
    assert vendor.starts() == 1


async def test_a_page_instead_of_an_answer_is_no_start(vendor: DeployServer, connect: Connect) -> None:
    vendor.fault("start_answer", (200, "<html>Welcome</html>"))
    async with hook_of() as hook:
        with pytest.raises(Ambiguous):
            await hook.deploy(10004, DeployRequest.of(environment_id=1))


async def test_the_code_decides_whether_something_was_started(vendor: DeployServer, connect: Connect) -> None:
    vendor.fault(
        "start_answer", (200, '{"workflowRequests": [{"workflowRequestId": 7}], "warningCode": 3}'), (200, "?")
    )
    async with hook_of() as hook:
        first = await hook.build(10004, BUILD)
        assert (first.started, first.warning_code, [one.id for one in first.requests]) == (False, "3", ["7"])
        assert (await hook.build(10004, BUILD)).started is False


async def test_version_2_has_other_words_for_a_build(vendor: DeployServer, connect: Connect) -> None:
    connect(api_version="v2")
    flow = {"projectWorkflows": [{"projectWorkflowType": "BUILD", "workflowId": 5}]}
    vendor.canned["GET", "/rest/v2/project/501"] = flow
    vendor.canned["GET", "/rest/v2/workflow/5"] = {
        "workflowVersions": [{"workflowVersion": "1.0", "workflowVersionId": 77}]
    }
    vendor.key = "bare_text"
    request = BuildRequest.of(
        environment_id=16, stream_id=52, force_build=True, release_id=9, package_name="PKG1", related_tickets=["ABC-1"],
        workflow_version_override="1.0", inputs={"IN1": "x"}, flex_fields={"FF1": "y"},
        project_files=[{"projectObjectId": 1, "scmRevision": "15"}],
    )  # fmt: skip
    async with hook_of() as hook:
        assert [one.id for one in (await hook.build(501, request)).requests] == ["12001"]
        await hook.workflow_request(12001)
        await hook.deploy(501, DeployRequest.of(environment_id=16))
    build, poll, deploy = vendor.seen[2:]
    assert (build.path, poll.path) == ("/rest/v2/workflowrequest/build", "/rest/v2/workflowrequest/12001")
    assert deploy.path == "/rest/v1/project/501/deploy"
    assert build.body == {
        "projectId": 501, "environmentId": 16, "projectStreamId": 52, "force": True, "releaseDefId": 9,
        "packageName": "PKG1", "workflowVersionOverrideId": 77, "issueNumbers": ["ABC-1"],
        "inputs": [{"code": "IN1", "value": "x"}], "flexFields": [{"code": "FF1", "value": "y"}],
        "buildFileInputs": [{"projectObjectId": 1, "scmRevision": "15"}],
    }  # fmt: skip


async def test_version_2_cannot_take_a_file_by_its_path(vendor: DeployServer, connect: Connect) -> None:
    connect(api_version=2)
    async with hook_of() as hook:
        with pytest.raises(Rejected, match="projectObjectId"):
            await hook.build(1, BuildRequest.of(environment_id=1, stream_id=2, project_files=[{"path": "/a"}]))
    assert vendor.starts() == 0


async def test_a_site_can_lead_a_call_elsewhere(vendor: DeployServer, connect: Connect) -> None:
    connect(paths='{"deploy": "/rest/v2/workflowrequest/{project}/deploy"}')
    async with hook_of() as hook:
        assert (await hook.deploy(7, DeployRequest.of(environment_id=1))).started
    assert vendor.seen[0].path == "/rest/v2/workflowrequest/7/deploy"


@pytest.mark.parametrize(
    "paths",
    ["{", [], {"abrot": "PUT /x"}, {"abort": "x"}, {"abort": "FETCH /x/{id}"}, {"abort": "PUT /{x}"}, {"abort": 1}],
)
async def test_a_route_that_cannot_be_used_is_refused(connect: Connect, paths: Any) -> None:
    connect(paths=paths or "[]")
    hook = hook_of()
    for _ in range(2):
        with pytest.raises(Rejected, match="paths"):
            async with hook:
                pass


@pytest.mark.parametrize("tail", ["", "/", "\\", "//", "/rest/v1", "/rest/v2/"])
async def test_the_host_may_have_a_tail(vendor: DeployServer, connect: Connect, tail: str) -> None:
    connect(host=f"{vendor.url}{tail}")
    vendor.canned["GET", "/rest/v1/project/10002"] = ROW
    async with hook_of() as hook:
        assert await hook.project(10002) == ROW


def test_the_test_button_tells_a_good_connection(vendor: DeployServer, connect: Connect) -> None:
    vendor.canned["GET", "/rest/v1/project"] = []
    assert hook_of().test_connection() == (True, f"Signed in to FlexDeploy at {vendor.url}; API v1")


@pytest.mark.parametrize(
    ("canned", "good"),
    [
        ((404, "WorkflowRequest not found"), True),
        ((404, "nothing here"), False),
        ((500, "java.lang.NullPointerException"), True),
        ((500, "oops"), False),
        ({"workflowRequestId": 1}, True),
    ],
)
def test_the_test_button_in_version_2(vendor: DeployServer, connect: Connect, canned: Any, good: bool) -> None:
    connect(api_version="v2")
    vendor.canned["GET", "/rest/v2/workflowrequest/1"] = canned
    assert hook_of().test_connection()[0] is good


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"password": "wrong-815"}, "Login refused"),
        ({"host": "http://127.0.0.1:9/flexdeploy"}, "Not reached"),
        ({"login": ""}, "has no login"),
        ({"password": ""}, "has no password or API token"),
        ({"api_version": "v3"}, "api_version"),
    ],
)
def test_the_test_button_tells_what_is_wrong(
    vendor: DeployServer, connect: Connect, given: dict[str, Any], said: str
) -> None:
    vendor.canned["GET", "/rest/v1/project"] = []
    connect(**given)
    good, words = hook_of().test_connection()
    assert not good
    assert said in words
    assert "wrong-815" not in words


def test_a_wrong_context_path_is_told(vendor: DeployServer, connect: Connect) -> None:
    connect(host=vendor.url.replace("/flexdeploy", "/flexdepoly"))
    good, words = hook_of().test_connection()
    assert not good
    assert "context path" in words


async def test_a_token_goes_as_the_basic_password_and_into_no_message(vendor: DeployServer, connect: Connect) -> None:
    connect(password="", token=SECRET)
    vendor.canned["GET", "/rest/v1/project/1"] = (500, f"{LOGIN}:{SECRET}")
    async with hook_of(attempts=1) as hook:
        with pytest.raises(Unreachable) as raised:
            await hook.project(1)
    assert SECRET not in f"{raised.value}{hook!r}"


async def test_a_refused_sign_in_says_what_to_put_where(vendor: DeployServer, connect: Connect) -> None:
    connect(password="wrong-815")
    async with hook_of() as hook:
        with pytest.raises(AuthFailed, match="An API token goes into the password"):
            await hook.execute_utility(1, ExecuteRequest.of(environment_id=1))


ENDPOINTS: list[tuple[str, str, Callable[[FlexDeployHook], Any]]] = [
    ("GET", "/rest/v1/topology/environment?environmentCode=DEV", lambda hook: hook.environments(code="DEV")),
    ("GET", "/rest/v2/folder?folderName=HR&parentFolderId=99", lambda hook: hook.folders(name="HR", parent_folder_id=99)),
    ("GET", "/rest/v2/workflow/5", lambda hook: hook.workflow(5)),
    ("GET", "/rest/v2/project?projectName=P&folderId=99", lambda hook: hook.projects_v2(name="P", folder_id=99)),
    ("GET", "/rest/v2/project/1/branch?branchName=main", lambda hook: hook.branches(1, name="main")),
    ("GET", "/rest/v1/tasks/approval?workflowRequestId=12", lambda hook: hook.approval_tasks(workflow_request_id=12)),
    ("PUT", "/rest/v1/tasks/approval/approve/501", lambda hook: hook.approve(501)),
    ("PUT", "/rest/v1/tasks/approval/reject/501", lambda hook: hook.reject(501)),
    ("GET", "/rest/v1/tasks/scheduled", lambda hook: hook.scheduled_tasks()),
    ("PUT", "/rest/v1/tasks/scheduled/run/502", lambda hook: hook.run_scheduled(502)),
    ("PUT", "/rest/v1/tasks/scheduled/cancel/502", lambda hook: hook.cancel_scheduled(502)),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "call"), ENDPOINTS, ids=[f"{one[0]} {one[1]}" for one in ENDPOINTS])
async def test_every_endpoint_of_the_reference(
    vendor: DeployServer, connect: Connect, method: str, path: str, call: Callable[[FlexDeployHook], Any]
) -> None:
    bare = path.partition("?")[0].replace("%2F", "/")
    vendor.canned[method, bare] = {"theId": 1}
    async with hook_of() as hook:
        answer = await call(hook)
    assert answer in ({"theId": 1}, [{"theId": 1}], None)
    (seen,) = vendor.seen
    assert (seen.method, seen.path) == (method, bare)
    assert seen.query == path.partition("?")[2]


async def test_executions_of_others_are_left_out(vendor: DeployServer, connect: Connect) -> None:
    vendor.executions = [
        {"workflowExecutionId": 1, "workflowRequestId": 5, "executionStatus": "Failure", "abortedBy": "ann"},
        {"workflowExecutionId": 2, "workflowRequestId": 6, "executionStatus": "Success"},
    ]
    async with hook_of() as hook:
        (one,) = await hook.workflow_executions(5)
    assert (one.succeeded, one.words) == (False, "execution 1 Failure, aborted by ann")


async def test_an_unknown_request_is_not_found(vendor: DeployServer, connect: Connect) -> None:
    async with hook_of() as hook:
        with pytest.raises(NotFound, match="WorkflowRequest not found"):
            await hook.workflow_request(1)


@pytest.mark.parametrize(
    ("body", "own"),
    [
        ("WorkflowRequest not found", True),
        ("WorkflowRequest not found [1]", True),
        ("WorkflowRequest [1] not found", True),
        ("WorkflowRequestId [1] not found", True),
        ('{"message": "WorkflowRequest not found"}', True),
        ("Workflow Request 1 was not found", True),
        ("WorkflowRequest not found [2]", False),
        ("<html><body>HTTP Status 404: WorkflowRequest not found</body></html>", False),
        ("<html>Not here</html>", False),
        ("404 page not found", False),
        ('{"message": "no such path"}', False),
        ("", False),
    ],
)
async def test_only_the_vendors_own_word_says_that_there_is_no_request(
    vendor: DeployServer, connect: Connect, body: str, own: bool
) -> None:
    vendor.canned["GET", "/rest/v1/workflowrequest/1"] = (404, body)
    async with hook_of() as hook:
        with pytest.raises(NotFound if own else NotShown) as caught:
            await hook.workflow_request(1)
    assert caught.value.status == 404
