"""The overview: each part at a glance. One that is broken is left out and told, and breaks no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from nightshift import __version__
from nightshift.board.answering import trouble
from nightshift.board.models import (
    BoardPart,
    CellState,
    ConnectionsAnswer,
    ConnectionState,
    FiguresAnswer,
    HoldsAnswer,
    IncidentsAnswer,
    JobsAnswer,
    Lanes,
    LineTile,
    NightsGrid,
    NightTile,
    Overview,
    PromotionTile,
    ReportRow,
    SignInState,
    SignInTile,
    Trouble,
)
from nightshift.local_time import last_night
from nightshift.nights.cells import GOOD
from nightshift.promotion.vocabulary import PromotionOutcome

T = TypeVar("T")

NIGHTS = 3
"""Nights that an overview is made of: as many as are the newest one somewhere on earth."""


@dataclass(frozen=True)
class Parts:
    """The answers that an overview is made of, still to come."""

    nights: Awaitable[NightsGrid]
    promotions: Awaitable[Lanes]
    holds: Awaitable[HoldsAnswer]
    figures: Awaitable[FiguresAnswer]
    jobs: Awaitable[JobsAnswer]
    connections: Awaitable[ConnectionsAnswer]
    incidents: Awaitable[IncidentsAnswer]


async def overview(user: str, parts: Parts) -> Overview:
    """Return the overview.

    :param user: the person's name
    """
    troubles: list[Trouble] = []

    async def whole(part: BoardPart, found: Awaitable[T]) -> T | None:
        try:
            return await found
        except Exception as error:
            troubles.append(trouble(part, error))
            return None

    (grid, lanes, held, figures), (jobs, connections, incidents) = await asyncio.gather(
        asyncio.gather(
            whole(BoardPart.NIGHTS, parts.nights),
            whole(BoardPart.PROMOTIONS, parts.promotions),
            whole(BoardPart.HOLDS, parts.holds),
            whole(BoardPart.FIGURES, parts.figures),
        ),
        asyncio.gather(
            whole(BoardPart.JOBS, parts.jobs),
            whole(BoardPart.CONNECTIONS, parts.connections),
            whole(BoardPart.INCIDENTS, parts.incidents),
        ),
    )
    for one in (grid, lanes, held, figures, jobs, connections, incidents):
        troubles += one.troubles if one is not None else ()
    return Overview(
        now=datetime.now(UTC),
        user=user,
        version=__version__,
        timezones=grid.timezones if grid else {},
        night=night_tile(grid) if grid else None,
        promotions=_promotions(lanes) if lanes else None,
        line=_line(held, lanes) if held and lanes else None,
        figures=figures.figures if figures else None,
        jobs=sum(not one.doubt for one in jobs.jobs) if jobs else None,
        jobs_in_doubt=sum(bool(one.doubt) for one in jobs.jobs) if jobs else 0,
        connections_failing=_failing(connections) if connections else None,
        sign_ins=_sign_ins(connections) if connections else None,
        incidents_open=sum(one.closed is None for one in incidents.incidents) if incidents else None,
        watched=incidents.watched if incidents else None,
        presses=held.presses[:1] if held else (),
        troubles=tuple(dict.fromkeys(troubles)),
    )


def night_tile(grid: NightsGrid) -> NightTile | None:
    """Return the newest night at a glance; ``None``: there is no report."""
    if not grid.reports:
        return None
    newest = [(row, _newest(grid, row)) for row in grid.reports]
    states = [row.states[at] for row, at in newest]
    nights = sorted({grid.nights[at] for _, at in newest})
    late = [since for row, at in newest if (since := _late_since(row, at, grid.nights[at])) is not None]
    return NightTile(
        night=nights[-1],
        oldest=nights[0] if len(nights) > 1 else None,
        reports=len(states),
        states={state: states.count(state) for state in CellState if state in states},
        late_since=min(late, default=None),
    )


def _newest(grid: NightsGrid, row: ReportRow) -> int:
    """Return the column of a report's own newest night: another source's day may be over already."""
    over = last_night(ZoneInfo(grid.timezones[row.source]), grid.now).isoformat()
    return max((at for at, night in enumerate(grid.nights) if night <= over), default=0)


def _late_since(row: ReportRow, at: int, night: str) -> datetime | None:
    """Return since when a night is waited for that is not there; what came late is late no more."""
    note = row.notes.get(night)
    is_there = row.states[at] in GOOD or row.rows[at] is not None
    return None if note is None or is_there else note.late_since


def _promotions(lanes: Lanes) -> PromotionTile:
    under_way = [one for lane in lanes.lanes for one in lane.under_way]
    waiting = sorted((one.waiting for one in under_way if one.waiting), key=lambda one: one.since or lanes.now)
    failed = [
        lane.application for lane in lanes.lanes if lane.doubts or (lane.last and lane.last.outcome not in _NO_HARM)
    ]
    return PromotionTile(under_way=len(under_way), waiting=tuple(waiting), failed=tuple(failed))


_NO_HARM = frozenset(
    {
        PromotionOutcome.PROMOTED,
        PromotionOutcome.NO_CHANGES,
        PromotionOutcome.DRY_RUN,
        PromotionOutcome.SUPERSEDED,
        PromotionOutcome.SKIPPED,
        PromotionOutcome.REJECTED,
    }
)
"""Outcomes that came to no harm, or that somebody, or a newer night, wanted."""


def _line(held: HoldsAnswer, lanes: Lanes) -> LineTile | None:
    """Return whether the line moves; ``None`` where that is not known, because holds or freezes cannot be read."""
    if any(one.part is BoardPart.HOLDS for one in (*held.troubles, *lanes.troubles)):
        return None
    stopped = any(one.application is None for one in held.holds) or any(one.on for one in lanes.freezes)
    return LineTile(moving=not stopped, holds=held.holds, freezes=lanes.freezes)


def _failing(found: ConnectionsAnswer) -> tuple[str, ...]:
    bad = (ConnectionState.FAILING, ConnectionState.MISSING)
    return tuple(one.connection for one in found.connections if one.state in bad)


def _sign_ins(found: ConnectionsAnswer) -> tuple[SignInTile, ...]:
    return tuple(
        SignInTile(connection=one.connection, state=one.sign_in.state, ends=one.sign_in.ends)
        for one in found.connections
        if one.sign_in is not None and one.sign_in.state in _NEEDED
    )


_NEEDED = (SignInState.NEVER, SignInState.ENDED, SignInState.UNREADABLE, SignInState.ENDS_SOON)
"""A sign-in that somebody is needed for."""
