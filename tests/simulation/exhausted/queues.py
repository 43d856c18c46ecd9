"""Promotions of one application that meet: the real :class:`~nightshift.promotion.turns.Turns` and
:class:`~nightshift.promotion.queue.Queue`, and the look that each step takes before it acts, on objects in memory.

Two or three runs go on in any order of their effects; at any of them a worker is killed, and its run tried again or
ended, or frozen while its next attempt runs, and thaws. What must hold:

* no two promotions act at once: who asks FlexDeploy for something has the newest turn, and nobody before it is at work;
* no run gives up one that is underway;
* what a run that has ended left at work at FlexDeploy is waited for;
* turns have no gaps and one owner each;
* in the end every run that goes on has had its turn, and no note of one that is over stands in the way.
"""

from __future__ import annotations

import itertools
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from nightshift.lake.errors import Contended
from nightshift.promotion import queue as queue_module
from nightshift.promotion import turns as turns_module
from nightshift.promotion.queue import Queue, QueuePosition
from nightshift.promotion.record import PromotionRecord
from nightshift.promotion.recorder import StepRecorder, TurnLost
from nightshift.promotion.turns import Turn, Turns
from nightshift.promotion.vocabulary import PromotionOutcome
from tests.simulation.exhausted.actors import Actor, drive, effect, patched
from tests.simulation.exhausted.actors import explore as explore_all
from tests.simulation.exhausted.world import Choices, DisturbedWorld

OPENED = datetime(2026, 11, 28, tzinfo=UTC)
MOST_LOOKS = 40


class Ended(Exception):
    """An attempt ended without success, which its run survives."""


@dataclass
class Hall(DisturbedWorld):
    """The lake, Airflow and FlexDeploy of one application.

    :ivar objects: name → content of the objects
    :ivar over: runs that have ended in Airflow
    :ivar acting: runs of which FlexDeploy does something
    :ivar promoted: runs that were through
    """

    objects: dict[str, bytes] = field(default_factory=dict)
    records: dict[str, PromotionRecord] = field(default_factory=dict)
    over: set[str] = field(default_factory=set)
    acting: list[str] = field(default_factory=list)
    promoted: list[str] = field(default_factory=list)
    tags: Iterator[int] = field(default_factory=itertools.count)


class _Lake:
    """A folder of the lake is its path, under which names are put together."""

    def objects(self, *path: str) -> str:
        """Return the folder."""
        return "/".join(path) + "/"


def _objects(hall: Hall) -> types.SimpleNamespace:
    async def aprobe(_lake: Any) -> None:
        return None

    async def acreate(folder: str, name: str, body: bytes) -> bool:
        effect(f"before {name} is created")
        if folder + name in hall.objects:
            return False
        hall.objects[folder + name] = body
        effect(f"after {name} was created")
        return True

    async def awrite(folder: str, name: str, body: bytes) -> None:
        effect(f"before {name} is written")
        hall.objects[folder + name] = body

    async def adelete(folder: str, *names: str) -> None:
        for name in names:
            effect(f"before {name} is deleted")
            hall.objects.pop(folder + name, None)

    return types.SimpleNamespace(aprobe=aprobe, acreate=acreate, awrite=awrite, adelete=adelete)


def _changes(hall: Hall) -> tuple[tuple[Any, str, Any], ...]:
    async def names_in(folder: str) -> list[tuple[str, Any]]:
        effect("before a list")
        return [(name.removeprefix(folder), OPENED) for name in sorted(hall.objects) if name.startswith(folder)]

    async def read_object(folder: str, name: str) -> bytes | None:
        effect(f"before {name} is read")
        return hall.objects.get(folder + name)

    async def left(_self: Queue, record: PromotionRecord) -> Any:
        effect("before FlexDeploy is asked")
        if record.run_id not in hall.acting:
            return None
        # It ends after this look, and is seen to have ended at the next one.
        hall.acting.remove(record.run_id)
        return types.SimpleNamespace(words="a deployment", status="RUNNING")

    return (
        (turns_module, "objects", _objects(hall)),
        (turns_module, "names_in", names_in),
        (turns_module, "read_object", read_object),
        *([] if Queue._left is _nothing_left else [(Queue, "_left", left)]),
        (queue_module, "is_over", lambda _context, run_id: run_id in hall.over),
    )


class _Records:
    """The records as one attempt sees them: one is written only as long as what it was made of is still there."""

    def __init__(self, hall: Hall, owner: str) -> None:
        self._hall, self._owner = hall, owner

    async def read(self, run_id: str) -> PromotionRecord | None:
        """Return the record of a run."""
        effect(f"before the record of {run_id} is read")
        return self._hall.records.get(run_id)

    async def write(self, record: PromotionRecord) -> PromotionRecord:
        """Write a record."""
        effect(f"before the record of {record.run_id} is written")
        there = self._hall.records.get(record.run_id)
        waits = any(name.endswith(f"/waiting/{record.run_id}.json") for name in self._hall.objects)
        if record.run_id != self._owner and record.run_id not in self._hall.over and not waits:
            raise self._hall.broken(f"{self._owner} gives {record.run_id} up, which is underway")
        if record.origin != (None if there is None else there.origin):
            raise Contended("written by another attempt")
        written = record.of({"e_tag": str(next(self._hall.tags))})
        self._hall.records[record.run_id] = written
        return written

    async def rewrite(self, record: PromotionRecord, *, read: PromotionRecord | None) -> PromotionRecord:
        """Write a record that nobody but attempts writes."""
        return await self.write(record)


@dataclass(frozen=True)
class Run:
    """A promotion.

    :param night: its night; ``None``: a person's
    """

    id: str
    night: str | None


def _attempt(hall: Hall, run: Run, at: int) -> Callable[[], str]:
    """Return an attempt at ``begin`` and, where it has the turn, at the one step that asks FlexDeploy."""

    async def work() -> str:
        records: Any = _Records(hall, run.id)
        turns = Turns(_Lake(), "bank")  # type: ignore[arg-type]
        context: Any = {"ti": types.SimpleNamespace(run_id=run.id, dag_id="promote_bank")}
        record = await records.read(run.id)
        opened = OPENED + timedelta(minutes=at)
        record = (
            PromotionRecord(application="bank", dag_id="promote_bank", run_id=run.id, night=run.night, opened=opened)
            if record is None
            else record.changed(closed=None, outcome=None, reason="")
        )
        config: Any = types.SimpleNamespace(newer="wait", connection="flexdeploy_default")
        queue = Queue(context, records, turns, config)
        for _ in range(MOST_LOOKS):
            if await queue.look(record) is QueuePosition.HAS_TURN:
                break
            effect("waits")
        else:
            raise Ended("it waits for ever")
        record = record.changed(turn=queue.number)
        await records.write(record)
        await turns.leave(run.id)
        await _act(hall, run, records, turns)
        return "promoted"

    return lambda: drive(work())


async def _act(hall: Hall, run: Run, records: Any, turns: Turns) -> None:
    keeper: Any = types.SimpleNamespace(records=records, turns=turns, run_id=run.id)
    keeper._turn = types.MethodType(StepRecorder._turn, keeper)
    keeper._lost = types.MethodType(StepRecorder._lost, keeper)
    record = await records.read(run.id)
    if record is None:
        raise Ended("there is no record")
    opened = await StepRecorder._with_turn(keeper, record)
    # What a step is about to do is in its record before it is done, and only as long as nobody else has written it.
    await records.read(run.id)
    if hall.records.get(run.id) is not opened:
        raise Ended("the record is another one by now")
    await records.write(opened.changed(before=dict(opened.before)))
    _asks(hall, run)
    effect("FlexDeploy is at work")
    if run.id in hall.acting:
        hall.acting.remove(run.id)
    record = await records.read(run.id)
    assert record is not None
    await records.write(record.close(PromotionOutcome.PROMOTED, "done"))
    hall.promoted.append(run.id)


def _asks(hall: Hall, run: Run) -> None:
    if others := set(hall.acting) - {run.id}:
        raise hall.broken(f"{run.id} asks FlexDeploy, and it is at work for {others}")
    if run.id not in hall.acting:
        hall.acting.append(run.id)


SCENES: dict[str, tuple[Run, ...]] = {
    "two nights": (Run("r1", "2026-11-20"), Run("r2", "2026-11-21")),
    "a night and a person": (Run("r1", "2026-11-20"), Run("p", None)),
    "one night twice": (Run("r1", "2026-11-20"), Run("r2", "2026-11-20")),
}


@dataclass
class Stage:
    """The runs of one scene, as their attempts come and go."""

    hall: Hall
    runs: tuple[Run, ...]
    actors: list[Actor[str]]
    frozen: list[Actor[str]] = field(default_factory=list)

    def begin_again(self, at: int) -> None:
        """Start the next attempt of a run."""
        self.actors[at] = Actor(self.runs[at].id, _attempt(self.hall, self.runs[at], at))


def run_one(choices: Choices, runs: tuple[Run, ...], *, faults: int, switches: int) -> Hall:
    """Let runs go on side by side; then, undisturbed, to the end.

    :param switches: how often another run goes on although the one that runs could
    :raises Broken: a promise was broken
    """
    hall = Hall(choices, faults)
    with patched(*_changes(hall)):
        stage = Stage(hall, runs, [Actor(one.id, _attempt(hall, one, at)) for at, one in enumerate(runs)])
        at = 0
        for _ in range(3000):
            if all(one.is_over for one in stage.actors):
                break
            if stage.actors[at].is_over:
                at = next(number for number, one in enumerate(stage.actors) if not one.is_over)
            actor = stage.actors[at]
            actor.step()
            if actor.is_over:
                _settled(stage, at)
                continue
            if _disturbed(stage, at):
                continue
            if actor.at == "waits":
                at = _next(stage, at)
            else:
                others = [n for n in range(len(runs)) if n != at and not stage.actors[n].is_over] if switches else []
                if others and (turn := choices.pick(len(others) + 1)):
                    switches -= 1
                    at = others[turn - 1]
        else:
            raise hall.broken(f"it does not end: {[(one.name, one.at) for one in stage.actors]}")
        for one in stage.frozen:
            one.finish()
        _judge(stage)
    return hall


def _next(stage: Stage, at: int) -> int:
    others = [n for n in range(len(stage.runs)) if n != at and not stage.actors[n].is_over]
    return others[0] if others else at


def _settled(stage: Stage, at: int) -> None:
    """An attempt has ended: its run with it, or Airflow tries it again."""
    actor, run = stage.actors[at], stage.runs[at]
    if actor.error is None:
        stage.hall.over.add(run.id)
    elif isinstance(actor.error, Contended | TurnLost | Ended):
        # A turn that is lost is taken anew by a clear of `begin`.
        stage.begin_again(at)
    else:
        raise stage.hall.broken(f"{run.id} ended with {actor.error!r}")


def _disturbed(stage: Stage, at: int) -> bool:
    hall, run, actor = stage.hall, stage.runs[at], stage.actors[at]
    wrong = hall.fault(
        "killed, tried again", "killed, ended", "frozen, tried again", *(["one thaws"] if stage.frozen else [])
    )
    if wrong == "one thaws":
        stage.frozen.pop().finish()
        return False
    if not wrong:
        return False
    if wrong == "frozen, tried again" and run.id not in hall.acting:
        stage.frozen.append(actor)
    else:
        # What was asked for goes on at FlexDeploy, and ends some time after that.
        actor.kill()
    if wrong == "killed, ended":
        hall.over.add(run.id)
        stage.actors[at] = Actor(run.id, lambda: "ended")
        stage.actors[at].finish()
    else:
        stage.begin_again(at)
    return True


def _judge(stage: Stage) -> None:
    hall = stage.hall
    numbers = sorted(int(name[-13:-5]) for name in hall.objects if "/turns/" in name)
    if numbers != list(range(1, len(numbers) + 1)):
        raise hall.broken(f"turns with gaps: {numbers}")
    for run, actor in zip(stage.runs, stage.actors, strict=True):
        if actor.result == "promoted" and run.id not in hall.promoted:
            raise hall.broken(f"{run.id} says that it is through, and is not")
        if actor.result not in ("promoted", "ended"):
            raise hall.broken(f"{run.id} ended with {actor.error!r}")


def explore(*, faults: int, switches: int, most: int | None = None) -> dict[str, int]:
    """Try all runs of every scene; return how many there were of each.

    :raises Broken: one broke a promise
    """
    return {
        name: explore_all(
            lambda choices, runs=runs: run_one(choices, runs, faults=faults, switches=switches),  # type: ignore[misc]
            most=most,
        )
        for name, runs in SCENES.items()
    }


async def _always_free(_self: Queue, _turn: Turn) -> bool:
    return True


async def _no_look_back(self: Queue, turn: Turn, _before: Turn | None) -> QueuePosition:
    self.number = turn.number
    return QueuePosition.HAS_TURN


async def _idle(_self: Queue, _turn: Turn) -> bool:
    return True


async def _nothing_left(_self: Queue, _record: PromotionRecord) -> None:
    """FlexDeploy is at work on nothing."""


MUTANTS: dict[str, tuple[tuple[Any, str, Any], ...]] = {
    "a turn is free whoever has it": ((Queue, "_is_free", _always_free),),
    "who has taken a turn does not look back": ((Queue, "_after", _no_look_back), (Queue, "_is_free", _always_free)),
    "nobody asks what FlexDeploy still does": ((Queue, "_left", _nothing_left),),
    "a run that is underway counts as idle": ((Queue, "_is_idle", _idle),),
}
"""Queues that are wrong on purpose: what is put in the place of what."""
