"""The tasks of one night of Acme Orders."""

from __future__ import annotations

from airflow.sdk import TaskGroup

from nightshift.acme.configuration import Acme
from nightshift.acme.operators import AcmeExtractOperator
from nightshift.nights.flow import of_night, publish_after
from nightshift.nights.night import NightOperator


def tasks(source: Acme, night: NightOperator) -> None:
    """Declare the tasks of each report."""
    for report in source.reports:
        with TaskGroup(report.name, tooltip=f"Report {report.name}"):
            extract = AcmeExtractOperator(
                task_id="extract",
                doc_md="Fetch every page of the night to the landing.",
                report=report.name,
                page_size=report.page_size,
                timezone=source.timezone,
                acme_conn_id=source.connection,
                **of_night(night),
            )
            publish_after(extract, night, report.publish_spec(source.timezone))
