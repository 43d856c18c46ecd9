"""# Camunda Optimize reports

Every night the configured reports of Camunda Optimize come home: **extract** lands the pages as received,
**publish** turns them into the night of the Delta table `tables/camunda_optimize/<report>`.

* A report is a snapshot of the present: a night is what the report held when the night was taken. A past night can be
  asked for only where its rows say to which night they belong (`night_column`), or from the landing.
* *Trigger* opens a form: a night or a range, which reports, force.
* What is fetched is configured in `reports.yaml`, section `camunda_optimize`.
"""

from __future__ import annotations

from airflow.sdk import TaskGroup

from nightshift.camunda_optimize.operators import CamundaOptimizeExtractOperator, variables_to_promote
from nightshift.config.reports import CamundaOptimize
from nightshift.nights.flow import night_task, nightly_dag, of_night, publish_after
from nightshift.sources import source_in_force

if (source := source_in_force("camunda_optimize", CamundaOptimize)) is not None:
    names = [report.name for report in source.reports]
    with nightly_dag("camunda_reports", source, names, kind="camunda_optimize", doc_md=__doc__):
        night = night_task(source, names)
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
                spec = report.publish_spec(source.timezone, promote=variables_to_promote(report.variables))
                publish_after(extract, night, kind="camunda_optimize", report=report.name, spec=spec)
