"""Stored grants for tests."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

import msgspec
from airflow.sdk import DAG

from nightshift.retries import VendorRetryPolicy
from nightshift.tokenflex import renewal
from nightshift.tokenflex.oauth import TokenPair
from nightshift.tokenflex.operators import RenewTokensOperator
from nightshift.tokenflex.tokens import Grant, Part, Renewed, encode, key_of, new_seal
from tests.unit.tokenflex.sign_in import CLIENT, SECRET, SignInVendor
from tests.unit.tokenflex.token_api import TokenApi

CONN = "tokenflex_default"
SEAL = new_seal()
GRANT, RENEWED, JOURNAL, REFUSED = (
    key_of(CONN, part) for part in (Part.GRANT, Part.RENEWED, Part.JOURNAL, Part.REFUSED)
)


def at_once(set_to: Callable[[Any, str, Any], object] = setattr) -> None:
    """Let renewals follow each other without the waits that keep two of them apart."""
    set_to(renewal, "SETTLE_SECONDS", 0.0)
    set_to(renewal, "AT_WORK_SECONDS", 0.0)


def connection(url: str, **extra: Any) -> dict[str, Any]:
    """Return a connection as Airflow's API gives it."""
    return {
        "conn_type": "tokenflex",
        "host": url,
        "login": CLIENT,
        "password": SECRET,
        "extra": json.dumps(extra),
    }


def granted(server: SignInVendor, *, left: float = 600.0, days: float = 15.0, grant_id: str = "g1") -> str:
    """Return a grant with a pair that the server knows, as the text of its Variable."""
    access, refresh = server.new_pair()
    now = time.time()
    pair = TokenPair(
        access_token=access, refresh_token=refresh, issued=now - 3600 + left, ends=now + left, lapses=now + days * 86400
    )
    about = {"grant_id": grant_id, "granted_by": "Ada Lovelace", "granted_at": now - 3000}
    return encode(Grant(**about, scope="data:read data:write", pair=pair, seal=SEAL))


def renewed_pair(variables: Mapping[str, str]) -> TokenPair:
    """Return the newest pair that is stored, of whichever grant."""
    renewed = msgspec.json.decode(variables[RENEWED], type=Renewed)
    assert renewed.pair is None, "it is sealed"
    pair = TokenPair(access_token="", refresh_token="", issued=0.0, ends=0.0, lapses=0.0)
    about = {"grant_id": renewed.grant_id, "granted_by": "", "granted_at": 0.0, "scope": ""}
    return renewed.opened(Grant(**about, pair=pair, seal=SEAL))


def renewing_api(
    url: str, variables: MutableMapping[str, str] | None = None, *, max_tries: int = 3, **more: Any
) -> TokenApi:
    """Return an API with one three-legged connection."""
    return TokenApi(
        connections={CONN: connection(url)},
        variables={} if variables is None else variables,
        max_tries=max_tries,
        **more,
    )


def renew_task() -> RenewTokensOperator:
    """Return the task as the DAG declares it."""
    with DAG("d", schedule=None):
        return RenewTokensOperator(task_id="renew", retries=3, retry_policy=VendorRetryPolicy())
