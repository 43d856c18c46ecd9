"""# Token Flex exports

Every night the configured usage exports of Autodesk Token Flex come home: **request** asks for the export, once;
**wait** waits for it without a worker; **download** lands the CSV file as received; **publish** replaces the night, and
each night of the look-back, in the Delta table `tables/tokenflex/<export>` and emits the asset events of these nights.

* *Trigger* opens a form: a night or a range, which exports, force.
* *Backfill*: `airflow backfill create --dag-id tokenflex_exports --from-date 2026-09-01 --to-date 2026-11-10`. At most
  50 exports are pending at the vendor: a pool with `include_deferred` keeps to it; a full queue is waited for.
* What is fetched is configured in `reports.yaml`, section `tokenflex`; the connection is of the type *Autodesk Token
  Flex*, and a person grants access once under Admin, *Token Flex sign-in*.
"""

from __future__ import annotations

from nightshift.nights.flow import nightly_dag

# Airflow looks for the words "airflow" and "DAG" in a file before it reads it.
dag = nightly_dag("tokenflex", doc_md=__doc__)
