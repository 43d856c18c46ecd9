"""# Token Flex sign-in

Keeps the access that a person granted to Autodesk Token Flex alive. Autodesk's access tokens live an hour, its refresh
tokens 15 days and for one use each; this DAG is the only one that uses them.

* **First**: a person opens *Admin → Token Flex sign-in* and grants access. Until then, and where all connections are
  two-legged or have a token of their own, the runs skip and stay green.
* **Every 10 minutes** it looks whether an access token has less than 25 minutes left; if so it asks Autodesk for the
  next pair and stores it before anybody uses it. Otherwise the task is skipped.
* *Trigger* renews at once, for instance when Autodesk refuses a token before its time.
* **A failed run** says until when everything goes on working, when the grant lapses, and what to do. Keep this DAG
  unpaused: without it a grant lapses after 15 days; the exports warn from 5 days before.
"""

from __future__ import annotations

from datetime import timedelta

import pendulum
from airflow.sdk import DAG, Asset

from nightshift.retries import VendorRetryPolicy
from nightshift.tokenflex.operators import RenewTokensOperator

with DAG(
    "tokenflex_token",
    schedule="*/10 * * * *",
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    dagrun_timeout=timedelta(minutes=30),
    default_args={
        "owner": "nightshift",
        "retries": 3,
        "retry_delay": timedelta(seconds=30),
        "retry_policy": VendorRetryPolicy(),
        "execution_timeout": timedelta(minutes=8),
        "max_active_tis_per_dag": 1,
    },
    tags=["nightshift", "tokenflex", "sign-in"],
    doc_md=__doc__,
):
    RenewTokensOperator(
        task_id="renew",
        doc_md="Renew what is due of all granted connections, and store it before anybody uses it.",
        outlets=[Asset("tokenflex_token", group="nightshift")],
    )
