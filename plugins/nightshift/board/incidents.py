"""Incidents: what the watch has written down, for who may see what they are of."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.board.configured import configured
from nightshift.board.models import BoardPart, IncidentLine, IncidentsAnswer, Link, Trouble
from nightshift.settings import REPORTS
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
    last = (await Memory(lake).read()).last
    unseen = {one.of: f"At the last look of the watch: {one.why}" for one in last.unseen} if last else {}
    unseen |= {f"{FOLDER}/{name}": why for name, why in found.unreadable.items()}
    here = (await asyncio.to_thread(configured)).sources.keys()
    hidden = {one.source for one in found.incidents if one.is_open} - here
    return IncidentsAnswer(
        now=now,
        incidents=tuple(_line(one) for one in mine),
        mean_seconds_to_restore=restored(mine).mean,
        watched=last.at if last else None,
        troubles=tuple(_troubles(unseen, hidden, sources, here)),
    )


def _troubles(
    unseen: Mapping[str, str], hidden: Collection[str], sources: Collection[str], here: Collection[str]
) -> Iterator[Trouble]:
    """Yield what is not shown as a whole, as far as a person may know of it.

    :param unseen: what could not be looked at → why
    :param hidden: sources with open incidents whose section counts for nothing here, so that nobody may see them
    :param sources: those whose DAGs the person may read
    :param here: those whose section counts
    """
    hidden = set(hidden)
    for of, why in sorted(unseen.items()):
        source = _source_of(of)
        if source is None or source in sources or (source == of and source not in here):
            yield Trouble(part=BoardPart.INCIDENTS, of=of, text=why)
        elif source not in here:
            hidden.add(source)
    for source in sorted(hidden):
        yield Trouble(
            part=BoardPart.INCIDENTS,
            of=source,
            text=f"What is known of {source} cannot be shown, open incidents perhaps among it: without its section of "
            f"{REPORTS} nobody knows who may see it. Put the section right; nightshift watch tells it meanwhile.",
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
