"""Promote a folder: the operator around :mod:`nightshift.exago.promotion`, which decides everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk import BaseAsyncOperator, Context

from nightshift.errors import Rejected, Unreachable, VendorError
from nightshift.exago.claims import Claims
from nightshift.exago.folder_operators import (
    LIST_LAG,
    PASSING,
    SEND_SECONDS,
    Unseen,
    ask,
    is_true,
    lag_after,
    says_it_is_gone,
    see,
    settled,
    unseen,
)
from nightshift.exago.paths import DEFAULT_CONN, VENDOR, ContentPath
from nightshift.exago.promotion import (
    Ask,
    Direction,
    Note,
    Plan,
    Record,
    Stuck,
    next_move,
    plan_promotion,
    remarks,
    turn_back,
)
from nightshift.exago.steps import Standing, Step
from nightshift.exago.tree import Tree
from nightshift.http.timely import Window
from nightshift.jobs.record import is_refused_to_this_attempt
from nightshift.nights.place import lake_of_this_deployment

if TYPE_CHECKING:
    from nightshift.exago.hook import ExagoHook

STATE_KEY = "promotion"
TRIES = 3
PATIENCE = 300.0
"""Seconds for which an attempt that stands half-way goes on asking a server that does not answer as it should."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0


class PromotionUndone(Rejected):
    """A step could not be done, and those before it were taken back; the message says whether the tree is as before."""

    default_advice = "Put right what is in the way, then clear the task: it plans anew."


class PromotionHeldUp(Unreachable):
    """A promotion stands half-way because the server does not answer as it should; what may pass is waited for."""


class PromotionStuck(Rejected):
    """A promotion stands half-way and cannot go on or back without a person."""


class ExagoPromoteFolderOperator(BaseAsyncOperator):
    """Make ``candidate`` the new ``live``, and ``live`` the archive's folder of the night.

    The plan is made from the tree, shown, and kept in the task state store with the step reached before each request. A
    step that fails takes those before it back, in reverse; a promotion that was killed goes on where it was, with the
    next attempt or when the task is cleared. So it ends as planned (success) or as before (failed), and the log says
    which. Where somebody else has put a folder in its way in both directions, it stops and says what is where; clearing
    the task goes on from there. Running it again after its success changes nothing.

    Two promotions on the same part of the tree are refused (:class:`nightshift.exago.claims.SubtreeBusy`).

    :param live: path of the folder that users work with (templated)
    :param candidate: path of the folder that takes its place (templated)
    :param archive: path of the folder that keeps the old ones; made when missing (templated)
    :param night: name of the old one in the archive, ``YYYY-MM-DD`` (templated)
    :param allow_empty: promote a candidate with nothing in it
    :param dry_run: show the plan and change nothing (templated)
    :param list_lag: seconds that the server's list may be old
    :param exago_conn_id: id of the Airflow connection
    """

    ui_color = "#f5dcdc"
    template_fields: Sequence[str] = ("live", "candidate", "archive", "night", "dry_run")

    def __init__(
        self,
        *,
        live: str,
        candidate: str,
        archive: str,
        night: Any,
        allow_empty: bool = False,
        dry_run: Any = False,
        list_lag: float = LIST_LAG,
        exago_conn_id: str = DEFAULT_CONN,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.live = live
        self.candidate = candidate
        self.archive = archive
        self.night = night
        self.allow_empty = allow_empty
        # Takes the place of Airflow's method of that name, which only renders templates and which nothing here calls.
        self.dry_run = dry_run
        self.list_lag = list_lag
        self.exago_conn_id = exago_conn_id

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Plan or go on, until it is as planned or as before."""
        from nightshift.exago.hook import ExagoHook

        async with ExagoHook(self.exago_conn_id) as hook:
            if is_true(self.dry_run):
                plan = self._planned(await hook.tree())
                return {"outcome": "dry run", "plan": [str(step) for step in plan.steps]}
            keep = _Keeper(context)
            claims, owner = Claims(lake_of_this_deployment(), hook.base_url), _owner(context)
            await claims.take(owner, self._claimed_paths(keep.record))
            try:
                return await self._promoted(hook, keep)
            except Exception as error:
                keep.is_replaced = keep.is_replaced or is_refused_to_this_attempt(error)
                raise
            finally:
                # What a newer attempt of this task has claimed has the same owner, and is not ours to give up.
                if not keep.is_replaced and (keep.record is None or not keep.record.is_underway):
                    await claims.release(owner)

    def on_kill(self) -> None:
        """Say what a person who ends the task must know."""
        self.log.warning(
            "Ended from outside: the promotion may stand half-way. Clear this task, and it goes on or back"
        )

    async def _promoted(self, hook: ExagoHook, keep: _Keeper) -> dict[str, Any]:
        record = keep.record
        if record is None or not record.is_underway:
            tree = await hook.tree()
            if record is not None and self._is_promoted(record, tree):
                self.log.info("This promotion was carried out before; nothing to do")
                return self._told(record, [])
            record = keep(Record(self._planned(tree)))
        else:
            self.log.info("Going on with a promotion that was interrupted: %s. %s", record.plan.told(), record.told())
        record, tree = await self._to_the_end(hook, keep, record)
        found = remarks(record, tree)
        if record.direction is Direction.BEFORE:
            keep.forget()
            how = f"; the tree is not as before: {'; '.join(found)}" if found else ", the tree is as before"
            raise PromotionUndone(f"the promotion was taken back{how}. It was because: {record.why}", vendor=VENDOR)
        return self._told(record, found)

    async def _to_the_end(self, hook: ExagoHook, keep: _Keeper, record: Record) -> tuple[Record, Tree]:
        """Go on until the promotion has ended; half-way, where users may be without the folder, no passing error ends it.

        :raises PromotionHeldUp: the server did not come back while this attempt waited
        """
        until, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            reached = keep.record
            try:
                return await _Run(self, hook, keep).to_the_end(record)
            except PromotionStuck:
                raise
            except VendorError as error:
                if keep.record is None or not keep.record.is_underway:
                    raise error.replaced(advice=f"{error.advice} {keep.told()}") from None
                passes = isinstance(error, PASSING) and not isinstance(error, Unseen)
                if not passes or time.monotonic() + pause > until:
                    raise _held_up(error, keep.told()) from None
                self.log.warning("%s Half-way, so it is asked again in %.0f s. %s", error, pause, keep.told())
            await asyncio.sleep(pause)
            pause = FIRST_PAUSE if keep.record is not reached else min(2 * pause, LONGEST_PAUSE)
            record = keep.record

    def _planned(self, tree: Tree) -> Plan:
        plan = plan_promotion(tree, self.live, self.candidate, self._target(), allow_empty=self.allow_empty)
        self.log.info("Plan%s: %s", ", not carried out (dry_run)" if is_true(self.dry_run) else "", plan.told())
        return plan

    def _claimed_paths(self, record: Record | None) -> list[ContentPath]:
        underway = record.plan if record is not None and record.is_underway else None
        mine = (self.live, self.candidate, self._target())
        found = (underway.live, underway.candidate, underway.archive) if underway else mine
        return [ContentPath.parse(path) for path in found]

    def _target(self) -> str:
        return f"{self.archive}/{self.night}"

    def _is_promoted(self, record: Record, tree: Tree) -> bool:
        plan = record.plan
        wanted = [str(ContentPath.parse(text)) for text in (self.live, self.candidate, self._target())]
        is_same = record.direction is Direction.PLANNED and wanted == [plan.live, plan.candidate, plan.archive]
        return is_same and tree.folder(ContentPath.parse(plan.candidate)) is None

    def _told(self, record: Record, found: list[str]) -> dict[str, Any]:
        for remark in found:
            self.log.warning("As planned, but: %s", remark)
        return {
            "outcome": str(record.direction), "live": record.plan.live, "archive": record.plan.archive,
            "plan": [str(step) for step in record.plan.steps], "remarks": found,
        }  # fmt: skip


class _Keeper:
    """Keeps the record where the next attempt finds it."""

    def __init__(self, context: Context) -> None:
        self._store = context["task_state_store"]
        stored = self._store.get(STATE_KEY, None)
        self.record: Record | None = None if stored is None else _read(stored)
        self.is_replaced = False

    def __call__(self, record: Record) -> Record:
        self._store.set(STATE_KEY, msgspec.json.decode(msgspec.json.encode(record)))
        self.record = record
        return record

    def forget(self) -> None:
        self._store.delete(STATE_KEY)
        self.record = None

    def told(self) -> str:
        return "Nothing was changed." if self.record is None else self.record.told()


def _read(stored: Any) -> Record:
    try:
        return msgspec.convert(stored, Record)
    except msgspec.ValidationError as error:
        raise Rejected(
            f"what the task keeps of an earlier attempt cannot be read: {error}",
            vendor=VENDOR,
            advice=f"Nothing was changed. Look in Exago where live, candidate and archive stand, put them right, and delete the "
            f"key {STATE_KEY!r} of the task's state store; then clear the task.",
        ) from None


class _Run:
    """One attempt at a promotion."""

    def __init__(self, operator: ExagoPromoteFolderOperator, hook: ExagoHook, keep: _Keeper) -> None:
        self.hook = hook
        self.keep = keep
        self.lag = operator.list_lag
        self.log = operator.log
        self.tries = 0
        self.perhaps_done: Step | None = None
        """The step that was asked for last: where it is asked for again, a refusal may mean that it is done."""

    async def to_the_end(self, record: Record) -> tuple[Record, Tree]:
        """Go on until the record is ended; return it with the tree as it was seen last."""
        tree = await self._first_look(record)
        while not record.is_ended:
            match next_move(record, tree):
                case Note(record=after, what=what):
                    self.log.info("%s", what)
                    self.tries = 0
                    record = self.keep(after)
                case Ask(step=step, record=before):
                    window = Window(SEND_SECONDS)
                    record, tree = await self._asked(step, self.keep(before), window)
                case Stuck(why=why):
                    raise self._stuck(record, why)
        return record, tree

    async def _first_look(self, record: Record) -> Tree:
        """Read the tree; where a request of an earlier attempt may be on its way, for as long as the list may lag."""
        tree = await self.hook.tree()
        if record.asked and isinstance(move := next_move(record, tree), Ask):
            self.perhaps_done = move.step
            tree, _ = await see(self.hook, move.step, record.plan.mark_of(move.step), lag=self.lag)
        return tree

    async def _asked(self, step: Step, record: Record, window: Window) -> tuple[Record, Tree]:
        self.tries += 1
        perhaps_done, self.perhaps_done = self.perhaps_done == step, step
        trouble = await ask(self.hook, step, window)
        lag = self.lag if perhaps_done else lag_after(trouble, self.lag)
        tree, reading = await see(self.hook, step, record.plan.mark_of(step), lag=lag)
        if reading.standing is Standing.DONE:
            return record, tree
        if trouble is None or (perhaps_done and says_it_is_gone(trouble)):
            raise unseen(step, reading, self.lag)
        if isinstance(trouble, PASSING) and self.tries < TRIES:
            self.log.warning("Not done: %s. %s", step, trouble)
            return record, tree
        if record.direction is Direction.BACK:
            if isinstance(trouble, PASSING):
                raise settled(step, trouble)
            raise self._stuck(record, str(trouble))
        self.log.warning("Not done: %s. %s Taking back what was done", step, trouble)
        self.tries = 0
        return self.keep(turn_back(record, f"{step} failed: {trouble.problem} {trouble.detail}".strip())), tree

    def _stuck(self, record: Record, why: str) -> PromotionStuck:
        return PromotionStuck(
            f"the promotion stands half-way and cannot be taken back: {why}",
            vendor=VENDOR,
            advice=f"{record.told()} It was going back because {record.why or 'a step failed'}. Move or rename in Exago what is in "
            "the way, then clear the task: it goes on from what it sees.",
        )


def _held_up(error: VendorError, told: str) -> PromotionHeldUp:
    given = {name: getattr(error, name) for name in ("method", "path", "status", "attempt", "detail", "retry_after")}
    return PromotionHeldUp(
        f"a promotion that is underway got no usable answer: {error.problem}",
        vendor=VENDOR,
        advice=f"{told} {error.advice}",
        **given,
    )


def _owner(context: Context) -> str:
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
