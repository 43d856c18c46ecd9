"""Tasks that have the small FlexDeploy work; their polls are quick and they defer at once, unless told otherwise."""

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
from tests.unit.flexdeploy.deploy_server import LOGIN, SECRET

QUICK = {"poll_first": 0.02, "poll_cap": 0.05, "look": 0.0}
PLACE = {"project_id": 10004, "environment_id": 11101}
KINDS: dict[str, tuple[type[ProjectJobOperator], dict[str, Any]]] = {
    "build": (FlexDeployBuildOperator, {"stream_id": 11210}),
    "deploy": (FlexDeployDeployOperator, {"project_version_id": 30001}),
    "execute": (FlexDeployExecuteUtilityOperator, {}),
}


def connection(url: str, **extra: Any) -> dict[str, str]:
    plain = {name: value for name, value in extra.items() if name not in ("host", "login", "password")}
    return {
        "conn_type": "flexdeploy", "host": url, "login": LOGIN, "password": SECRET,
        "extra": json.dumps(plain),
    }  # fmt: skip


def task(kind: str = "build", **kwargs: Any) -> Any:
    operator, given = KINDS[kind]
    with DAG("d", schedule=None):
        return operator(**{"task_id": "t", **QUICK, **PLACE, **given, **kwargs})


def sensor(**kwargs: Any) -> FlexDeployWorkflowRequestSensor:
    with DAG("d", schedule=None):
        return FlexDeployWorkflowRequestSensor(**{"task_id": "s", **QUICK, **kwargs})
