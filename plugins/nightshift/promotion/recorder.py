"""One attempt of a step, and the record that is kept of it: every step of a promotion begins and ends here."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Coroutine
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from airflow.sdk.exceptions import AirflowSkipException

from nightshift.errors import Rejected
from nightshift.lake.errors import Contended
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.queue import newer_waiting
from nightshift.promotion.record import (
    FreezeOverride,
    Offer,
    PromotionRecord,
    PromotionStep,
    RecordedResolution,
    Running,
    Verdict,
    now,
)
from nightshift.promotion.revoked import VersionRevoked, revocation_of, revoked_before, words_of
from nightshift.promotion.rules.progress import (
    NOTHING_DONE,
    approval_of,
    has_started_nothing,
    held_back,
    other_terms,
    unfinished,
)
from nightshift.promotion.rules.verification import BEGINS_A_STAGE, begun_again, deployment_in, unverified_before
from nightshift.promotion.store import Records
from nightshift.promotion.target import Target, what_differs
from nightshift.promotion.turns import Turns
from nightshift.promotion.vocabulary import CHANGES_A_STAGE, StepKind, StepState

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.promotion.terms import Terms
    from nightshift.promotion.turns import Turn


T = TypeVar("T")
log = logging.getLogger(__name__)


class TurnLost(Rejected):
    """Another promotion of the application has had a turn since."""


class NotApproved(Rejected):
    """The approval of a step is of other terms than those that it would be done by."""


class StepUnfinished(Rejected):
    """A step before this one is through in Airflow, but not at the vendor, as far as anybody has seen."""


class StepRecorder:
    """Keeps the record of a promotion while one of its steps is done.

    :param stage: label of its stage, of the steps that belong to one
    :param supersedable: the step may be left undone for a newer night
    :param terms: what the approval before the step has to be of; ``None`` where it is not to be compared
    :param is_new: nothing of the step may be underway at a vendor; else it is waited for, whatever was said since
    :param left: how the vendor's work for the step ended that was asked for last; ``None``: there is none, or it is
        underway
    """

    def __init__(
        self,
        context: Context,
        application: str,
        *,
        kind: StepKind,
        stage: str | None = None,
        supersedable: bool = False,
        terms: Terms | None = None,
        is_new: bool = True,
        left: Literal[StepState.DONE, StepState.FAILED] | None = None,
    ) -> None:
        lake = lake_of_this_deployment()
        ti = context["ti"]
        self.records = Records(lake, application)
        self.turns = Turns(lake, application)
        self.kind = kind
        self.stage = stage
        self.supersedable = supersedable
        self.terms = terms
        self.is_new = is_new
        self.left = left
        self.dag_id, self.run_id, self.task_id, self.attempt = ti.dag_id, ti.run_id, ti.task_id, ti.try_number
        self.cleared = ti.max_tries
        self.upstream: Collection[str] = context["task"].get_flat_relative_ids(upstream=True)
        self._context = context

    async def begin(self) -> PromotionRecord:
        """Begin, or begin again: decide whether the step is to be done, make sure of the turn, and write it down.

        :raises AirflowSkipException: it is not to be done; the record says why
        :raises StepUnfinished: a step before this one was marked, and how it ended is not known; or a stage before is
            not verified and soaked
        :raises VersionRevoked: the verification of the version was revoked; nothing was asked of a vendor
        :raises TurnLost: another promotion has had a turn since; nothing was asked of a vendor
        :raises NotApproved: what was approved is not what would be done; nothing was asked of a vendor
        """
        record = await self.read()
        if open_end := self._open_end(record):
            raise StepUnfinished(
                f"{self.task_id} is not begun: {open_end}",
                advice=f"Nothing was asked of a vendor. Clear {open_end.partition(' ')[0]} with all that follows: what "
                "FlexDeploy is at work on is gone on with, and not asked for twice.",
            )
        why = "" if self._is_underway(record) else self._held_back(record)
        if (
            not why
            and self.supersedable
            and (newer := await newer_waiting(self._context, self.turns, record.night)) is not None
        ):
            record = record.changed(superseded_by=newer.run_id)
            why = self._held_back(record)
        if why:
            await self.skip(record, why)
        if self.terms is not None:
            self.refuse_other_terms(record, self.terms)
        if self.is_new:
            await self.refuse_revoked(record)
        await self._with_turn(record)
        return await self._change(self._with_begun)

    def _open_end(self, record: PromotionRecord) -> str:
        """Return the task that has to be cleared before this one may begin, and why; empty where it may."""
        found = unfinished(record, kind=self.kind, stage=self.stage, upstream=self.upstream)
        if found and not self._is_shut(record, found.partition(" ")[0]):
            return found
        if self._held_back(record):
            return ""
        return unverified_before(record, kind=self.kind, stage=self.stage, task=self.task_id)

    def _held_back(self, record: PromotionRecord) -> str:
        return held_back(record, kind=self.kind, stage=self.stage, upstream=self.upstream)

    def _is_shut(self, record: PromotionRecord, task: str) -> bool:
        """Whether a step before this one has ended, otherwise than this one needs it, and would not be done anew by a
        clear, for what leaves this one undone as well: then it is no use to name it.
        """
        step = record.step(task)
        return (
            step is not None
            and step.state is not StepState.STARTED
            and bool(self._held_back(record))
            and bool(held_back(record, kind=step.kind, stage=step.stage, upstream=self.upstream))
        )

    def _is_underway(self, record: PromotionRecord) -> bool:
        """Whether a vendor may be at work on the step: then its end is waited for, although it would not be done now.
        Else nobody would ever see how it ended, and what follows could neither go on nor be left undone.
        """
        step = record.step(self.task_id)
        return not self.is_new and step is not None and step.state is StepState.STARTED

    async def refuse_revoked(self, record: PromotionRecord) -> None:
        """Refuse to ask anything of a vendor for a version that was found to be bad.

        What runs after a deployment still runs: a stage that was stopped for it has to be started again. What runs
        before one does not, also where the version has been in the stage before a clear.

        :raises VersionRevoked: its verification was revoked; nothing was asked of a vendor
        """
        if self.kind is StepKind.ROLL_BACK and record.offer is not None:
            await self._refuse_revoked_since(record, record.offer)
        deployed = deployment_in(record, self.stage) if self.stage is not None else None
        is_after = self.kind is StepKind.UTILITY and deployed is not None and deployed.task in self.upstream
        if self.kind not in BEGINS_A_STAGE or is_after:
            return
        if record.version is None or (said := await revocation_of(self.records, record.version, record)) is None:
            return
        raise VersionRevoked(
            f"{self.task_id} is not begun: {words_of(said, record.version)}",
            advice="Nothing was asked of a vendor. Build a version that is put right. Where this one may go on all the "
            f"same, start a run with Version {record.version.id}, From stage {self.stage} and the reason in the field "
            "Emergency.",
        )

    async def _refuse_revoked_since(self, record: PromotionRecord, offer: Offer) -> None:
        """Bring nothing back that was found to be bad, unless whoever said yes was shown that.

        :raises VersionRevoked: nobody was; nothing was asked of a vendor
        """
        if (revoked := await revoked_before(self.records, record, offer.version)) in ("", offer.revoked):
            return
        raise VersionRevoked(
            f"{offer.version} is not brought back to {offer.stage}: {revoked}",
            advice="Nothing was asked of a vendor. Clear roll_back.offer with all that follows: a person is asked, who is "
            "shown that."
            if offer.rule == "roll_back"
            else "Nothing was asked of a vendor, and who approved it did not know. Build a version that is put right. "
            f"Where this one may come back all the same, start a run with Version {offer.version.id}, From stage "
            f"{offer.stage} and the reason in the field Emergency.",
        )

    def _with_begun(self, record: PromotionRecord) -> PromotionRecord:
        begun = begun_again(record, self.task_id, self.kind, self.stage)
        return begun.with_step(self._begun(begun))

    def _begun(self, record: PromotionRecord) -> PromotionStep:
        """Return the step as it begins; whoever finds this run dead has to know what the attempt before had asked."""
        step, was = self._new_step(StepState.STARTED).changed(order=record.next_order()), record.step(self.task_id)
        if was is None:
            return step
        if was.attempt > self.attempt:
            raise self._lost()
        if was.cleared == step.cleared:
            # A clear asks anew; a retry goes on with what people have said.
            step = step.changed(answers=was.answers, until=was.until, terms=was.terms, shown=was.shown)
        brought = was.brought
        if self.kind in CHANGES_A_STAGE and was.state is StepState.DONE and was.version and was.ended:
            brought = Running(
                version=was.version, since=was.ended, run_id=self.run_id, order=was.order, target=was.target
            )
        return step.changed(
            requests=was.requests,
            url=was.url,
            start_time=was.start_time,
            version=was.version,
            asked=was.asked,
            said=was.said,
            brought=brought,
            tried=_tried(was),
            target=was.target,
        )

    async def read(self) -> PromotionRecord:
        """Return the record of this run.

        :raises Rejected: there is none
        """
        return self._there(await self.records.read(self.run_id))

    def _there(self, record: PromotionRecord | None) -> PromotionRecord:
        if record is None:
            raise Rejected(
                f"the record of {self.run_id} is not in the lake",
                advice="Nothing was asked of a vendor. Restore promotions/… in the lake, or clear the task `begin` "
                "with all that follows.",
            )
        return record

    async def asking(
        self, resolution: RecordedResolution | None = None, target: Target | None = None
    ) -> PromotionRecord:
        """Write down that a vendor may be asked from now on, and what a person said of what it was asked before.

        :param target: of what it is asked
        :raises TurnLost: this attempt was given up meanwhile: a later one keeps the record, or another promotion has
            had a turn; nothing was asked of a vendor
        """
        if await self._turn(await self.read()) is None:
            raise self._lost()

        def requesting(record: PromotionRecord) -> PromotionRecord:
            step = record.step(self.task_id) or self._new_step(StepState.STARTED)
            if self._is_replaced(step) or record.closed is not None:
                raise self._lost()
            # What was said of an earlier request says nothing of a new one.
            before = step.said if step.asked is not None else None
            if self.kind is StepKind.BUILD and step.target and target and what_differs(step.target, target):
                # What it built before the configuration was changed is none of what is built now.
                step = step.changed(version=None)
            return record.with_step(
                step.changed(asked=step.asked or now(), said=resolution or before, target=target or step.target)
            )

        return await self._change(requesting)

    async def note(self, **more: Any) -> PromotionRecord:
        """Write down what is known of the step by now.

        :param more: fields of :class:`nightshift.promotion.record.PromotionStep`
        """

        def noted(record: PromotionRecord) -> PromotionRecord:
            step = record.step(self.task_id) or self._new_step(StepState.STARTED)
            return record if self._is_replaced(step) else record.with_step(step.changed(**more))

        return await self._change(noted)

    async def override(self, given: Collection[FreezeOverride]) -> PromotionRecord:
        """Write down that a person has overridden freezes for this promotion."""
        return await self._change(lambda record: record.changed(overrides=(*record.overrides, *given)))

    async def end(
        self,
        state: StepState,
        *,
        changes: dict[str, Any] | None = None,
        verdict: Verdict | None = None,
        **more: Any,
    ) -> PromotionRecord:
        """Write down how the step ended.

        :param changes: fields of the record that change with it
        :param verdict: what it says of a deployment
        """

        def ended(record: PromotionRecord) -> PromotionRecord:
            step = record.step(self.task_id) or self._new_step(StepState.STARTED)
            if self._is_replaced(step):
                return record
            said = record.verdicts if verdict is None else (*record.verdicts, verdict)
            return record.with_step(step.end(state, **more)).changed(verdicts=said, **(changes or {}))

        return await self._change(ended)

    async def _change(self, change: Callable[[PromotionRecord], PromotionRecord]) -> PromotionRecord:
        """Change the record as it is now; where somebody else is quicker, as it is then.

        :raises Contended: others were quicker each time
        """
        return await self.records.change(self.run_id, lambda record: change(self._there(record)))

    async def skip(self, record: PromotionRecord, why: str) -> None:
        """Write down that the step is left undone, and skip the task.

        :raises AirflowSkipException: always
        """

        def skipped(there: PromotionRecord) -> PromotionRecord:
            was = there.step(self.task_id)
            if there.outcome in NOTHING_DONE or (was is not None and self._is_replaced(was)):
                return there
            told = there.changed(superseded_by=record.superseded_by or there.superseded_by)
            if was is None or not was.requests:
                return told.with_step(self._new_step(StepState.SKIPPED).changed(ended=now(), detail=why))
            # After a clear: what the vendor did before stays told, also where the step was begun again and asked nothing.
            return told.with_step(self._as_left(was)) if was.state is StepState.STARTED and self.left else told

        await self._change(skipped)
        raise AirflowSkipException(f"Not done: {why}.")

    def _as_left(self, step: PromotionStep) -> PromotionStep:
        """Return a step that was begun again, and for which nothing was asked, as it was before that."""
        if self.left is StepState.FAILED:
            return step.changed(state=StepState.FAILED, ended=now(), outcome="failed", asked=None)
        there = step.brought
        brought = {} if there is None else {"version": there.version, "order": there.order, "target": there.target}
        ended = step.started if there is None else there.since
        return step.changed(state=StepState.DONE, ended=ended, asked=None, brought=None, **brought)

    def refuse_other_terms(self, record: PromotionRecord, terms: Terms) -> None:
        """Do nothing but what was approved.

        :param terms: what would be done
        :raises NotApproved: that is something else; nothing was asked of a vendor
        """
        back = self.kind is StepKind.ROLL_BACK
        task = "roll_back.approve" if back else approval_of(terms.asks)
        version = record.offer.version if back and record.offer else record.version
        if task not in self.upstream or not (why := other_terms(record, task, terms.digest(record, version))):
            return
        raise NotApproved(
            why,
            advice="Nothing was asked of a vendor. Put the configuration back as it was and clear this task; or start "
            f"a run with the version {version.id if version else ''} and From stage {self.stage} in the form: it asks "
            "anew.",
        )

    def _is_replaced(self, step: PromotionStep) -> bool:
        """Whether Airflow has given this attempt up and a later one keeps the record."""
        if step.attempt <= self.attempt:
            return False
        log.warning("Attempt %s of %s has taken over: the record is left to it", step.attempt, self.task_id)
        return True

    def _new_step(self, state: StepState) -> PromotionStep:
        return PromotionStep(
            task=self.task_id,
            kind=self.kind,
            stage=self.stage,
            state=state,
            started=now(),
            attempt=self.attempt,
            cleared=self.cleared,
        )

    async def _with_turn(self, record: PromotionRecord) -> PromotionRecord:
        """Make sure that the turn is still ours, and take the record up again where it was closed (a clear)."""
        if (turn := await self._turn(record)) is None:
            raise self._lost()
        if record.closed is None:
            return record
        opened = await self.records.rewrite(record.changed(closed=None, outcome=None, reason=""), read=record)
        # Whoever takes the next turn looks at our record again after taking it, so one of the two sees the other.
        if await self._turn(record) != turn:
            closed = opened.changed(closed=record.closed, outcome=record.outcome, reason=record.reason)
            # Where it has been written since, it was given up.
            with contextlib.suppress(Contended):
                await self.records.rewrite(closed, read=opened)
            raise self._lost()
        return opened

    async def _turn(self, record: PromotionRecord) -> Turn | None:
        latest = await self.turns.latest()
        return latest if latest is not None and latest.run_id == self.run_id and latest.number == record.turn else None

    def _lost(self) -> TurnLost:
        return TurnLost(
            "a later attempt of this task, or another promotion of this application, has taken over since",
            advice="Nothing was asked of a vendor. Clear the task `begin` of this run with all that follows: it waits "
            "for a turn of its own; or start a run with the version to promote in the form.",
        )


def _tried(was: PromotionStep) -> tuple[int, ...]:
    """Return what may have changed a stage without a good end, before a step is begun again: what follows may be
    rejected before it runs, and says nothing of that.
    """
    if was.state is StepState.DONE:
        return ()
    is_left = was.state is StepState.FAILED and not has_started_nothing(was)
    return tuple(dict.fromkeys((*was.tried, *(was.requests if is_left else ()))))


def run_now(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine of the keeper from a synchronous operator."""
    return asyncio.run(work)
