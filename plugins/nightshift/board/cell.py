"""One night of one report: all there is to say of it, and what may be pressed."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta

from fastapi import HTTPException

from nightshift.board.answering import trouble
from nightshift.board.configured import Configured, dag_of
from nightshift.board.models import (
    AttemptLine,
    BoardPart,
    CellDetail,
    CheckLine,
    ExtractLine,
    Link,
    TableLine,
    Trouble,
)
from nightshift.board.nights import PATIENCE, Promise, moment, note_of, overlaid, runs_seen
from nightshift.board.people import Person
from nightshift.board.presses import CellPlace, cell_presses, gap_of, run_path
from nightshift.board.runs import RunSeen
from nightshift.lake.errors import LakeError
from nightshift.lake.history import TableLog
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.local_time import last_night
from nightshift.nights.cells import Cell, ReportNights
from nightshift.nights.index import NightIndex

GAP_DAYS = 60
"""Nights on either side of a cell that a gap is looked for in."""


async def cell_detail(
    lake: Lake, index: NightIndex, config: Configured, who: Person, source: str, report: str, night: str
) -> CellDetail:
    """Return one night of one report.

    :raises HTTPException: 404: there is no such report, or none that this person may read
    """
    section = config.sources.get(source)
    if section is None or report not in section.groups or not await who.readable([dag_of(source)]):
        raise HTTPException(404, f"There is no report {source}/{report}, or none that you may read.")
    now, dag_id, group = datetime.now(UTC), dag_of(source), section.groups[report]
    day = date.fromisoformat(night)
    around = [(day + timedelta(days=number)).isoformat() for number in range(-GAP_DAYS, GAP_DAYS + 1)]
    over = last_night(section.zone, now).isoformat()
    around = [one for one in around if one <= max(night, over)]
    grid, (seen, troubles), (runs, others) = await asyncio.gather(
        index.read(nights=around, sources={source: [report]}, zones={source: section.zone}, patience=PATIENCE),
        runs_seen(who, {source: section}, around),
        runs_seen(who, {source: section}, [night], whole=True),
    )
    nights = grid.reports[source, report]
    promise = Promise.of(section, nights, now)
    dues = {one: promise.kept_by(one) if promise else None for one in {*around, night}}
    states = {one: overlaid(nights.cell(one), seen.get((dag_id, one), ()), group, dues[one], now) for one in around}
    here = runs.get((dag_id, night), ())
    cell, due = nights.cell(night), dues[night]
    checks, extract, more = await _from_lake(lake, nights, cell)
    place = CellPlace(
        source=source,
        report=report,
        dag_id=dag_id,
        branch=next((name for name in section.branches if group == name or group.startswith(f"{name}.")), report),
        night=night,
        publish=f"{group}.publish",
        run_id=next((run.run_id for run in here if not run.is_going_on and _has_published(run, group)), None),
        gap=gap_of(states, night),
        runs=frozenset(run.run_id for run in here),
    )
    usual, of = nights.usual(night)
    broken = (Trouble(part=BoardPart.NIGHTS, of=f"{source}/{report}", text=nights.trouble),) if nights.trouble else ()
    return CellDetail(
        source=source,
        report=report,
        night=night,
        state=states[night],
        note=note_of(cell, states[night], here, group, due, now, nights.why_early(night)),
        rows=cell.rows,
        published_rows=cell.entry.committed if cell.entry else None,
        bytes=cell.bytes,
        seconds=cell.seconds,
        usual=usual,
        usual_of=of,
        published=moment(cell.at),
        version=cell.version,
        replaced=cell.entry.replaced if cell.entry else None,
        due=due,
        checks=checks or (),
        checks_known=cell.entry is None or checks is not None,
        table=_table(nights),
        extract=extract,
        attempts=tuple(_attempt(run, group) for run in here),
        last_good=nights.last_good(night),
        depends=config.waiting_for(source, report),
        links=(Link(label="DAG", href=f"dags/{dag_id}"),),
        presses=await cell_presses(who, place, states[night]),
        troubles=tuple(dict.fromkeys((*troubles, *others, *broken, *more))),
    )


def _has_published(run: RunSeen, group: str) -> bool:
    """Whether its publish can be cleared with effect: a run that left the report out, or did not bring it home, would
    skip it again.
    """
    return run.tasks.get(f"{group}.extract") == "success" and f"{group}.publish" in run.tasks


async def _from_lake(
    lake: Lake, nights: ReportNights, cell: Cell
) -> tuple[tuple[CheckLine, ...] | None, ExtractLine | None, tuple[Trouble, ...]]:
    """Return the checks of a night's commit (``None``: nobody knows them any more) and its extract in the landing."""
    if cell.entry is None:
        return (), None, ()
    of = f"{nights.source}/{nights.report}"
    try:
        found = await TableLog(lake, nights.source, nights.report).note(cell.entry.version)
        note = found[1] if found else None
        checks = tuple(CheckLine(name=name, ok=ok, detail=detail) for name, ok, detail in note.checks) if note else None
        extract = await _extract(lake, nights, cell)
    except Exception as error:
        return None, None, (trouble(BoardPart.NIGHTS, error, of),)
    return checks, extract, ()


async def _extract(lake: Lake, nights: ReportNights, cell: Cell) -> ExtractLine | None:
    if cell.entry is None or cell.extract is None:
        return None
    landing = Landing(lake, nights.source, nights.report, cell.entry.night or cell.night)
    path = "/".join((*landing.path, cell.extract))
    try:
        manifest = await landing.manifest(cell.extract)
    except LakeError:
        return ExtractLine(path=path, finished=moment(cell.entry.finished))
    return ExtractLine(
        path=path,
        pages=manifest.pages,
        rows=manifest.rows,
        bytes=manifest.bytes,
        started=moment(manifest.started),
        finished=moment(manifest.finished),
        attempt=manifest.attempt,
    )


def _table(nights: ReportNights) -> TableLine:
    path = f"tables/{nights.source}/{nights.report}"
    if nights.history is None:
        return TableLine(path=path)
    rows = sum(entry.rows for entry in nights.history.nights.values())
    return TableLine(path=path, version=nights.history.version, nights=len(nights.history.nights), rows=rows)


def _attempt(run: RunSeen, group: str) -> AttemptLine:
    tasks = run.of_group(group)
    links = [Link(label="Run", href=run_path(run.dag_id, run.run_id))]
    links += [Link(label=f"Log of {task}", href=run_path(run.dag_id, run.run_id, task)) for task in _in_order(tasks)]
    return AttemptLine(
        run_id=run.run_id,
        run_type=run.run_type,
        state=run.state,
        started=run.began,
        ended=run.ended,
        seconds=(run.ended - run.began).total_seconds() if run.began and run.ended else None,
        tasks={task: tasks[task] for task in _in_order(tasks)},
        by=run.by,
        links=tuple(links),
    )


def _in_order(tasks: Collection[str]) -> list[str]:
    order = ("request", "wait", "download", "extract", "compare", "publish", "delete")
    return sorted(tasks, key=lambda one: (order.index(name) if (name := one.rpartition(".")[2]) in order else 99, one))
