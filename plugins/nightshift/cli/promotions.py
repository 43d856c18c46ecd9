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
from nightshift.known_secrets import hide

if TYPE_CHECKING:
    from nightshift.lake.store import Lake
    from nightshift.promotion.figures import Figures
    from nightshift.promotion.holds import Hold
    from nightshift.promotion.record import Running
    from nightshift.promotion.summary import RecordSummary
    from nightshift.promotion.target import Target

DAYS = 28


@dataclass(frozen=True)
class ApplicationStatus:
    """How it stands with one application.

    :param stages: in the order of the configuration, then others that are in doubt: what runs there, as the records
        tell
    :param elsewhere: stage → what the records tell of it last, where that is of another project, environment or server
        than is configured
    :param doubts: stage → the promotion whose deployment there nobody knows the end of
    :param newest: the promotions that were changed last, those under way among them
    :param unread: why a record cannot be read
    """

    application: str
    stages: Mapping[str, Running | None]
    elsewhere: Mapping[str, str]
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

    Told by the records in the lake, without Airflow, of each application that counts: also of one with a mistake, or
    that is gone from promotions.yaml. Exit code: 0 all is known, 1 a deployment is in doubt, a record cannot be read,
    or promotions.yaml has a mistake.
    """
    with telling():
        from nightshift.nights.place import lake_to_look_at
        from nightshift.promotion.figures import read_figures
        from nightshift.promotion.store import applications_in

        names, mistakes = _stages(application)
        lake, now = lake_to_look_at(), datetime.now(UTC)

        async def read() -> tuple[list[ApplicationStatus], Figures, list[str]]:
            lanes = [await _status_of(lake, name, stages, now) for name, stages in names.items()]
            figures = await read_figures(lake, names, since=now - timedelta(days=days), until=now)
            others = [] if application else [one for one in await applications_in(lake) if one not in names]
            return lanes, figures, others

        lanes, figures, unnamed = asyncio.run(read())
        if unnamed and not names and not mistakes:
            mistakes = [_unnamed(unnamed)]
    if as_json:
        shown = {
            "version": 1,
            "applications": [_shape(one) for one in lanes],
            "figures": figures.model_dump(mode="json"),
            "unnamed": unnamed,
            "mistakes": mistakes,
        }
        print_json(shown)
    else:
        _print(lanes, figures, days)
        if unnamed and names:
            out().print(styled(_unnamed(unnamed), "yellow"), soft_wrap=True)
        for text in mistakes:
            out().print(styled(text, "red"), soft_wrap=True)
    is_known = not mistakes and not any(one.doubts or one.unread for one in lanes)
    raise typer.Exit(Exit.FINE if is_known else Exit.WRONG)


def _unnamed(names: Sequence[str]) -> str:
    return (
        f"The lake has records of {', '.join(names)}, which promotions.yaml does not name: nothing of them is shown. "
        "Look whether NIGHTSHIFT_CONFIG is the right folder."
    )


def _stages(chosen: list[str] | None) -> tuple[dict[str, dict[str, Target]], list[str]]:
    """Return stage → its target, of each application that counts, or would without its mistake, and what is wrong with
    ``promotions.yaml``.

    :param chosen: the applications that are asked for; mistakes of the others are left out
    :raises typer.BadParameter: one of them is none
    """
    from nightshift.config.freezes import FREEZES
    from nightshift.config.promotions import promotions_in_force
    from nightshift.config.scalars import name_problem
    from nightshift.promotion.rules import people
    from nightshift.promotion.target import BUILD, targets_of

    told = promotions_in_force(rules=people.problems_of, freeze_rules=people.problems_of_freezes, with_gone=True)
    known = [name for name in told.names if not name_problem(name)]
    for name in chosen or ():
        if name not in known:
            raise typer.BadParameter(f"{name!r} is no application{nearest(name, known)}", param_hint="APPLICATION")
    wrong = [text for name, text in told.wrong.items() if not chosen or name in chosen or name == FREEZES]
    stages = {
        name: {at: one for at, one in targets_of(told.applications[name]).items() if at != BUILD}
        if name in told.applications
        else {}
        for name in chosen or known
    }
    unknown = [told.freezes.unknown] if told.freezes.unknown else []
    return stages, [hide(one) for one in dict.fromkeys([*told.unreadable, *wrong, *unknown])]


async def _status_of(lake: Lake, name: str, stages: Mapping[str, Target], now: datetime) -> ApplicationStatus:
    from nightshift.promotion.aim import aim_at
    from nightshift.promotion.holds import holds
    from nightshift.promotion.index import read_index
    from nightshift.promotion.store import Records
    from nightshift.promotion.summary import brought_elsewhere, doubted, newest_running

    records = await asyncio.to_thread(Records, lake, name)
    index, aim = await read_index(records), await aim_at(records, stages)
    running = newest_running(index.summaries, aim)
    by_age = sorted(index.summaries, key=lambda one: one.opened, reverse=True)
    doubts = doubted(index.summaries)
    newest = [one for number, one in enumerate(by_age) if number == 0 or one.closed is None]
    return ApplicationStatus(
        application=name,
        stages={stage: running.get(stage) for stage in (*(stages or running), *doubts)},
        elsewhere=brought_elsewhere(index.summaries, aim),
        doubts=doubts,
        newest=tuple(newest),
        holds=await holds(lake, application=name, at=now),
        unread=tuple(str(error) for _, error in index.damaged),
    )


def _print(lanes: list[ApplicationStatus], figures: Figures, days: int) -> None:
    rows: list[list[object]] = []
    for lane in lanes:
        for number, (stage, there) in enumerate(lane.stages.items()):
            told: object = lane.elsewhere.get(stage, "-") if there is None else str(there.version)
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
        return None if one is None else one.model_dump(mode="json", exclude={"order", "target"})

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
