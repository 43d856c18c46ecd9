"""The line: what stops it, holds and freezes of the calendar, and the press that stops it or lets it move again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from fastapi import HTTPException

from nightshift.board import MOUNT
from nightshift.board.audit import write_down
from nightshift.board.models import (
    ApiCall,
    Ask,
    BoardPart,
    FreezeLine,
    HoldLine,
    HoldRequest,
    LiftRequest,
    Press,
    PressKind,
    Trouble,
)
from nightshift.board.people import Person
from nightshift.config.freezes import Freeze, FreezeRules
from nightshift.config.promotions import promotion_dag_of
from nightshift.promotion import holds
from nightshift.promotion.rules.freeze import spans

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.promotion.holds import Hold

NEEDS = "permission to trigger the promotions that it stops"
_API = f"{MOUNT.removeprefix('/')}/api/holds"
AHEAD = timedelta(days=30)
"""How far ahead a freeze is told."""
_WHY = Ask(name="reason", label="Why")


async def may_hold(who: Person, applications: Iterable[str]) -> dict[str, bool]:
    """Return application → whether the person may stop it."""
    dags = {name: promotion_dag_of(name) for name in applications}
    may = await who.may_each(list(dags.values()), "POST", DagAccessEntity.RUN)
    return {name: may[dag_id] for name, dag_id in dags.items()}


def hold_lines(found: Iterable[Hold], may: Mapping[str, bool], seen: Collection[str]) -> tuple[HoldLine, ...]:
    """Return the holds that concern what the person may see.

    :param may: application → whether the person may stop it, of all that are configured
    :param seen: applications that the person may see
    """
    return tuple(
        HoldLine(
            id=one.id,
            application=one.application,
            by=one.by,
            reason=one.reason if not one.damage else f"{one.reason}: {one.damage}",
            since=one.since,
            until=one.until,
            lift=_lift(one, _allowed(one.application, may)),
        )
        for one in found
        if one.application is None or one.application in seen
    )


def hold_press(application: str | None, may: Mapping[str, bool]) -> Press:
    """Return the press that stops the line.

    :param application: ``None``: all of them
    """
    whom = application or "all applications"
    return Press(
        kind=PressKind.HOLD,
        label=f"Hold {application}" if application else "Stop the line",
        says=f"Nothing that changes a stage of {whom} begins any more, until the hold ends or somebody lifts it. What "
        "FlexDeploy is at work on ends by itself; builds go on.",
        calls=(
            ApiCall(
                method="POST", path=_API, body={"application": application, "reason": "${reason}", "until": "${until}"}
            ),
        ),
        asks=(_WHY, Ask(name="until", label="Until", kind="moment", optional=True)),
        allowed=_allowed(application, may),
        needs=NEEDS,
        danger=True,
    )


async def put(lake: Lake, who: Person, asked: HoldRequest, configured: Sequence[str]) -> None:
    """Put a hold, in the person's own name.

    :raises HTTPException: 403: the person may not; 422: what was asked for makes no hold
    """
    await _refuse(who, asked.application, configured)
    try:
        found = await holds.hold(
            lake, application=asked.application, by=who.name, reason=asked.reason, until=asked.until
        )
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    await asyncio.to_thread(_audit, "nightshift_hold", who, found)


async def lift(lake: Lake, who: Person, asked: LiftRequest, configured: Sequence[str]) -> None:
    """Lift a hold, in the person's own name.

    :raises HTTPException: 403: the person may not; 404: no such hold; 422: no reason
    """
    found = next((one for one in await holds.every_hold(lake) if one.id == asked.id), None)
    if found is None:
        raise HTTPException(404, "There is no such hold.")
    await _refuse(who, found.application, configured)
    try:
        lifted = await holds.lift(lake, asked.id, by=who.name, reason=asked.reason)
    except ValueError as error:
        raise HTTPException(422, str(error)) from None
    await asyncio.to_thread(_audit, "nightshift_lift", who, lifted, asked.reason)


def freeze_lines(
    freezes: Iterable[Freeze],
    now: datetime,
    sees: Callable[[str], bool],
    *,
    application: str | None = None,
    stages: Collection[str] = (),
) -> tuple[FreezeLine, ...]:
    """Return the freezes that are on or come next, the first one first.

    :param sees: whether the person may see an application; of a freeze of others nothing is told
    :param application: those that concern one of its stages; ``None``: all of them
    :param stages: labels of its stages
    """
    found = []
    for freeze in freezes:
        if application is not None and not any(freeze.concerns(application, stage) for stage in stages):
            continue
        seen = tuple(filter(sees, freeze.applications))
        if freeze.applications and not seen:
            continue
        whom = ", ".join((*seen, *freeze.stages))
        for begins, ends in spans([freeze], now, now + AHEAD):
            if ends > now and begins <= now + AHEAD:
                text = f"{freeze.reason} ({whom})" if whom else freeze.reason
                found.append(FreezeLine(name=freeze.name, begins=begins, ends=ends, on=begins <= now, text=text))
                break
    return tuple(sorted(found, key=lambda one: (one.begins, one.name)))


def unknown_freezes(rules: FreezeRules, *, sees_all: bool) -> tuple[Trouble, ...]:
    """Return what to say where nobody knows what is frozen: nothing is brought to any stage then.

    :param sees_all: whether the person may see all applications; only then it is told why, which may name any
    """
    if not rules.unknown:
        return ()
    why = rules.unknown if sees_all else "why is told to those who may see all applications."
    text = f"Nobody knows what is frozen, so nothing is brought to any stage: {why}"
    return (Trouble(part=BoardPart.HOLDS, of="freezes", text=text),)


async def _refuse(who: Person, application: str | None, configured: Sequence[str]) -> None:
    concerned = configured if application is None else [application]
    if not _allowed(application, await may_hold(who, concerned)):
        raise HTTPException(403, f"Nothing was changed: it takes the {NEEDS}.")


def _allowed(application: str | None, may: Mapping[str, bool]) -> bool:
    return all(may.values()) and bool(may) if application is None else may.get(application, False)


def _lift(one: Hold, allowed: bool) -> Press:
    whom = one.application or "all applications"
    return Press(
        kind=PressKind.LIFT,
        label="Lift",
        says=f"What waits for this hold of {whom} goes on at once. Other holds, freezes and windows count as before.",
        calls=(ApiCall(method="POST", path=f"{_API}/lift", body={"id": one.id, "reason": "${reason}"}),),
        asks=(_WHY,),
        allowed=allowed,
        needs=NEEDS,
        danger=True,
    )


def _audit(event: str, who: Person, one: Hold, why: str = "") -> None:
    extra = {
        "hold": one.id,
        "application": one.application,
        "reason": why or one.reason,
        "until": one.until and one.until.isoformat(),
    }
    write_down(event, who, promotion_dag_of(one.application) if one.application else None, extra)
