"""The routes of the board: Airflow's own authentication guards each, and what a person may not read is not there."""

from __future__ import annotations

import asyncio
from importlib.resources import files
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as AnyHTTPException

from nightshift.board import nights
from nightshift.board.answering import answer, broken, problem
from nightshift.board.cell import cell_detail
from nightshift.board.configured import configured, dag_of
from nightshift.board.models import CellDetail, NightsGrid
from nightshift.board.people import PersonDep, person
from nightshift.fields import Day
from nightshift.lake.store import Lake
from nightshift.nights.index import NightIndex
from nightshift.nights.place import lake_of_this_deployment


class Board:
    """What the process keeps from one request to the next: the index of the lake as it was read last."""

    def __init__(self) -> None:
        self._lake: Lake | None = None
        self._index: NightIndex | None = None

    async def index(self) -> NightIndex:
        """Return the index of the lake that the deployment has now."""
        lake = await asyncio.to_thread(lake_of_this_deployment)
        if self._index is None or lake != self._lake:
            self._lake, self._index = lake, NightIndex(lake)
        return self._index

    async def grid(
        self,
        request: Request,
        who: PersonDep,
        count: Annotated[int, Query(ge=1, le=nights.MOST_NIGHTS)] = nights.COUNT,
        until: Day | None = None,
    ) -> Response:
        """Answer with reports by nights."""
        config = await asyncio.to_thread(configured)
        dags = await who.readable([dag_of(name) for name in config.sources])
        found = await nights.nights_grid(await self.index(), config, dags, count=count, until=until)
        return answer(request, found)

    async def cell(self, request: Request, who: PersonDep, source: str, report: str, night: Day) -> Response:
        """Answer with one night of one report."""
        config = await asyncio.to_thread(configured)
        index = await self.index()
        return answer(request, await cell_detail(index.lake, index, config, who, source, report, night))


class Fresh(StaticFiles):
    """Files that a browser asks about each time: modules of two versions must not meet in one page."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        """Answer with a file."""
        found = super().file_response(*arguments, **options)
        found.headers["cache-control"] = "no-cache"
        found.headers["x-content-type-options"] = "nosniff"
        return found


def page() -> Response:
    """Show the page for hosts without Airflow's UI: where the board is."""
    text = files(__package__).joinpath("static/index.html").read_bytes()
    policy = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    return Response(text, media_type="text/html", headers={"content-security-policy": policy})


def create_app() -> FastAPI:
    """Return the board as an ASGI application, to be mounted at :data:`~nightshift.board.MOUNT`."""
    app = FastAPI(title="Nightshift", docs_url=None, redoc_url=None, openapi_url=None)
    board, guard = Board(), [Depends(person)]
    for path, route, model in (
        ("nights", board.grid, NightsGrid),
        ("nights/{source}/{report}/{night}", board.cell, CellDetail),
    ):
        app.add_api_route(f"/api/{path}", route, methods=["GET"], response_model=model, dependencies=guard)
    static = files(__package__).joinpath("static")
    app.mount("/static", Fresh(directory=str(static)))
    app.add_api_route("/", page, methods=["GET"], response_class=Response)
    app.add_exception_handler(AnyHTTPException, problem)
    app.add_exception_handler(RequestValidationError, problem)
    app.add_exception_handler(Exception, broken)
    return app
