"""# Watch

Every five minutes it looks whether the nights of all reports are where they have to be by their `due` in
`reports.yaml`. What is late, missing, paused away, stuck, failed, drifted or unsound becomes **one** incident: updated,
not repeated, and closed by itself when the night is there. Who is told is configured in `notify.yaml`.

* It looks at the lake and at the configuration, not at runs; Airflow is only asked for the likely cause.
* Where Airflow's own scheduler is dead, it cannot run: `nightshift watch`, by cron or as a probe, does the same and
  says so.
* It costs one task of a few seconds, two listings of the lake, and two small requests a report.
"""

from __future__ import annotations

from nightshift.watch.operator import watch_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = watch_dag(doc_md=__doc__)
