"""The one task of the DAG ``nightshift_watch``, and that DAG."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pendulum
from airflow.sdk import DAG, BaseOperator, Context, conf
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from nightshift.nights.place import lake_of_this_deployment
from nightshift.retries import VendorRetryPolicy

DAG_ID = "nightshift_watch"
MINUTES = 5
"""Minutes between two looks."""


class WatchOperator(BaseOperator):
    """Look once at all nights: write down what is wrong, and tell people; see :func:`nightshift.watch.once.watch_once`.

    It asks Airflow for the likely cause of what is late, through its own supervisor. Returns what it has found. It
    fails where something could not be looked at, or is wrong and told by no incident, so that nobody takes a watch that
    sees nothing for nights on time.
    """

    ui_color = "#f5e6d9"

    def execute(self, context: Context) -> dict[str, Any]:
        """Look; see the class."""
        from nightshift.watch.airflow import TaskView
        from nightshift.watch.once import watch_once

        base_url = conf.get("api", "base_url", fallback=None)
        result = watch_once(lake_of_this_deployment(), by="dag", airflow=TaskView(), base_url=base_url)
        for line in result.lines():
            self.log.info(line)
        if result.uncovered:
            # Another watcher was in the way: the next attempt opens the incident.
            raise AirflowException(f"No incident tells of what is wrong: {'; '.join(result.uncovered)}. Look again.")
        if result.blind:
            raise AirflowFailException(
                f"{len(result.blind)} could not be looked at: {'; '.join(result.blind)}. All else was; the next look "
                "is in a few minutes."
            )
        return {
            "open": [one.id for one in result.open],
            "changed": list(result.changed),
            "nights": result.nights,
            "sent": result.sent,
            "unsent": list(result.unsent),
        }


def watch_dag(*, doc_md: str | None) -> DAG:
    """Return the DAG that looks every few minutes.

    :param doc_md: what the UI says about the DAG
    """
    with DAG(
        DAG_ID,
        schedule=f"*/{MINUTES} * * * *",
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        is_paused_upon_creation=False,
        # One that hangs gives way to the next.
        dagrun_timeout=timedelta(minutes=2 * MINUTES),
        default_args={
            "owner": "nightshift",
            "retries": 1,
            "retry_delay": timedelta(seconds=30),
            "retry_policy": VendorRetryPolicy(),
            "execution_timeout": timedelta(minutes=MINUTES),
        },
        tags=["nightshift", "watch"],
        doc_md=doc_md,
    ) as dag:
        WatchOperator(
            task_id="look",
            doc_md="Look at all nights, write down what is late, missing or unsound, and tell people.",
            # Where everything waits for a slot, the one who would tell of it goes first.
            priority_weight=1000,
            weight_rule="absolute",
        )
    return dag
