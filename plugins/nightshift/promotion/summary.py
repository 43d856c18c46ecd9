"""What one record tells, in short, and what many of them tell of a stage. Pure; kept by
:mod:`nightshift.promotion.index`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from nightshift.promotion.aim import ANY, Aim
from nightshift.promotion.record import Order, PromotionRecord, Running, Version, place
from nightshift.promotion.rules.delivery import Delivery, deliveries_of
from nightshift.promotion.rules.progress import build_of, deployed, ended_in_doubt, passed
from nightshift.promotion.target import Target, Told


class Deployment(msgspec.Struct, frozen=True, array_like=True):
    """What a promotion brought to a stage.

    :param order: of the step that brought it
    :param target: where it was brought, of which project; of a build, of what it is
    """

    stage: str
    id: int
    name: str | None
    since: datetime
    order: Order | None
    target: Told | None

    @property
    def version(self) -> Version:
        """The version."""
        return Version(id=self.id, name=self.name)

    @property
    def place(self) -> tuple[bool, Order, datetime]:
        """By what it is ordered."""
        return place(self.order, self.since)


class RecordSummary(msgspec.Struct, frozen=True, array_like=True):
    """What one record tells, in short.

    :param mark: the mark of the content that it was read from
    :param passed: stage and id of each version that got through the stage
    :param doubts: stages whose deployment by it is not known to have ended well, each with its order, when it began,
        and where it was to be brought
    :param built: the version that it built itself: id, name, and when
    :param build_began: when that build began
    :param deliveries: what it brought to each stage and how that is judged, for the figures
    :param verdicts: id of each version that was checked, and what a check said of it
    :param server: address of the FlexDeploy that gave these ids; empty: it does not tell
    """

    mark: str
    run_id: str
    night: str | None
    opened: datetime
    closed: datetime | None
    outcome: str | None
    turn: int | None
    deployed: tuple[Deployment, ...]
    passed: tuple[tuple[str, int], ...]
    doubts: tuple[tuple[str, Order | None, datetime, Told | None], ...]
    built: Deployment | None
    build_began: datetime | None
    deliveries: tuple[Delivery, ...]
    verdicts: tuple[tuple[int, str], ...]
    server: str

    @classmethod
    def of(cls, record: PromotionRecord, mark: str) -> RecordSummary:
        """Return what a record tells.

        :param mark: the mark of the content that it was read from
        """
        build = build_of(record)
        return cls(
            mark=mark,
            run_id=record.run_id,
            night=record.night,
            opened=record.opened,
            closed=record.closed,
            outcome=None if record.outcome is None else str(record.outcome),
            turn=record.turn,
            deployed=tuple(
                _deployment(stage, one.version, one.since, one.order, one.target)
                for stage, one in deployed(record).items()
            ),
            passed=tuple((stage, version.id) for stage, version in passed(record)),
            doubts=tuple(
                (step.stage, step.order, step.started, step.target.told if step.target else None)
                for step in ended_in_doubt(record)
                if step.stage is not None
            ),
            built=None
            if build is None or build.version is None
            else _deployment("", build.version, build.ended or build.started, build.order, build.target),
            build_began=None if build is None else build.started,
            deliveries=tuple(deliveries_of(record)),
            verdicts=tuple(sorted({(one.version.id, str(one.word)) for one in record.verdicts})),
            server=record.server,
        )


def _deployment(
    stage: str, version: Version, since: datetime, order: Order | None, target: Target | None
) -> Deployment:
    return Deployment(stage, version.id, version.name, since, order, target.told if target else None)


def newest_running(summaries: Iterable[RecordSummary], aim: Aim = ANY) -> dict[str, Running]:
    """Return stage → what runs there, by what records tell: what was brought there last, by the turns in which that
    began, by time where the release before kept none; of two of the same moment that of the record changed last.

    :param aim: the targets that are asked about
    """
    found: dict[str, tuple[Deployment, str]] = {}
    for one in summaries:
        for there in one.deployed:
            if aim.other(there.stage, there.target):
                continue
            if there.stage not in found or found[there.stage][0].place < there.place:
                found[there.stage] = (there, one.run_id)
    return {
        stage: Running(
            version=there.version,
            since=there.since,
            run_id=run_id,
            order=there.order,
            target=None if there.target is None else Target.of(there.target),
        )
        for stage, (there, run_id) in found.items()
    }


def brought_elsewhere(summaries: Iterable[RecordSummary], aim: Aim) -> dict[str, str]:
    """Return stage → what was brought there last, in words, where all is of other targets than the one that is asked
    about.
    """
    summaries = list(summaries)
    known = newest_running(summaries, aim)
    return {
        stage: f"what run {one.run_id} brought there last, {one.version}, is of {aim.other(stage, one.target)}"
        for stage, one in newest_running(summaries).items()
        if stage not in known
    }


def doubted(summaries: Iterable[RecordSummary], aim: Aim = ANY) -> dict[str, str]:
    """Return stage → the run whose deployment there is in doubt: the newest one, where none ended well since.

    :param aim: the targets that are asked about
    """
    return {stage: run_ids[0] for stage, run_ids in all_doubted(summaries, aim).items()}


def all_doubted(summaries: Iterable[RecordSummary], aim: Aim) -> dict[str, list[str]]:
    """Return stage → the runs whose deployments there are in doubt, the newest first, where none ended well since."""
    summaries = list(summaries)
    running, found = newest_running(summaries, aim), dict[str, list[tuple[tuple[bool, Order, datetime], str]]]()
    for one in summaries:
        for stage, order, began, target in one.doubts:
            at = place(order, began)
            if aim.other(stage, target):
                continue
            if stage not in running or place(running[stage].order, running[stage].since) < at:
                found.setdefault(stage, []).append((at, one.run_id))
    # Of two of the same moment that of the record changed last, which comes first.
    newest = {stage: sorted(lot, key=lambda one: one[0], reverse=True) for stage, lot in found.items()}
    return {stage: [run_id for _, run_id in lot] for stage, lot in newest.items()}
