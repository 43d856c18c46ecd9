"""The form of Exago BI."""

from __future__ import annotations

from typing import Any

from include.standins.exago import REST_KEY, USER_ID, ExagoStandIn, ExagoSwitches, Version
from include.standins.exago.switches import AuthType, Separator
from nightshift.exago.hook import ExagoHook
from nightshift.exago.paths import ContentPath
from tests.forms import Form, Row, Seen


async def ask(hook: ExagoHook) -> Any:
    """Ask for the tree."""
    return await hook.tree()


async def rename(hook: ExagoHook) -> Any:
    """Make a folder and rename it: its paths stand in the body."""
    first, then = ContentPath.parse("Empty/Form"), ContentPath.parse("Empty/Other")
    await hook.create_folder(first)
    return await hook.rename_folder(first, then)


def opened(seen: Seen) -> Any:
    return next(one for one in seen.requests if one.path.lower().endswith("/rest/sessions"))


FORM = Form(
    standin=ExagoStandIn,
    connection={"login": USER_ID, "password": REST_KEY},
    ask=ask,
    rows={
        "auth": Row(
            "exagokey",
            lambda seen: seen.error is None,
            True,
            standin={"switches": ExagoSwitches(auth_types=[AuthType.EXAGO_KEY])},
        ),
        "separator": Row(
            "/",
            lambda seen: seen.error is None,
            True,
            ask=rename,
            standin={"switches": ExagoSwitches(separator=Separator.SLASH)},
        ),
        "config": Row("Other", lambda seen: dict(opened(seen).query).get("config"), "Other"),
        "session": Row({"Page": "Blank"}, lambda seen: opened(seen).body_bytes > 10, True),
        "storage_identity": Row(
            {"IsAdmin": True},
            lambda seen: any("StorageMgmt" in one.path for one in seen.requests),
            True,
            standin={"switches": ExagoSwitches(version=Version.V2020)},
        ),
    },
)
