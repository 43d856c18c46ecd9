"""The DAG of the project, impatient; Airflow looks for both words in a file."""

from __future__ import annotations

from nightshift.nights.flow import nightly_dag
from tests.cluster.impatient import impatient

dag = impatient(nightly_dag("flexnet", doc_md=None))
