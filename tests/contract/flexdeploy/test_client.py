"""The client against the stand-in: people, names, and what a server tells of its site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexdeploy import LOGIN, TOKEN, FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, PORTAL
from nightshift.errors import NotFound, Rejected
from nightshift.flexdeploy.hook import FlexDeployHook
from nightshift.flexdeploy.lookup import environment_id, project_id, stream_id
from tests.contract.flexdeploy.conftest import airflow, connect
from tests.unit.flexdeploy.deploy_tasks import task

StartVendor = Callable[..., FlexDeployStandIn]


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("login", "password", "said"),
    [
        (LOGIN, TOKEN, "Signed in to FlexDeploy"),
        ("nightshift-sso", "standin-sso-token", "Signed in to FlexDeploy"),
        (LOGIN, "wrong-815", "Login refused"),
        ("nightshift-expired", "standin-expired-token", "Login refused"),
        ("nightshift-stranger", "standin-stranger", "a permission is missing"),
    ],
)
def test_the_test_button_tells_who_may_come_in(
    vendor_with: StartVendor, monkeypatch: pytest.MonkeyPatch, version: str, login: str, password: str, said: str
) -> None:
    vendor = vendor_with()
    connect(monkeypatch, vendor, {"api_version": version}, login=login, password=password)
    good, words = FlexDeployHook().test_connection()
    assert said in words
    assert good is said.startswith("Signed")


@pytest.mark.parametrize("shape", ["array", "bare_one", "last_bare", "items"])
async def test_projects_come_in_any_shape(vendor_with: StartVendor, shape: str) -> None:
    vendor_with(project_list=shape)
    async with FlexDeployHook() as hook:
        assert [row["projectName"] for row in await hook.projects(name="UsageDashboard")] == ["UsageDashboard"]
        assert (await hook.project(PORTAL))["projectName"] == "LicensePortal"
        assert await hook.projects(name="no such project") == []


@pytest.mark.parametrize("switches", [{}, {"project_path_shown": True}, {"project_list": "items", "lists": "items"}])
async def test_names_are_found_exactly(vendor_with: StartVendor, switches: dict[str, Any]) -> None:
    vendor_with(**switches)
    async with FlexDeployHook() as hook:
        assert await project_id(hook, "FlexDeploy/Licensing/Portal/LicensePortal") == PORTAL
        assert await environment_id(hook, "DEV") == DEV
        assert await stream_id(hook, PORTAL, "main") == PORTAL + 400
        with pytest.raises(Rejected, match="there are 2"):
            await project_id(hook, "Toolbox")
        assert await project_id(hook, "Operations/Tools/Toolbox") == 10108
        for path in ("Licensing/Portal/licenseportal", "Licensing/LicensePortal", "LicensePort"):
            with pytest.raises(NotFound):
                await project_id(hook, path)


def test_a_task_can_be_given_names_alone(vendor_with: StartVendor) -> None:
    vendor_with()
    named = {
        "project_id": None,
        "project": "Licensing/Portal/LicensePortal",
        "environment_id": None,
        "environment": "DEV",
    }
    run = airflow().run(task("build", **named, stream_id=None, stream="main"), follow=True)
    assert run.state == "success", run.error
    assert run.result["project_id"] == PORTAL


async def test_what_a_site_holds_can_be_read(vendor_with: StartVendor) -> None:
    vendor_with()
    async with FlexDeployHook() as hook:
        assert await hook.approval_tasks() == []
        with pytest.raises(NotFound):
            await hook.workflow_request(99)
