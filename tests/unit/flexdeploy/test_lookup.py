"""Names instead of ids: exactly, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexdeploy.switches import Told
from nightshift.errors import NotFound, Rejected
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.job import NAMES_KEY
from nightshift.flexdeploy.lookup import environment_id, parts_of, project_id, stream_id
from tests.execution_api import FakeExecutionApi
from tests.unit.flexdeploy.deploy_tasks import task
from tests.unit.flexdeploy.vendor import DEV as DEV_ID
from tests.unit.flexdeploy.vendor import MAIN, PORTAL, Vendor

Connect = Callable[..., None]
DEV = {"environmentId": 11101, "environmentCode": "DEV"}
DEV2 = {"environmentId": 11102, "environmentCode": "DEV2"}
SITE_NAMES = {
    "project_id": None,
    "project": "Licensing/Portal/LicensePortal",
    "environment_id": None,
    "environment": "DEV",
}


def plant(vendor: Vendor) -> None:
    folders = [
        {"folderId": 12, "folderName": "Human Resources Archive", "parentFolderId": 99},
        {"folderId": 11, "folderName": "Human Resources", "parentFolderId": 99},
    ]
    projects = [
        {"projectId": 10006, "projectName": "PayrollReports", "folderId": 11},
        {"projectId": 10004, "projectName": "Payroll", "folderId": 11},
        {"projectId": 10005, "projectName": "Payroll", "folderId": 17},
    ]
    branches = [{"projectBranchId": 2, "branchName": "main-old"}, {"projectBranchId": 1, "branchName": "main"}]
    vendor.answers("GET", "/rest/v1/project", [{"projectName": "Payroll"}, {"projectName": "PayrollReports"}])
    vendor.answers("GET", "/rest/v2/folder", {"items": folders})
    vendor.answers("GET", "/rest/v2/project", {"items": projects})
    vendor.answers("GET", "/rest/v1/topology/environment", [DEV2, DEV])
    vendor.answers("GET", "/rest/v2/project/10004/branch", {"items": branches})


async def test_names_are_compared_exactly(vendor: Vendor, connect: Connect) -> None:
    plant(vendor)
    async with FlexDeployHook() as hook:
        assert await project_id(hook, "FlexDeploy\\Human Resources/Payroll") == 10004
        assert await environment_id(hook, "DEV") == 11101
        assert await stream_id(hook, 10004, "main") == 1
    (asked,) = vendor.asked("GET", "/rest/v2/folder$")
    assert dict(asked.query) == {"folderName": "Human Resources", "parentFolderId": "99"}


async def test_the_first_of_several_is_never_taken(vendor: Vendor, connect: Connect) -> None:
    plant(vendor)
    async with FlexDeployHook() as hook:
        with pytest.raises(Rejected, match="10004, 10005"):
            await project_id(hook, "Payroll")
        vendor.faults.clear()
        vendor.answers("GET", "/rest/v1/topology/environment", [DEV, DEV])
        with pytest.raises(Rejected, match="there are 2 of environment 'DEV'"):
            await environment_id(hook, "DEV")


@pytest.mark.parametrize(
    ("find", "near"),
    [
        (lambda hook: environment_id(hook, "dev"), "'DEV', 'DEV2'"),
        (lambda hook: stream_id(hook, 10004, "mai"), "'main', 'main-old'"),
        (lambda hook: project_id(hook, "Human Resources/payroll"), "'Payroll', 'PayrollReports'"),
        (lambda hook: project_id(hook, "Human/Payroll"), "'Human Resources', 'Human Resources Archive'"),
    ],
)
async def test_what_is_only_like_it_is_named_and_not_taken(
    vendor: Vendor, connect: Connect, find: Callable[[FlexDeployHook], Any], near: str
) -> None:
    plant(vendor)
    async with FlexDeployHook() as hook:
        with pytest.raises(NotFound, match=near):
            await find(hook)


async def test_a_server_that_tells_id_and_path_in_version_1_is_believed(vendor: Vendor, connect: Connect) -> None:
    rows = [
        {"projectName": "Payroll", "projectId": 7, "projectPath": "FlexDeploy/Human Resources/Old/Payroll"},
        {"projectName": "Payroll", "projectId": 8, "projectPath": "FlexDeploy/Human Resources/Payroll"},
    ]
    vendor.answers("GET", "/rest/v1/project", rows)
    async with FlexDeployHook() as hook:
        assert await project_id(hook, "Human Resources/Payroll") == 8
    assert len(vendor.ledger.requests()) == 1


HERE, ABOVE = "Licensing/Portal/LicensePortal", "Licensing/LicensePortal"


@pytest.mark.parametrize("told", [Told.ROWS, Told.BY_ID, Told.PATH_BY_ID])
@pytest.mark.parametrize("sub_folders", [True, False])
@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_a_project_of_a_sub_folder_is_never_taken_for_one_of_the_folder(
    vendor: Vendor, connect: Connect, told: Told, sub_folders: bool, version: str
) -> None:
    connect(api_version=version)
    vendor.turn(folder_told=told, sub_folders=sub_folders)
    async with FlexDeployHook() as hook:
        assert await project_id(hook, HERE) == PORTAL
        with pytest.raises(NotFound, match="there is no project"):
            await project_id(hook, ABOVE)
        with pytest.raises(NotFound, match="there is no folder 'Portal'"):
            await project_id(hook, "Portal/LicensePortal")


async def test_what_names_no_folder_in_version_2_is_asked_for_its_path_in_version_1(
    vendor: Vendor, connect: Connect
) -> None:
    vendor.turn(folder_told=Told.BY_ID, sub_folders=True, project_path_shown=True)
    silent = {"projectId": PORTAL, "projectName": "LicensePortal"}
    vendor.answers("GET", f"/rest/v2/project/{PORTAL}", silent)
    vendor.answers("GET", "/rest/v2/project", {"items": [silent]})
    async with FlexDeployHook() as hook:
        assert await project_id(hook, HERE) == PORTAL
        with pytest.raises(NotFound, match="there is no project"):
            await project_id(hook, ABOVE)


@pytest.mark.parametrize("of_folders", [True, False])
async def test_what_names_no_folder_anywhere_is_refused_and_its_id_asked_for(
    vendor: Vendor, connect: Connect, of_folders: bool
) -> None:
    vendor.turn(folder_told=Told.NOWHERE)
    if not of_folders:
        folder = {"folderId": 10001, "folderName": "Portal", "parentFolderId": 201}
        above = {"folderId": 201, "folderName": "Licensing", "parentFolderId": 99}
        vendor.answers("GET", "/rest/v2/folder", {"items": [folder, above]})
    async with FlexDeployHook() as hook:
        with pytest.raises(Rejected, match="does not say in which folder") as refused:
            await project_id(hook, HERE)
        assert ("the project's id" if of_folders else f"project_id: {PORTAL}") in refused.value.advice
        assert "promotions.yaml" in refused.value.advice
        assert await project_id(hook, "LicensePortal") == PORTAL, "a name alone is looked for in all folders"


MORE = [
    {"hasMore": True},
    {"hasMore": "true"},
    {"totalResults": 3},
    {"total": "3"},
    {"page": {"totalElements": 3}},
    {"links": [{"rel": "self"}, {"rel": "next", "href": "/x"}]},
    {"next": "/rest/v2/project?offset=2"},
]
WHOLE = [
    {"hasMore": False},
    {"totalResults": 2, "count": 2, "limit": 25},
    {"total": None},
    {"links": [{"rel": "self"}]},
]


@pytest.mark.parametrize(("about", "is_more"), [*((one, True) for one in MORE), *((one, False) for one in WHOLE)])
async def test_the_only_one_of_a_list_that_says_that_there_are_more_is_not_believed(
    vendor: Vendor, connect: Connect, about: dict[str, Any], is_more: bool
) -> None:
    connect(api_version="v2")
    rows = [{"projectId": 1, "projectName": "Payroll"}, {"projectId": 2, "projectName": "PayrollReports"}]
    vendor.answers("GET", "/rest/v2/project", {"items": rows, **about})
    async with FlexDeployHook() as hook:
        if not is_more:
            assert await project_id(hook, "Payroll") == 1
            return
        with pytest.raises(Rejected, match="holds more than the 2 that came"):
            await project_id(hook, "Payroll")
        with pytest.raises(Rejected, match="holds more than the 2 that came"):
            await project_id(hook, "Payrol")


async def test_a_server_that_gives_a_part_of_its_lists_is_not_believed(vendor: Vendor, connect: Connect) -> None:
    connect(api_version="v2")
    vendor.turn(most_items=1)
    async with FlexDeployHook() as hook:
        with pytest.raises(Rejected, match=r"holds more than the 1 that came \(hasMore is true\)"):
            await project_id(hook, "LicensePortal")
        vendor.turn(most_items=20)
        assert await project_id(hook, "LicensePortal") == PORTAL


async def test_a_server_without_version_2_is_told_to_be_given_ids(vendor: Vendor, connect: Connect) -> None:
    vendor.turn(v2=False)
    vendor.answers("GET", "/rest/v1/project", {"projectName": "Payroll"})
    async with FlexDeployHook() as hook:
        with pytest.raises(NotFound, match="Give project_id instead"):
            await project_id(hook, "Payroll")


async def test_a_row_without_a_name_is_asked_for_it(vendor: Vendor, connect: Connect) -> None:
    connect(api_version="v2")
    vendor.answers("GET", "/rest/v2/project", {"items": [{"projectId": 5}, {"projectId": 6}]})
    vendor.answers("GET", "/rest/v2/project/5", {"projectName": "PayrollReports"})
    vendor.answers("GET", "/rest/v2/project/6", {"projectName": "Payroll"})
    async with FlexDeployHook() as hook:
        assert await project_id(hook, "Payroll") == 6


@pytest.mark.parametrize(
    ("path", "parts"),
    [("/Flexdeploy/A/B/", ["A", "B"]), ("A\\B", ["A", "B"]), ("FlexDeploy", ["FlexDeploy"]), ("P", ["P"])],
)
def test_a_path_is_read_as_the_vendor_reads_it(path: str, parts: list[str]) -> None:
    assert parts_of(path) == parts


def test_a_task_resolves_its_names_once(vendor: Vendor, api: FakeExecutionApi) -> None:
    vendor.turn(build_seconds=3600.0)
    named = task(**SITE_NAMES, stream_id=None, stream="main")
    assert api.run(named).state == "deferred"
    wanted = vendor.wanted("build_made")
    assert (wanted["project"], wanted["environment"], wanted["stream"]) == (PORTAL, DEV_ID, MAIN)
    asked = len(vendor.asked("GET", "/folder"))
    vendor.answers("GET", "/rest/v2/folder", [])
    vendor.hours_pass()
    run = api.run(named, follow=True)
    assert (run.result["project_id"], run.result["workflow_request_ids"]) == (PORTAL, [12001]), run.error
    assert len(vendor.asked("GET", "/folder")) == asked
    api.clear()
    assert isinstance(api.run(named).error, NotFound), "after a clear, names are looked up anew"
    assert vendor.starts() == 1


def test_a_name_that_is_not_there_starts_nothing(vendor: Vendor, api: FakeExecutionApi) -> None:
    run = api.run(task(**{**SITE_NAMES, "environment": "PRD"}))
    assert isinstance(run.error, NotFound)
    assert run.state == "failed"
    assert vendor.starts() == 0
    assert NAMES_KEY not in api.task_store
