"""# Exago catalog

Every night the tree of folders and reports of Exago comes home: **extract** lands the server's answer as received, and its
rows; **publish** makes them the night of the Delta table `tables/exago/tree`. **changes.compare** says what appeared,
vanished, moved or changed its type since the night before (in its log and as its XCom `changes`), which becomes the table
`tables/exago/tree_changes`.

* Reports that `reports.yaml` names are run and become tables like any other report. **folders** makes declared folders
  that are missing.
* A tree is a snapshot of the present: a past night can only be rebuilt from the landing. A report reaches back where a
  filter names the night (`{night}`), or where its rows say to which night they belong (`night_column`).
* *Trigger* opens a form: a night or a range, what of it, force.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import TaskGroup

from nightshift.config.exago import CHANGES, FOLDERS, TREE, Exago, ExagoReport
from nightshift.exago.folder_operators import ExagoEnsureFoldersOperator
from nightshift.exago.operators import ExagoCompareTreesOperator, ExagoReportExtractOperator, ExagoTreeExtractOperator
from nightshift.nights.flow import night_task, nightly_dag, of_night, publish_after
from nightshift.nights.night import NightOperator
from nightshift.sources import source_in_force


def catalog_group(source: Exago, night: NightOperator) -> None:
    """Declare the snapshot of the tree and its comparison with the night before."""
    shared = {"timezone": source.timezone, "exago_conn_id": source.connection, **of_night(night)}
    with TaskGroup(TREE, tooltip="The tree of folders and reports"):
        extract = ExagoTreeExtractOperator(
            task_id="extract", doc_md="Take the tree to the landing.", report=TREE, **shared
        )
        publish_after(extract, night, kind="exago", report=TREE, spec=source.catalog.tree_spec())
        with TaskGroup("changes", tooltip="What changed since the night before"):
            compare = ExagoCompareTreesOperator(
                task_id="compare",
                doc_md="Compare with the last night before; asks no server.",
                report=CHANGES,
                tree_extract=extract.output,
                **shared,
            )
            publish_after(compare, night, kind="exago", report=CHANGES, spec=source.catalog.changes_spec())


def report_group(source: Exago, report: ExagoReport, night: NightOperator) -> None:
    """Declare one report."""
    with TaskGroup(report.name, tooltip=f"Report {report.path or report.report_id}"):
        extract = ExagoReportExtractOperator(
            task_id="extract",
            doc_md="Run the report and land what it holds.",
            report=report.name,
            **of_night(night),
            **source.model_dump(include={"timezone", "horizon_days"}),
            **report.model_dump(include={"path", "report_id", "format", "data_type", "data_key"}),
            filters=[one.as_sent() for one in report.filters],
            sorts=[one.as_sent() for one in report.sorts],
            csv=report.csv.model_dump(mode="json"),
            seconds=timedelta(minutes=report.minutes).total_seconds(),
            dated=report.night_column is not None,
            exago_conn_id=source.connection,
        )
        publish_after(extract, night, kind="exago", report=report.name, spec=report.publish_spec(source.timezone))


if (source := source_in_force("exago", Exago)) is not None:
    names = source.branches
    with nightly_dag("exago_catalog", source, names, kind="exago", doc_md=__doc__):
        night = night_task(source, names)
        catalog_group(source, night)
        if source.folders is not None:
            night >> ExagoEnsureFoldersOperator(
                task_id=FOLDERS,
                doc_md="Make the declared folders that are missing; the plan is shown first.",
                folders=source.folders.declared,
                dry_run=source.folders.dry_run,
                list_lag=source.list_lag,
                exago_conn_id=source.connection,
            )
        for report in source.reports:
            report_group(source, report, night)
