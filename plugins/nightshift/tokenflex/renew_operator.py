"""The task that keeps granted access to Token Flex alive."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseAsyncOperator
from airflow.sdk.exceptions import AirflowSkipException


class RenewTokensOperator(BaseAsyncOperator):
    """Renew the tokens of every connection that a person has granted access for, where that is due.

    Nothing due, or nobody has granted access: the task is skipped. A run that a person triggered renews at once; so does one that a task started, of the
    connection whose access token Autodesk refused before its end. There must be one such task at a time in an Airflow: see
    :mod:`nightshift.tokenflex.renewal`. The result, and the extra of the outlet assets' events, name connections and times, never a token.

    :raises VendorError: a connection could not be renewed; the message says until when everything goes on working and what to do
    """

    template_fields: ClassVar[Sequence[str]] = ()
    ui_color = "#f3efe6"

    async def aexecute(self, context: Any) -> list[dict[str, str | int]]:
        """Renew, and return one row for each connection that was renewed."""
        from nightshift.tokenflex.renewal import renew_all
        from nightshift.tokenflex.tokens import REFUSED_CONF

        run, attempt = context["dag_run"], context["ti"].try_number
        refused = (run.conf or {}).get(REFUSED_CONF)
        done = await renew_all(
            by=f"{run.run_id}, try {attempt}",
            force=run.run_type == "manual",
            refused=refused if isinstance(refused, dict) else None,
        )
        if not done:
            raise AirflowSkipException("Nothing is due. To grant access to Token Flex, open Admin, Token Flex sign-in.")
        for asset in self.outlets:
            context["outlet_events"][asset].extra = {"renewed": done}
        return done
