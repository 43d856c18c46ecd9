"""``nightshift promotions``: applications by stages, what is under way, and the figures of the release team."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nightshift.cli.terminal import AsJson, Exit, out, print_json, print_rows, styled, telling
from nightshift.fields import nearest

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.promotion.figures import Figures
    from nightshift.promotion.holds import Hold
    from nightshift.promotion.index import RecordSummary
    from nightshift.promotion.record import Running

DAYS = 28


@dataclass(frozen=True)
class ApplicationStatus:
    """How it stands with one application.

    :param stages: in the order of the configuration: what runs there, as the records tell
    :param doubts: stage → the promotion whose deployment there nobody knows the end of
    :param newest: the promotions that were changed last, those under way among them
    :param unread: why a record cannot be read, and what is wrong with the configuration
    """

    application: str
    stages: Mapping[str, Running | None]
    doubts: Mapping[str, str]
    newest: tuple[RecordSummary, ...]
    holds: tuple[Hold, ...]
    unread: tuple[str, ...] = ()


def promotions(
    application: Annotated[list[str] | None, typer.Argument(help="Only these applications.")] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="Of how many days the figures are.")] = DAYS,
    as_json: AsJson = False,
) -> None:
    """Show which version is in which stage, what is under way, what is held, and the figures of the release team.

    Told by the records in the lake, without Airflow. Exit code: 0 all is known, 1 a deployment is in doubt, or a record
    or the configuration cannot be read.
    """
    with telling():
        from nightshift.nights.place import lake_of_this_deployment
        from nightshift.promotion.figures import read_figures

        names, mistakes = _stages(application)
        lake, now = lake_of_this_deployment(), datetime.now(UTC)

        async def read() -> tuple[list[ApplicationStatus], Figures]:
            lanes = [await _status_of(lake, name, stages, now, mistakes) for name, stages in names.items()]
            return lanes, await read_figures(lake, names, since=now - timedelta(days=days), until=now)

        lanes, figures = asyncio.run(read())
    if as_json:
        shown = {
            "version": 1,
            "applications": [_shape(one) for one in lanes],
            "figures": figures.model_dump(mode="json"),
        }
        print_json(shown)
    else:
        _print(lanes, figures, days)
    raise typer.Exit(Exit.WRONG if any(one.doubts or one.unread for one in lanes) else Exit.FINE)


def _stages(chosen: list[str] | None) -> tuple[dict[str, tuple[str, ...]], dict[str, str]]:
    """Return the stages of each application, and what is wrong with its configuration where something is."""
    from nightshift.config.promotions import Application, read_applications

    known = read_applications()
    for name in chosen or ():
        if name not in known:
            raise typer.BadParameter(f"{name!r} is no application{nearest(name, known)}", param_hint="APPLICATION")
    found = {name: known[name] for name in chosen or known}
    stages = {
        name: tuple(stage.label for stage in one.stages) if isinstance(one, Application) else ()
        for name, one in found.items()
    }
    return stages, {name: str(one) for name, one in found.items() if not isinstance(one, Application)}


async def _status_of(
    lake: Lake, name: str, stages: Sequence[str], now: datetime, mistakes: Mapping[str, str]
) -> ApplicationStatus:
    from nightshift.promotion.holds import holds
    from nightshift.promotion.index import doubted, newest_running, read_index
    from nightshift.promotion.store import Records

    index = await read_index(await asyncio.to_thread(Records, lake, name))
    running = newest_running(index.summaries)
    by_age = sorted(index.summaries, key=lambda one: one.opened, reverse=True)
    newest = [one for number, one in enumerate(by_age) if number == 0 or one.closed is None]
    return ApplicationStatus(
        application=name,
        stages={stage: running.get(stage) for stage in stages or running},
        doubts=doubted(index.summaries),
        newest=tuple(newest),
        holds=await holds(lake, application=name, at=now),
        unread=(*(mistakes[one] for one in (name,) if one in mistakes), *(str(error) for _, error in index.damaged)),
    )


def _print(lanes: list[ApplicationStatus], figures: Figures, days: int) -> None:
    rows: list[list[object]] = []
    for lane in lanes:
        for number, (stage, there) in enumerate(lane.stages.items()):
            told: object = "-" if there is None else str(there.version)
            since = "" if there is None else f"{there.since:%Y-%m-%d %H:%M %Z}"
            doubt = lane.doubts.get(stage)
            told = styled(f"in doubt by {doubt}", "red") if doubt else told
            rows.append([styled(lane.application, "bold") if number == 0 else "", stage, told, since])
    print_rows(["application", "stage", "version", "since"], rows)
    for lane in lanes:
        for one in lane.newest:
            how = one.outcome or ("under way" if one.turn is not None else "waits for its turn")
            text = f"{lane.application}: {how.replace('_', ' ')}, night {one.night or '-'}, {one.run_id}"
            out().print(styled(text, "" if one.closed else "cyan"), soft_wrap=True)
        for hold in lane.holds:
            out().print(styled(hold.words, "yellow"), soft_wrap=True)
        for text in lane.unread:
            out().print(styled(f"{lane.application}: {text}", "red"), soft_wrap=True)
    if figures.together:
        out().print(styled(f"\nThe last {days} days, all applications together", "bold"))
    for figure in figures.together:
        out().print(styled(figure.words), soft_wrap=True)


def _shape(lane: ApplicationStatus) -> dict[str, Any]:
    def running(one: Running | None) -> dict[str, Any] | None:
        return None if one is None else one.model_dump(mode="json")

    return {
        "application": lane.application,
        "stages": [
            {"stage": stage, "running": running(one), "in_doubt_by": lane.doubts.get(stage)}
            for stage, one in lane.stages.items()
        ],
        "promotions": [
            {
                "run_id": one.run_id,
                "night": one.night,
                "opened": one.opened,
                "closed": one.closed,
                "outcome": one.outcome,
                "has_turn": one.turn is not None,
            }
            for one in lane.newest
        ],
        "holds": [one.model_dump(mode="json") for one in lane.holds],
        "unread": list(lane.unread),
    }
