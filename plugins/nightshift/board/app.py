"""The routes of the board: Airflow's own authentication guards each, and what a person may not read is not there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import Depends, FastAPI, HTTPException, Query
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as AnyHTTPException

from nightshift.board import figures, nights
from nightshift.board.answering import answered, page, pressed, problem, static_files, trouble
from nightshift.board.answers import answers_image
from nightshift.board.cell import cell_detail
from nightshift.board.configured import Configured, configured, dag_of
from nightshift.board.connections import connections
from nightshift.board.incidents import incidents
from nightshift.board.jobs import jobs
from nightshift.board.line import freeze_lines, hold_lines, hold_press, lift, may_hold, put, unknown_freezes
from nightshift.board.models import (
    BoardPart,
    CellDetail,
    ConnectionsAnswer,
    FiguresAnswer,
    HoldLine,
    HoldRequest,
    HoldsAnswer,
    IncidentsAnswer,
    JobsAnswer,
    Lane,
    Lanes,
    LiftRequest,
    NightsGrid,
    Overview,
    Press,
    Revoked,
    RevokeRequest,
    Settled,
    SettleRequest,
    TimeLine,
    Trouble,
)
from nightshift.board.overview import NIGHTS, Parts, overview
from nightshift.board.people import Person, PersonDep, person
from nightshift.board.promotions import Promotions, cursor
from nightshift.board.revoking import revoke
from nightshift.board.settling import settle
from nightshift.config.promotions import Application, promotion_dag_of
from nightshift.fields import Day
from nightshift.lake.store import Lake
from nightshift.nights.index import NightIndex
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.holds import Hold, holds
from nightshift.sources import SOURCES
from nightshift.watch.incidents import Incidents

MOST_FIGURES = 50
"""Figures, of so many sets of applications, that a process keeps."""


Told = TypeVar("Told", ConnectionsAnswer, IncidentsAnswer)


class Visible:
    """What one person may see of a lake, for one request: its parts ask for the same, and it is found out once.

    :param dags: those of the DAGs of :func:`dags_of` that the person may read
    :ivar own: the configuration, without the applications that the person may not see
    """

    def __init__(self, who: Person, config: Configured, dags: set[str]) -> None:
        self.who, self.config, self.dags = who, config, dags
        self.applications = [name for name in config.applications if promotion_dag_of(name) in dags]
        self.own = replace(config, applications={name: config.applications[name] for name in self.applications})
        self._sees_all = dags.issuperset(dags_of(config))
        self.troubles = config.troubles_for(self.applications, sees_all=self._sees_all)
        self.unknown_freezes = unknown_freezes(config.freezes, sees_all=self._sees_all)
        self._may_hold: asyncio.Task[dict[str, bool]] | None = None
        self._holds: asyncio.Task[tuple[Hold, ...]] | None = None

    def sees(self, source: str) -> bool:
        """Say whether the person may see what is told of a source, configured or not; of one that is no source any
        more, whoever sees all of the others.
        """
        return dag_of(source) in self.dags if source in SOURCES else self._sees_all

    def sees_application(self, name: str) -> bool:
        """Say whether the person may see what is told of an application; of one that is not there any more, likewise."""
        return name in self.applications if name in self.config.applications else self._sees_all

    def application(self, name: str, verb: str = "see") -> Application | None:
        """Return what counts of an application.

        :raises HTTPException: 404: there is none of this name, or none that the person may see
        """
        if name not in self.applications:
            raise HTTPException(404, f"There is no application {name}, or none that you may {verb}.")
        return self.config.applications[name]

    async def may_hold(self) -> Mapping[str, bool]:
        """Return application → whether the person may stop it."""
        if self._may_hold is None:
            self._may_hold = asyncio.ensure_future(may_hold(self.who, self.config.applications))
        return await self._may_hold

    async def holds(self, lake: Lake) -> tuple[Hold, ...]:
        """Return the holds that stand, as they were when the request first asked."""
        if self._holds is None:
            self._holds = asyncio.ensure_future(holds(lake))
        return await self._holds


async def visible(who: PersonDep) -> Visible:
    """Return what the person may see."""
    config = await asyncio.to_thread(configured)
    return Visible(who, config, await who.readable(dags_of(config)))


def dags_of(config: Configured) -> list[str]:
    """Return the DAGs of all sources, also of those whose section has a mistake or is not there: what runs of them goes
    on; and of the applications.
    """
    return [*map(dag_of, SOURCES), *map(promotion_dag_of, config.applications)]


VisibleDep = Annotated[Visible, Depends(visible)]


@dataclass(frozen=True)
class Kept:
    """A lake, and what was read of it last."""

    lake: Lake
    index: NightIndex
    promotions: Promotions
    incidents: Incidents


class Board:
    """What the process keeps from one request to the next: what it has read of the lake last."""

    def __init__(self) -> None:
        self._kept: Kept | None = None
        self._figures: dict[tuple[object, ...], tuple[Lake, float, FiguresAnswer]] = {}

    async def kept(self) -> Kept:
        """Return the lake that the deployment has now, and what is kept of it."""
        lake = await asyncio.to_thread(lake_of_this_deployment)
        if self._kept is None or lake != self._kept.lake:
            self._kept = Kept(lake, NightIndex(lake), Promotions(lake), Incidents(lake))
        return self._kept

    async def nights(
        self,
        it: VisibleDep,
        count: Annotated[int, Query(ge=1, le=nights.MOST_NIGHTS)] = nights.COUNT,
        until: Day | None = None,
    ) -> NightsGrid:
        """Answer with reports by nights."""
        index = (await self.kept()).index
        return await nights.nights_grid(index, it.own, it.who, it.dags, count=count, until=until)

    async def cell(self, it: VisibleDep, source: str, report: str, night: Day) -> CellDetail:
        """Answer with one night of one report."""
        kept = await self.kept()
        return await cell_detail(kept.lake, kept.index, it.own, it.who, source, report, night)

    async def lanes(self, it: VisibleDep) -> Lanes:
        """Answer with the lanes of all applications."""
        promotions = (await self.kept()).promotions
        (lanes, troubles), (held, more), may = await asyncio.gather(
            promotions.lanes(it.config, it.dags), self._holds(it), it.may_hold()
        )
        now = datetime.now(UTC)
        return Lanes(
            now=now,
            lanes=tuple(_stopped(lane, held, it, may, now) for lane in lanes),
            holds=held,
            freezes=freeze_lines(it.config.freezes.freezes, now, it.sees_application),
            presses=(hold_press(None, may),),
            troubles=(*it.troubles, *troubles, *more, *it.unknown_freezes),
        )

    async def time_line(self, it: VisibleDep, application: str, before: str | None = None) -> TimeLine:
        """Answer with the promotions of one application."""
        configured = it.application(application, "read")
        try:
            at = cursor(before)
        except ValueError:
            raise HTTPException(422, "before: is no moment") from None
        promotions = (await self.kept()).promotions
        (lane, troubles), (lines, more, others), (held, broken_holds), may = await asyncio.gather(
            promotions.lane(application, configured, it.config.mistakes.get(application, "")),
            promotions.time_line(application, configured, at),
            self._holds(it),
            it.may_hold(),
        )
        now = datetime.now(UTC)
        return TimeLine(
            now=now,
            lane=_stopped(lane, held, it, may, now),
            promotions=lines,
            before=more.isoformat() if more else None,
            troubles=(*it.troubles, *troubles, *others, *broken_holds, *it.unknown_freezes),
        )

    async def figures(
        self, it: VisibleDep, days: Annotated[int, Query(ge=1, le=figures.MOST_DAYS)] = figures.DAYS
    ) -> FiguresAnswer:
        """Answer with the figures of the release team."""
        lake = (await self.kept()).lake
        key = (days, *it.applications)
        kept = self._figures.get(key)
        if kept is None or kept[0] != lake or time.monotonic() - kept[1] > figures.FRESH:
            if len(self._figures) > MOST_FIGURES:
                self._figures.clear()
            self._figures[key] = kept = lake, time.monotonic(), await figures.figures(lake, it.applications, days=days)
        return kept[2]

    async def jobs(self, it: VisibleDep) -> JobsAnswer:
        """Answer with what waits at the vendors."""
        found, troubles = await jobs(it.who, it.dags)
        return JobsAnswer(now=datetime.now(UTC), jobs=found, troubles=(*it.troubles, *troubles))

    async def connections(self, it: VisibleDep) -> ConnectionsAnswer:
        """Answer with the connections that the person's DAGs use."""
        lake = (await self.kept()).lake
        return _beside(await connections(lake, it.config, it.who, it.dags), it.troubles)

    async def overview(self, it: VisibleDep) -> Overview:
        """Answer with each part at a glance."""
        return await overview(
            it.who.name,
            Parts(
                nights=self.nights(it, count=NIGHTS),
                promotions=self.lanes(it),
                holds=self.holds(it),
                figures=self.figures(it, days=figures.DAYS),
                jobs=self.jobs(it),
                connections=self.connections(it),
                incidents=self.incidents(it),
            ),
        )

    async def incidents(self, it: VisibleDep) -> IncidentsAnswer:
        """Answer with the incidents of what the person may see."""
        return _beside(await incidents((await self.kept()).incidents, it.sees, it.sees_application), it.troubles)

    async def holds(self, it: VisibleDep) -> HoldsAnswer:
        """Answer with the holds that stand, and what may be pressed."""
        held, troubles = await self._holds(it)
        may = await it.may_hold()
        presses = (hold_press(None, may), *(hold_press(name, may) for name in it.applications))
        return HoldsAnswer(now=datetime.now(UTC), holds=held, presses=presses, troubles=(*it.troubles, *troubles))

    async def hold(self, it: VisibleDep, asked: HoldRequest) -> HoldsAnswer:
        """Stop the line."""
        if asked.application is not None:
            it.application(asked.application)
        await put((await self.kept()).lake, it.who, asked, list(it.config.applications))
        return await self.holds(it)

    async def lift(self, it: VisibleDep, asked: LiftRequest) -> HoldsAnswer:
        """Let the line move again."""
        await lift((await self.kept()).lake, it.who, asked, list(it.config.applications))
        return await self.holds(it)

    async def revoke(self, it: VisibleDep, asked: RevokeRequest) -> Revoked:
        """Revoke what runs in a stage."""
        configured = it.application(asked.application)
        lake = (await self.kept()).lake
        return await revoke(lake, it.who, asked, promotion_dag_of(asked.application), configured)

    async def settle(self, it: VisibleDep, asked: SettleRequest) -> Settled:
        """End a doubt that holds an application."""
        it.application(asked.application)
        lake = (await self.kept()).lake
        return await settle(lake, it.who, asked, promotion_dag_of(asked.application))

    async def answers(self, it: VisibleDep, application: str, run_id: str, task: str) -> Response:
        """Answer with who has answered a question so far, as an image for Airflow's own view of it."""
        configured = it.application(application, "read")
        if not await it.who.may(promotion_dag_of(application), "GET", DagAccessEntity.HITL_DETAIL):
            raise HTTPException(403, "It takes Airflow's permission to read the questions of this DAG.")
        lake = (await self.kept()).lake
        return await answers_image(lake, application, run_id, task, configured)

    async def _holds(self, it: Visible) -> tuple[tuple[HoldLine, ...], tuple[Trouble, ...]]:
        try:
            lake = (await self.kept()).lake
            found, may = await asyncio.gather(it.holds(lake), it.may_hold())
        except Exception as error:
            return (), (trouble(BoardPart.HOLDS, error),)
        return hold_lines(found, may, it.applications), ()


def create_app() -> FastAPI:
    """Return the board as an ASGI application, to be mounted at :data:`~nightshift.board.MOUNT`."""
    app = FastAPI(title="Nightshift", docs_url=None, redoc_url=None, openapi_url=None)
    board, guard = Board(), [Depends(person)]
    for path, route, model in (
        ("overview", board.overview, Overview),
        ("nights", board.nights, NightsGrid),
        ("nights/{source}/{report}/{night}", board.cell, CellDetail),
        ("promotions", board.lanes, Lanes),
        ("promotions/{application}", board.time_line, TimeLine),
        ("figures", board.figures, FiguresAnswer),
        ("jobs", board.jobs, JobsAnswer),
        ("connections", board.connections, ConnectionsAnswer),
        ("incidents", board.incidents, IncidentsAnswer),
        ("holds", board.holds, HoldsAnswer),
    ):
        app.add_api_route(f"/api/{path}", answered(route), methods=["GET"], response_model=model, dependencies=guard)
    for path, press, told in (
        ("holds", board.hold, HoldsAnswer),
        ("holds/lift", board.lift, HoldsAnswer),
        ("revoke", board.revoke, Revoked),
        ("doubts/settle", board.settle, Settled),
    ):
        app.add_api_route(
            f"/api/{path}",
            answered(press),
            methods=["POST"],
            response_model=told,
            dependencies=[*guard, Depends(pressed)],
        )
    app.add_api_route(
        "/questions/{application}/{run_id}/{task}.svg",
        board.answers,
        methods=["GET"],
        response_class=Response,
        dependencies=guard,
    )
    app.mount("/static", static_files())
    app.add_api_route("/", page, methods=["GET"], response_class=Response)
    app.add_exception_handler(AnyHTTPException, problem)
    app.add_exception_handler(RequestValidationError, problem)
    return app


def _stopped(lane: Lane, held: tuple[HoldLine, ...], it: Visible, may: Mapping[str, bool], now: datetime) -> Lane:
    """Return a lane with what stops it, and the press that does."""
    name, stages = lane.application, [one.label for one in lane.stages]
    allowed = may.get(name, False)
    return lane.model_copy(
        update={
            "holds": tuple(one for one in held if one.application in (None, name)),
            "freezes": freeze_lines(
                it.config.freezes.freezes, now, it.sees_application, application=name, stages=stages
            ),
            "presses": (hold_press(name, may),),
            "stages": tuple(one.model_copy(update={"revoke": _may(one.revoke, allowed)}) for one in lane.stages),
            "doubts": tuple(one.model_copy(update={"settle": _may(one.settle, allowed)}) for one in lane.doubts),
        }
    )


def _beside(found: Told, troubles: tuple[Trouble, ...]) -> Told:
    """Return an answer that tells of more troubles."""
    return found.model_copy(update={"troubles": (*troubles, *found.troubles)})


def _may(press: Press | None, allowed: bool) -> Press | None:
    return press and press.model_copy(update={"allowed": allowed})
