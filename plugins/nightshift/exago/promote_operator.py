"""Promote a folder: the operator around :mod:`nightshift.exago.promotion`, which decides everything."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator, Context

from nightshift.errors import Rejected, Unreachable, VendorError
from nightshift.exago.claims import Claims
from nightshift.exago.folder_operators import (
    PASSING,
    SEND_SECONDS,
    Unseen,
    apply_step,
    is_true,
    lag_after,
    observe,
    says_it_is_gone,
    settled,
    unseen,
)
from nightshift.exago.paths import DEFAULT_CONN, VENDOR, ContentPath
from nightshift.exago.promotion import (
    Advance,
    Apply,
    Direction,
    FolderRecord,
    Plan,
    Stuck,
    next_move,
    plan_promotion,
    remarks,
    turn_back,
)
from nightshift.exago.steps import LIST_LAG, FolderStep, FolderStepState
from nightshift.exago.tree import Tree
from nightshift.http.timing import SendWindow
from nightshift.jobs.record import is_refused_to_this_attempt
from nightshift.jobs.state import TaskState
from nightshift.nights.place import lake_of_this_deployment

if TYPE_CHECKING:
    from nightshift.exago.hook import ExagoHook

STATE_KEY = "promotion"
TRIES = 3
PATIENCE = 300.0
"""Seconds for which an attempt that stands half-way goes on asking a server that does not answer as it should."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
UNREADABLE = (
    "Nothing was changed. Look in Exago where live, candidate and archive stand, put them right, and delete that key; "
    "then clear the task."
)
HALF_WAY = "Ended from outside: the promotion may stand half-way. Clear this task, and it goes on or back"
"""What a person who ends a promotion of folders must know."""


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
    :param last_look: made right before a new plan is begun with; what it raises leaves everything as it is
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
        list_lag: float | None = None,
        exago_conn_id: str = DEFAULT_CONN,
        last_look: Callable[[], Awaitable[object]] | None = None,
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
        self.list_lag = LIST_LAG if list_lag is None else list_lag
        self.exago_conn_id = exago_conn_id
        self.last_look = last_look

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Plan or go on, until it is as planned or as before."""
        from nightshift.exago.hook import ExagoHook

        async with ExagoHook(self.exago_conn_id) as hook:
            if is_true(self.dry_run):
                plan = self._planned(await hook.tree())
                return {"outcome": "dry run", "plan": [str(step) for step in plan.steps]}
            state = TaskState(context["task_state_store"], STATE_KEY, FolderRecord, advice=UNREADABLE)
            attempt = _Attempt(hook, state, lag=self.list_lag, log=self.log)
            claims, owner = Claims(lake_of_this_deployment(), hook.base_url), _owner(context)
            await claims.take(owner, self._claimed_paths(attempt.record))
            is_replaced = False
            try:
                return await self._promoted(attempt)
            except Exception as error:
                is_replaced = is_refused_to_this_attempt(error)
                raise
            finally:
                # What a newer attempt of this task has claimed has the same owner, and is not ours to give up.
                if not is_replaced and not attempt.is_underway:
                    await claims.release(owner)

    def on_kill(self) -> None:
        """Say what a person who ends the task must know."""
        self.log.warning(HALF_WAY)

    async def _promoted(self, attempt: _Attempt) -> dict[str, Any]:
        record = attempt.record
        if record is not None and attempt.is_underway:
            self.log.info("Going on with a promotion that was interrupted: %s. %s", record.plan, record.summary())
        else:
            tree = await attempt.hook.tree()
            if record is not None and self._is_promoted(record, tree):
                self.log.info("This promotion was carried out before; nothing to do")
                return self._result(record, [])
            plan = self._planned(tree)
            if self.last_look is not None:
                await self.last_look()
            record = attempt.keep(FolderRecord(plan))
        record, tree = await attempt.to_the_end(record)
        found = remarks(record, tree)
        if record.direction is Direction.BEFORE:
            attempt.forget()
            how = f"; the tree is not as before: {'; '.join(found)}" if found else ", the tree is as before"
            raise PromotionUndone(f"the promotion was taken back{how}. It was because: {record.why}", vendor=VENDOR)
        return self._result(record, found)

    def _planned(self, tree: Tree) -> Plan:
        plan = plan_promotion(tree, self.live, self.candidate, self._target(), allow_empty=self.allow_empty)
        self.log.info("Plan%s: %s", ", not carried out (dry_run)" if is_true(self.dry_run) else "", plan)
        return plan

    def _claimed_paths(self, record: FolderRecord | None) -> list[ContentPath]:
        underway = record.plan if record is not None and record.is_underway else None
        mine = (self.live, self.candidate, self._target())
        found = (underway.live, underway.candidate, underway.archive) if underway else mine
        return [ContentPath.parse(path) for path in found]

    def _target(self) -> str:
        return f"{self.archive}/{self.night}"

    def _is_promoted(self, record: FolderRecord, tree: Tree) -> bool:
        plan = record.plan
        wanted = [str(ContentPath.parse(text)) for text in (self.live, self.candidate, self._target())]
        is_same = record.direction is Direction.PLANNED and wanted == [plan.live, plan.candidate, plan.archive]
        return is_same and tree.folder(ContentPath.parse(plan.candidate)) is None

    def _result(self, record: FolderRecord, found: list[str]) -> dict[str, Any]:
        for remark in found:
            self.log.warning("As planned, but: %s", remark)
        plan = record.plan
        return {
            "outcome": str(record.direction),
            "live": plan.live,
            "archive": plan.archive,
            "plan": [str(step) for step in plan.steps],
            "remarks": found,
        }


def is_underway(context: Context) -> bool:
    """Return whether a promotion of this task stands half-way, as far as was kept."""
    kept = TaskState(context["task_state_store"], STATE_KEY, FolderRecord).load_if_sound()
    return kept is not None and kept.is_underway


class _Attempt:
    """One attempt of the task at a promotion; its record is kept before each request, for the attempt after it.

    :param hook: open
    :param state: where the record is kept
    :param lag: seconds that the server's list may be old
    :param log: logger of the task
    """

    def __init__(self, hook: ExagoHook, state: TaskState[FolderRecord], *, lag: float, log: Any) -> None:
        self.hook = hook
        self.record = state.load()
        """As it was kept last."""
        self._state = state
        self._lag = lag
        self._log = log
        self._tries = 0
        self._perhaps_done: FolderStep | None = None
        """The step that was asked for last: where it is asked for again, a refusal may mean that it is done."""

    @property
    def is_underway(self) -> bool:
        """Whether the tree may be neither as before nor as planned."""
        return self.record is not None and self.record.is_underway

    def keep(self, record: FolderRecord) -> FolderRecord:
        """Keep a record where the next attempt finds it."""
        self.record = self._state.save(record)
        return record

    def forget(self) -> None:
        """Keep nothing any more."""
        self._state.forget()
        self.record = None

    async def to_the_end(self, record: FolderRecord) -> tuple[FolderRecord, Tree]:
        """Go on until the promotion has ended; half-way, where users may be without the folder, no passing error ends
        it.

        :return: the record with the tree as it was seen last
        :raises PromotionHeldUp: the server did not come back while this attempt waited
        """
        until, pause = time.monotonic() + PATIENCE, FIRST_PAUSE
        while True:
            before = self.record
            try:
                return await self._straight_on(record)
            except PromotionStuck:
                raise
            except VendorError as error:
                summary = "Nothing was changed." if self.record is None else self.record.summary()
                if self.record is None or not self.record.is_underway:
                    raise error.replaced(advice=f"{error.advice} {summary}") from None
                passes = isinstance(error, PASSING) and not isinstance(error, Unseen)
                if not passes or time.monotonic() + pause > until:
                    raise error.as_type(
                        PromotionHeldUp,
                        problem=f"a promotion that is underway got no usable answer: {error.problem}",
                        vendor=VENDOR,
                        advice=f"{summary} {error.advice}",
                    ) from None
                self._log.warning("%s Half-way, so it is asked again in %.0f s. %s", error, pause, summary)
                record = self.record
            await asyncio.sleep(pause)
            pause = FIRST_PAUSE if self.record is not before else min(2 * pause, LONGEST_PAUSE)

    async def _straight_on(self, record: FolderRecord) -> tuple[FolderRecord, Tree]:
        self._tries, self._perhaps_done = 0, None
        tree = await self._first_look(record)
        while not record.is_ended:
            match next_move(record, tree):
                case Advance(record=after, what=what):
                    self._log.info("%s", what)
                    self._tries = 0
                    record = self.keep(after)
                case Apply(step=step, record=before):
                    window = SendWindow(SEND_SECONDS)
                    record, tree = await self._applied(step, self.keep(before), window)
                case Stuck(why=why):
                    raise _stuck(record, why)
        return record, tree

    async def _first_look(self, record: FolderRecord) -> Tree:
        """Read the tree; where a request of an earlier attempt may be on its way, for as long as the list may lag."""
        tree = await self.hook.tree()
        if record.asked and isinstance(move := next_move(record, tree), Apply):
            self._perhaps_done = move.step
            tree, _ = await observe(self.hook, move.step, record.plan.mark_of(move.step), lag=self._lag)
        return tree

    async def _applied(self, step: FolderStep, record: FolderRecord, window: SendWindow) -> tuple[FolderRecord, Tree]:
        """Ask for a step; return the record to go on with, and the tree as it is then."""
        self._tries += 1
        perhaps_done, self._perhaps_done = self._perhaps_done == step, step
        trouble = await apply_step(self.hook, step, window)
        lag = self._lag if perhaps_done else lag_after(trouble, self._lag)
        tree, status = await observe(self.hook, step, record.plan.mark_of(step), lag=lag)
        if status.state is FolderStepState.DONE:
            return record, tree
        if trouble is None or (perhaps_done and says_it_is_gone(trouble)):
            raise unseen(step, status, self._lag)
        if isinstance(trouble, PASSING) and self._tries < TRIES:
            self._log.warning("Not done: %s. %s", step, trouble)
            return record, tree
        if record.direction is Direction.BACK:
            if status.state is FolderStepState.BLOCKED:
                return record, tree  # what that means is for the decision: a folder that was filled stays
            raise settled(step, trouble) if isinstance(trouble, PASSING) else _stuck(record, str(trouble))
        self._log.warning("Not done: %s. %s Taking back what was done", step, trouble)
        self._tries = 0
        return self.keep(turn_back(record, f"{step} failed: {trouble.problem} {trouble.detail}".strip())), tree


def _stuck(record: FolderRecord, why: str) -> PromotionStuck:
    return PromotionStuck(
        f"the promotion stands half-way and cannot be taken back: {why}",
        vendor=VENDOR,
        advice=f"{record.summary()} It was going back because {record.why or 'a step failed'}. Move or rename in Exago "
        "what is in the way, then clear the task: it goes on from what it sees.",
    )


def _owner(context: Context) -> str:
    ti = context["ti"]
    return f"{ti.dag_id}/{ti.run_id}/{ti.task_id}/{ti.map_index}"
