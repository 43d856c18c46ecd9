"""``nightshift replay``: nights published again from the landing, after a rehearsal that says what would change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from nightshift.cli.hold import Yes
from nightshift.cli.terminal import (
    AsJson,
    CannotTell,
    Exit,
    confirmed,
    err,
    night_option,
    out,
    plain,
    print_json,
    print_rows,
    styled,
    telling,
)
from nightshift.config.document import ConfigError
from nightshift.fields import nearest
from nightshift.lake.errors import LakeError
from nightshift.redaction import redact

if TYPE_CHECKING:
    from nightshift.lake.published import Published
    from nightshift.lake.rehearsal import NightDifference, Rehearsal
    from nightshift.nights.publish import PublishNightOperator
    from nightshift.nights.replay import Replay

COLUMNS_SHOWN = 12
"""Columns of a night that are told in a terminal; ``--json`` has all."""


@dataclass
class Done:
    """One landed extract of a replay, and what was found or done.

    :param refused: why it would be refused, or was
    """

    replay: Replay
    rehearsal: Rehearsal | None = None
    published: Published | None = None
    refused: str = ""


def replay(
    reports: Annotated[list[str], typer.Argument(help="<source>/<report>, or <source> for all of its reports.")],
    first: Annotated[str | None, typer.Option("--from", help="First night, YYYY-MM-DD.")] = None,
    last: Annotated[str | None, typer.Option("--to", help="Last night; default: the first one.")] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Publish what would change, after a question.")] = False,
    any_request: Annotated[
        bool,
        typer.Option(
            "--any-request", help="Take also what was asked for as something else than reports.yaml asks for now."
        ),
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Publish nights again from the landing; first say what that would change in rows, columns, sums and bounds.

    Without --apply nothing changes. No vendor is asked, and no promotion begins. A night of which the table has a newer
    extract stays as it is; nights of which nothing is landed are counted, and no reason to fail. Exit code: 0 nothing
    (else) to change, 4 something would change, 1 something is refused or lost for good, or reports.yaml has a mistake.
    """
    since, until = night_option(first), night_option(last)
    if since is None:
        raise typer.BadParameter("name the first night", param_hint="--from")
    if until is not None and until < since:
        raise typer.BadParameter("is before --from", param_hint="--to")
    with telling():
        from nightshift.nights.place import lake_to_look_at
        from nightshift.nights.replay import publishers, replays

        _refuse_mistakes(reports)
        chosen = _chosen(reports, publishers())
        lake, until = lake_to_look_at(), until or since
        found = [one for task in chosen for one in replays(lake, task, since, until, any_request=any_request)]
        if not found:
            raise CannotTell(f"Nothing is landed of {', '.join(reports)} in these nights; extract them first.")
        left_out = _left_out(chosen, found, since, until)
        done = [Done(one) for one in found]
        _each(done, "rehearse", _rehearse)
        if not as_json:
            _show(done)
            _show_left_out(left_out)
        changing = [one for one in done if one.rehearsal is not None and one.rehearsal.changes]
        applied = apply and bool(changing) and confirmed(_question(changing), yes=yes)
        if applied:
            _each(changing, "publish", _publish)
        if as_json:
            extracts = [_shape(one) for one in done]
            print_json({"version": 1, "applied": applied, "extracts": extracts, "left_out": left_out})
        elif applied:
            _show_published(changing)
    lost = any(night.unread and night.kept for one in done if one.rehearsal for night in one.rehearsal.nights)
    if lost or any(one.refused for one in done):
        raise typer.Exit(Exit.WRONG)
    raise typer.Exit(Exit.DIFFERENT if changing and not applied else Exit.FINE)


def _refuse_mistakes(names: Sequence[str]) -> None:
    """Replay nothing by what was right before.

    :raises ConfigError: a section that is asked for has a mistake
    """
    from nightshift.config.reports import mistakes_of_reports
    from nightshift.sources import SOURCES

    if mistakes := mistakes_of_reports(of={name.partition("/")[0] for name in names} & set(SOURCES)):
        raise ConfigError(
            "\n".join(
                [*mistakes, "Nights are replayed by reports.yaml as it stands: put it right. Nothing was changed."]
            )
        )


def _left_out(
    chosen: Sequence[PublishNightOperator], found: Sequence[Replay], first: date, last: date
) -> list[dict[str, Any]]:
    """Return the reports that have nothing complete in the landing of some of the nights: of how many, and of which."""
    asked = [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]
    left_out = []
    for name in (f"{task.source}/{task.report}" for task in chosen):
        there = {night for one in found if one.report == name for night in one.nights}
        if absent := [night for night in asked if night not in there]:
            left_out.append({"report": name, "count": len(absent), "first": absent[0], "last": absent[-1]})
    return left_out


def _show_left_out(left_out: Iterable[Mapping[str, Any]]) -> None:
    for one in left_out:
        which = f"{one['first']} to {one['last']}" if one["count"] > 1 else one["first"]
        text = f"{one['report']}: nothing complete is landed of {one['count']} of these nights ({which}): left out"
        out().print(styled(text, "yellow"), soft_wrap=True)


def _chosen(names: Sequence[str], known: dict[str, PublishNightOperator]) -> list[PublishNightOperator]:
    wanted: dict[str, PublishNightOperator] = {}
    for name in names:
        found = {one: task for one, task in known.items() if one == name or one.startswith(f"{name}/")}
        if not found:
            raise typer.BadParameter(
                f"{name!r} is no report of reports.yaml{nearest(name, known)}", param_hint="REPORTS"
            )
        wanted |= found
    return list(wanted.values())


def _each(done: Sequence[Done], verb: str, act: Callable[[Done], None]) -> None:
    with _bar(len(done)) as step:
        for one in done:
            about = f"{verb} {one.replay.report}, night {one.replay.manifest.night}"
            step(about, 0)
            try:
                act(one)
            except LakeError as error:
                one.refused = redact(str(error))
            step(about, 1)


@contextmanager
def _bar(total: int) -> Iterator[Callable[[str, int], None]]:
    """Show how far it is, on the terminal that is for people; nothing where there is none."""
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    console = err()
    with Progress(
        *columns, TimeElapsedColumn(), console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("", total=total)
        yield lambda text, steps: bar.update(task, description=plain(text), advance=steps)


def _rehearse(one: Done) -> None:
    one.rehearsal = one.replay.rehearse()


def _publish(one: Done) -> None:
    one.published = one.replay.publish()


def _question(changing: Sequence[Done]) -> str:
    nights = sum(night.changes for one in changing for night in (one.rehearsal.nights if one.rehearsal else ()))
    return f"Replace {nights} night{'s' * (nights != 1)} as shown? Each is one atomic commit."


def _show(done: Iterable[Done]) -> None:
    rows = []
    for one in done:
        if one.rehearsal is None:
            rows.append([one.replay.report, one.replay.manifest.night, styled("refused", "red"), "", "", one.refused])
            continue
        whole, report = one.rehearsal, one.replay.report
        rows += [[report, night.night, *_verdict(night, whole)] for night in whole.nights]
    print_rows(["report", "night", "", "rows", "would be", "what"], rows)
    for one in done:
        for night in one.rehearsal.nights if one.rehearsal else ():
            if night.changes and night.rows_before is not None:
                _show_columns(one.replay.report, night)


def _verdict(night: NightDifference, whole: Rehearsal) -> list[object]:
    if night.unread:
        why = f"a file of this night in the table is gone or broken ({night.unread})"
        if night.kept:
            why += f"; the table has it as of {night.kept}, which is newer: it stays. Extract the night again"
        return [styled("lost", "red"), "?", night.rows_now, why]
    if night.kept:
        return [styled("stays", "dim"), night.rows_before, night.rows_now, f"the table has it as of {night.kept}"]
    if not night.changes:
        return [styled("same", "green"), night.rows_before, night.rows_now, "to the last value"]
    count = len(night.columns)
    told = [
        f"{count} column{'s differ' if count > 1 else ' differs'}" if count else "rows differ; bounds and sums do not"
    ]
    told += [f"new: {', '.join(whole.added)}"] if whole.added and night.rows_before is not None else []
    told += [str(one) for one in whole.retyped]
    new = night.rows_before is None
    return [
        styled("new" if new else "changes", "yellow"),
        "-" if new else night.rows_before,
        night.rows_now,
        "" if new else "; ".join(told),
    ]


def _show_columns(report: str, night: NightDifference) -> None:
    rows = []
    for one in night.columns[:COLUMNS_SHOWN]:
        for when, state in (("is", one.before), ("would be", one.now)):
            told = ["-"] * 4 if state is None else [state.values, state.least, state.greatest, state.total]
            rows.append([one.name if when == "is" else "", when, *told])
    if rows:
        print_rows(["column", "", "values", "least", "greatest", "sum"], rows, title=f"\n{report}, night {night.night}")
    if (more := len(night.columns) - COLUMNS_SHOWN) > 0:
        print_rows([], [], title=f"… and {more} columns more; --json has all")


def _show_published(done: Iterable[Done]) -> None:
    rows = []
    for one in done:
        nights = ", ".join(one.published.nights) if one.published else one.replay.manifest.night
        told = f"version {one.published.version}" if one.published else one.refused
        verdict = styled("published", "green") if one.published else styled("refused", "red")
        rows.append([one.replay.report, nights, verdict, one.published.rows if one.published else "", told])
    print_rows(["report", "nights", "", "rows", ""], rows, title="\nDone")


def _shape(one: Done) -> dict[str, Any]:
    found, published = one.rehearsal, one.published
    return {
        "report": one.replay.report,
        "landed_night": one.replay.manifest.night,
        "extract": one.replay.manifest.extract,
        "refused": one.refused or None,
        "nights": [_night_shape(night) for night in found.nights] if found else [],
        "added": list(found.added) if found else [],
        "retyped": {each.column: [each.before, each.now] for each in found.retyped} if found else {},
        "checks": [{"name": each.name, "ok": each.ok, "detail": each.detail} for each in found.checks] if found else [],
        "published": {"version": published.version, "rows": published.rows, "kept": dict(published.kept)}
        if published
        else None,
    }


def _night_shape(night: NightDifference) -> dict[str, Any]:
    def column(state: Any) -> dict[str, Any] | None:
        names = ("values", "least", "greatest", "total")
        return None if state is None else {name: getattr(state, name) for name in names}

    return {
        "night": night.night,
        "changes": night.changes,
        "rows": night.rows_before,
        "rows_now": night.rows_now,
        "same": night.is_same,
        "kept": night.kept,
        "unread": night.unread or None,
        "columns": {one.name: {"before": column(one.before), "now": column(one.now)} for one in night.columns},
    }
