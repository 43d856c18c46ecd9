"""The named points: places between two effects, at which a process can be made to stand until it is struck or let go.

A point is a call of the provider, before or after it, the n-th of its process. Nothing of the provider knows of points:
where a process of the cluster finds :data:`FOLDER` in its environment, the calls are wrapped as their modules are
loaded. Which run stands where is told by files: the harness writes ``armed/<place>``, the process that comes there
renames it to ``held/<place>`` (one process only, once) with its id inside of ``at/<place>``, and goes on when
``free/<place>`` is there.
"""

from __future__ import annotations

import asyncio
import functools
import importlib.abc
import importlib.machinery
import inspect
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

FOLDER = "NIGHTSHIFT_POINTS"
PAUSE = 0.05


class Call(NamedTuple):
    """A call that has points around it.

    :param name: what the points are called
    :param where: ``module:qualified.name``
    """

    name: str
    where: str


CALLS = (
    Call("night", "nightshift.nights.night:NightOperator.execute"),
    Call("extract", "nightshift.nights.extract:ExtractOperator.aexecute"),
    Call("progress", "nightshift.nights.extract:ExtractOperator.remember"),
    Call("page", "nightshift.lake.landing:ExtractFolder.write"),
    Call("part", "nightshift.lake.landing:ExtractFolder.put_packed"),
    Call("manifest", "nightshift.lake.landing:ExtractFolder.complete"),
    Call("publish", "nightshift.nights.publish:PublishNightOperator.execute"),
    Call("upload", "nightshift.lake.tables:Publishing._upload"),
    Call("commit", "nightshift.lake.delta:NightTable.replace"),
    Call("transaction", "nightshift.lake.delta:NightTable._refusal"),
    Call("index", "nightshift.nights.publish:record_published"),
    Call("ready", "nightshift.nights.publish:PublishNightOperator._emit_ready"),
    Call("note", "nightshift.jobs.record:JobStore.save"),
    Call("submit", "nightshift.tokenflex.adapter:TokenFlexExportAdapter.submit"),
    Call("submit", "nightshift.flexdeploy.adapter:FlexDeployAdapter.submit"),
    Call("resume", "nightshift.jobs.operators:VendorJobOperator.resume"),
    Call("resume", "nightshift.jobs.sensors:VendorJobSensor.resume"),
    Call("finish", "nightshift.jobs.operators:VendorJobOperator._finish"),
    Call("turn", "nightshift.promotion.turns:Turns.take"),
    Call("record", "nightshift.promotion.store:Records.write"),
    Call("begin", "nightshift.promotion.begin_operator:PromotionBeginOperator.execute"),
    Call("approve", "nightshift.promotion.approval_operator:PromotionApprovalOperator.execute"),
    Call("answered", "nightshift.promotion.approval_operator:PromotionApprovalOperator.execute_complete"),
    Call("close", "nightshift.promotion.closing_operators:PromotionCloseOperator.aexecute"),
)
TRIGGER = "nightshift.jobs.triggers:VendorJobTrigger.run"
"""Its points are ``waiting``, before its first look, and ``fired``, before its event is handed over."""


def place(dag_id: str, run_id: str, task_id: str, point: str) -> str:
    """Return the name of the files of one point of one task of one run."""
    return "~".join(quote(part, safe="") for part in (dag_id, run_id, task_id, point))


# In a process of the cluster.


class _Held:
    """Where a process stands, if it does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def takes(self, name: str) -> bool:
        """Say whether this process is to stand here; once, of all processes."""
        try:
            (self._folder / "armed" / name).rename(self._folder / "taken" / name)
        except OSError:
            return False
        (self._folder / "at" / f".{name}").write_text(str(os.getpid()))
        (self._folder / "at" / f".{name}").rename(self._folder / "at" / name)
        return True

    def is_free(self, name: str) -> bool:
        return (self._folder / "free" / name).exists()

    def stand(self, name: str) -> None:
        if self.takes(name):
            while not self.is_free(name):
                time.sleep(PAUSE)

    async def astand(self, name: str) -> None:
        if self.takes(name):
            while not self.is_free(name):  # noqa: ASYNC110 - another process makes the file
                await asyncio.sleep(PAUSE)


def _here(point: str) -> str:
    ids = [os.environ.get(f"AIRFLOW_CTX_{name}", "") for name in ("DAG_ID", "DAG_RUN_ID", "TASK_ID")]
    return place(ids[0], ids[1], ids[2], point)


def _wrapped(name: str, ordinary: Callable[..., Any], held: _Held) -> Callable[..., Any]:
    calls = 0

    def points() -> tuple[str, str]:
        nonlocal calls
        calls += 1
        return _here(f"{name}.before.{calls}"), _here(f"{name}.after.{calls}")

    if inspect.iscoroutinefunction(ordinary):

        @functools.wraps(ordinary)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            before, after = points()
            # The whole process stands, as one that is stopped: what goes on beside it would be another point.
            held.stand(before)
            done = await ordinary(*args, **kwargs)
            held.stand(after)
            return done

        return awaited

    @functools.wraps(ordinary)
    def called(*args: Any, **kwargs: Any) -> Any:
        before, after = points()
        held.stand(before)
        done = ordinary(*args, **kwargs)
        held.stand(after)
        return done

    return called


def _trigger(ordinary: Callable[..., Any], held: _Held) -> Callable[..., Any]:
    @functools.wraps(ordinary)
    async def run(self: Any) -> Any:
        ti = self.task_instance
        where = functools.partial(place, ti.dag_id, ti.run_id, ti.task_id)
        await held.astand(where("waiting"))
        async for event in ordinary(self):
            await held.astand(where("fired"))
            yield event

    return run


class _Finder(importlib.abc.MetaPathFinder):
    """Wraps the calls of a module as soon as it is loaded."""

    def __init__(self, held: _Held) -> None:
        self._held = held
        self._of: dict[str, list[tuple[str, str]]] = {}
        for name, where in (*CALLS, Call("", TRIGGER)):
            module, _, path = where.partition(":")
            self._of.setdefault(module, []).append((name, path))

    def find_spec(self, fullname: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if fullname not in self._of:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return spec
        ordinary = spec.loader.exec_module

        def loaded(module: Any) -> None:
            ordinary(module)
            for name, path in self._of[fullname]:
                *owners, last = path.split(".")
                owner = functools.reduce(getattr, owners, module)
                call = getattr(owner, last)
                setattr(owner, last, _wrapped(name, call, self._held) if name else _trigger(call, self._held))

        spec.loader.exec_module = loaded  # type: ignore[method-assign]
        return spec


def install() -> None:
    """Wrap what is loaded from now on."""
    sys.meta_path.insert(0, _Finder(_Held(Path(os.environ[FOLDER]))))


# In the harness.


class Board:
    """The files by which points are armed, seen and let go.

    :param folder: what :data:`FOLDER` names in the processes of the cluster
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("armed", "taken", "at", "free"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def arm(self, name: str) -> None:
        """Let whoever comes to a place stand there."""
        for old in ("taken", "at", "free"):
            (self.folder / old / name).unlink(missing_ok=True)
        (self.folder / "armed" / name).touch()

    def disarm(self, name: str) -> None:
        """Let nobody stand there."""
        (self.folder / "armed" / name).unlink(missing_ok=True)

    def held(self) -> dict[str, int]:
        """Return place → process of all that stand somewhere."""
        free = {one.name for one in (self.folder / "free").iterdir()}
        places = [one for one in (self.folder / "at").iterdir() if not one.name.startswith(".")]
        return {one.name: int(one.read_text()) for one in places if one.name not in free}

    def free(self, name: str) -> None:
        """Let whoever stands there go on."""
        (self.folder / "free" / name).touch()
