"""The sign-in page as the API server mounts it: Airflow's own auth manager, access log and metadata database."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from airflow import settings
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.api_fastapi.common.http_access_log import HttpAccessLogMiddleware
from airflow.models.base import Base
from airflow.models.connection import Connection
from airflow.models.revoked_token import RevokedToken
from airflow.models.team import Team
from airflow.models.variable import Variable
from airflow.utils.session import create_session
from starlette.applications import Starlette
from starlette.routing import Mount

BASE = "http://airflow.test"
PAGE = f"{BASE}/nightshift/tokenflex/"


def airflow_app() -> Starlette:
    """Return an application with nothing but the plugin's pages, behind Airflow's access log."""
    from nightshift.plugin import NightshiftPlugin

    create_auth_manager()
    Base.metadata.create_all(
        settings.engine, tables=[one.__table__ for one in (Team, Connection, Variable, RevokedToken)]
    )
    app = Starlette(routes=[Mount(one["url_prefix"], one["app"]) for one in NightshiftPlugin.fastapi_apps])
    app.add_middleware(HttpAccessLogMiddleware)
    return app


@contextmanager
def stored(*connections: Connection) -> Iterator[None]:
    """Have these connections, and no Variable, in the metadata database."""
    _empty()
    with create_session() as session:
        session.add_all(connections)
    try:
        yield
    finally:
        _empty()


def _empty() -> None:
    with create_session() as session:
        session.query(Connection).delete()
        session.query(Variable).delete()


def raw_variables() -> dict[str, str]:
    """Return what is in the table of Variables, undecrypted."""
    with create_session() as session:
        return {row.key: row._val for row in session.query(Variable)}


def browser(app: Any, name: str = "", role: str = "ADMIN") -> httpx.AsyncClient:
    """Return a client signed in to Airflow by cookie, as a browser is; anonymous without a name."""
    cookies = (
        {"_token": get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))} if name else {}
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=BASE, cookies=cookies)


def ticket_of(html: str, connection: str) -> str:
    """Return the ticket in a connection's form."""
    found = re.search(
        rf'action="connections/{connection}/grant">\s*<input type="hidden" name="ticket" value="([^"]+)"', html
    )
    assert found, html
    return found[1]
