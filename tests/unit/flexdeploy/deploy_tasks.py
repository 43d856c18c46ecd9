"""Tasks that have FlexDeploy work; their polls are quick and they defer at once, unless told otherwise."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

from airflow.sdk import DAG

from include.standins.flexdeploy.requests import Kind
from nightshift.flexdeploy.operators import (
    FlexDeployBuildOperator,
    FlexDeployDeployOperator,
    FlexDeployExecuteUtilityOperator,
    ProjectJobOperator,
)
from nightshift.flexdeploy.sensors import FlexDeployWorkflowRequestSensor
from tests.execution_api import FakeExecutionApi
from tests.unit.flexdeploy.vendor import DEV, LOGIN, MAIN, NIGHT, PASSWORD, PORTAL, RESTART, VERSION, Vendor

QUICK = {"poll_first": 0.02, "poll_cap": 0.05, "look": 0.0}
PLACE = {"project_id": PORTAL, "environment_id": DEV}
KINDS: dict[str, tuple[type[ProjectJobOperator], dict[str, Any]]] = {
    "build": (FlexDeployBuildOperator, {"stream_id": MAIN}),
    "deploy": (FlexDeployDeployOperator, {"project_version_id": VERSION, "force_deploy": True}),
    "execute": (FlexDeployExecuteUtilityOperator, {"project_id": RESTART, "inputs": {"SERVICE": "portal"}}),
}


def connection(url: str, **extra: Any) -> dict[str, str]:
    plain = {name: value for name, value in extra.items() if name not in ("host", "login", "password")}
    given = {"conn_type": "flexdeploy", "host": url, "login": LOGIN, "password": PASSWORD}
    return {**given, "extra": json.dumps(plain)}


def task(kind: str = "build", **kwargs: Any) -> Any:
    operator, given = KINDS[kind]
    with DAG("d", schedule=None):
        return operator(**{"task_id": "t", **QUICK, **PLACE, **given, **kwargs})


def sensor(**kwargs: Any) -> FlexDeployWorkflowRequestSensor:
    with DAG("d", schedule=None):
        return FlexDeployWorkflowRequestSensor(**{"task_id": "s", **QUICK, **kwargs})


def outlast(api: FakeExecutionApi, run: Any) -> None:
    """Let the working time of a deferred task pass."""
    threading.Event().wait(max(0.0, api.trigger(run.message).plan.deadline - time.time()) + 0.02)


def gated(vendor: Vendor, gate: str) -> dict[str, Any]:
    """Have deployments to DEV wait for a person, or for a time; return what a task adds for it."""
    if gate == "approval":
        vendor.turn(approvals={"DEV": 1})
        return {"change_tickets": ["CHG7"]}
    return {"start_time": NIGHT}


def open_gate(vendor: Vendor, gate: str, request: int = 12001) -> None:
    if gate == "approval":
        vendor.approve(request)
    else:
        vendor.run_schedule(request)


def deploys(vendor: Vendor) -> list[int]:
    """Let a person deploy the portal to DEV."""
    return vendor.start_as_user(Kind.DEPLOY, PORTAL, environmentId=DEV, projectVersionId=VERSION, forceDeploy=True)
