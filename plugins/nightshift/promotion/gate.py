"""The gate before whatever changes something: a hold, a freeze and the window are looked at, and waited for without a
worker.

Whoever may override a freeze is asked meanwhile, in Airflow, by the task that waits. An emergency opens nothing here:
it lets a version skip a stage, and no more.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
from airflow.sdk.exceptions import TaskDeferred

from nightshift.config.freezes import NO_FREEZES, Freeze, FreezeRules
from nightshift.errors import Rejected
from nightshift.jobs.state import TaskState
from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.asking import is_answer, person_of, reason_form, reason_of, serialized, shown_question
from nightshift.promotion.holds import holds
from nightshift.promotion.question import freeze_summary, terms_line
from nightshift.promotion.record import FreezeOverride, PromotionRecord, Version, now
from nightshift.promotion.rules.freeze import FreezeNow, overridden
from nightshift.promotion.rules.gate import Barrier, barrier, next_go, waived_at
from nightshift.promotion.vocabulary import StepKind

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.config.stages import DeploymentWindow
    from nightshift.promotion.recorder import StepRecorder
    from nightshift.promotion.terms import Terms

log = logging.getLogger(__name__)

LONGEST_WAIT = 6 * 3600.0
"""Seconds after which a step that waits looks again in any case."""
QUESTION_KEY = "promotion_freeze_question"
"""Key of the task state store that holds what a question about a freeze has shown."""
OVERRIDE = "Override the freeze"


class Barred(Rejected):
    """Something stands in the way of a step that would have asked a vendor right now."""

    def __init__(self, found: Barrier) -> None:
        super().__init__(found.words, advice="Nothing was asked of a vendor. The step waits.")
        self.barrier = found


class _Shown(msgspec.Struct, frozen=True):
    """What a question has shown: the terms, and the freezes with their beginnings.

    :param cleared: Airflow's ``max_tries`` then: after a clear it is asked again
    """

    terms: str
    freezes: list[tuple[str, datetime]]
    cleared: int


@dataclass(frozen=True)
class Gate:
    """The gate of one step.

    :param stage: label of its stage; ``None``: it is of none, and no freeze concerns it
    :param rules: the freezes that count
    :param terms: what an override is of
    :param window: window to wait for, of steps that wait for one
    :param starts: window that FlexDeploy waits for, of deployments that are handed their start
    """

    application: str
    stage: str | None
    rules: FreezeRules = NO_FREEZES
    terms: Terms | None = None
    window: DeploymentWindow | None = None
    starts: DeploymentWindow | None = None

    async def look(self, record: PromotionRecord, version: Version | None) -> Barrier | None:
        """Return what stands in the way now; ``None`` where nothing does.

        :raises Exception: the lake cannot be read: nothing goes
        """
        held = await holds(lake_of_this_deployment(), application=self.application)
        return barrier(
            datetime.now(UTC),
            holds=held,
            freezes=self._freezes,
            is_overridden=self._is_overridden(record, version),
            window=self.window,
            unknown=self.rules.unknown if self.stage else "",
        )

    def next_go(
        self, record: PromotionRecord, version: Version | None, at: datetime, *, but: Barrier | None = None
    ) -> datetime | None:
        """Return when no freeze and no window is in the way any more, with what people have overridden.

        :param but: what stands in the way: its holds count as well, and its freezes do not where somebody may override
            them
        """
        waived = waived_at(self._freezes, at, self._is_overridden(record, version))
        if but is not None:
            waived |= {one.freeze.name: one.until for one in but.frozen if one.freeze.override}
        held = () if but is None else but.holds
        return next_go(at, holds=held, freezes=self._freezes, waived=waived, window=self.window or self.starts)

    async def let_go(self, recorder: StepRecorder) -> None:
        """Look once more, right before something is changed.

        :raises Barred: something stands in the way by now
        :raises VersionRevoked: the version has been found to be bad by now
        """
        record = await recorder.read()
        await recorder.refuse_revoked(record)
        if (found := await self.look(record, version_at(recorder.kind, record))) is not None:
            raise Barred(found)

    async def go(self, context: Context, recorder: StepRecorder, record: PromotionRecord) -> PromotionRecord:
        """Return the record where nothing stands in the way.

        :raises TaskDeferred: something does; the task goes on with the method ``gate_opened``
        """
        version = version_at(recorder.kind, record)
        if (found := await self.look(record, version)) is None:
            step = record.step(recorder.task_id)
            return record if step is None or step.until is None else await recorder.note(until=None, detail="")
        raise await self.wait(context, recorder, record, found)

    async def wait(
        self, context: Context, recorder: StepRecorder, record: PromotionRecord, found: Barrier
    ) -> TaskDeferred:
        """Write down what stands in the way, ask who may override it, and return the wait."""
        log.info("%s waits without a worker: %s", recorder.task_id, found.words)
        await recorder.note(detail=found.words, until=found.until)
        asked, hint = self._ask(context, record, version_at(recorder.kind, record), found)
        if hint:
            log.warning("%s", hint)
            await recorder.note(detail=f"{found.words}. {hint}")
        latest = time.time() + LONGEST_WAIT
        until = latest if found.until is None else min(latest, found.until.timestamp())
        from nightshift.promotion.triggers import SupersedeTrigger

        return TaskDeferred(
            trigger=SupersedeTrigger(
                self.application,
                record.night if recorder.supersedable else None,
                until,
                holds=[one.id for one in found.holds],
                asked=str(context["ti"].id) if asked else None,
            ),
            method_name="gate_opened",
        )

    async def answered(self, context: Context, recorder: StepRecorder, event: Any) -> None:
        """Take note of an answer to the question, if the event is one and it counts."""
        if not is_answer(event):
            return
        kept = self._kept(context)
        shown, person = kept.load_if_sound(), person_of(event)
        # From here on it is asked again where it has to be: the answer that is there has been told.
        kept.forget()
        if person is None or shown is None or OVERRIDE not in event["chosen_options"]:
            return
        reason = reason_of(event)
        if not reason:
            log.warning("%s gave no reason, so nothing is overridden; the question is asked again", person.name)
            return
        by_name = {one.name: one for one in self.rules.freezes}
        given = [
            FreezeOverride(
                freeze=name,
                since=since,
                stage=self.stage or "",
                person=person.id,
                name=person.name,
                reason=reason,
                at=now(),
                terms=shown.terms,
            )
            for name, since in shown.freezes
            if name in by_name and {person.id, person.name} & set(by_name[name].override)
        ]
        for one in given:
            log.info("%s overrides the freeze %s for %s: %s", one.name, one.freeze, one.stage, one.reason)
        await recorder.override(given)

    def _ask(
        self, context: Context, record: PromotionRecord, version: Version | None, found: Barrier
    ) -> tuple[bool, str]:
        """Ask who may override the freezes; return whether anybody is asked, and why not where somebody could be."""
        users = sorted({user for one in found.frozen for user in one.freeze.override})
        if not users or self.terms is None or self.stage is None:
            return False, ""
        digest = self._digest(record, version)
        frozen = [(one.freeze.name, one.since) for one in found.frozen if one.freeze.override]
        shown = _Shown(digest, frozen, context["ti"].max_tries)
        if self._kept(context).load_if_sound() == shown:
            # To ask again would take an answer away that has come since the wait before was over. The next one finds
            # it.
            return True, ""
        at = datetime.now(UTC)
        goes, without = (self.next_go(record, version, at, but=one) for one in (found, replace(found, frozen=())))
        subject, body, line = freeze_summary(
            record,
            self.stage,
            version,
            self.terms,
            found.frozen,
            digest,
            at=at,
            goes=goes,
            is_of_use=goes is None or goes != without,
        )
        there = shown_question(
            context,
            subject=subject,
            body=body,
            options=[OVERRIDE],
            users=[{"id": user, "name": user} for user in users],
            form=serialized(reason_form(needed=True)),
        )
        if terms_line(line) in (there.body or ""):
            self._kept(context).save(shown)
            return True, ""
        # Airflow keeps the first question of a task: an answer to that one says nothing of this freeze.
        self._kept(context).forget()
        which = (
            f"Version {version.id} and From stage {self.stage}" if version is not None else f"From stage {self.stage}"
        )
        return False, (
            "Airflow still shows an older question of this task, whose answer overrides nothing; start a run with "
            f"{which} in the form: it asks anew"
        )

    @property
    def _freezes(self) -> tuple[Freeze, ...]:
        return self.rules.of(self.application, self.stage) if self.stage else ()

    def _is_overridden(self, record: PromotionRecord, version: Version | None) -> Callable[[FreezeNow], bool]:
        digest = self._digest(record, version)
        return lambda frozen: overridden(frozen, record.overrides, stage=self.stage or "", terms=digest)

    def _digest(self, record: PromotionRecord, version: Version | None) -> str:
        return self.terms.only(self.stage).digest(record, version) if self.terms is not None and self.stage else ""

    def _kept(self, context: Context) -> TaskState[_Shown]:
        return TaskState(context["task_state_store"], QUESTION_KEY, _Shown)


def version_at(kind: StepKind, record: PromotionRecord) -> Version | None:
    """Return the version that a step is about."""
    if kind in (StepKind.ROLL_BACK, StepKind.ROLL_BACK_APPROVAL):
        return None if record.offer is None else record.offer.version
    return record.version
