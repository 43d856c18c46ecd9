"""The form of FlexNet Operations."""

from __future__ import annotations

from typing import Any

from include.standins.flexnet import LOGIN, PASSWORD, TOKEN, FlexNetStandIn
from nightshift.flexnet.configuration import FlexNetReport
from nightshift.flexnet.hook import FlexNetHook
from tests.forms import Form, Row

SILENT = FlexNetReport(name="account")


async def ask(hook: FlexNetHook) -> Any:
    """Ask for a page as the extract of a report does that says nothing."""
    asked = SILENT.model_dump(include={"mode", "format", "page_size"})
    return await hook.report_page(hook.request_of(SILENT.name, **asked))


FORM = Form(
    standin=FlexNetStandIn,
    connection={"login": LOGIN, "password": PASSWORD},
    ask=ask,
    rows={
        "token": Row(TOKEN, lambda seen: seen.last.user, "token 1"),
        "api_version": Row("v2", lambda seen: seen.last.path, "/data/api/v2/report/account"),
        "mode": Row("batch", lambda seen: seen.query("mode"), "batch"),
        "page_size": Row(500, lambda seen: seen.query("limitRecords"), "500"),
    },
)
