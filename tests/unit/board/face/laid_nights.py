"""Answers about nights: four sources in which everything has happened that can, a great many reports, and one night
with all there is to it.
"""

from __future__ import annotations

from datetime import date, timedelta

from nightshift.board.models import (
    AttemptLine,
    CellDetail,
    CellNote,
    CellState,
    CheckLine,
    ExtractLine,
    Link,
    NightsGrid,
    PressKind,
    ReportRow,
    TableLine,
)
from tests.unit.board.face.moments import DAGS, LAST, NOW, SOURCES, ago, nights, press


def row(source: str, report: str, days: tuple[str, ...], number: int = 0, **more: object) -> ReportRow:
    """Return a report that was published every night, with fewer rows on weekends."""
    rows = [
        int(
            (400 + number * 137)
            * (0.45 if date.fromisoformat(day).weekday() > 4 else 1)
            * (0.8 + (at * 7 + number * 3) % 9 / 20)
        )
        for at, day in enumerate(days)
    ]
    usual = (400 + number * 137) * 0.95
    shades = [
        round(
            rows[at]
            / usual
            / (0.45 if date.fromisoformat(day).weekday() > 4 else 1)
            * (0.7 + (at * 5 + number) % 8 / 12),
            3,
        )
        for at, day in enumerate(days)
    ]
    fields = {
        "dag_id": DAGS.get(source, f"{source}_reports"),
        "due": "06:00" if number % 3 == 0 else "",
        "due_timezone": "Europe/Berlin",
        "states": tuple(CellState.PUBLISHED for _ in days),
        "rows": tuple(rows),
        "shade": tuple(shades),
        "waited_for_by": ("license_portal",) if number % 2 == 0 else (),
    }
    return ReportRow(source=source, report=report, **{**fields, **more})


def changed(
    line: ReportRow, at: int, state: CellState, note: CellNote | None = None, days: tuple[str, ...] = ()
) -> ReportRow:
    """Return a report with another state in one night; what is not there has no rows."""
    gone = state not in (CellState.PUBLISHED, CellState.REBUILT, CellState.EMPTY, CellState.UNSOUND)
    states, rows, shade = list(line.states), list(line.rows), list(line.shade)
    states[at] = state
    rows[at] = None if gone else 0 if state is CellState.EMPTY else rows[at]
    shade[at] = None if gone else shade[at]
    notes = {**line.notes, **({days[at]: note} if note else {})}
    return line.model_copy(update={"states": tuple(states), "rows": tuple(rows), "shade": tuple(shade), "notes": notes})


def grid(count: int = 30) -> NightsGrid:
    """Return four sources in which everything has happened that can."""
    days = nights(count)
    lines = {
        (source, report): row(source, report, days, number)
        for number, (source, report) in enumerate((one, name) for one, names in SOURCES.items() for name in names)
    }

    def mark(source: str, report: str, at: int, state: CellState, note: CellNote | None = None) -> None:
        lines[source, report] = changed(lines[source, report], at, state, note, days)

    for report in SOURCES["flexnet"]:
        mark("flexnet", report, -18, CellState.REBUILT, CellNote(rebuilt=True))
    mark(
        "flexnet",
        "usage",
        -10,
        CellState.FAILED,
        CellNote(text="RateLimited: FlexNet asked to wait 3,600 s; the night's window was over."),
    )
    mark("flexnet", "device", -1, CellState.RUNNING, CellNote(running=True))
    mark("flexnet", "account", -4, CellState.PUBLISHED, CellNote(added=("CostCenter",)))
    mark(
        "tokenflex",
        "desktop_usage",
        -1,
        CellState.LATE,
        CellNote(late_since=ago(minutes=12), text="Autodesk still works on the export."),
    )
    for at in range(-count, -22):
        mark("camunda_optimize", "invoices_a_month", at, CellState.NEVER)
    mark(
        "camunda_optimize", "invoice_instances", -6, CellState.DRIFTED, CellNote(text="The column amount became text.")
    )
    mark("exago", "tree_changes", -3, CellState.EMPTY)
    mark("exago", "tree_changes", -9, CellState.EMPTY)
    mark("exago", "tree", -15, CellState.UNSOUND, CellNote(text="The table has 12 rows fewer than were committed."))
    return NightsGrid(
        now=NOW,
        nights=days,
        newest=days[-1],
        earlier=(date.fromisoformat(days[0]) - timedelta(days=1)).isoformat(),
        timezones=dict.fromkeys(SOURCES, "Europe/Berlin"),
        reports=tuple(lines.values()),
    )


def great_grid(reports: int = 100, count: int = 90) -> NightsGrid:
    """Return as many reports by as many nights."""
    days = nights(count)
    lines = tuple(row(f"source_{number // 25}", f"report_{number:03}", days, number) for number in range(reports))
    return NightsGrid(now=NOW, nights=days, newest=days[-1], reports=lines)


def cell(
    source: str = "flexnet",
    report: str = "entitlement",
    night: str = "",
    state: CellState = CellState.PUBLISHED,
    *,
    allowed: bool = True,
) -> CellDetail:
    """Return one night of one report, with all that can be said and pressed."""
    night = night or LAST.isoformat()
    there = state in (CellState.PUBLISHED, CellState.REBUILT)
    dag = DAGS.get(source, f"{source}_reports")
    run = f"scheduled__{night}"
    return CellDetail(
        source=source,
        report=report,
        night=night,
        state=state,
        note=CellNote()
        if there
        else CellNote(
            late_since=ago(minutes=12),
            text="Autodesk still works on export …4d16aed0, asked at 02:04; usually 12 minutes.",
        ),
        rows=12400 if there else None,
        published_rows=12400 if there else None,
        bytes=1_234_567 if there else None,
        seconds=94 if there else None,
        usual=11800,
        usual_of=8,
        published=ago(hours=5) if there else None,
        version=417 if there else None,
        due=ago(hours=1),
        checks=(
            CheckLine(name="not_empty", ok=True, detail="12,400 rows"),
            CheckLine(name="unique_key", ok=True, detail="EntitlementID"),
        )
        if there
        else (),
        table=TableLine(path=f"tables/{source}/{report}", version=417, nights=388, rows=4_812_004),
        extract=ExtractLine(
            path=f"raw/{source}/{report}/night={night}/01JDX",
            pages=25,
            rows=12400,
            bytes=9_400_000,
            attempt=2,
            started=ago(hours=5),
            finished=ago(hours=5),
        )
        if there
        else None,
        attempts=(
            AttemptLine(
                run_id=run,
                run_type="scheduled",
                state="success" if there else "running",
                started=ago(hours=6),
                seconds=312,
                tasks={f"{report}.extract": "success", f"{report}.publish": "success" if there else "none"},
                links=(Link(label=run, href=f"dags/{dag}/runs/{run}"),),
            ),
        ),
        last_good=(LAST - timedelta(days=1)).isoformat(),
        depends=("license_portal", "finance_sync"),
        links=(
            Link(label="Log of the task", href=f"dags/{dag}/runs/{run}"),
            Link(label="Vendor's page", href="https://vendor.example/export/1"),
        ),
        presses=(
            press(
                PressKind.RUN,
                "Run this night",
                f"A run of {dag} is started for the night {night}, for {report} alone.",
                f"api/v2/dags/{dag}/dagRuns",
                allowed=allowed,
            ),
            press(
                PressKind.CLEAR_PUBLISH,
                "Publish again",
                "The task publish runs again from the landing; the vendor is not asked.",
                allowed=allowed,
            ),
            press(
                PressKind.FORCE,
                "Force",
                "The vendor is asked again, and what is published is replaced also by what is unchanged.",
                allowed=allowed,
                danger=True,
            ),
        ),
    )


def late_cell() -> CellDetail:
    """Return a night that is late."""
    return cell("tokenflex", "desktop_usage", state=CellState.LATE)
