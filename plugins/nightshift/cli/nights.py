"""``nightshift nights``: reports by nights in a terminal, as the lake proves them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from nightshift.cli.terminal import AsJson, Exit, can_show, night_option, out, print_json, print_rows, styled, telling
from nightshift.known_secrets import hide

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from nightshift.config.reports import Source
    from nightshift.nights.cells import Cell, ReportNights

nights = typer.Typer(help="Reports by nights, as the lake proves them.")
COUNT = 14
Chosen = Annotated[list[str] | None, typer.Option("--source", "-s", help="Only this source; may be repeated.")]
EARLY, LATE = "early", "late"
_LOOKS = {
    "published": ("■", "#", "green"),
    "rebuilt": ("▣", "R", "green"),
    "empty": ("□", "0", "green"),
    EARLY: ("◐", "e", "yellow"),
    LATE: ("L", "L", "red"),
    "failed": ("✗", "x", "red"),
    "drifted": ("≠", "~", "red"),
    "unsound": ("!", "!", "red"),
    "unproven": ("?", "?", "yellow"),
    "never": ("·", ".", "dim"),
}
"""State → its sign, one that every terminal has, and its colour."""


@nights.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    count: Annotated[int, typer.Option("--nights", "-n", min=1, max=400, help="How many nights.")] = COUNT,
    until: Annotated[
        str | None, typer.Option("--until", help="The last one; default, and at most: the newest that is over.")
    ] = None,
    source: Chosen = None,
    problems: Annotated[bool, typer.Option("--problems", help="Only reports with a night that is not there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the grid. Exit code: 0 the newest night of every report is there and sound or not due yet, 1 one is not, or
    reports.yaml has a mistake.

    The newest night of a report is the last one that is over in the zone of its source. Told by the lake alone, without
    Airflow: whether a run is at work is on the board.
    """
    if context.invoked_subcommand is not None:
        return
    last = night_option(until)
    with telling():
        from nightshift.local_time import DAY, last_night
        from nightshift.nights import index
        from nightshift.nights.place import lake_to_look_at

        sections, mistakes = _sections(source)
        now = datetime.now(UTC)
        over = {name: last_night(one.zone, now) for name, one in sections.items()}
        newest = max(over.values(), default=now.date() - DAY)
        newest = min(last or newest, newest)
        own = {name: min(night, newest).isoformat() for name, night in over.items()}
        shown = [(newest - number * DAY).isoformat() for number in reversed(range(count))]
        grid = index.read(
            lake_to_look_at(),
            nights=sorted({*shown, *own.values()}),
            sources={name: tuple(one.groups) for name, one in sections.items()},
            zones={name: one.zone for name, one in sections.items()},
        )
        rows = [_Row(sections[one.source], one, shown, own[one.source], now) for one in grid.reports.values()]
        wrong = [row for row in rows if not row.is_well]
        rows = wrong if problems else rows
        if as_json:
            told = [row.shape() for row in rows]
            print_json({"version": 1, "nights": shown, "reports": told, "mistakes": mistakes})
        else:
            _print(shown, rows)
            _print_mistakes(mistakes, any_source=bool(sections))
    raise typer.Exit(Exit.WRONG if wrong or mistakes else Exit.FINE)


@nights.command("rebuild-index")
def rebuild_index(
    source: Chosen = None,
    as_json: AsJson = False,
) -> None:
    """Make the index of the nights anew from the tables alone; it holds nothing that they do not tell. Exit code: 1 a
    mistake of reports.yaml may leave reports out.
    """
    with telling():
        from nightshift.nights.index import rebuild
        from nightshift.nights.place import lake_to_look_at

        lake, done = lake_to_look_at(), []
        sections, mistakes = _sections(source)
        for name, section in sections.items():
            for report in section.groups:
                history = rebuild(lake, name, report)
                done.append({"report": f"{name}/{report}", "nights": len(history.nights) if history else 0})
    if as_json:
        print_json({"version": 1, "rebuilt": done, "mistakes": mistakes})
    else:
        print_rows(["report", "nights"], [list(one.values()) for one in done])
        _print_mistakes(mistakes, any_source=bool(sections))
    raise typer.Exit(Exit.WRONG if mistakes else Exit.FINE)


class _Row:
    """A report in the grid, and which of its nights is late: due, and not there.

    :param shown: the nights of the grid
    :param own: the newest night of the report, which may be none of the grid's: what it is judged by
    """

    def __init__(self, section: Source, report: ReportNights, shown: Sequence[str], own: str, now: datetime) -> None:
        self.report = report
        self.name = f"{report.source}/{report.report}"
        self.cells = [report.cell(night) for night in shown]
        self.states = [self._state(section, cell, now) for cell in self.cells]
        self.newest = report.cell(own)
        due = self._due(section, own)
        self.is_due = due is None or due <= now
        self.state = self._state(section, self.newest, now)

    @property
    def is_well(self) -> bool:
        """Whether nothing is known to be wrong with the newest night. One that was fetched before it was over is well
        as long as it is not due: its own run is to come.
        """
        return self.state in ("published", "rebuilt", "empty", "never") or (self.state == EARLY and not self.is_due)

    def _due(self, section: Source, night: str) -> datetime | None:
        """Return when a night is due; ``None``: nobody waits for it."""
        from nightshift.fields import night_of
        from nightshift.local_time import end_of

        due = section.due_of(self.report.report)
        return None if due is None else due.after(end_of(night_of(night), section.zone))

    def _state(self, section: Source, cell: Cell, now: datetime) -> str:
        from nightshift.nights.cells import CellState

        due, since = self._due(section, cell.night), section.since_of(self.report.report)
        is_late = due is not None and due <= now
        is_promised = since is None or cell.night >= since
        return LATE if cell.state is CellState.NEVER and is_late and is_promised else str(cell.state)

    def shape(self) -> dict[str, Any]:
        """Return the row for programs."""
        cells = zip(self.cells, self.states, strict=True)
        return {
            "report": self.name,
            "trouble": self.report.trouble or None,
            "newest": _shape(self.newest, self.state),
            "nights": [_shape(*one) for one in cells],
        }


def _shape(cell: Cell, state: str) -> dict[str, Any]:
    names = ("night", "rows", "bytes", "seconds", "version", "extract", "at", "checks", "usual")
    failure = None if cell.failure is None else cell.failure.text
    return {"state": state, **{name: getattr(cell, name) for name in names}, "failure": failure}


def _sections(chosen: Sequence[str] | None) -> tuple[Mapping[str, Source], list[str]]:
    """Return the sections that count, and what is wrong with ``reports.yaml``, which may leave some out.

    :param chosen: the sources that are asked for; default: all
    :raises typer.BadParameter: one of them is no source, or not configured
    """
    from nightshift.config.reports import mistakes_of_reports, source_in_force
    from nightshift.fields import nearest
    from nightshift.sources import SOURCES

    for name in chosen or ():
        if name not in SOURCES:
            raise typer.BadParameter(f"{name!r} is no source{nearest(name, SOURCES)}", param_hint="--source")
    sections = {name: found for name in chosen or SOURCES if (found := source_in_force(name)) is not None}
    mistakes = [hide(one) for one in mistakes_of_reports(of=chosen or tuple(SOURCES))]
    absent = [name for name in chosen or () if name not in sections]
    if absent and not mistakes:
        raise typer.BadParameter(f"{absent[0]!r} is not in reports.yaml", param_hint="--source")
    return sections, mistakes


def _print(shown: Sequence[str], rows: Sequence[_Row]) -> None:
    has_signs = can_show("".join(sign for sign, _, _ in _LOOKS.values()))
    looks_of = {state: (sign if has_signs else plain, colour) for state, (sign, plain, colour) in _LOOKS.items()}
    head = ["report", *_heads(shown), "rows of the newest", "usual"]
    lines = []
    for row in rows:
        newest = row.newest
        usual = "" if newest.usual is None else f"{newest.usual:.0f}"
        looks = [Text(*looks_of[state]) for state in row.states]
        lines.append([row.name, *looks, "" if newest.rows is None else newest.rows, usual])
    print_rows(head, lines)
    seen = {state for row in rows for state in row.states}
    out().print(
        Text("  ").join(Text(f"{look} {state}", style) for state, (look, style) in looks_of.items() if state in seen)
    )
    for row in rows:
        if row.report.trouble:
            out().print(styled(f"{row.name}: {row.report.trouble}", "yellow"), soft_wrap=True)
        told = list(zip(row.cells, row.states, strict=True))
        if not row.is_well and row.newest.night not in shown:
            out().print(styled(f"{row.name}, night {row.newest.night}, its newest: {row.state}", "red"), soft_wrap=True)
            told.append((row.newest, row.state))
        for cell, state in told:
            if state == EARLY:
                text = f"{row.name}, night {cell.night}: {row.report.why_early(cell.night)}"
                out().print(styled(text, "yellow"), soft_wrap=True)
            if cell.failure is not None and state in ("failed", "drifted"):
                out().print(styled(f"{row.name}, night {cell.night}: {cell.failure.text}", "red"), soft_wrap=True)


def _print_mistakes(mistakes: Sequence[str], *, any_source: bool) -> None:
    for one in mistakes:
        out().print(styled(one, "red"), soft_wrap=True)
    if not mistakes and not any_source:
        out().print("reports.yaml has no source: there is nothing to look at")


def _heads(shown: Sequence[str]) -> list[str]:
    """Return the days, and the month where it begins."""
    return [
        night[8:] if number and night[5:7] == shown[number - 1][5:7] else night[5:]
        for number, night in enumerate(shown)
    ]
