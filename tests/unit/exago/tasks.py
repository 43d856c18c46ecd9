"""Tasks of this room, and one attempt of the promotion in a process of its own."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

from airflow.sdk import DAG

from nightshift.exago import promote_operator
from nightshift.exago.promote_operator import ExagoPromoteFolderOperator
from nightshift.retries import VendorRetryPolicy
from tests.execution_api import FakeExecutionApi, FileStore, TaskRun  # first: it sets Airflow up

NIGHT = "2026-11-21"


def task(kind: type, **given: Any) -> Any:
    with DAG("d", schedule=None):
        return kind(**{"task_id": "t", "retry_policy": VendorRetryPolicy(), **given})


def promotion(**given: Any) -> ExagoPromoteFolderOperator:
    shared = {"live": "App/live", "candidate": "App/next", "archive": "Archive", "night": NIGHT, "list_lag": 0.3}
    return task(ExagoPromoteFolderOperator, **{**shared, **given})


def api_in(folder: Path, connection: dict[str, Any], run_id: str = "r") -> FakeExecutionApi:
    """Everything that outlives a killed attempt is in ``folder``: the state store and the lake."""
    os.environ["NIGHTSHIFT_LAKE"] = str(folder / "lake")
    store = FileStore(folder / "store")
    return FakeExecutionApi(connections={"exago_default": connection}, max_tries=5, task_store=store, run_id=run_id)


def attempt(folder: Path, connection: dict[str, Any]) -> TaskRun:
    os.environ["AIRFLOW_CONN_EXAGO_DEFAULT"] = json.dumps(connection)
    return api_in(folder, connection).run(promotion(), try_number=1)


class Freezing(FakeExecutionApi):
    """Airflow of an attempt that stands still once it has saved so many times."""

    saves: int = 0

    def _task_state(self, method: str, path: str, body: Any) -> Any:
        answer = super()._task_state(method, path, body)
        if method == "PUT":
            self.saves -= 1
            if self.saves == 0:
                os.kill(os.getpid(), signal.SIGSTOP)
        return answer


def freezing_attempt(folder: Path, connection: dict[str, Any], saves: int) -> None:
    """Run the first attempt, whose requests have to leave within half a second of what they follow from."""
    promote_operator.SEND_SECONDS = 0.5
    os.environ["AIRFLOW_CONN_EXAGO_DEFAULT"] = json.dumps(connection)
    api = api_in(folder, connection)
    api.__class__ = Freezing
    api.saves = saves  # type: ignore[attr-defined]
    run = api.run(promotion(), try_number=1)
    (folder / "thawed.json").write_text(json.dumps([str(run.state), str(run.error or "")]))


def claims_in(lake: Path) -> list[Path]:
    return sorted((lake / "claims").rglob("*.json")) if (lake / "claims").exists() else []
