"""The figures of the release team, as lines that say what they are made of."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from nightshift.board.models import BoardPart, FigureLine, FiguresAnswer, Link, Trouble
from nightshift.board.presses import run_path
from nightshift.config.promotions import promotion_dag_of
from nightshift.promotion.figures import Figures, Measured, Spread, StageFigures, duration_words, read_figures

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

DAYS = 28
MOST_DAYS = 366
FRESH = 60.0
"""Seconds for which figures are told again: they are of weeks."""
MADE_OF = 50
"""Runs that a figure is made of, shown at most."""


async def figures(lake: Lake, applications: Collection[str], *, days: int = DAYS) -> FiguresAnswer:
    """Return the figures of the last days."""
    now = datetime.now(UTC)
    since = now - timedelta(days=days)
    found = await read_figures(lake, applications, since=since, until=now, as_kept=True, most=MADE_OF)
    troubles = [Trouble(part=BoardPart.FIGURES, of=name, text=text) for name, text in found.unknown.items()]
    lines = [line for stage in found.together for line in _lines(found, stage)]
    return FiguresAnswer(now=now, days=days, since=since, figures=tuple(lines), troubles=tuple(troubles))


def _lines(found: Figures, together: StageFigures) -> Iterator[FigureLine]:
    stage = together.stage
    mine = [
        (promotion_dag_of(name), one)
        for name, stages in found.applications.items()
        for one in stages
        if one.stage == stage
    ]
    yield FigureLine(
        key="deployments",
        stage=stage,
        label=f"Deployments to {stage}",
        value=together.deployments,
        unit="count",
        text=f"{together.deployments} ({together.per_week:.1f} a week)",
    )
    share = together.failed_share
    yield FigureLine(
        key="failed",
        stage=stage,
        label=f"Failed in {stage}",
        value=share,
        unit="ratio",
        text="nothing to judge" if share is None else f"{together.failed} ({share:.0%})",
        made_of=_links((dag, run) for dag, one in mine for run in one.failed_runs),
    )
    yield FigureLine(
        key="lead_time",
        stage=stage,
        label=f"Build to {stage}",
        value=together.lead_time.median,
        unit="seconds",
        text=_median(together.lead_time, "nothing to measure"),
        made_of=_longest((dag, one) for dag, figure in mine for one in figure.lead_time.made_of),
    )
    open_ends = [f"{one.application} not since {one.since:%Y-%m-%d %H:%M} UTC" for one in together.not_restored]
    restored = _median(together.time_to_restore, "" if open_ends else "nothing to restore")
    yield FigureLine(
        key="time_to_restore",
        stage=stage,
        label=f"Restored in {stage}",
        value=together.time_to_restore.median,
        unit="seconds",
        text="; ".join(filter(None, [restored, *open_ends])),
        made_of=_longest((dag, one) for dag, figure in mine for one in figure.time_to_restore.made_of),
    )


def _median(spread: Spread, none: str) -> str:
    """Return the middle of the times that were measured, and of how many it is."""
    return none if spread.median is None else f"{duration_words(spread.median)} (median of {spread.n})"


def _links(runs: Iterable[tuple[str, str]]) -> tuple[Link, ...]:
    return tuple(Link(label=run, href=run_path(dag, run)) for dag, run in runs)[:MADE_OF]


def _longest(found: Iterable[tuple[str, Measured]]) -> tuple[Link, ...]:
    by_length = sorted(found, key=lambda one: one[1].seconds, reverse=True)
    return tuple(
        Link(label=f"{one.version}: {timedelta(seconds=round(one.seconds))}", href=run_path(dag, one.run_id))
        for dag, one in by_length[:MADE_OF]
    )
