"""The form of Camunda Optimize."""

from __future__ import annotations

from typing import Any

from include.standins.camunda_optimize import INVOICES, TOKEN, CamundaOptimizeStandIn
from nightshift.camunda_optimize.configuration import CamundaReport
from nightshift.camunda_optimize.hook import CamundaOptimizeHook
from tests.forms import Form, Row

SILENT = CamundaReport(name="invoices", report_id=INVOICES)


async def ask(hook: CamundaOptimizeHook) -> Any:
    """Ask for a first page as the extract of a report does that says nothing."""
    return await hook.result_page(SILENT.report_id)


FORM = Form(
    standin=CamundaOptimizeStandIn,
    connection={"password": TOKEN},
    ask=ask,
    rows={
        "auth_form": Row("query", lambda seen: "access_token" in dict(seen.last.query), True),
        "limit": Row(50, lambda seen: seen.query("limit"), "50"),
        "pagination_timeout": Row(300, lambda seen: seen.query("paginationTimeout"), "300"),
    },
)
