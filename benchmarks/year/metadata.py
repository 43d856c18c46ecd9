"""Airflow's own bookkeeping of assets and partitions: its asset manager and its scheduler's code, on a real database."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

REPORTS = "reports"
"""Id of the DAG whose tasks publish."""
_OPEN = {
    "partitions that wait for more": "select count(*) from asset_partition_dag_run where created_dag_run_id is null",
    "asset events queued for a DAG": "select count(*) from asset_dag_run_queue",
    "tasks deferred": "select count(*) from task_instance where state = 'deferred'",
    "triggers": "select count(*) from trigger",
    "task states": "select count(*) from task_state_store",
}


class Bare:
    """No Airflow at all: an application whose ready event is emitted is promoted."""

    def __init__(self) -> None:
        self._started: list[tuple[str, str, str]] = []
        self._number = 0

    def emit(self, task_id: str, night: str, outlets: Iterable[Any], events: Iterable[Any]) -> None:
        """Note the applications that are ready."""
        for event in events:
            kind, _, name = event["dest_asset_key"]["name"].partition("/")
            if kind == "ready":
                self._number += 1
                run_id = f"asset_triggered__{night}_{self._number:06d}"
                self._started.append((f"promote_{name}", event["partition_key"], run_id))

    def schedule(self) -> None:
        """Nobody schedules."""

    def started(self) -> list[tuple[str, str, str]]:
        """Return DAG, night and run id of each promotion since this was asked last."""
        found, self._started = self._started, []
        return found

    def end_runs(self) -> None:
        """Nothing runs."""

    def pending(self) -> dict[str, int]:
        """Return nothing: nothing waits."""
        return {}


class Metadata:
    """A metadata database, once the environment says where Airflow is.

    :param dags: all DAGs, that of the reports among them
    """

    def __init__(self, dags: Sequence[Any]) -> None:
        from airflow.dag_processing.collection import update_dag_parsing_results_in_db
        from airflow.models.dag import DagModel
        from airflow.models.dagbundle import DagBundleModel
        from airflow.serialization.serialized_objects import LazyDeserializedDAG
        from airflow.utils.db import initdb
        from airflow.utils.session import create_session
        from sqlalchemy import update

        initdb()
        for dag in dags:
            dag.fileloc, dag.relative_fileloc = __file__, "metadata.py"
        errors: dict[Any, str] = {}
        with create_session() as session:
            session.add(DagBundleModel(name="simulation"))
        with create_session() as session:
            lazy = [LazyDeserializedDAG.from_dag(dag) for dag in dags]
            update_dag_parsing_results_in_db("simulation", None, lazy, errors, 0.0, set(), session)
        if errors:
            raise RuntimeError(str(errors))
        with create_session() as session:
            session.execute(update(DagModel).values(is_paused=False))
        self._runner: Any = None
        self._last = 0

    def emit(self, task_id: str, night: str, outlets: Iterable[Any], events: Iterable[Any]) -> None:
        """Do what Airflow's API server does when a task has ended well."""
        from airflow.api_fastapi.execution_api.datamodels.asset import AssetProfile
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session

        with create_session() as session:
            ti = self._instance(task_id, night, session)
            profiles = [AssetProfile.model_validate(outlet) for outlet in outlets]
            TaskInstance.register_asset_changes_in_db(ti, profiles, list(events), session=session)

    def schedule(self) -> None:
        """Do what the scheduler does in one loop for partitions."""
        from airflow.jobs.job import Job
        from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
        from airflow.utils.session import create_session

        with create_session() as session:
            if self._runner is None:
                self._runner = SchedulerJobRunner(Job())
            self._runner._create_dagruns_for_partitioned_asset_dags(session)

    def started(self) -> list[tuple[str, str, str]]:
        """Return DAG, night and run id of each promotion that the scheduler started since this was asked last."""
        from airflow.models.dagrun import DagRun
        from airflow.utils.session import create_session
        from sqlalchemy import select

        wanted = (DagRun.id, DagRun.dag_id, DagRun.partition_key, DagRun.run_id)
        with create_session() as session:
            rows = session.execute(
                select(*wanted).where(DagRun.dag_id != REPORTS, DagRun.id > self._last).order_by(DagRun.id)
            ).all()
        self._last = max((row.id for row in rows), default=self._last)
        return [(row.dag_id, row.partition_key, row.run_id) for row in rows]

    def end_runs(self) -> None:
        """Let all runs end well, as their tasks did."""
        from airflow.models.dagrun import DagRun
        from airflow.models.taskinstance import TaskInstance
        from airflow.utils.session import create_session
        from airflow.utils.state import DagRunState, TaskInstanceState
        from sqlalchemy import update

        now = datetime.now(UTC)
        with create_session() as session:
            open_tasks = update(TaskInstance).where(TaskInstance.state.is_distinct_from("success"))
            session.execute(open_tasks.values(state=TaskInstanceState.SUCCESS, end_date=now))
            open_runs = update(DagRun).where(DagRun.state != DagRunState.SUCCESS)
            session.execute(open_runs.values(_state=DagRunState.SUCCESS, end_date=now))

    def pending(self) -> dict[str, int]:
        """Return what is left waiting, each kind by its name."""
        from airflow.utils.session import create_session
        from sqlalchemy import text

        with create_session() as session:
            return {what: int(session.scalar(text(query)) or 0) for what, query in _OPEN.items()}

    def partitions(self) -> int:
        """Return how many partitions there are in all."""
        from airflow.models.asset import AssetPartitionDagRun
        from airflow.utils.session import create_session
        from sqlalchemy import func, select

        with create_session() as session:
            return int(session.scalar(select(func.count()).select_from(AssetPartitionDagRun)) or 0)

    def _instance(self, task_id: str, night: str, session: Any) -> Any:
        from airflow.models.dagrun import DagRun
        from airflow.models.serialized_dag import SerializedDagModel
        from airflow.utils.state import DagRunState
        from airflow.utils.types import DagRunTriggeredByType, DagRunType
        from sqlalchemy import select

        run_id = f"manual__{night}"
        run = session.scalar(select(DagRun).where(DagRun.dag_id == REPORTS, DagRun.run_id == run_id))
        if run is None:
            dag = SerializedDagModel.get(REPORTS, session=session).dag
            run = dag.create_dagrun(
                run_id=run_id,
                run_after=datetime.now(UTC),
                run_type=DagRunType.MANUAL,
                state=DagRunState.RUNNING,
                triggered_by=DagRunTriggeredByType.TEST,
                partition_key=night,
                session=session,
            )
            session.flush()
        return run.get_task_instance(task_id, session=session)
