"""The tasks of one night of Exago BI."""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import TaskGroup

from nightshift.exago.configuration import Exago, ExagoReport
from nightshift.exago.folder_operators import ExagoEnsureFoldersOperator
from nightshift.exago.operators import ExagoCompareTreesOperator, ExagoReportExtractOperator, ExagoTreeExtractOperator
from nightshift.exago.source import CHANGES, FOLDERS, TREE
from nightshift.nights.flow import of_night, publish_after
from nightshift.nights.night import NightOperator


def tasks(source: Exago, night: NightOperator) -> None:
    """Declare the snapshot of the tree and its comparison with the night before, the declared folders, each report."""
    _catalog(source, night)
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
        _report(source, report, night)


def _catalog(source: Exago, night: NightOperator) -> None:
    shared = {"timezone": source.timezone, "exago_conn_id": source.connection, **of_night(night)}
    with TaskGroup(TREE, tooltip="The tree of folders and reports"):
        extract = ExagoTreeExtractOperator(
            task_id="extract", doc_md="Take the tree to the landing.", report=TREE, **shared
        )
        publish_after(extract, night, source.catalog.tree_spec())
        with TaskGroup("changes", tooltip="What changed since the night before"):
            compare = ExagoCompareTreesOperator(
                task_id="compare",
                doc_md="Compare with the last night before; asks no server.",
                report=CHANGES,
                tree_extract=extract.output,
                **shared,
            )
            publish_after(compare, night, source.catalog.changes_spec())


def _report(source: Exago, report: ExagoReport, night: NightOperator) -> None:
    with TaskGroup(report.name, tooltip=f"Report {report.path or report.report_id}"):
        extract = ExagoReportExtractOperator(
            task_id="extract",
            doc_md="Run the report and land what it holds.",
            report=report.name,
            **of_night(night),
            **source.model_dump(include={"timezone", "horizon_days"}),
            **report.model_dump(include={"path", "report_id", "format", "data_type", "data_key", "answered_as"}),
            **report.model_dump(include={"key", "no_rows_texts"}),
            filters=[one.as_sent() for one in report.filters],
            sorts=[one.as_sent() for one in report.sorts],
            csv=report.csv.model_dump(mode="json"),
            seconds=timedelta(minutes=report.minutes).total_seconds(),
            dated=report.night_column is not None,
            exago_conn_id=source.connection,
        )
        publish_after(extract, night, report.publish_spec(source.timezone))
