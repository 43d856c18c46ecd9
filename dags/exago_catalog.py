"""# Exago catalog

Every night the tree of folders and reports of Exago comes home: **extract** lands the server's answer as received, and
its rows; **publish** makes them the night of the Delta table `tables/exago/tree`. **changes.compare** says what
appeared, vanished, moved or changed its type since the night before (in its log and as its XCom `changes`), which
becomes the table `tables/exago/tree_changes`.

* Reports that `reports.yaml` names are run and become tables like any other report. **folders** makes declared folders
  that are missing.
* A tree is a snapshot of the present: a past night can only be rebuilt from the landing. A report reaches back where a
  filter names the night (`{night}`), or where its rows say to which night they belong (`night_column`).
* *Trigger* opens a form: a night or a range, what of it, force.
"""

from __future__ import annotations

from nightshift.nights.flow import nightly_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = nightly_dag("exago", doc_md=__doc__)
