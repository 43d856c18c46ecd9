"""What the nightly flows of all sources have in common: one DAG a source, partitioned by night, a task group a
report.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG

from nightshift.config.reports import FIRST_TASK, source_in_force
from nightshift.nights.night import NightOperator, night_form
from nightshift.nights.publish import PublishNightOperator
from nightshift.nights.ready import waiting_for
from nightshift.nights.timetable import NightTimetable
from nightshift.parsing import give_form, in_task, render_outputs_only
from nightshift.retries import VendorRetryPolicy
from nightshift.sources import VENDORS

if TYPE_CHECKING:
    from nightshift.config.reports import Source
    from nightshift.lake.spec import PublishSpec
    from nightshift.nights.extract import ExtractOperator


def nightly_dag(room: str, *, doc_md: str | None) -> DAG | None:
    """Return the DAG of a source of reports: a run a night, begun at the moment that ends it, with the night as
    partition key.

    :param room: the source: connection type, and section of ``reports.yaml``
    :param doc_md: what the UI says about the DAG
    :return: ``None`` where the source is not configured
    """
    vendor = VENDORS[room]
    assert vendor.reports is not None, f"{room} is no source of reports"  # noqa: S101 - a mistake in a DAG file
    source = source_in_force(room, counts_gone=in_task())
    if source is None:
        return None
    with DAG(
        vendor.reports.dag_id,
        # At the end of the night, whenever the vendor settles: the first task waits for that.
        schedule=NightTimetable(source.timezone),
        start_date=pendulum.parse(source.start, tz=source.timezone),
        catchup=False,
        max_active_runs=vendor.reports.max_active_runs,
        dagrun_timeout=source.longest_wait + vendor.reports.run_limit,
        default_args={
            "owner": "nightshift",
            "retries": source.retries,
            "retry_delay": timedelta(minutes=1),
            "retry_policy": VendorRetryPolicy(),
            "execution_timeout": vendor.reports.task_limit,
            "pool": source.pool,
        },
        tags=["nightshift", room, "reports"],
        doc_md=doc_md,
    ) as dag:
        vendor.load(vendor.reports.tasks)(source, night_task(source))
    render_outputs_only(dag)
    give_form(dag, night_form(source.branches))
    return dag


def night_task(source: Source) -> NightOperator:
    """Declare the first task of the DAG; its branches are the task groups, named as the reports."""
    return NightOperator(
        task_id=FIRST_TASK,
        # The pool is for what talks to the vendor: in one that is full, or that nobody has made, no night would begin.
        pool="default_pool",
        pool_of_reports=source.pool,
        doc_md="Decide the night, wait until it is settled, choose the reports.",
        timezone=source.timezone,
        settle_hours=source.settle_hours,
        branches={name: name for name in source.branches},
    )


def of_night(night: NightOperator) -> dict[str, Any]:
    """Return what every extracting and publishing task takes from the first one."""
    return {"night": night.output["night"], "force": night.output["force"]}


def publish_after(extract: ExtractOperator, night: NightOperator, spec: PublishSpec) -> None:
    """Declare the task after an extract, which publishes it.

    :param extract: the extracting task
    :param night: the first task of the DAG
    :param spec: how the report is published
    """
    publish = PublishNightOperator(
        task_id="publish",
        doc_md="Check columns and rows of the night and replace it in the table, in one atomic commit.",
        extract=extract.output,
        spec=spec.model_dump(mode="json"),
        source=extract.source,
        report=extract.report,
        force=night.output["force"],
        waiting=waiting_for(extract.source, extract.report),
    )
    night >> extract >> publish
