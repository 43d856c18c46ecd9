"""# FlexNet reports

Every night the configured reports of FlexNet Operations come home: **extract** lands the pages as received,
**publish** compares the vendor's data model with the table, replaces exactly that night in the Delta table
`tables/flexnet/<report>` and emits the report's asset event with the night as partition key.

* *Trigger* opens a form: a night or a range, which reports, force.
* *Backfill*: `airflow backfill create --dag-id flexnet_reports --from-date 2026-11-01 --to-date 2026-11-10`
* What is fetched is configured in `reports.yaml`, section `flexnet`; the connection is of the type *FlexNet
  Operations*.
"""

from __future__ import annotations

from nightshift.nights.flow import nightly_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = nightly_dag("flexnet", doc_md=__doc__)
