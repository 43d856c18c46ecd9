"""# Camunda Optimize reports

Every night the configured reports of Camunda Optimize come home: **extract** lands the pages as received,
**publish** turns them into the night of the Delta table `tables/camunda_optimize/<report>`.

* A report is a snapshot of the present: a night is what the report held when the night was taken. A past night can be
  asked for only where its rows say to which night they belong (`night_column`), or from the landing.
* *Trigger* opens a form: a night or a range, which reports, force.
* What is fetched is configured in `reports.yaml`, section `camunda_optimize`.
"""

from __future__ import annotations

from nightshift.nights.flow import nightly_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = nightly_dag("camunda_optimize", doc_md=__doc__)
