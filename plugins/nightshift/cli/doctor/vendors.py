"""The vendors' connections: whether they are there and of the right type, and what their Test says.

The Test is asked of Airflow, whose own connection it is then, with what is stored there; where Airflow does not test,
or has no such connection, of the vendor's hook on this machine.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from nightshift.cli.airflow_api import AirflowApi, AirflowRefused
from nightshift.cli.doctor.finding import Finding, bad, ok, warn
from nightshift.http.connection_test import UNCHECKED
from nightshift.sources import VENDORS

if TYPE_CHECKING:
    from nightshift.http.hook import VendorHook

SKEW = timedelta(minutes=2)
SECONDS = 20.0
_NOT_HERE = (
    "Make it under Admin, Connections, or as an environment variable of every process of Airflow; "
    "'Connections' of the documentation has its fields."
)
_CA_FILE = (
    "Leave the extra verify out of the connection; where the vendor's certificate is signed by an authority of yours, "
    "put the path of its CA file into it."
)


def needed() -> dict[str, str]:
    """Return the connections that the configuration names: id → type."""
    from nightshift.config.promotions import Application, read_applications
    from nightshift.config.reports import sources_in_force

    found = {one.connection: name for name, one in sources_in_force().sources.items()}
    for application in read_applications().values():
        if isinstance(application, Application):
            found.setdefault(application.connection, "flexdeploy")
    return found


async def connections(api: AirflowApi | None, wanted: Mapping[str, str]) -> list[Finding]:
    """Look at each connection."""
    return [one for conn_id, kind in wanted.items() for one in await _connection(api, conn_id, kind)]


async def _connection(api: AirflowApi | None, conn_id: str, kind: str) -> Sequence[Finding]:
    about = f"connection {conn_id}"
    try:
        stored = await _stored(api, conn_id)
    except AirflowRefused as error:
        stored = None
        if error.status != 404:
            return [warn(about, str(error), "Sign in as somebody who may read connections.")]
    if stored is not None and stored["conn_type"] != kind:
        return [bad(about, f"is of the type {stored['conn_type']!r}, not {kind!r}", "Make it anew with its type.")]
    if api is not None and stored is not None:
        told = await _tested_by_airflow(api, conn_id, kind)
        if told is not None:
            return [_verdict(about, kind, *told, where="by Airflow's API server")]
    return await asyncio.to_thread(
        _tested_here, about, conn_id, kind, is_stored=stored is not None, asked=api is not None
    )


async def _stored(api: AirflowApi | None, conn_id: str) -> dict[str, Any] | None:
    if api is None:
        return None
    found: dict[str, Any] = await api.get(f"/api/v2/connections/{quote(conn_id, safe='')}")
    return found


async def _tested_by_airflow(api: AirflowApi, conn_id: str, kind: str) -> tuple[bool, str] | None:
    """Return what the Test says; ``None`` where Airflow does not test, or not for this person."""
    try:
        # No host: what is stored is tested as it stands.
        found = await api.send("POST", "/api/v2/connections/test", body={"connection_id": conn_id, "conn_type": kind})
    except AirflowRefused:
        return None
    return bool(found["status"]), str(found["message"])


def _tested_here(about: str, conn_id: str, kind: str, *, is_stored: bool, asked: bool) -> list[Finding]:
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowException

    try:
        found = BaseHook.get_connection(conn_id)
    except (AirflowException, ImportError) as error:
        if is_stored:
            fix = "Set AIRFLOW__CORE__TEST_CONNECTION=Enabled for the API server, or press Test in the UI."
            return [warn(about, "is in Airflow, which does not test it for you, and is not on this machine", fix)]
        if not asked:
            fix = "Let Airflow be asked (--airflow-url), or give it here, as an environment variable for instance."
            return [warn(about, "is not on this machine, and Airflow was not asked", fix)]
        text = f"is neither in Airflow nor on this machine ({type(error).__name__})"
        return [bad(about, text, _NOT_HERE)]
    if found.conn_type != kind:
        return [bad(about, f"is of the type {found.conn_type!r}, not {kind!r}", "Make it anew with its type.")]
    hook: VendorHook = VENDORS[kind].load(VENDORS[kind].hook)(conn_id)
    worked, text = hook.test_connection()
    return [_verdict(about, kind, worked, text, where="from this machine"), *_clock(about, conn_id, kind)]


def _verdict(about: str, kind: str, worked: bool, text: str, *, where: str) -> Finding:
    told = f"{VENDORS[kind].name}, tested {where}: {text}"
    if not worked:
        return bad(about, told, "Correct the connection; the sentence says what.")
    return warn(about, told, _CA_FILE) if UNCHECKED in text else ok(about, told)


def _clock(about: str, conn_id: str, kind: str) -> Iterator[Finding]:
    """Compare the vendor's clock with this one, by the date of an answer; nothing is sent but the request itself."""
    hook: VendorHook = VENDORS[kind].load(VENDORS[kind].hook)(conn_id, attempts=1)
    try:
        told = asyncio.run(_date_of(hook))
    except Exception:
        return
    skew = abs(datetime.now(UTC) - told)
    if skew > SKEW:
        yield bad(
            f"clock of {about}",
            f"the vendor's clock and this one are {skew.total_seconds():.0f} s apart",
            "Have this machine's clock synchronised (NTP); where it is, tell the vendor.",
        )


async def _date_of(hook: VendorHook) -> datetime:
    async with asyncio.timeout(SECONDS), hook:
        answer = await hook.request("HEAD", "/", accept="*/*", ok=range(200, 600), credentials=False)
    return parsedate_to_datetime(answer.headers["Date"])
