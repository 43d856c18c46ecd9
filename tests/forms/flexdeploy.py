"""The form of FlexDeploy."""

from __future__ import annotations

from typing import Any

from include.standins.flexdeploy import LOGIN, PASSWORD, FlexDeployStandIn
from nightshift.errors import NotFound
from nightshift.flexdeploy.adapter import FlexDeployAdapter
from nightshift.flexdeploy.hook import FlexDeployHook
from tests.forms import Form, Row


async def ask(hook: FlexDeployHook) -> Any:
    """Look at a workflow request that there is not."""
    try:
        return await hook.workflow_request(4711)
    except NotFound:
        return None


async def page(hook: FlexDeployHook) -> str:
    """Return where a task's link leads."""
    return hook.page_of("4711")


async def marker(hook: FlexDeployHook) -> str | None:
    """Return the field that a job's mark is put into."""
    async with FlexDeployAdapter(hook.conn_id) as adapter:
        return adapter.marker_code


FORM = Form(
    standin=FlexDeployStandIn,
    connection={"login": LOGIN, "password": PASSWORD},
    ask=ask,
    rows={
        "api_version": Row("v2", lambda seen: "/v2/" in seen.last.path, True),
        "request_page": Row(
            "https://fd.example.com/{id}", lambda seen: seen.result, "https://fd.example.com/4711", ask=page
        ),
        "marker_flex_field": Row("NIGHTSHIFT", lambda seen: seen.result, "NIGHTSHIFT", ask=marker),
        "paths": Row(
            '{"workflow_request": "GET /rest/v1/elsewhere/{id}"}',
            lambda seen: seen.last.path,
            "/flexdeploy/rest/v1/elsewhere/4711",
        ),
    },
)
