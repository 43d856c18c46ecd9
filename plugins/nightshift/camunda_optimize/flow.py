"""The tasks of one night of Camunda Optimize."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from nightshift.camunda_optimize.configuration import CamundaOptimize
from nightshift.camunda_optimize.operators import CamundaOptimizeExtractOperator
from nightshift.nights.flow import of_night, publish_after
from nightshift.nights.night import NightOperator


def tasks(source: CamundaOptimize, night: NightOperator) -> None:
    """Declare the tasks of each report."""
    for report in source.reports:
        with TaskGroup(report.name, tooltip=f"Report {report.report_id}"):
            extract = CamundaOptimizeExtractOperator(
                task_id="extract",
                doc_md="Fetch every page of the result to the landing.",
                report=report.name,
                **of_night(night),
                **source.model_dump(include={"timezone", "horizon_days", "limit"}),
                **report.model_dump(include={"report_id", "strict"}),
                dated=report.night_column is not None,
                camunda_optimize_conn_id=source.connection,
            )
            publish_after(extract, night, report.publish_spec(source.timezone))
