"""# FlexNet reports

Every night the configured reports of FlexNet Operations come home: **extract** lands the pages as received,
**publish** compares the vendor's data model with the table, replaces exactly that night in the Delta table
`tables/flexnet/<report>` and emits the report's asset event with the night as partition key.

* *Trigger* opens a form: a night or a range, which reports, force.
* *Backfill*: `airflow backfill create --dag-id flexnet_reports --from-date 2026-11-01 --to-date 2026-11-10`
* What is fetched is configured in `reports.yaml`, section `flexnet`; the connection is of the type *FlexNet Operations*.
"""

from __future__ import annotations

from airflow.sdk import TaskGroup

from nightshift.config.reports import FlexNet
from nightshift.flexnet.operators import FlexNetExtractOperator
from nightshift.nights.flow import night_task, nightly_dag, of_night, publish_after
from nightshift.sources import source_in_force

if (source := source_in_force("flexnet", FlexNet)) is not None:
    names = [report.name for report in source.reports]
    with nightly_dag("flexnet_reports", source, names, kind="flexnet", doc_md=__doc__):
        night = night_task(source, names)
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
                    **report.csv.model_dump(include={"charset", "delimiter", "quote"}, exclude_unset=True),
                    flexnet_conn_id=source.connection,
                )
                publish_after(
                    extract, night, kind="flexnet", report=report.name, spec=report.publish_spec(source.timezone)
                )
