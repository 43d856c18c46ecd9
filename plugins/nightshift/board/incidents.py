"""Incidents: what the watch has written down, for who may see what they are of."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from nightshift.board.models import BoardPart, IncidentLine, IncidentsAnswer, Link, Trouble
from nightshift.settings import REPORTS
from nightshift.watch.incident import Incident
from nightshift.watch.incidents import FOLDER, Incidents, mean_time_to_restore
from nightshift.watch.memory import Memory
from nightshift.watch.words import title_of

DAYS = 90
_NAME = re.compile(r"\d{4}-\d\d-\d\d\.([^.]+)\.")


async def incidents(
    kept: Incidents, sees: Callable[[str], bool], sees_application: Callable[[str], bool]
) -> IncidentsAnswer:
    """Return the incidents of the nights of the last days.

    :param kept: what this process has read of them last
    :param sees: whether the person may see what is told of a source
    :param sees_application: likewise, of an application
    """
    now = datetime.now(UTC)
    found = await kept.read((now.date() - timedelta(days=DAYS)).isoformat())
    mine = [one for one in found.incidents if sees(one.source)]
    mine.sort(key=lambda one: (not one.is_open, -one.opened.timestamp()))
    last = (await Memory(kept.lake).read()).last
    unseen = {one.of: f"At the last look of the watch: {one.why}" for one in last.unseen} if last else {}
    unseen |= {f"{FOLDER}/{name}": why for name, why in found.unreadable.items()}
    return IncidentsAnswer(
        now=now,
        incidents=tuple(_line(one, sees_application) for one in mine),
        mean_seconds_to_restore=mean_time_to_restore(mine),
        watched=last.at if last else None,
        troubles=tuple(
            Trouble(part=BoardPart.INCIDENTS, of=of, text=why)
            for of, why in sorted(unseen.items())
            if (source := _source_of(of)) is None or sees(source)
        ),
    )


def _source_of(of: str) -> str | None:
    """Return the source of what could not be looked at: of an incident, by its name, of a report, or the source itself.
    Of none is what has no name of an incident, and the configuration as a whole.
    """
    folder, _, name = of.partition("/")
    if folder == FOLDER:
        named = _NAME.match(name)
        return named[1] if named else None
    return None if of == REPORTS else folder


def _line(one: Incident, sees_application: Callable[[str], bool]) -> IncidentLine:
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
        depends=(*one.depends.tables, *filter(sees_application, one.depends.promotions)),
        links=(Link(label="DAG", href=f"dags/{one.dag_id}"),) if one.dag_id else (),
    )
