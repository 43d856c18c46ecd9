"""Incidents: what the watch has written down, for who may see what they are of."""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.board.models import BoardPart, IncidentLine, IncidentsAnswer, Link, Trouble
from nightshift.watch.incidents import FOLDER, Incident, Incidents, restored
from nightshift.watch.memory import Memory
from nightshift.watch.words import title_of

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

DAYS = 90
_NAME = re.compile(r"\d{4}-\d\d-\d\d\.([^.]+)\.")


async def incidents(lake: Lake, sources: Collection[str]) -> IncidentsAnswer:
    """Return the incidents of the nights of the last days.

    :param sources: those whose DAGs the person may read
    """
    now = datetime.now(UTC)
    found = await Incidents(lake).read((now.date() - timedelta(days=DAYS)).isoformat())
    mine = [one for one in found.incidents if one.subject.name.partition("/")[0] in sources]
    mine.sort(key=lambda one: (not one.is_open, -one.opened.timestamp()))
    looked = (await Memory(lake).read()).looked
    return IncidentsAnswer(
        now=now,
        incidents=tuple(_line(one) for one in mine),
        mean_seconds_to_restore=restored(mine).mean,
        watched=max(looked.values(), default=None),
        troubles=tuple(
            Trouble(part=BoardPart.INCIDENTS, of=f"{FOLDER}/{name}", text=why)
            for name, why in found.unreadable.items()
            if _is_visible(name, sources)
        ),
    )


def _is_visible(name: str, sources: Collection[str]) -> bool:
    """Whether a person may know of an incident that cannot be read; what has no name of one is of no source."""
    named = _NAME.match(name)
    return named is None or named[1] in sources


def _line(one: Incident) -> IncidentLine:
    last = one.updates[-1] if one.updates else None
    return IncidentLine(
        id=one.id,
        kind=str(one.kind),
        subject=one.subject.name,
        night=one.night,
        title=title_of(one),
        cause=one.cause,
        advice=one.press,
        since=one.since,
        updated=last.at if last else None,
        closed=one.closed,
        depends=(*one.depends.tables, *one.depends.promotions),
        links=(Link(label="DAG", href=f"dags/{one.dag_id}"),) if one.dag_id else (),
    )
