"""Connections: how those of the configuration stand, from what the tasks saw, and who has signed in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.configuration import conf
from airflow.models.connection import Connection

from nightshift.board.answering import trouble
from nightshift.board.configured import Configured, dag_of
from nightshift.board.models import (
    ApiCall,
    BoardPart,
    ConnectionLine,
    ConnectionsAnswer,
    ConnectionState,
    Link,
    Press,
    PressKind,
    Seen,
    SignInLine,
    SignInState,
    Trouble,
)
from nightshift.board.nights import moment
from nightshift.board.people import Person
from nightshift.board.presses import run_path
from nightshift.config.promotions import promotion_dag_of
from nightshift.errors import VendorError
from nightshift.http.health import CallSeen, ConnectionHealth, read_health
from nightshift.sources import VENDORS
from nightshift.tokenflex import tokens
from nightshift.tokenflex.auth import SignInMethod, sign_in_method
from nightshift.tokenflex.consent import MOUNT as SIGN_IN
from nightshift.tokenflex.consent.page import GrantState, grant_state

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

_FLEXDEPLOY, _EXAGO, _TOKENFLEX = "flexdeploy", "exago", "tokenflex"

_SIGN_IN: Mapping[GrantState, SignInState] = {
    GrantState.UNATTENDED: SignInState.NOT_NEEDED,
    GrantState.NONE: SignInState.NEVER,
    GrantState.GOOD: SignInState.GRANTED,
    GrantState.LATE: SignInState.GRANTED,
    GrantState.LAPSING: SignInState.ENDS_SOON,
    GrantState.LAPSED: SignInState.ENDED,
    GrantState.LOST: SignInState.ENDED,
    GrantState.UNREADABLE: SignInState.UNREADABLE,
}


async def connections(lake: Lake, config: Configured, who: Person, dags: set[str]) -> ConnectionsAnswer:
    """Return the connections that the DAGs which the person may read use."""
    used = _used(config, dags)
    troubles = list[Trouble]()
    health: Mapping[str, ConnectionHealth] = {}
    try:
        health = await read_health(lake, used)
    except Exception as error:
        troubles.append(trouble(BoardPart.CONNECTIONS, error))
    calls = [one for each in health.values() for one in (each.good, each.error) if one is not None]
    seen = await who.sees_runs(dags & {one.dag_id for one in calls})
    lines = await asyncio.gather(
        *(_line(name, kind, by, health.get(name, ConnectionHealth()), who, seen) for name, (kind, by) in used.items())
    )
    return ConnectionsAnswer(now=datetime.now(UTC), connections=tuple(lines), troubles=tuple(troubles))


def _used(config: Configured, dags: set[str]) -> dict[str, tuple[str, list[str]]]:
    """Return connection → its type, and the DAGs that use it."""
    used: dict[str, tuple[str, list[str]]] = {}

    def add(connection: str, kind: str, dag_id: str) -> None:
        used.setdefault(connection, (kind, []))[1].append(dag_id)

    for name, source in config.sources.items():
        if dag_of(name) in dags:
            add(source.connection, name, dag_of(name))
    for name, application in config.applications.items():
        if application is not None and promotion_dag_of(name) in dags:
            add(application.connection, _FLEXDEPLOY, promotion_dag_of(name))
            for connection in {stage.exago.connection for stage in application.stages if stage.exago is not None}:
                add(connection, _EXAGO, promotion_dag_of(name))
    return {name: (kind, sorted(set(by))) for name, (kind, by) in used.items()}


async def _line(
    name: str, kind: str, by: list[str], health: ConnectionHealth, who: Person, dags: Collection[str]
) -> ConnectionLine:
    """Return a connection.

    :param dags: those whose tasks the person may read; of what another's saw only the time and the kind are told
    """
    exists, may_read, may_test, may_edit = await asyncio.gather(
        asyncio.to_thread(_exists, name), *(who.may_connection(name, method) for method in ("GET", "POST", "PUT"))
    )
    edit = Link(label="Edit", href=f"connections?search={quote(name, safe='')}")
    return ConnectionLine(
        connection=name,
        vendor=VENDORS[kind].name,
        type=kind,
        state=_state(exists, health),
        last_good=_seen(health.good, dags),
        last_error=_seen(health.error, dags),
        sign_in=await _sign_in(name, may_read=may_read) if kind == _TOKENFLEX and exists else None,
        used_by=tuple(by),
        links=(edit,) if may_edit else (),
        presses=(_test(name, kind, may_test),) if exists else (),
    )


def _state(exists: bool, health: ConnectionHealth) -> ConnectionState:
    if not exists:
        return ConnectionState.MISSING
    if health.error is not None and (health.good is None or health.error.at > health.good.at):
        return ConnectionState.FAILING
    return ConnectionState.UNSEEN if health.good is None else ConnectionState.GOOD


def _exists(name: str) -> bool:
    try:
        Connection.get_connection_from_secrets(name)
    except Exception:
        return False
    return True


def _seen(one: CallSeen | None, dags: Collection[str]) -> Seen | None:
    at = moment(one.at) if one is not None else None
    if one is None or at is None:
        return None
    if one.dag_id not in dags:
        return Seen(at=at, kind=one.kind)
    link = Link(label="Log", href=run_path(one.dag_id, one.run_id, one.task_id))
    return Seen(
        at=at, dag_id=one.dag_id, run_id=one.run_id, task_id=one.task_id, kind=one.kind, text=one.text, links=(link,)
    )


def _test(name: str, kind: str, may: bool) -> Press:
    enabled = conf.get("core", "test_connection", fallback="Disabled").lower() == "enabled"
    return Press(
        kind=PressKind.TEST,
        label="Test",
        says=f"The API server of Airflow makes the cheapest call to {VENDORS[kind].name} that needs the credentials of "
        f"{name}. Nothing is changed there.",
        calls=(
            ApiCall(method="POST", path="api/v2/connections/test", body={"connection_id": name, "conn_type": kind}),
        ),
        allowed=may and enabled,
        needs="permission to create connections" if enabled else "setting AIRFLOW__CORE__TEST_CONNECTION=Enabled",
    )


async def _sign_in(name: str, *, may_read: bool) -> SignInLine:
    """Return how it stands with a sign-in; who has signed in is told to whoever may read the connection."""
    link = Link(label="Token Flex sign-in", href=f"{SIGN_IN.removeprefix('/')}/")
    extras: dict[str, Any] = (await asyncio.to_thread(Connection.get_connection_from_secrets, name)).extra_dejson
    try:
        if sign_in_method(extras.get("auth"), extras.get("token")) is not SignInMethod.THREE_LEGGED:
            return SignInLine(state=SignInState.NOT_NEEDED, link=link)
        chain = await tokens.read_chain(name)
    except (VendorError, ValueError):
        return SignInLine(state=SignInState.UNREADABLE, link=link)
    state = _SIGN_IN[grant_state(chain, time.time())]
    if chain is None:
        return SignInLine(state=state, link=link)
    return SignInLine(
        state=state,
        granted_by=chain.grant.granted_by if may_read else "",
        granted=datetime.fromtimestamp(chain.grant.granted_at, UTC),
        renewed=datetime.fromtimestamp(chain.pair.issued, UTC) if chain.number else None,
        ends=datetime.fromtimestamp(chain.pair.lapses, UTC),
        link=link,
    )
