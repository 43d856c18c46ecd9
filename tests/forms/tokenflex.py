"""The form of Autodesk Token Flex."""

from __future__ import annotations

import asyncio
from typing import Any

from include.standins.tokenflex import BEARER, TokenFlexStandIn
from nightshift.tokenflex.hook import TokenFlexHook
from nightshift.tokenflex.oauth import Pkce, authorize_url, sign_in_as_client
from tests.forms import Elsewhere, Form, Row, Seen

DAY = 86_400


async def ask(hook: TokenFlexHook) -> Any:
    """List the contracts."""
    return await hook.contracts()


async def begin(hook: TokenFlexHook) -> str:
    """Return where a person's browser is sent to grant access."""
    return authorize_url(hook, state="s", pkce=Pkce.new(), redirect_uri="http://127.0.0.1/callback")


async def contracts_twice(hook: TokenFlexHook) -> None:
    """Ask twice within a second."""
    async with asyncio.timeout(1):
        for _ in range(2):
            await hook.contracts()


def went_well(seen: Seen) -> bool:
    return seen.error is None


FORM = Form(
    standin=TokenFlexStandIn,
    connection={"login": TokenFlexStandIn.signs_in["login"], "password": TokenFlexStandIn.signs_in["password"]},
    ask=ask,
    also={"auth": "two_legged"},
    rows={
        "auth": Row("two_legged", went_well, True, also={"auth": None}),
        "token": Row(BEARER, went_well, True, also={"auth": "bearer"}),
        "scope": Row("data:search", lambda seen: "data%3Asearch" in seen.result, True, ask=begin),
        "callback_url": Elsewhere("test_the_callback_is_the_one_that_the_connection_names"),
        "refresh_token_days": Row(
            3, lambda seen: round((seen.result.lapses - seen.result.issued) / DAY), 3, ask=sign_in_as_client
        ),
    },
)
