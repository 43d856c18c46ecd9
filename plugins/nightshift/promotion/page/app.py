"""The page "Promotions": Airflow's own authentication guards it, and who may not read an application's DAG sees nothing
of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import groupby
from typing import TYPE_CHECKING, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.core_api.security import GetUserDep
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import HTMLResponse, Response
from starlette.exceptions import HTTPException as AnyHTTPException

from nightshift.config.promotions import Application, read_applications
from nightshift.promotion.page import page, svg
from nightshift.promotion.page.headers import Headers
from nightshift.promotion.page.status import ApplicationStatus, open_lake, read_status, trouble_of
from nightshift.promotion.page.words import dag_of
from nightshift.settings import ConfigError

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

ON_OVERVIEW = 1
ON_PAGE = 30
IN_IMAGE = 5
AT_ONCE = 8
"""Applications whose records are read at the same time for the overview."""
IMAGE = "versions.svg"
_PROBLEMS = {
    401: ("Not signed in", "Sign in to Airflow, then open this page anew."),
    403: ("Forbidden", "You need the permission to read the DAG of this application."),
    404: ("Not found", "There is no such application in promotions.yaml, or no such page."),
}


async def may_read(application: str, user: GetUserDep) -> None:
    """Refuse who may not read the DAG of the application."""
    if not await asyncio.to_thread(_readable, user, [application]):
        raise HTTPException(403)


def create_app() -> Headers:
    """Return the page as an ASGI application, to be mounted at :data:`~nightshift.promotion.page.MOUNT`."""
    app = FastAPI(title="Promotions", docs_url=None, redoc_url=None, openapi_url=None)
    guard = [Depends(may_read)]
    app.add_api_route("/", overview, methods=["GET"], response_class=HTMLResponse)
    app.add_api_route("/{application}", show, methods=["GET"], response_class=HTMLResponse, dependencies=guard)
    app.add_api_route(f"/{{application}}/{IMAGE}", image, methods=["GET"], response_class=Response, dependencies=guard)
    app.add_exception_handler(AnyHTTPException, _problem)
    return Headers(app, [page.style(), svg.style()])


async def overview(user: GetUserDep) -> HTMLResponse:
    """Show all applications whose DAG the person may read."""
    try:
        configured = await asyncio.to_thread(read_applications)
    except ConfigError as error:
        return HTMLResponse(page.render_overview([], mistakes={"": str(error)}))
    readable = await asyncio.to_thread(_readable, user, configured)
    shown = {name: one for name, one in configured.items() if name in readable}
    mistakes = {name: str(one) for name, one in shown.items() if isinstance(one, ConfigError)}
    try:
        lake = await open_lake()
    except Exception as error:
        return HTMLResponse(page.render_overview([], mistakes=mistakes, trouble=trouble_of(error)))
    turn = asyncio.Semaphore(AT_ONCE)

    async def one_of(name: str, configured: Application | ConfigError) -> ApplicationStatus:
        async with turn:
            return await _status(lake, name, configured, newest_records=ON_OVERVIEW)

    found = await asyncio.gather(*(one_of(name, one) for name, one in shown.items()))
    return HTMLResponse(page.render_overview(found, mistakes=mistakes))


async def show(application: str) -> HTMLResponse:
    """Show one application: what runs where, and its newest records."""
    try:
        configured = await _configured(application)
    except ConfigError as error:
        return HTMLResponse(
            page.render_problem(application, f"The configuration cannot be read: {error}"), status_code=503
        )
    status = await _read(application, configured, newest_records=ON_PAGE)
    mistake = str(configured) if isinstance(configured, ConfigError) else ""
    return HTMLResponse(page.render_application(status, mistake=mistake))


async def image(application: str) -> Response:
    """Show what runs where as an image; whatever is wrong is a text in it."""
    try:
        configured = await _configured(application)
    except ConfigError as error:
        return _image(svg.render_problem(f"The configuration cannot be read: {error}"))
    return _image(svg.render(await _read(application, configured, newest_records=IN_IMAGE)))


async def _configured(application: str) -> Application | ConfigError:
    """Return an application's configuration, or the mistake in it.

    :raises ConfigError: the file as a whole cannot be read
    """
    configured = (await asyncio.to_thread(read_applications)).get(application)
    if configured is None:
        raise HTTPException(404)
    return configured


async def _read(application: str, configured: Application | ConfigError, *, newest_records: int) -> ApplicationStatus:
    try:
        lake = await open_lake()
    except Exception as error:
        return ApplicationStatus(application, trouble=trouble_of(error))
    return await _status(lake, application, configured, newest_records=newest_records)


async def _status(
    lake: Lake, name: str, configured: Application | ConfigError, *, newest_records: int
) -> ApplicationStatus:
    description = "" if isinstance(configured, ConfigError) else configured.description
    return await read_status(lake, name, _stages(configured), newest_records=newest_records, description=description)


def _stages(configured: Application | ConfigError) -> tuple[str, ...]:
    return () if isinstance(configured, ConfigError) else tuple(stage.label for stage in configured.stages)


def _readable(user: Any, applications: Iterable[str]) -> set[str]:
    """Return the applications whose DAG a person may read."""
    names = {dag_of(name): name for name in applications}
    teams = DagModel.get_dag_id_to_team_name_mapping(list(names)) if conf.getboolean("core", "multi_team") else {}
    manager = get_auth_manager()
    allowed: set[str] = set()
    for team, dag_ids in groupby(sorted(names, key=lambda one: teams.get(one) or ""), key=lambda one: teams.get(one)):
        allowed |= manager.filter_authorized_dag_ids(dag_ids=set(dag_ids), user=user, method="GET", team_name=team)
    return {names[dag_id] for dag_id in allowed}


def _image(text: str, status: int = 200) -> Response:
    return Response(text, status_code=status, media_type="image/svg+xml")


async def _problem(request: Request, error: Any) -> Response:
    """Show why there is no page: as a page, or as an image where one was asked for."""
    title, text = _PROBLEMS.get(error.status_code, ("Not possible", str(error.detail)))
    if request.url.path.endswith(f"/{IMAGE}"):
        return _image(svg.render_problem(f"{title}. {text}"), error.status_code)
    return HTMLResponse(page.render_problem(title, text), status_code=error.status_code, headers=error.headers)
