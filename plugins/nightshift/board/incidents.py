"""Incidents: what the watch has written down, for who may see what they are of."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.board.models import IncidentLine, IncidentsAnswer, Link
from nightshift.watch.incidents import Incident, Incidents, restored
from nightshift.watch.memory import Memory
from nightshift.watch.words import title_of

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

DAYS = 90


async def incidents(lake: Lake, sources: Collection[str]) -> IncidentsAnswer:
    """Return the incidents of the nights of the last days.

    :param sources: those whose DAGs the person may read
    """
    now = datetime.now(UTC)
    found = await Incidents(lake).read((now.date() - timedelta(days=DAYS)).isoformat())
    mine = [one for one in found if one.subject.name.partition("/")[0] in sources]
    mine.sort(key=lambda one: (not one.is_open, -one.opened.timestamp()))
    looked = (await Memory(lake).read()).looked
    return IncidentsAnswer(
        now=now,
        incidents=tuple(_line(one) for one in mine),
        mean_seconds_to_restore=restored(mine).mean,
        watched=max(looked.values(), default=None),
    )


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
