"""The tasks of one night of FlexNet Operations."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from nightshift.flexnet.configuration import FlexNet
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.nights.flow import of_night, publish_after
from nightshift.nights.night import NightOperator


def tasks(source: FlexNet, night: NightOperator) -> None:
    """Declare the tasks of each report."""
    for report in source.reports:
        with TaskGroup(report.name, tooltip=f"Report {report.name}"):
            extract = FlexNetExtractOperator(
                task_id="extract",
                doc_md="Fetch every page of the night to the landing.",
                report=report.name,
                **of_night(night),
                **source.model_dump(
                    include={"timezone", "horizon_days", "date_to", "window_overlap_days", "pages_in_flight"}
                ),
                **report.model_dump(include={"mode", "format", "page_size", "query", "key", "data_key"}),
                columns=[*report.types, *filter(None, [report.night_column])],
                **report.csv.model_dump(include={"charset", "delimiter", "quote"}, exclude_unset=True),
                flexnet_conn_id=source.connection,
            )
            publish_after(extract, night, report.publish_spec(source.timezone))
