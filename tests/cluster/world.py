"""The cluster with the five stand-in vendors, a configuration of its own, and points that can be armed."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from include.local import ROOT
from include.local.airflow import connection_fields, free_port
from include.local.cluster.airflow import ClusterAirflow
from include.standins.camunda_optimize import CamundaOptimizeStandIn
from include.standins.exago import ExagoStandIn
from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexnet import FlexNetStandIn, FlexNetSwitches
from include.standins.server import StandIn
from include.standins.tokenflex import RateLimit, TokenFlexStandIn, TokenFlexSwitches
from nightshift.sources import SOURCES, VENDORS
from tests.cluster.carriers import APPLICATIONS, CAMUNDA
from tests.cluster.points import FOLDER, Board

SLOTS = 12
BOTH = "default,publish"
ROWS_A_DAY = {"entitlement": 320, "account": 150, "usage": 900}
# Airflow's own run for last night waits until this is over; the runs of the campaign do not.
SETTLE_HOURS = 24
REPORTS: dict[str, Any] = {
    "flexnet": {
        "settle_hours": SETTLE_HOURS,
        "reports": [
            {"name": "entitlement", "key": ["EntitlementID"], "page_size": 100},
            {"name": "account", "key": ["AccountID"], "page_size": 50},
            {"name": "usage", "page_size": 300},
        ],
    },
    "tokenflex": {
        "contract": "110000917988",
        "settle_hours": SETTLE_HOURS,
        "pool": "default_pool",
        "exports": [
            {
                "name": name,
                "category": "DESKTOP_PRODUCT",
                "fields": ["usageDate", "productName", "userName"],
                "metrics": ["tokensConsumed"],
                "look_back": 0,
            }
            for name in ("one", "two", "three")
        ],
    },
    "camunda_optimize": {
        "settle_hours": SETTLE_HOURS,
        "reports": [
            {"name": name, "report_id": "e6c5abb1-6a18-44e7-8480-d562d511ba62", "key": ["processInstanceId"]}
            for name in CAMUNDA
        ],
    },
    "exago": {"settle_hours": SETTLE_HOURS},
}
HEARTBEATS = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "25",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_SEC": "2",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT": "45",
    "AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL": "10",
    "AIRFLOW__SCHEDULER__NUM_STUCK_IN_QUEUED_RETRIES": "9",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "20",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "600",
}
"""What is dead is noticed after seconds instead of minutes; nothing else is other than in production."""


def promotions() -> dict[str, Any]:
    """Return the applications: each has a project of its own, and no vendor's report to wait for."""
    restart = {"name": "restart", "project": "Operations/Tools/RestartServices"}
    return {
        name: {
            "project_id": project,
            "stream_id": project + 400,
            "build": {"environment": "DEV"},
            "stages": [
                {"environment": "DEV"},
                {
                    "environment": "TEST",
                    "approval": {"hours": 2},
                    "after": [{**restart, "inputs": {"SERVICE": name.replace("_", "-")}}],
                },
            ],
        }
        for name, project in APPLICATIONS.items()
    }


class World:
    """Everything, started and ended together.

    :param home: a folder of its own
    :param slots: tasks that a worker does at once
    :param small: one worker, one scheduler and one triggerer, which start in half of the time
    """

    def __init__(self, home: Path, *, slots: int = SLOTS, small: bool = False) -> None:
        self.board = Board(home / "points")
        config = home / "config"
        config.mkdir(parents=True)
        (config / "reports.yaml").write_text(yaml.safe_dump(REPORTS))
        (config / "promotions.yaml").write_text(yaml.safe_dump(promotions()))
        self.flexnet = FlexNetStandIn(switches=FlexNetSwitches(rows_a_day=ROWS_A_DAY))
        self.tokenflex = TokenFlexStandIn(
            switches=TokenFlexSwitches(processing_seconds=0.2, rate_limit=RateLimit.OFF, auto_allow=True)
        )
        self.flexdeploy = FlexDeployStandIn(
            switches=FlexDeploySwitches(
                changes=Changes.ALWAYS, build_seconds=2.5, deploy_seconds=1.0, utility_seconds=2.5
            )
        )
        self.vendors: list[StandIn[Any]] = [
            self.flexnet,
            self.tokenflex,
            self.flexdeploy,
            CamundaOptimizeStandIn(),
            ExagoStandIn(),
        ]
        self.config = config
        self.environment = {
            "NIGHTSHIFT_CONFIG": str(config),
            "NIGHTSHIFT_KEPT": str(home / "kept"),
            FOLDER: str(self.board.folder),
            "PYTHONPATH": ":".join(str(ROOT / part) for part in ("tests/cluster/site", "plugins", "")),
        }
        self.airflow = ClusterAirflow(
            home / "cluster",
            free_port(),
            {**HEARTBEATS, **self.environment},
            dags=ROOT / "tests" / "cluster" / "dags",
            slots=slots,
            # Whoever is left goes on with the work of the other.
            queues={f"worker-{number}": BOTH for number in (1, 2)[: 1 if small else 2]},
            copies=1 if small else 2,
        )
        self._open = ExitStack()

    def connections(self) -> dict[str, dict[str, Any]]:
        """Return connection id → fields."""
        found = {}
        for vendor in self.vendors:
            fields = dict(vendor.signs_in)
            if vendor.name == "tokenflex":
                fields["extra"] = {**fields["extra"], "requests_per_minute": 6000}
            default = VENDORS[vendor.name].default_connection
            found[default] = connection_fields(conn_type=vendor.name, host=vendor.url, **fields)
        return found

    def dag_ids(self) -> list[str]:
        """Return the DAGs of all flows."""
        return [*(source.dag_id for source in SOURCES.values()), *(f"promote_{name}" for name in APPLICATIONS)]

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for vendor in self.vendors:
                stack.enter_context(vendor)
            stack.callback(self.airflow.stop)
            self.airflow.start(say=lambda _: None)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()
