"""What FlexDeploy tells of a workflow request, against what a task asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from nightshift.flexdeploy.evidence import differences
from nightshift.flexdeploy.model import Execution, WorkflowRequest
from nightshift.flexdeploy.request import BuildRequest, DeployRequest, ExecuteRequest, JobRequest

ASKED = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
FOUND = WorkflowRequest(
    id="12001", status="COMPLETED", project_id=10, project_version_id=30, environment_id=11, stream_id=40
)
DEPLOY = DeployRequest.of(environment_id=11, project_version_id=30)
BUILD = BuildRequest.of(environment_id=11, stream_id=40)
RUN = ExecuteRequest.of(environment_id=11, instance_ids=[7, 8])


def ran(kind: str | None = "DEPLOY", **more: Any) -> list[Execution]:
    return [Execution(id="1", request_id="12001", kind=kind, started=f"{ASKED:%Y-%m-%dT%H:%M:%S}.933+0000", **more)]


def told(found: WorkflowRequest, executions: list[Execution], request: JobRequest) -> str:
    return "; ".join(differences(found, executions, request, 10, ASKED.timestamp()))


@pytest.mark.parametrize(
    ("kind", "request_"), [("BUILD", BUILD), ("Build", BUILD), ("DEPLOY", DEPLOY), ("UTILITY", RUN), ("EXECUTE", RUN)]
)
def test_the_same_is_the_same(kind: str, request_: JobRequest) -> None:
    assert told(FOUND, ran(kind, instance_id="7"), request_) == ""


@pytest.mark.parametrize(
    ("changes", "request_", "why"),
    [
        ({"project_id": 99}, DEPLOY, "project is 99, not 10"),
        ({"project_id": None}, DEPLOY, "project is not told"),
        ({"environment_id": 12}, DEPLOY, "environment is 12, not 11"),
        ({"environment_id": None}, DEPLOY, "environment is not told"),
        ({"project_version_id": 31}, DEPLOY, "version is 31, not 30"),
        ({"project_version_id": None}, DEPLOY, "version is not told"),
        ({"stream_id": 41}, BUILD, "stream is 41, not 40"),
        ({"stream_id": None}, BUILD, "stream is not told"),
        ({"created": f"{ASKED - timedelta(days=1):%Y-%m-%dT%H:%M:%S.000%z}"}, DEPLOY, "began at 2026-11-20T03:00:00"),
    ],
)
def test_each_difference_is_named(changes: dict[str, Any], request_: JobRequest, why: str) -> None:
    kind = "BUILD" if request_ is BUILD else "DEPLOY"
    assert why in told(msgspec.structs.replace(FOUND, **changes), ran(kind), request_)


@pytest.mark.parametrize(
    ("kind", "request_", "why"),
    [
        ("BUILD", DEPLOY, "it is a build, not a deployment"),
        ("DEPLOY", BUILD, "it is a deploy, not a build"),
        ("UTILITY", DEPLOY, "it is a utility, not a deployment"),
        ("BUILD", RUN, "it is a build, not a utility run"),
        (None, DEPLOY, "no execution of it that tells"),
    ],
)
def test_a_build_is_no_deployment_of_what_it_built(kind: str | None, request_: JobRequest, why: str) -> None:
    assert why in told(FOUND, ran(kind, instance_id="7"), request_)


@pytest.mark.parametrize("status", ["READY", "SUBMITTED", "PENDING_APPROVAL", "SCHEDULED", "REJECTED"])
def test_what_has_not_run_yet_is_looked_at_again_when_it_has(status: str) -> None:
    assert told(msgspec.structs.replace(FOUND, status=status), [], DEPLOY) == ""


@pytest.mark.parametrize("status", ["PENDING_APPROVAL", "SCHEDULED"])
def test_a_build_waits_for_nobody(status: str) -> None:
    assert "no build ever is" in told(msgspec.structs.replace(FOUND, status=status), [], BUILD)


def test_an_old_deployment_of_the_same_version_is_not_ours() -> None:
    old = [msgspec.structs.replace(ran()[0], started="2026-10-21T03:00:00.000+0000")]
    assert "began at 2026-10-21T03:00:00+00:00, and this task asked at" in told(FOUND, old, DEPLOY)


def test_another_instance_is_another_run() -> None:
    assert "instance 9, not on 7, 8" in told(FOUND, ran("UTILITY", instance_id="9"), RUN)


def test_packages_are_told_apart() -> None:
    packages = [{"packageName": "hr", "projectVersionId": 30}, {"packageName": "pay", "projectVersionId": 31}]
    wanted = DeployRequest.of(environment_id=11, package_details=packages)
    assert told(msgspec.structs.replace(FOUND, package_name="hr"), ran(), wanted) == ""
    assert "version is 30, not 31" in told(msgspec.structs.replace(FOUND, package_name="pay"), ran(), wanted)
    assert "package is tax" in told(msgspec.structs.replace(FOUND, package_name="tax"), ran(), wanted)
