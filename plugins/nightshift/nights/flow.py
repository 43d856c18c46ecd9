"""What the nightly flows of all sources have in common: one DAG a source, partitioned by night, a task group a report."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG

from nightshift.inert import render_outputs_only
from nightshift.nights.forms import give_form
from nightshift.nights.night import NightOperator, night_form
from nightshift.nights.publish import PublishNightOperator
from nightshift.nights.ready import waiting_for
from nightshift.nights.timetable import NightTimetable
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

    from nightshift.config.reports import Source
    from nightshift.lake.spec import PublishSpec

RUN_LIMIT = timedelta(hours=20)
TASK_LIMIT = timedelta(hours=4)


@contextmanager
def nightly_dag(
    dag_id: str,
    source: Source,
    reports: Sequence[str],
    *,
    kind: str,
    doc_md: str | None,
    pool: str | None = None,
    max_active_runs: int = 8,
    run_limit: timedelta = RUN_LIMIT,
    task_limit: timedelta = TASK_LIMIT,
) -> Iterator[DAG]:
    """Declare the DAG of a source: a run a night, begun at the moment that ends it, with the night as partition key.

    :param dag_id: id of the DAG
    :param source: the source's section of ``reports.yaml``
    :param reports: names of its reports
    :param kind: connection type of the source; also a tag
    :param doc_md: what the UI says about the DAG
    :param pool: of the tasks that name none; default: the source's
    :param max_active_runs: nights that are brought home at the same time
    :param run_limit: after which a run is ended
    :param task_limit: after which an attempt of a task is ended
    """
    with DAG(
        dag_id,
        # At the end of the night, whenever the vendor settles: the first task waits for that.
        schedule=NightTimetable(source.timezone),
        start_date=pendulum.parse(source.start, tz=source.timezone),
        catchup=False,
        max_active_runs=max_active_runs,
        dagrun_timeout=run_limit,
        default_args={
            "owner": "nightshift",
            "retries": source.retries,
            "retry_delay": timedelta(minutes=1),
            "retry_policy": VendorRetryPolicy(),
            "execution_timeout": task_limit,
            "pool": pool or source.pool,
        },
        tags=["nightshift", kind, "reports"],
        doc_md=doc_md,
    ) as dag:
        yield dag
    render_outputs_only(dag)
    give_form(dag, night_form(reports))


def night_task(source: Source, reports: Sequence[str]) -> NightOperator:
    """Declare the first task of the DAG; its branches are the task groups, named as the reports."""
    return NightOperator(
        task_id="night",
        # The pool is for what talks to the vendor: in one that is full, or that nobody has made, no night would begin.
        pool="default_pool",
        pool_of_reports=source.pool,
        doc_md="Decide the night, wait until it is settled, choose the reports.",
        timezone=source.timezone,
        settle_hours=source.settle_hours,
        branches={name: name for name in reports},
    )


def of_night(night: NightOperator) -> dict[str, Any]:
    """Return what every extracting and publishing task takes from the first one."""
    return {"night": night.output["night"], "force": night.output["force"]}


def publish_after(extract: BaseOperator, night: NightOperator, *, kind: str, report: str, spec: PublishSpec) -> None:
    """Declare the task after an extract, which publishes it.

    :param extract: the extracting task
    :param night: the first task of the DAG
    :param kind: connection type of the source
    :param report: name of the report
    :param spec: how the report is published
    """
    publish = PublishNightOperator(
        task_id="publish",
        doc_md="Check columns and rows of the night and replace it in the table, in one atomic commit.",
        extract=extract.output,
        spec=spec.model_dump(mode="json"),
        source=kind,
        report=report,
        force=night.output["force"],
        waiting=waiting_for(kind, report),
    )
    night >> extract >> publish
