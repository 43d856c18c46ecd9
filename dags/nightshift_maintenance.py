"""# Maintenance

Once a week it takes care of the tables and of the landing, a task a source:

* the files of a night that is in many of them are put together, in a commit of their own;
* files of a table are deleted that no version of the last `keep_versions` has, and those of a publish that died;
* extracts of the landing are deleted that a newer, complete one took the place of `keep_superseded` ago, and, where
  `keep_landing` says so, those of old nights that the table has as they were published;
* incidents are deleted of which nothing more has become known for `keep_incidents`.

How long what is kept is configured in `reports.yaml`, under `maintenance` of a source. It deletes, so it stays paused
until somebody wants it. *Trigger* opens a form: `dry_run` only says what would go. What was done is in the log and in
the result.
"""

from __future__ import annotations

from nightshift.nights.maintenance import maintenance_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = maintenance_dag(doc_md=__doc__)
