"""Tasks that have FlexDeploy work; their polls are quick and they defer at once, unless told otherwise."""

from __future__ import annotations

import json
from typing import Any

from airflow.sdk import DAG

from nightshift.flexdeploy.operators import (
    FlexDeployBuildOperator,
    FlexDeployDeployOperator,
    FlexDeployExecuteUtilityOperator,
    ProjectJobOperator,
)
from nightshift.flexdeploy.sensors import FlexDeployWorkflowRequestSensor
from tests.unit.flexdeploy.vendor import DEV, LOGIN, MAIN, PASSWORD, PORTAL, RESTART, VERSION

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
