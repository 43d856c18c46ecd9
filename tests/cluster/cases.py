"""Which case there is: an operator, a point of it, and what is struck while it stands there."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from itertools import cycle
from typing import NamedTuple


class Victim(StrEnum):
    """What is struck. ``TASK`` kills the task with its supervisor, the process of the worker that runs it; ``FREEZE``
    stops both and lets them go on beside the retry; ``WORKER`` kills a whole worker, with all that it runs.
    """

    TASK = "task"
    WORKER = "worker"
    FREEZE = "freeze"
    SCHEDULER = "scheduler"
    TRIGGERER = "triggerer"
    POSTGRESQL = "postgresql"
    REDIS = "redis"
    S3 = "s3"
    API = "api-server"


class Case(NamedTuple):
    """One case.

    :param flow: key of :data:`FLOWS`
    :param task: task of the flow, its last part
    :param point: as in :mod:`tests.cluster.points`
    :param victim: what is struck
    """

    flow: str
    task: str
    point: str
    victim: Victim

    def __str__(self) -> str:
        return f"{self.victim} at {self.flow} {self.task} {self.point}"


NIGHT = ("night.before.1",)
EXTRACT = (
    "extract.before.1",
    "progress.before.1",
    "progress.after.1",
    "page.before.1",
    "page.after.1",
    "manifest.before.1",
    "manifest.after.1",
    "extract.after.1",
)
PUBLISH = (
    "publish.before.1",
    "upload.before.1",
    "upload.after.1",
    "commit.before.1",
    "transaction.after.1",
    "commit.after.1",
    "index.before.1",
    "index.after.1",
    "ready.before.1",
    "ready.after.1",
    "publish.after.1",
)
TRIGGER = ("waiting", "fired")
JOB = (
    "record.after.1",
    "note.before.1",
    "note.after.1",
    "submit.after.1",
    "note.after.2",
    "record.after.3",
    *TRIGGER,
    "resume.before.1",
    "finish.before.1",
    "finish.after.1",
    "resume.after.1",
)
DEPLOY = ("record.after.1", "submit.after.1", "note.after.2", *TRIGGER, "finish.after.1", "resume.after.1")

FLOWS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "flexnet": {"night": NIGHT, "extract": (*EXTRACT, "page.after.3"), "publish": PUBLISH},
    "tokenflex": {
        "night": NIGHT,
        "request": ("note.before.1", "note.after.1", "submit.before.1", "submit.after.1", "note.after.2"),
        "wait": ("note.after.1", *TRIGGER, "resume.before.1", "resume.after.1"),
        "download": (
            "extract.before.1",
            "progress.after.1",
            "part.before.1",
            "part.after.1",
            "manifest.before.1",
            "manifest.after.1",
        ),
        "publish": ("upload.after.1", "transaction.after.1", "commit.after.1", "ready.after.1"),
    },
    "camunda_optimize": {
        "extract": EXTRACT,
        "publish": ("upload.after.1", "transaction.after.1", "index.before.1"),
    },
    "exago": {"extract": EXTRACT, "publish": ("upload.after.1", "transaction.after.1")},
    "promotion": {
        "begin": ("begin.before.1", "turn.before.1", "turn.after.1", "record.after.1", "begin.after.1"),
        "build": JOB,
        "DEV.deploy": DEPLOY,
        "TEST.approve": ("approve.before.1", "record.after.1", "answered.before.1", "answered.after.1"),
        "TEST.deploy": JOB,
        "TEST.restart": DEPLOY,
        "close": ("close.before.1", "record.after.1", "close.after.1"),
    },
}
OTHERS = (Victim.WORKER, Victim.SCHEDULER, Victim.POSTGRESQL, Victim.S3, Victim.REDIS, Victim.API)


def every_case() -> list[Case]:
    """Return the matrix: at each point of a task a kill and a freeze of its processes, and one of the others in turn;
    at each point of a trigger a kill of the triggerers, and two of the others.
    """
    others, found = cycle(OTHERS), []
    for flow, tasks in FLOWS.items():
        for task, points in tasks.items():
            for point in points:
                waits = point in TRIGGER
                own = (Victim.TRIGGERER, next(others)) if waits else (Victim.TASK, Victim.FREEZE)
                found += [Case(flow, task, point, victim) for victim in (*own, next(others))]
    return found


def drawn(seed: int, count: int | None, only: Collection[Victim] = (), flows: Collection[str] = ()) -> list[Case]:
    """Return the cases of a seed, in its order.

    :param count: how many; ``None``: all
    :param only: these victims; empty: all
    :param flows: these flows; empty: all
    """
    found = [one for one in every_case() if (not only or one.victim in only) and (not flows or one.flow in flows)]
    random.Random(seed).shuffle(found)
    return found[:count]
