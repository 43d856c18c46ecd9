"""A button in Airflow's UI that opens the job at the vendor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator


class JobLink(BaseOperatorLink):
    """The vendor's page of the job of the latest attempt.

    There while the task still waits: the operator pushes it as soon as it knows it. The pages of all attempts are in
    the task state store, in the ``urls`` of ``nightshift_job``. A vendor's room may subclass it for a name of its own.
    """

    name = "Vendor job"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:
        """Give the page that the operator has learned; runs on the worker when an attempt ends or defers."""
        return getattr(operator, "job_url", None) or ""

    def push(self, ti: Any, url: str) -> None:
        """Show the page now, while the task runs on."""
        ti.xcom_push(key=self.xcom_key, value=url)
