"""The page as the API server mounts it, over a lake and a configuration in folders of their own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from airflow import settings
from airflow.api_fastapi.app import create_auth_manager, get_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from airflow.models.base import Base
from airflow.models.connection import Connection
from airflow.models.revoked_token import RevokedToken
from airflow.models.team import Team
from airflow.utils.session import create_session
from moto.server import ThreadedMotoServer
from starlette.applications import Starlette
from starlette.routing import Mount

from nightshift.lake.store import Lake
from nightshift.promotion.page import MOUNT
from tests.unit.promotion.page.one_hidden import OneHidden
from tests.unit.promotion.page.records import PROMOTIONS

BASE = "http://airflow.test"
PAGE = f"{BASE}{MOUNT}/"


@pytest.fixture(scope="session")
def app() -> Starlette:
    """An application with nothing but the plugin's pages."""
    from nightshift.plugin import NightshiftPlugin

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__AUTH_MANAGER", f"{OneHidden.__module__}.{OneHidden.__name__}")
        create_auth_manager()
    Base.metadata.create_all(settings.engine, tables=[one.__table__ for one in (Team, Connection, RevokedToken)])
    return Starlette(routes=[Mount(one["url_prefix"], one["app"]) for one in NightshiftPlugin.fastapi_apps])


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The configuration folder; the page reads it anew at each request."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "promotions.yaml").write_text(PROMOTIONS)
    (folder / "reports.yaml").write_text("{}")
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(folder))
    return folder


@pytest.fixture
def lake(tmp_path: Path, config: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    monkeypatch.setenv("NIGHTSHIFT_LAKE", str(tmp_path / "lake"))
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "server")
    return Lake.from_url(str(tmp_path / "lake"))


@pytest.fixture
async def ada(app: Starlette) -> Any:
    """A browser of an administrator."""
    async with browser(app, "ada") as client:
        yield client


@pytest.fixture
def object_store() -> Iterator[str]:
    """The URL of an S3 server with one bucket, ``lake``."""
    import boto3

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    keys = {"aws_access_key_id": "key", "aws_secret_access_key": "hush-hush", "region_name": "us-east-1"}
    boto3.client("s3", endpoint_url=f"http://{host}:{port}", **keys).create_bucket(Bucket="lake")
    yield f"http://{host}:{port}"
    server.stop()


@contextmanager
def stored(**fields: Any) -> Iterator[None]:
    """Have this connection in the metadata database."""
    with create_session() as session:
        session.add(Connection(**fields))
    try:
        yield
    finally:
        with create_session() as session:
            session.query(Connection).filter(Connection.conn_id == fields["conn_id"]).delete()


def browser(app: Any, name: str = "", role: str = "ADMIN") -> httpx.AsyncClient:
    """Return a client signed in to Airflow by cookie, as a browser is; anonymous without a name."""
    user = SimpleAuthManagerUser(username=name, role=role)
    cookies = {"_token": get_auth_manager().generate_jwt(user)} if name else {}
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=PAGE, cookies=cookies)
