"""The matrix: every fault that a stand-in knows, at every call that an operator makes, once and for good.

What can meet is found out by doing it: a fault that no call of an undisturbed run takes up cannot meet this operator.
A cell is judged by the vendor's ledger, the landing and the table. Green and not the same as undisturbed, half landed,
done twice, an error of no type, without advice or with a secret in it: each of these is a :class:`Broken` cell.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from airflow.sdk.exceptions import AirflowSensorTimeout

from include.standins.faults import Fault, FaultKind
from include.standins.flexdeploy import vendor_fault as flexdeploy_fault
from include.standins.routing import Request
from include.standins.tokenflex import vendor_fault as tokenflex_fault
from nightshift.errors import VendorError
from nightshift.lake.errors import LakeError
from tests.faults.hurry import hurried
from tests.faults.scenes import SCENES, Scene, effects, landed, publish, table_of

STATUSES = (400, 401, 403, 404, 409, 410, 429, 500, 502, 503)
DETAILS: Mapping[tuple[str, str], Mapping[str, Any]] = {
    ("flexnet", "bad_value"): {"field": "usageId", "value": {"no": "text"}},
    ("camunda_optimize", "bad_value"): {"field": "startDate", "value": "yesterday"},
    ("flexnet", "rows_shift"): {"insert": 3},
    ("flexdeploy", "odd_status"): {"status": "PONDERING"},
    ("flexdeploy", "other_version"): {"package": "LEDGER", "version": 30104},
    ("tokenflex", "export_status"): {"status": "Pondering"},
    ("tokenflex", "export_word"): {"status": "Pondering"},
    ("tokenflex", "query_status"): {"status": "Pondering"},
    ("exago", "other_user"): {"do": "create", "path": "App/next/theirs"},
}
"""What a fault of a vendor's own takes where it takes something."""
LATER = frozenset(
    {("flexnet", "rows_shift"), ("camunda_optimize", "context_lost"), ("camunda_optimize", "search_dropped")}
)
"""Faults that begin in the middle of a walk: at its second call."""
OTHER_TRUTH = frozenset({"rows_shift", "duplicate_row", "bad_value", "other_user", "page_cut", "total_changes"})
"""Faults with which the vendor really has other data, or answers that nothing can tell from the truth."""


OUTCOMES = frozenset({"no_changes", "already_deployed", "empty_200"})
"""With FlexDeploy, answers whose status says that there was nothing to do: outcomes with a name of their own."""
ENDED_JOBS = frozenset({"JobFailed", "JobTimedOut", "PromotionUndone"})
"""Errors after which a clear has the vendor make another job, or folder: the one before it is over, or taken back."""
MODEL = "report-types"
"""FlexNet's data model: without it the values say the types, and the table is of other types with the same rows."""


MOST_TRIES = 9


class Length(StrEnum):
    """How often a fault comes."""

    ONCE = "once"
    ALWAYS = "always"


class Verdict(StrEnum):
    """What came of an operator that met a fault."""

    RECOVERED = "recovered"
    SAID = "taken at its word"
    REFUSED = "refused"
    NEVER = "cannot meet"


class Broken(AssertionError):
    """What must never be came of a fault."""


@dataclass(frozen=True)
class Trouble:
    """One fault, as the matrix names it."""

    vendor: str
    name: str
    fault: Fault
    own: bool


@dataclass(frozen=True)
class Call:
    """A call of an operator: one route of its vendor.

    :param example: a path that was called
    """

    route: str
    method: str
    path: str
    origin: str
    example: str = ""

    def is_for(self, fault: Fault) -> bool:
        """Say whether a fault that says for which calls it is may be for this one."""
        return (
            fault.method in (None, self.method)
            and fault.origin in (None, self.origin)
            and re.search(fault.path or "", self.example) is not None
        )


@dataclass(frozen=True)
class Ended:
    """How it ended.

    :param error: type of the error; empty where it recovered
    :param seconds: until the end, waits of the client and of Airflow between its tries
    :param tries: of Airflow
    :param after: what came of a clear, once the vendor was well again
    """

    scene: str
    trouble: str
    length: Length
    call: str
    verdict: Verdict
    error: str = ""
    message: str = ""
    seconds: float = 0.0
    tries: int = 0
    after: str = ""


@dataclass
class World:
    """What there is in the end."""

    effects: Counter[str] = field(default_factory=Counter)
    landed: str | None = None
    table: list[str] | None = None
    keys: list[str] | None = None
    refused: BaseException | None = None
    fired: bool = False


def troubles(vendor: str) -> list[Trouble]:
    """Return every fault that the stand-in of a vendor knows."""
    kinds = next(scene for scene in SCENES if scene.vendor == vendor and not scene.silent).start().fault_kinds
    found = [
        Trouble(vendor, f"status {status}" if status else str(kind), _general(kind, status), False)
        for kind in FaultKind
        for status in (STATUSES if kind is FaultKind.STATUS else (0,))
    ]
    for name in sorted(kinds):
        given: dict[str, Any] = {"detail": dict(DETAILS.get((vendor, name), {}))}
        if name == "list_late" or name.endswith("_takes"):
            given["seconds"] = 0.3
        if (vendor, name) in LATER:
            given["after"] = 1
        if name == "rate_limited":
            given["retry_after"] = "7"
        makers = {"flexdeploy": flexdeploy_fault, "tokenflex": tokenflex_fault}
        fault = makers[vendor](name, **given) if vendor in makers else Fault(kind=name, **given)
        found.append(Trouble(vendor, name, fault, True))
    return found


def _general(kind: FaultKind, status: int) -> Fault:
    match kind:
        case FaultKind.STATUS:
            secret = '{"error": "no", "message": "Authorization: Bearer SECRET"}'
            return Fault(kind=kind, status=status, body=None if status == 502 else secret)
        case FaultKind.OVERSIZE:
            return Fault(kind=kind, size_bytes=(64 << 20) + 4096)
        case FaultKind.DRIP:
            return Fault(kind=kind, chunk_bytes=4096, seconds=0.01)
        case FaultKind.DELAY | FaultKind.DELAY_ANSWER:
            return Fault(kind=kind, seconds=0.05)
        case FaultKind.WRONG_CONTENT_TYPE:
            return Fault(kind=kind, content_type="text/plain")
        case _:
            return Fault(kind=kind)


@contextlib.contextmanager
def _taken_up() -> Iterator[set[str]]:
    """Let the vendors tell which faults of their own a handler has really taken up."""
    plain, taken = Request.fault, set()

    def fault(self: Request, kind: str) -> Fault | None:
        found = plain(self, kind)
        if found is not None:
            taken.add(kind)
        return found

    Request.fault = fault  # type: ignore[method-assign]
    try:
        yield taken
    finally:
        Request.fault = plain  # type: ignore[method-assign]


@cache
def calls_of(scene: Scene) -> list[Call]:
    """Return the calls that an operator makes where nothing is wrong, a route once, in order."""
    with tempfile.TemporaryDirectory() as folder, scene.start() as vendor:
        _run(scene, vendor, Path(folder), ())
        found: dict[tuple[str, str], Call] = {}
        for entry in vendor.ledger.requests():
            path = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(entry.route.partition(" ")[2]).replace(r"\*\}", r"\}"))
            where = path + "$" if "no route" not in entry.route else re.escape(entry.path)
            found.setdefault(
                (entry.route, entry.origin), Call(entry.route, entry.method, where, entry.origin, entry.path)
            )
        return list(found.values())


def undisturbed(scene: Scene) -> World:
    """Return what there is where nothing is wrong."""
    with tempfile.TemporaryDirectory() as folder, scene.start() as vendor:
        ended, world = _run(scene, vendor, Path(folder), ())
        assert ended.verdict is Verdict.RECOVERED, (scene.name, ended)
        return world


def meet(scene: Scene, trouble: Trouble, length: Length, call: Call | None, truth: World) -> Ended:
    """Let an operator meet a fault, and judge what came of it.

    :param call: the call that is disturbed; ``None``: any
    :raises Broken: what must never be
    """
    times = 1 if length is Length.ONCE else None
    fault = msgspec.structs.replace(trouble.fault, times=times)
    if call is not None:
        fault = msgspec.structs.replace(fault, method=call.method, path=call.path, origin=call.origin)
    with tempfile.TemporaryDirectory() as folder, _taken_up() as taken, scene.start() as vendor:
        ended, world = _run(scene, vendor, Path(folder), (fault,))
        # A vendor whose faults do not say for which calls they are counts every call: there its handler tells.
        by_handler = trouble.own and fault.path is None and trouble.name != "other_user"
        met = trouble.name in taken if by_handler else world.fired
        where = replace(
            ended,
            trouble=trouble.name,
            length=length,
            call="" if call is None else f"{call.origin} {call.route}".strip(),
        )
        if not met:
            return replace(where, verdict=Verdict.NEVER, error="", message="")
        nothing_done = where.verdict is Verdict.RECOVERED and not world.effects and bool(truth.effects)
        if nothing_done and scene.vendor == "flexdeploy" and trouble.name in OUTCOMES:
            where = replace(where, verdict=Verdict.SAID)
        _judge(scene, trouble, where, world, truth)
        return where


def _run(scene: Scene, vendor: Any, folder: Path, faults: Sequence[Fault]) -> tuple[Ended, World]:
    lake = folder / "lake"
    os.environ["NIGHTSHIFT_LAKE"] = str(lake)
    api = scene.airflow(vendor)
    assert scene.task is not None
    task = scene.task(vendor)
    vendor.faults.add(*faults)
    said = io.StringIO()
    with hurried() as waits, contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        run, tries, between = _to_the_end(api, task)
        world = World(effects(vendor), landed(lake))
        if run.state == "success" and scene.table:
            world.refused = publish(scene, api, run.result)
        world.table, world.keys = table_of(lake, scene.table) if scene.table else (None, None)
        world.fired = any(one["fired"] for one in vendor.faults.fired())
        refused = run.error if run.state != "success" else world.refused
        after = ""
        if refused is not None and faults:
            vendor.faults.clear()
            vendor.release()
            api.clear()
            again, _, _ = _to_the_end(api, task)
            after = "recovered" if again.state == "success" else type(again.error).__name__
            # What the one deployment is still at when the task has failed is no second one.
            made = {kind: number for kind, number in effects(vendor).items() if kind != "version_live"}
            doubled = {kind: number for kind, number in made.items() if number > world.effects[kind] > 0}
            if doubled and type(refused).__name__ not in ENDED_JOBS:
                raise Broken(f"{scene.name}: after {type(refused).__name__} a clear did it again: {doubled}")
    for secret in scene.secrets:
        if secret in said.getvalue():
            raise Broken(f"{scene.name}: the log has the secret of the connection")
    verdict = Verdict.RECOVERED if refused is None else Verdict.REFUSED
    error = refused if isinstance(refused, Exception) else None
    name = "" if refused is None else type(refused).__name__
    ended = Ended(
        scene=scene.name,
        trouble="",
        length=Length.ONCE,
        call="",
        verdict=verdict,
        error=name,
        message="" if refused is None else str(refused),
        seconds=waits.seconds + between,
        tries=tries,
        after=after,
    )
    _typed(scene, ended, error)
    return ended, world


def _to_the_end(api: Any, task: Any) -> tuple[Any, int, float]:
    """Run a task try after try, as Airflow would; return the last, how many there were, and the time between them."""
    between, tries = 0.0, 0
    while True:
        tries += 1
        run = api.run(task, follow=True, max_hops=60)
        if run.state not in ("up_for_retry", "up_for_reschedule") or tries >= MOST_TRIES:
            return run, tries, between
        between += float(getattr(run.message, "retry_delay_seconds", None) or 0.0)


def _typed(scene: Scene, ended: Ended, error: Exception | None) -> None:
    if ended.verdict is not Verdict.REFUSED:
        return
    if isinstance(error, AirflowSensorTimeout):  # Airflow's own, which a sensor's time ends with
        if "clear this task" not in ended.message:
            raise Broken(f"{scene.name}: {ended.error} does not say what to do: {ended.message}")
    elif not isinstance(error, VendorError | LakeError):
        raise Broken(f"{scene.name}: an error of no type of ours: {ended.error}: {ended.message}")
    if isinstance(error, VendorError) and not (error.advice and ended.message.endswith(error.advice)):
        raise Broken(f"{scene.name}: {ended.error} does not say last what to do: {ended.message}")
    for secret in (*scene.secrets, "Bearer SECRET"):
        if secret in ended.message:
            raise Broken(f"{scene.name}: {ended.error} says a secret: {ended.message}")


def _judge(scene: Scene, trouble: Trouble, ended: Ended, world: World, truth: World) -> None:
    where = f"{scene.name}, {trouble.name} {ended.length} at {ended.call or 'any call'} ({ended.error or 'green'})"
    twice = {kind: number for kind, number in world.effects.items() if number > truth.effects[kind]}
    if ended.error == "PromotionUndone":
        if world.effects["folder_created"] != world.effects["folder_deleted"]:
            raise Broken(f"{where}: it was taken back, and the vendor did {dict(world.effects)}")
    elif twice and trouble.name != "other_user":
        raise Broken(f"{where}: done more often than undisturbed: {twice}")
    if ended.verdict is Verdict.REFUSED:
        if world.table is not None:
            raise Broken(f"{where}: it was refused, and the table has rows")
        if world.landed is not None and world.refused is None:
            raise Broken(f"{where}: it was refused, and an extract is complete")
        return
    if trouble.name in OTHER_TRUTH or ended.verdict is Verdict.SAID:
        return
    untyped = MODEL in ended.call or (ended.length is Length.ALWAYS and trouble.vendor == "flexnet")
    if world.table != truth.table and not (untyped and world.keys == truth.keys):
        raise Broken(f"{where}: the table is not that of an undisturbed run")
    if not scene.table and world.landed != truth.landed:
        raise Broken(f"{where}: what is landed is not that of an undisturbed run")
    if world.effects != truth.effects:
        raise Broken(f"{where}: the vendor did {dict(world.effects)}, undisturbed {dict(truth.effects)}")


def meetings(scene: Scene) -> Iterator[tuple[Trouble, Length, Call | None]]:
    """Yield all that is to be tried with an operator: each fault once at each of its calls, and always at all."""
    calls = calls_of(scene)
    for trouble in troubles(scene.vendor):
        # A fault that says itself for which calls it is meets those.
        for call in calls if trouble.fault.path is None else (None,):
            yield trouble, Length.ONCE, call
        yield trouble, Length.ALWAYS, None
