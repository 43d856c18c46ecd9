"""The client against FlexDeploy: shapes, versions, the sign-in, the test button."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins import Entry, FaultKind
from include.standins.flexdeploy.planted import FORMS, SPRING
from include.standins.flexdeploy.service import TOKEN
from nightshift.errors import Ambiguous, AuthFailed, BadResponse, NotFound, NotShown, Rejected, Unreachable
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest
from nightshift.flexdeploy.vocabulary import RequestState
from tests.unit.flexdeploy.vendor import DEV, LOGIN, PORTAL, Vendor

Connect = Callable[..., None]
BUILD = BuildRequest.of(environment_id=1, stream_id=2)
ROW = {"projectName": "Project2", "streams": []}


def query_of(entry: Entry) -> str:
    return "&".join(f"{name}={value}" for name, value in entry.query)


def hook_of(**given: Any) -> FlexDeployHook:
    hook = FlexDeployHook(**given)
    hook.backoff.first = 0.01
    return hook


@pytest.mark.parametrize("shape", [ROW, [ROW], {"items": [ROW]}, {"projects": [ROW]}])
async def test_a_list_may_come_as_one_object_an_array_or_wrapped(vendor: Vendor, connect: Connect, shape: Any) -> None:
    vendor.answers("GET", "/rest/v1/project", shape)
    async with hook_of() as hook:
        assert await hook.projects(name="project2", application_id="10001", is_active=True) == [ROW]
    assert query_of(vendor.asked()[0]) == "projectName=project2&applicationId=10001&isActive=true"


@pytest.mark.parametrize("shape", [[], {"items": []}, {}, (200, "null"), (200, "")])
async def test_an_empty_list_has_many_shapes_too(vendor: Vendor, connect: Connect, shape: Any) -> None:
    vendor.answers("GET", "/rest/v1/project", shape)
    async with hook_of() as hook:
        assert await hook.projects() == []


@pytest.mark.parametrize("shape", [5, [1, 2], (200, '"x"')])
async def test_another_shape_is_no_list(vendor: Vendor, connect: Connect, shape: Any) -> None:
    vendor.answers("GET", "/rest/v1/project", shape)
    async with hook_of() as hook:
        with pytest.raises(BadResponse):
            await hook.projects()


@pytest.mark.parametrize("status_key", ["workflowRequestStatus", "requestStatus"])
async def test_the_status_has_two_spellings(vendor: Vendor, connect: Connect, status_key: str) -> None:
    vendor.answers("GET", "/workflowrequest/12001", {"workflowRequestId": 12001, status_key: "PENDING_APPROVAL"})
    async with hook_of() as hook:
        assert (await hook.workflow_request(12001)).state is RequestState.PENDING_APPROVAL


@pytest.mark.parametrize(
    "answer", [{"workflowRequestId": 12001}, {"workflowRequestId": 4, "requestStatus": "FAILED"}, []]
)
async def test_an_answer_that_says_nothing_of_the_request_is_no_verdict(
    vendor: Vendor, connect: Connect, answer: Any
) -> None:
    vendor.answers("GET", "/rest/v1/workflowrequest/12001", answer)
    async with hook_of() as hook:
        with pytest.raises(BadResponse):
            await hook.workflow_request("12001")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, "java.lang.NullPointerException"), Ambiguous),
        ((400, "bad"), Rejected),
        ((200, "<html>Hi</html>"), Ambiguous),
    ],
)
async def test_a_start_is_never_repeated(vendor: Vendor, connect: Connect, answer: Any, error: type) -> None:
    vendor.answers("POST", "/build", answer)
    async with hook_of() as hook:
        with pytest.raises(error):
            await hook.build(PORTAL, BUILD)
    assert vendor.starts() == 1


async def test_a_start_that_is_lost_is_never_repeated(vendor: Vendor, connect: Connect) -> None:
    vendor.spoil(FaultKind.RESET)
    async with hook_of() as hook:
        with pytest.raises(Ambiguous):
            await hook.build(PORTAL, BUILD)
    assert vendor.starts() == 1


async def test_the_requests_may_come_as_a_bare_list(vendor: Vendor, connect: Connect) -> None:
    vendor.answers("POST", "/deploy", (201, '[{"workflowRequestId": 7}, {"workflowRequestId": 8}]'))
    async with hook_of() as hook:
        started = await hook.deploy(PORTAL, DeployRequest.of(environment_id=DEV))
    assert [one.id for one in started.requests] == ["7", "8"]


async def test_the_code_decides_whether_something_was_started(vendor: Vendor, connect: Connect) -> None:
    warned = {"workflowRequests": [{"workflowRequestId": 7}], "warningCode": 3}
    vendor.answers("POST", "/build", warned, times=1)
    vendor.answers("POST", "/build", (200, "?"), times=1)
    async with hook_of() as hook:
        first = await hook.build(PORTAL, BUILD)
        assert (first.started, first.warning_code, [one.id for one in first.requests]) == (False, "3", ["7"])
        assert (await hook.build(PORTAL, BUILD)).started is False


async def test_version_2_has_other_words_for_a_build(vendor: Vendor, connect: Connect) -> None:
    connect(api_version="v2")
    vendor.turn(unknown_keys="reject")
    request = BuildRequest.of(
        environment_id=DEV,
        stream_id=FORMS + 400,
        force_build=True,
        release_id=SPRING,
        package_name="PKG1",
        related_tickets=["ABC-1"],
        workflow_version_override="1.1",
        inputs={"input1": "x"},
        flex_fields={"FF_BUILD": "y"},
        project_files=[{"projectObjectId": 1, "scmRevision": "15"}],
    )
    async with hook_of() as hook:
        assert [one.id for one in (await hook.build(FORMS, request)).requests] == ["12001"]
        await hook.workflow_request(12001)
        await hook.deploy(PORTAL, DeployRequest.of(environment_id=DEV, force_deploy=True))
    assert vendor.asked("POST", "/rest/v2/workflowrequest/build$")
    assert vendor.asked("GET", "/rest/v2/workflowrequest/12001$")
    assert vendor.asked("POST", f"/rest/v1/project/{PORTAL}/deploy$")
    wanted = vendor.wanted("build_made")
    assert {name: wanted[name] for name in ("project", "environment", "stream", "force", "release", "package")} == {
        "project": FORMS,
        "environment": DEV,
        "stream": FORMS + 400,
        "force": True,
        "release": SPRING,
        "package": "PKG1",
    }
    assert (wanted["workflowVersion"], wanted["tickets"]) == ("1.1", ["ABC-1"])
    assert wanted["inputs"] == [{"code": "input1", "value": "x"}]
    assert wanted["flexFields"] == [{"code": "FF_BUILD", "value": "y"}]


async def test_version_2_cannot_take_a_file_by_its_path(vendor: Vendor, connect: Connect) -> None:
    connect(api_version=2)
    async with hook_of() as hook:
        with pytest.raises(Rejected, match="projectObjectId"):
            await hook.build(1, BuildRequest.of(environment_id=1, stream_id=2, project_files=[{"path": "/a"}]))
    assert vendor.starts() == 0


async def test_a_site_can_lead_a_call_elsewhere(vendor: Vendor, connect: Connect) -> None:
    connect(paths='{"deploy": "/rest/v2/workflowrequest/{project}/deploy"}')
    vendor.answers("POST", "/rest/v2/workflowrequest/7/deploy", (201, '{"workflowRequestId": 1}'))
    async with hook_of() as hook:
        assert (await hook.deploy(7, DeployRequest.of(environment_id=1))).started


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
async def test_the_host_may_have_a_tail(vendor: Vendor, connect: Connect, tail: str) -> None:
    connect(host=f"{vendor.url}{tail}")
    async with hook_of() as hook:
        assert (await hook.project(PORTAL))["projectName"] == "LicensePortal"


def test_the_test_button_tells_a_good_connection(vendor: Vendor, connect: Connect) -> None:
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
def test_the_test_button_in_version_2(vendor: Vendor, connect: Connect, canned: Any, good: bool) -> None:
    connect(api_version="v2")
    vendor.answers("GET", "/rest/v2/workflowrequest/1", canned)
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
    vendor: Vendor, connect: Connect, given: dict[str, Any], said: str
) -> None:
    connect(**given)
    good, words = hook_of().test_connection()
    assert not good
    assert said in words
    assert "wrong-815" not in words


def test_a_wrong_context_path_is_told(vendor: Vendor, connect: Connect) -> None:
    connect(host=vendor.url.replace("/flexdeploy", "/flexdepoly"))
    good, words = hook_of().test_connection()
    assert not good
    assert "context path" in words


async def test_a_token_goes_as_the_basic_password_and_into_no_message(vendor: Vendor, connect: Connect) -> None:
    connect(password="", token=TOKEN)
    vendor.answers("GET", "/rest/v1/project/1", (500, f"{LOGIN}:{TOKEN}"))
    async with hook_of(attempts=1) as hook:
        with pytest.raises(Unreachable) as raised:
            await hook.project(1)
    assert TOKEN not in f"{raised.value}{hook!r}"


async def test_a_refused_sign_in_says_what_to_put_where(vendor: Vendor, connect: Connect) -> None:
    connect(password="wrong-815")
    async with hook_of() as hook:
        with pytest.raises(AuthFailed, match="An API token goes into the password"):
            await hook.execute_utility(1, ExecuteRequest.of(environment_id=1))


ENDPOINTS: list[tuple[str, str, Callable[[FlexDeployHook], Any]]] = [
    ("GET", "/rest/v1/topology/environment?environmentCode=DEV", lambda hook: hook.environments(code="DEV")),
    (
        "GET",
        "/rest/v2/folder?folderName=HR&parentFolderId=99",
        lambda hook: hook.folders(name="HR", parent_folder_id=99),
    ),
    ("GET", "/rest/v2/workflow/5", lambda hook: hook.workflow(5)),
    ("GET", "/rest/v2/project?projectName=P&folderId=99", lambda hook: hook.projects_v2(name="P", folder_id=99)),
    ("GET", "/rest/v2/project/1/branch?branchName=main", lambda hook: hook.branches(1, name="main")),
    ("GET", "/rest/v1/tasks/approval?workflowRequestId=12", lambda hook: hook.approval_tasks(workflow_request_id=12)),
    ("PUT", "/rest/v1/tasks/approval/approve/501", lambda hook: hook.approve(501)),
    ("PUT", "/rest/v1/tasks/approval/reject/501", lambda hook: hook.reject(501)),
    ("GET", "/rest/v1/tasks/scheduled", lambda hook: hook.scheduled_tasks()),
    ("PUT", "/rest/v1/tasks/scheduled/run/502", lambda hook: hook.run_scheduled(502)),
    ("PUT", "/rest/v1/tasks/scheduled/cancel/502", lambda hook: hook.cancel_scheduled(502)),
]


@pytest.mark.parametrize(("method", "path", "call"), ENDPOINTS, ids=[f"{one[0]} {one[1]}" for one in ENDPOINTS])
async def test_every_endpoint_of_the_reference(
    vendor: Vendor, connect: Connect, method: str, path: str, call: Callable[[FlexDeployHook], Any]
) -> None:
    bare = path.partition("?")[0].replace("%2F", "/")
    vendor.answers(method, bare, {"theId": 1})
    async with hook_of() as hook:
        answer = await call(hook)
    assert answer in ({"theId": 1}, [{"theId": 1}], None)
    (seen,) = vendor.ledger.requests()
    assert (seen.method, seen.path) == (method, f"/flexdeploy{bare}")
    assert query_of(seen) == path.partition("?")[2]


async def test_executions_of_others_are_left_out(vendor: Vendor, connect: Connect) -> None:
    executions = [
        {"workflowExecutionId": 1, "workflowRequestId": 5, "executionStatus": "Failure", "abortedBy": "ann"},
        {"workflowExecutionId": 2, "workflowRequestId": 6, "executionStatus": "Success"},
    ]
    vendor.answers("GET", "/workflowexecution", executions)
    async with hook_of() as hook:
        (one,) = await hook.workflow_executions(5)
    assert (one.succeeded, one.words) == (False, "execution 1 Failure, aborted by ann")


async def test_an_unknown_request_is_not_found(vendor: Vendor, connect: Connect) -> None:
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
    vendor: Vendor, connect: Connect, body: str, own: bool
) -> None:
    vendor.answers("GET", "/rest/v1/workflowrequest/1", (404, body))
    async with hook_of() as hook:
        with pytest.raises(NotFound if own else NotShown) as caught:
            await hook.workflow_request(1)
    assert caught.value.status == 404
