"""Nights: reports by nights as a heat map."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from nightshift.board.answering import trouble
from nightshift.board.configured import Configured, dag_of
from nightshift.board.models import BoardPart, CellNote, CellState, NightsGrid, ReportRow, Trouble
from nightshift.board.runs import ACTIVE, FAILED, RunSeen, runs_of_nights
from nightshift.fields import night_of
from nightshift.lake.commit_note import moment_of
from nightshift.local_time import end_of, last_night
from nightshift.nights.cells import GOOD, Cell, ReportNights

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from nightshift.board.people import Person
    from nightshift.config.due import Due
    from nightshift.config.reports import Source
    from nightshift.nights.cells import Grid
    from nightshift.nights.index import NightIndex

COUNT = 30
MOST_NIGHTS = 400
PATIENCE = 5.0
"""Seconds for making up for what the index lacks, before a report is shown as unproven."""
_UNSEEN = (
    "Its runs are not shown, only what the lake tells of its nights: it takes Airflow's permission to read runs and "
    "task instances of this DAG."
)
_Runs = Mapping[tuple[str, str], Sequence[RunSeen]]


async def nights_grid(
    index: NightIndex,
    config: Configured,
    who: Person,
    dags: set[str],
    *,
    count: int = COUNT,
    until: str | None = None,
) -> NightsGrid:
    """Return the grid.

    :param dags: DAGs that the person may read; reports of others are not there
    :param until: the last night that is shown; default: the newest that is over
    """
    now = datetime.now(UTC)
    shown = {name: source for name, source in config.sources.items() if dag_of(name) in dags}
    newest = max((last_night(source.zone, now) for source in shown.values()), default=now.date() - timedelta(days=1))
    last = min(night_of(until), newest) if until else newest
    nights = [(last - timedelta(days=number)).isoformat() for number in reversed(range(count))]
    grid, (runs, troubles) = await asyncio.gather(
        index.read(
            nights=nights,
            sources=config.reports(set(shown)),
            zones={name: source.zone for name, source in shown.items()},
            patience=PATIENCE,
        ),
        runs_seen(who, shown, nights),
    )
    rows = [_row(grid, runs, config, name, report, now) for name, one in shown.items() for report in one.groups]
    broken = [
        Trouble(part=BoardPart.NIGHTS, of=f"{one.source}/{one.report}", text=one.trouble)
        for one in grid.reports.values()
        if one.trouble
    ]
    first = min((source.start for source in shown.values()), default=nights[0])
    return NightsGrid(
        now=now,
        nights=tuple(nights),
        newest=newest.isoformat(),
        earlier=(last - timedelta(days=count)).isoformat() if first < nights[0] else None,
        timezones={name: source.timezone for name, source in shown.items()},
        reports=tuple(rows),
        troubles=(*config.troubles, *troubles, *broken),
    )


async def runs_seen(
    who: Person, sources: Mapping[str, Source], nights: Sequence[str], *, whole: bool = False
) -> tuple[_Runs, tuple[Trouble, ...]]:
    """Return what Airflow knows of the runs of these nights; nothing, and why, where the person may not see them or it
    cannot be asked.

    :param whole: the tasks that ended well, too
    """
    zones = {dag_of(name): source.zone for name, source in sources.items()}
    try:
        seen = await who.sees_runs(zones)
        hidden = tuple(Trouble(part=BoardPart.AIRFLOW, of=one, text=_UNSEEN) for one in zones if one not in seen)
        return await asyncio.to_thread(runs_of_nights, seen, nights, zones, whole=whole), hidden
    except Exception as error:
        return {}, (trouble(BoardPart.AIRFLOW, error),)


def overlaid(cell: Cell, runs: Sequence[RunSeen], group: str, due: datetime | None, now: datetime) -> CellState:
    """Return how it stands with a night: what the lake says, and where it says nothing, what Airflow and the clock do.

    What the table proves stays, whatever a later attempt came to. A night that is due and not there is late, also while
    it is worked on.

    :param runs: Airflow's, of this night, the newest first
    :param group: the task group that brings the report home
    :param due: when the night is to be there; ``None``: no such promise
    """
    if cell.state in (CellState.UNSOUND, CellState.UNPROVEN):
        return cell.state
    running = is_running(runs, group)
    if cell.state in GOOD or cell.state in (CellState.EARLY, CellState.DRIFTED):
        return CellState.RUNNING if running else cell.state
    if not running and (cell.failure is not None or has_failed(runs, group)):
        return CellState.FAILED
    if due is not None and now >= due:
        return CellState.LATE
    return CellState.RUNNING if running else cell.state


def is_running(runs: Sequence[RunSeen], group: str) -> bool:
    """Say whether a run is at work on a report, or will be."""
    for run in filter(lambda one: one.is_going_on, runs):
        tasks = run.of_group(group)
        if not tasks or any(state in ACTIVE for state in tasks.values()):
            return True
        if any(not state for state in tasks.values()) and not any(state in FAILED for state in tasks.values()):
            return True
    return False


def has_failed(runs: Sequence[RunSeen], group: str) -> bool:
    """Say whether the newest run that was to bring a report home did not."""
    return any(
        any(state in FAILED for state in run.of_group(group).values())
        or (run.state == "failed" and any(not state for state in run.of_group(group).values()))
        for run in runs
    )


@dataclass(frozen=True)
class Promise:
    """When the nights of a report are to be there.

    :param begins: the first night of which that was promised
    :param zone: the zone whose midnight ends a night
    """

    due: Due
    begins: str
    zone: ZoneInfo

    @classmethod
    def of(cls, source: Source, nights: ReportNights, now: datetime) -> Promise | None:
        """Return what is promised of a report; ``None``: nothing.

        Nobody promised a night from before the report came home for the first time, unless the configuration says since
        when; of one that never came, nobody waits for more than the last night that is over.
        """
        due, begins = source.due_of(nights.report), source.since_of(nights.report)
        if due is None:
            return None
        first = next(iter(nights.history.nights), None) if nights.history else None
        return cls(due, begins or first or last_night(source.zone, now).isoformat(), source.zone)

    def kept_by(self, night: str) -> datetime | None:
        """Return the moment by which a night is to be there; ``None``: nobody waits for it."""
        if night < self.begins:
            return None
        return self.due.after(end_of(date.fromisoformat(night), self.zone))


@lru_cache(maxsize=8192)
def moment(text: str | None) -> datetime | None:
    """Return an ISO 8601 moment of the lake; ``None`` where it is none."""
    return moment_of(text or "")


def note_of(
    cell: Cell,
    state: CellState,
    runs: Sequence[RunSeen],
    group: str,
    due: datetime | None,
    now: datetime,
    early: str = "",
) -> CellNote:
    """Return what there is to say of a cell besides its state and rows.

    :param early: why it is not whole
    """
    entry, failure = cell.entry, cell.failure
    came = moment(cell.at) if entry else now
    late = due if due is not None and came is not None and came > due else None
    text = f"Not whole: {early}." if early else ""
    if failure is not None:
        text = failure.text
    elif state is CellState.UNSOUND and entry is not None:
        text = (
            f"{entry.committed} rows were published, the table has {entry.rows} now: something else changed it. "
            "Publish the night again."
        )
    return CellNote(
        late_since=late,
        running=is_running(runs, group),
        rebuilt=bool(entry and entry.rebuilt),
        added=entry.added if entry else (),
        widened=tuple(f"{name}: {before} → {after}" for name, before, after in (entry.widened if entry else ())),
        text=text,
    )


def _says_more(cell: Cell, state: CellState, runs: Sequence[RunSeen], due: datetime | None) -> bool:
    """Say whether there is anything to say of a cell besides its state and rows: of most there is not."""
    entry = cell.entry
    told = entry is not None and bool(entry.rebuilt or entry.added or entry.widened)
    late = due is not None and (state is CellState.LATE or entry is None or (moment(cell.at) or due) > due)
    going_on = any(run.is_going_on for run in runs)
    return told or late or going_on or cell.failure is not None or state in (CellState.UNSOUND, CellState.EARLY)


def _row(grid: Grid, runs: _Runs, config: Configured, source: str, report: str, now: datetime) -> ReportRow:
    section, dag_id = config.sources[source], dag_of(source)
    nights: ReportNights = grid.reports[source, report]
    group, promise = section.groups[report], Promise.of(section, nights, now)
    states, rows, shades, notes = [], [], [], {}
    for night in grid.nights:
        cell, seen = nights.cell(night), runs.get((dag_id, night), ())
        at = promise.kept_by(night) if promise else None
        state = overlaid(cell, seen, group, at, now)
        states.append(state)
        rows.append(cell.rows)
        shades.append(round(cell.rows / cell.usual, 3) if cell.rows is not None and cell.usual else None)
        if _says_more(cell, state, seen, at):
            notes[night] = note_of(cell, state, seen, group, at, now, nights.why_early(night))
    return ReportRow(
        source=source,
        report=report,
        dag_id=dag_id,
        due=promise.due.clock if promise else "",
        due_timezone=promise.due.timezone if promise else "",
        states=tuple(states),
        rows=tuple(rows),
        shade=tuple(shades),
        notes=notes,
        waited_for_by=config.waiting_for(source, report),
    )
