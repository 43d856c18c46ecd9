"""The board as the API server mounts it, over a lake and a configuration of its own and Airflow's tables."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from airflow import settings
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.base import Base
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance
from airflow.utils.session import create_session
from airflow.utils.types import DagRunType
from starlette.applications import Starlette
from starlette.routing import Mount

from nightshift.board import MOUNT
from nightshift.lake.store import Lake
from tests.unit.board.one_hidden import LISTS_ONLY, OneHidden

BASE = f"http://airflow.test{MOUNT}/"
REPORTS = """
flexnet:
  start: "2026-01-01"
  reports:
    - {name: entitlement, key: [id]}
    - {name: usage, key: [id], due: "06:00"}
camunda_optimize:
  start: "2026-01-01"
  reports:
    - {name: secret, report_id: e6c5abb1-6a18-44e7-8480-d562d511ba62}
"""
PROMOTIONS = """
portal: &portal
  description: The <portal>.
  project_id: 10101
  stream_id: 1
  after: [flexnet/entitlement, flexnet/usage]
  build: {environment: DEV}
  stages:
    - environment: DEV
    - {environment: TEST, approval: {hours: 24}}
    - environment: PROD
secret_one: *portal
"""


@pytest.fixture(scope="session")
def app() -> Starlette:
    """An application with nothing but the plugin's own."""
    from nightshift.plugin import NightshiftPlugin

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"{OneHidden.__module__}.{OneHidden.__name__}")
        create_auth_manager()
    from airflow.models import import_all_models

    import_all_models()
    Base.metadata.create_all(settings.engine)
    return Starlette(routes=[Mount(one["url_prefix"], one["app"]) for one in NightshiftPlugin.fastapi_apps])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration folder."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "promotions.yaml").write_text(PROMOTIONS)
    (folder / "reports.yaml").write_text(REPORTS)
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(folder))
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    return folder


@pytest.fixture
def lake(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
async def ada(app: Starlette) -> Any:
    """A browser of an administrator."""
    async with browser(app, "ada") as client:
        yield client


@pytest.fixture
async def eve(app: Starlette) -> Any:
    """A browser of somebody who may look, and not at everything."""
    async with browser(app, "eve", "VIEWER") as client:
        yield client


@pytest.fixture
async def lin(app: Starlette) -> Any:
    """A browser of somebody who may read DAGs, and none of their runs."""
    async with browser(app, LISTS_ONLY, "VIEWER") as client:
        yield client


@pytest.fixture
def runs(app: Starlette) -> Iterator[Runs]:
    """Airflow's runs and task instances; none is left behind."""
    yield Runs()
    with create_session() as session:
        session.query(TaskInstance).delete()
        session.query(DagRun).delete()


class Runs:
    """Puts runs where Airflow keeps them."""

    def add(
        self, dag_id: str, night: str | None, tasks: dict[str, str | None], *, state: str = "success", **more: Any
    ) -> str:
        """Add a run of a night, and its task instances with their states."""
        self.number = getattr(self, "number", 0) + 1
        run_id = str(more.pop("run_id", f"{night}__{self.number}"))
        at = datetime(2026, 11, 20, 4, self.number, tzinfo=UTC)
        more = {"run_after": at, "start_date": at, "queued_at": at, "partition_key": night, **more}
        with create_session() as session:
            session.add(DagRun(dag_id=dag_id, run_id=run_id, run_type=DagRunType.MANUAL, state=state, **more))
            session.flush()
            for task_id, one in tasks.items():
                row = {
                    "id": uuid4(),
                    "task_id": task_id,
                    "dag_id": dag_id,
                    "run_id": run_id,
                    "map_index": -1,
                    "state": one,
                    "pool": "default_pool",
                    "pool_slots": 1,
                    "try_number": 1,
                    "span_status": "not_started",
                }
                # From 3.4 on, a task instance is told by the region that it is in.
                row |= {"region_index": row["map_index"]}
                there = TaskInstance.__table__.columns.keys()
                row = {name: value for name, value in row.items() if name in there}
                session.execute(TaskInstance.__table__.insert().values(**row))
        return run_id


def browser(app: Any, name: str = "", role: str = "ADMIN") -> httpx.AsyncClient:
    """Return a client signed in to Airflow by cookie, as a browser is; anonymous without a name."""
    user = SimpleAuthManagerUser(username=name, role=role)
    cookies = {"_token": get_auth_manager().generate_jwt(user)} if name else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE, cookies=cookies)
