"""# Acme reports

Every night the configured reports of Acme Orders come home: **extract** lands the pages as received, **publish**
replaces the night in the Delta table `tables/acme/<report>`.
"""

from __future__ import annotations

from nightshift.nights.flow import nightly_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = nightly_dag("acme", doc_md=__doc__)
