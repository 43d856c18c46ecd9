"""The holds in the lake: ``claims/holds/<id>.json``, and ``claims/holds/<id>.lift-….json`` for the end of one.

Objects are only ever created, so that two people who press at once both count, a lift never undoes another hold, and
who did what stays to be read. A hold is whatever stands there: what cannot be read stops all applications, and is
named.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from nightshift.lake import objects
from nightshift.lake.store import segment
from nightshift.promotion.rules.hold import Hold, Lift, standing
from nightshift.promotion.store import names_in, read_object

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

__all__ = ["Hold", "Lift", "every_hold", "hold", "holds", "lift"]

FOLDER = ("claims", "holds")
LONGEST = 1000
"""Characters of a reason at most: a question and a page show all of it."""
_LIFT = re.compile(r"(?P<hold>.+)\.lift-[0-9a-f]{8}\.json")
_AT_ONCE = 32


class _Written(BaseModel):
    """A hold as its object has it."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    application: str | None
    by: str
    reason: str
    since: AwareDatetime
    until: AwareDatetime | None


async def hold(
    lake: Lake, *, application: str | None, by: str, reason: str, until: datetime | None, at: datetime | None = None
) -> Hold:
    """Stop the line: nothing that changes anything begins from now on. What FlexDeploy is at work on ends by itself.

    :param application: its name in ``promotions.yaml``; whether there is such a one, the caller knows. ``None``: all
    :param by: the person, as Airflow or the machine knows them; never what somebody typed as another's name
    :param until: when it ends by itself; ``None``: when it is lifted
    :param at: the present; default: the clock's
    :raises ValueError: nobody, no reason, a reason of more than :data:`LONGEST` characters, an end that is past or has
        no zone, or no name of an application
    """
    at = _present(at)
    if application is not None:
        segment(application, "application")
    if until is not None and (until.tzinfo is None or until <= at):
        raise ValueError(f"a hold ends at a time to come, with its zone, not at {until.isoformat()}")
    by, reason = _who_and_why(by, reason)
    name = f"{at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
    written = _Written(
        application=application, by=by, reason=reason, since=at, until=None if until is None else until.astimezone(UTC)
    )
    await _create(lake, f"{name}.json", written)
    return Hold(id=name, **written.model_dump())


async def lift(lake: Lake, hold_id: str, *, by: str, reason: str, at: datetime | None = None) -> Hold:
    """End a hold; one that has ended before stays as it was ended.

    :param hold_id: its id
    :param at: the present; default: the clock's
    :raises ValueError: nobody, no reason, or no such hold
    """
    at = _present(at)
    by, reason = _who_and_why(by, reason)
    found = next((one for one in await every_hold(lake) if one.id == hold_id), None)
    if found is None:
        raise ValueError(f"there is no hold {hold_id!r}")
    if not found.stands(at):
        return found
    lifted = Lift(by=by, reason=reason, at=at)
    await _create(lake, f"{hold_id}.lift-{secrets.token_hex(4)}.json", lifted)
    return found.model_copy(update={"lifted": lifted})


async def holds(lake: Lake, *, application: str | None = None, at: datetime | None = None) -> tuple[Hold, ...]:
    """Return the holds that stand, the oldest first.

    :param application: those that stop this one; ``None``: those that stop anything
    :param at: the present; default: the clock's
    :raises Exception: the lake cannot be read, which says nothing about holds: whoever wants to change something waits
    """
    return standing(await every_hold(lake), application, _present(at))


async def every_hold(lake: Lake) -> tuple[Hold, ...]:
    """Return all holds there ever were, those that have ended as well, the oldest first."""
    store, gate = lake.objects(*FOLDER), asyncio.Semaphore(_AT_ONCE)

    async def text_of(name: str) -> bytes | None:
        async with gate:
            return await read_object(store, name)

    names = [name for name, _ in await names_in(store)]
    texts = dict(zip(names, await asyncio.gather(*map(text_of, names)), strict=True))
    lifts: dict[str, dict[str, bytes]] = {}
    for name, text in texts.items():
        if (found := _LIFT.fullmatch(name)) is not None:
            lifts.setdefault(found["hold"], {})[name] = text or b""
    ids = {name.removesuffix(".json") for name in names if not _LIFT.fullmatch(name)}
    found_holds = (_read(one, texts.get(f"{one}.json"), lifts.get(one, {})) for one in ids)
    return tuple(sorted(found_holds, key=lambda one: (one.since, one.id)))


def _read(hold_id: str, text: bytes | None, lifts: Mapping[str, bytes]) -> Hold:
    """Return a hold as its objects tell; where one of them is damaged, it stands, and says so."""
    lifted, damage = None, ""
    for name, one in sorted(lifts.items()):
        try:
            read = Lift.model_validate_json(one)
        except ValidationError:
            damage = _damage(name)
        else:
            lifted = read if lifted is None or read.at < lifted.at else lifted
    try:
        written = _Written.model_validate_json(text or b"")
    except ValidationError:
        since = datetime(1970, 1, 1, tzinfo=UTC)
        return Hold(
            id=hold_id,
            application=None,
            by="nobody knows who",
            reason="nobody knows why",
            since=since,
            lifted=lifted,
            damage=_damage(f"{hold_id}.json"),
        )
    # A lift that nobody can read ends nothing.
    return Hold(id=hold_id, **written.model_dump(), lifted=lifted, damage="" if lifted else damage)


def _damage(name: str) -> str:
    return f"{'/'.join((*FOLDER, name))} cannot be read"


async def _create(lake: Lake, name: str, body: BaseModel) -> None:
    if not await objects.acreate(lake.objects(*FOLDER), name, body.model_dump_json().encode()):
        raise FileExistsError(f"{'/'.join((*FOLDER, name))} is there already; press again")


def _who_and_why(by: str, reason: str) -> tuple[str, str]:
    if not by.strip() or not reason.strip():
        raise ValueError("a hold is put and lifted by somebody, for a reason: give both")
    if len(reason) > LONGEST:
        raise ValueError(f"the reason has {len(reason)} characters; it may have {LONGEST}")
    return by.strip(), reason.strip()


def _present(at: datetime | None) -> datetime:
    if at is not None and at.tzinfo is None:
        raise ValueError(f"{at} has no time zone")
    return (at or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
