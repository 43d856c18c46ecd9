"""The approval of a stage, or of a roll-back, by a person in the Airflow UI."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput, TaskDeferred

from nightshift.jobs.state import TaskState
from nightshift.promotion.asking import (
    BY_PERSON,
    Responder,
    answered_at,
    assigned,
    person_of,
    reason_form,
    reason_of,
    requester_of,
    shown_question,
)
from nightshift.promotion.history import History
from nightshift.promotion.question import quorum_lines, stage_summary, terms_line
from nightshift.promotion.record import PromotionRecord, PromotionStep, RecordedAnswer, Version, now
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.reminder import remind
from nightshift.promotion.rules.people import Quorum, Tally, tally
from nightshift.promotion.rules.progress import in_doubt
from nightshift.promotion.terms import Terms
from nightshift.promotion.triggers import SupersedeTrigger, WaitOver, Why
from nightshift.promotion.vocabulary import StepKind, StepState
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

    from nightshift.promotion.question import Doubts

NOBODY = "nobody in time"
ASKED_KEY = "promotion_asked_people"
"""Key of the task state store that holds the ids of those whom Airflow's question asks; none: whoever may act."""


class PromotionApprovalOperator(ApprovalOperator):
    """Ask a person whether the version may go to a stage, with all that they need to decide.

    Approve: the stage is deployed. Reject: the promotion ends here, and what it brought to the stages before stays.

    :param application: name of the application
    :param stage: label of the stage
    :param stages: labels of all stages
    :param users: ids of the Airflow users who may answer; empty: everybody who may answer for the DAG. Airflow keeps
        those that it was told of first; of their answers those of these count
    :param at_least: how many different people have to approve
    :param not_requester: the answer of whoever started the run does not count
    :param remind: how often people are reminded
    :param hours: how long answers are waited for
    :param on_timeout: what no answer means: ``reject``, ``fail`` or ``approve``
    :param supersedable: end the wait when a newer night waits for its turn
    :param terms: what an answer allows
    """

    kind: ClassVar[StepKind] = StepKind.APPROVAL
    template_fields: Sequence[str] = ()

    def __init__(
        self,
        *,
        application: str,
        stages: Sequence[str],
        stage: str | None = None,
        users: Sequence[str] = (),
        at_least: int = 1,
        not_requester: bool = False,
        remind: timedelta | None = None,
        hours: float = 72,
        on_timeout: str = "reject",
        supersedable: bool = False,
        terms: Terms | None = None,
        **kwargs: Any,
    ) -> None:
        defaults = {"reject": self.REJECT, "approve": self.APPROVE}.get(on_timeout)
        options: dict[str, Any] = {
            "subject": f"{application}: {stage or 'roll-back'}",
            "response_timeout": timedelta(hours=hours),
            "params": reason_form(needed=False),
            "defaults": defaults,
            "assigned_users": assigned(users),
            "retry_policy": VendorRetryPolicy(),
        }
        super().__init__(**{**options, **kwargs})
        self.application = application
        self.stage = stage
        self.stages = list(stages)
        self.users = tuple(users)
        self.at_least = at_least
        self.not_requester = not_requester
        self.remind = remind
        self.hours = hours
        self.on_timeout = on_timeout
        self.supersedable = supersedable
        self.terms = terms

    def execute(self, context: Context) -> Any:
        """Ask, and wait without a worker.

        :raises AirflowFailException: Airflow would show another question than this one, or too few may answer
        """
        return self._ask(context)

    def _ask(self, context: Context, *, again: bool = False) -> Any:
        """Ask, and wait without a worker.

        :param again: the answer that Airflow keeps is in the record, and others are to answer as well
        """
        recorder, record, is_new = run_now(self._begin(context))
        step = record.step(recorder.task_id)
        tally = self._tally(context, step)
        if tally.is_approved or tally.no is not None:
            # Of an attempt that was lost before Airflow heard of it.
            return self._conclude(context, recorder, tally)
        if step is not None and step.shown is not None and not again:
            # Asking takes the answer away that an attempt before this one may have been woken by and lost.
            raise self._parked(context, recorder, record, looking=True)
        self._refuse_too_few(context, recorder)
        self._refuse_another_question(context, recorder, record)
        record = run_now(recorder.note(shown=now(), detail="; ".join(tally.lines) if tally.unnamed else ""))
        raise self._parked(context, recorder, record, left=timedelta(hours=self.hours) if is_new else None)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with an answer, or with what too few mean; ask again where more are needed."""
        if (over := WaitOver.of(event)) is not None:
            if over.why is not Why.MOMENT or self._is_to_remind(context):
                raise self._waits_on(context, reminding=over.why is Why.MOMENT)
            event = self._unanswered()
        recorder = run_now(self._recorder(context))
        person = person_of(event)
        if "error" in event or event.get("timedout") or person is None:
            return self._unanswered_end(context, recorder, event)
        word: Literal["yes", "no"] = "yes" if event["chosen_options"][0] == self.APPROVE else "no"
        if word == "yes":
            self._refuse_other_terms(recorder, person.name)
        record = run_now(self._note_answer(recorder, person, word, event))
        tally = self._tally(context, record.step(recorder.task_id))
        if tally.is_approved or tally.no is not None:
            return self._conclude(context, recorder, tally)
        self.log.info("Asking on: %s", "; ".join(tally.lines))
        return self._ask(context, again=True)

    def _conclude(self, context: Context, recorder: StepRecorder, tally: Tally) -> dict[str, Any]:
        """Write down how it ended, before anything else: on a rejection Airflow's operator skips what follows by an
        exception.
        """
        answer, by = self.APPROVE, ", ".join(tally.agreed)
        if tally.no is not None:
            answer, by = self.REJECT, tally.no.name
        reason = tally.no.reason if tally.no is not None else ""
        state = StepState.REJECTED if tally.no is not None else StepState.DONE
        run_now(recorder.end(state, outcome=answer, by=by, until=None, detail=reason))
        self.log.info("%s by %s%s", answer, by, f": {reason}" if reason else "")
        return self._told_airflow(context, answer, by)

    def _unanswered_end(self, context: Context, recorder: StepRecorder, event: Mapping[str, Any]) -> dict[str, Any]:
        """End without enough answers.

        :raises AirflowFailException: that means that the promotion fails
        """
        if "error" in event or self.on_timeout == "fail":
            run_now(recorder.end(StepState.FAILED, outcome="timed_out", by=NOBODY, until=None))
            raise AirflowFailException(
                f"Nobody answered within {timedelta(hours=self.hours)}. Nothing was deployed to {recorder.stage}. "
                "Clear this task to ask again."
                if self.at_least == 1
                else f"Too few answered within {timedelta(hours=self.hours)}. Nothing was deployed to "
                f"{recorder.stage}. Clear this task to ask again."
            )
        answer = event["chosen_options"][0]
        if answer == self.APPROVE:
            self._refuse_other_terms(recorder, NOBODY)
            self._refuse_other_people(context, recorder)
        state = StepState.DONE if answer == self.APPROVE else StepState.REJECTED
        run_now(recorder.end(state, outcome=answer, by=NOBODY, until=None))
        self.log.info("%s by %s", answer, NOBODY)
        return self._told_airflow(context, answer, NOBODY)

    def _told_airflow(self, context: Context, answer: str, by: str) -> dict[str, Any]:
        from airflow.sdk.timezone import utcnow

        said: dict[str, Any] = {"chosen_options": [answer], "params_input": {}, "responded_at": utcnow()}
        super().execute_complete(context, {**said, "responded_by_user": None, "timedout": False})
        return {"answer": answer, "by": by}

    def _parked(
        self,
        context: Context,
        recorder: StepRecorder,
        record: PromotionRecord,
        *,
        left: timedelta | None = None,
        looking: bool = False,
    ) -> TaskAwaitingInput | TaskDeferred:
        """Return the wait for an answer: Airflow's own, which an answer or its time ends; or that of a trigger, which a
        reminder or a newer night ends as well, and in which the task can be answered all the same.

        :param left: how long it waits; default: what is left of its time
        :param looking: an answer may be there that no attempt has written down: a trigger looks for it first
        """
        step = record.step(recorder.task_id)
        if left is None:
            until = step.until if step is not None and step.until is not None else datetime.now(UTC)
            left = max(timedelta(), until - datetime.now(UTC))
        night = record.night if self.supersedable else None
        if night is None and self.remind is None and not looking:
            return TaskAwaitingInput(method_name="execute_complete", timeout=left)
        wait = left if self.remind is None else min(left, self.remind)
        moment = time.time() + wait.total_seconds()
        return TaskDeferred(
            trigger=SupersedeTrigger(self.application, night, moment, asked=str(context["ti"].id)),
            method_name="execute_complete",
        )

    def _is_to_remind(self, context: Context) -> bool:
        """Whether the wait has ended for a reminder, and not for good."""
        if self.remind is None:
            return False
        recorder = run_now(self._recorder(context))
        step = run_now(recorder.read()).step(recorder.task_id)
        return step is not None and step.until is not None and datetime.now(UTC) < step.until

    def _waits_on(self, context: Context, *, reminding: bool) -> TaskAwaitingInput | TaskDeferred:
        """Return the wait for an answer to the question that is there. It is not asked again: that would take an answer
        away that has come since the wait before was over; the next one finds it.
        """
        recorder = run_now(self._recorder(context))
        record = run_now(recorder.begin())
        step = record.step(recorder.task_id)
        if reminding:
            remind(
                context,
                self.application,
                self.subject,
                answered=self._tally(context, step).lines,
                users=self._people(context, recorder.stage),
                until=step.until if step is not None else None,
                link=self._link(context),
            )
        return self._parked(context, recorder, record)

    def _link(self, context: Context) -> str | None:
        try:
            return str(self.generate_link_to_ui(task_instance=context["ti"]))
        except ValueError:
            return None

    async def _note_answer(
        self, recorder: StepRecorder, person: Responder, word: Literal["yes", "no"], event: Mapping[str, Any]
    ) -> PromotionRecord:
        """Write an answer into the record, as of the question that was shown."""
        step = (await recorder.read()).step(recorder.task_id)
        shown, before = (step.terms or "", step.answers) if step is not None else ("", ())
        reason, at = reason_of(event), answered_at(event) or now()
        answer = RecordedAnswer(person=person.id, name=person.name, word=word, reason=reason, at=at, terms=shown)
        if before[-1:] == (answer,):
            # By an attempt that was lost before it could ask the others. An older one that is like it is another word.
            return await recorder.read()
        record = await recorder.note(answers=(*before, answer))
        self.log.info("%s by %s%s", word, person.name, f": {reason}" if reason else "")
        return record

    def _tally(self, context: Context, step: PromotionStep | None) -> Tally:
        if step is None or step.terms is None:
            return Tally(self.at_least)
        return tally(step.answers, self._quorum(context, step.stage), step.terms)

    def _quorum(self, context: Context, stage: str | None) -> Quorum:
        strict = self.at_least > 1 or self.not_requester
        requester = requester_of(context) if self.not_requester else None
        return Quorum(self.at_least, requester, strict, tuple(self.answerers(stage)))

    def _refuse_too_few(self, context: Context, recorder: StepRecorder) -> None:
        """Ask nobody where those who may answer can never be enough.

        :raises AirflowFailException: they cannot
        """
        run, quorum, why = context["dag_run"], self._quorum(context, recorder.stage), ""
        if self.not_requester and run.run_type in BY_PERSON and requester_of(context) is None:
            why = "Airflow does not say who started this run, so nobody knows whose answer does not count"
        elif missing := quorum.missing_people:
            named = ", ".join(self._people(context, recorder.stage)) or "nobody"
            why = f"{missing} more would have to be named than {named}, without whoever asked for it"
        if not why:
            return
        run_now(recorder.end(StepState.FAILED, outcome="not_asked", detail=why))
        raise AirflowFailException(
            f"Nobody was asked and nothing was deployed to {recorder.stage}: {why}. Name more people in the approval "
            "in promotions.yaml, or let somebody else start the run."
        )

    def summarize(self, record: PromotionRecord, now_running: Mapping[str, Any], doubts: Doubts) -> tuple[str, str]:
        """Return subject and body of the question."""
        return stage_summary(record, str(self.stage), now_running, self.own_terms(record), doubts)

    def version_in(self, record: PromotionRecord) -> Version | None:
        """Return the version that is approved."""
        return record.version

    def own_terms(self, record: PromotionRecord) -> Terms:
        """Return what an answer allows."""
        return self.terms or Terms(str(self.stage), {})

    async def _begin(self, context: Context) -> tuple[StepRecorder, PromotionRecord, bool]:
        """Begin, and return whether nobody has been asked yet since the task was made or cleared."""
        recorder = await self._recorder(context)
        record = await recorder.begin()
        version = self.version_in(record)
        step = record.step(recorder.task_id)
        asked_before = step is not None and step.until is not None
        terms = self.own_terms(record).digest(record, version)
        record = await recorder.note(
            version=version,
            terms=terms,
            shown=step.shown if step is not None and step.terms == terms else None,
            until=step.until if step is not None and asked_before else now() + timedelta(hours=self.hours),
        )
        history = await History.read(recorder.records)
        now_running = await history.running(self.stages, of=record.targets)
        ended = await history.doubts(of=record.targets)
        doubts = {stage: one.step for stage, one in ended.items()}
        doubts |= {one.stage: one for one in in_doubt(record) if one.stage}
        # Airflow's operator takes its question from these; all else of it is what it was when its DAG was parsed.
        self.subject, self.body = self.summarize(record, now_running, doubts)
        self.assigned_users = assigned(self._people(context, recorder.stage))
        if self.at_least > 1 or self.not_requester:
            # First: whoever opens the question sees at a glance how many are asked, and who has answered.
            self.body = (
                f"{quorum_lines(record, recorder.task_id, self._quorum(context, recorder.stage))}\n\n{self.body}"
            )
        return recorder, record, not asked_before

    def _refuse_another_question(self, context: Context, recorder: StepRecorder, record: PromotionRecord) -> None:
        """Make sure that Airflow shows this question, to all who may answer: it keeps text and people of the first one
        through every clear of its task. Whom it asks besides is no matter: their answers do not count.

        :raises AirflowFailException: it shows another one, or not to all; nothing is asked
        """
        shown = shown_question(
            context,
            subject=self.subject,
            body=self.body,
            options=self.options,
            users=self.assigned_users or (),
            form=self.serialized_params,
            defaults=self.defaults,
        )
        digest = self.own_terms(record).digest(record, self.version_in(record))
        here = sorted(str(one.id) for one in shown.assigned_users or ())
        is_ours, others = terms_line(digest) in (shown.body or ""), self._not_asked(context, recorder.stage, here)
        if is_ours and not others:
            TaskState(context["task_state_store"], ASKED_KEY, list[str]).save(here)
            return
        run_now(recorder.end(StepState.FAILED, outcome="not_asked", detail="Airflow would show the question of before"))
        which = (
            f"Airflow keeps that question, which asks {', '.join(here)}, and not {others}"
            if is_ours
            else f"Airflow keeps that question, which is for something else than {self.version_in(record)} as it would be "
            "deployed now"
        )
        raise AirflowFailException(
            f"Nobody was asked and nothing was deployed: this task asked before, and {which}. Start a run with "
            f"{self._as_form(record, recorder.stage)} in the form: it asks anew."
        )

    def _not_asked(self, context: Context, stage: str | None, asked: Sequence[str]) -> str:
        """Return who may answer and is not asked; empty where all are.

        :param asked: ids of those whom Airflow asks; none: whoever may act on the DAG
        """
        if not asked:
            return ""
        named = self._people(context, stage)
        return ", ".join(one for one in named if one not in asked) if named else "all who may act on the DAG"

    def _refuse_other_people(self, context: Context, recorder: StepRecorder) -> None:
        """Take the silence of nobody for a yes who was not asked.

        :raises AirflowFailException: others may answer by now than were asked
        """
        asked = TaskState(context["task_state_store"], ASKED_KEY, list[str]).load_if_sound() or ()
        if not (others := self._not_asked(context, recorder.stage, asked)):
            return
        record = run_now(
            recorder.end(
                StepState.FAILED, outcome="outdated", by=NOBODY, detail=f"{others} may answer, but was not asked"
            )
        )
        raise AirflowFailException(
            "Nobody answered in time, but the approval has been changed since the question: it asked "
            f"{', '.join(asked)}, and not {others}. Nothing was deployed to {recorder.stage}. Start a run with "
            f"{self._as_form(record, recorder.stage)} in the form: it asks anew."
        )

    def _refuse_other_terms(self, recorder: StepRecorder, by: str) -> None:
        """Take no answer for more than was shown.

        :raises AirflowFailException: configuration, form or version have changed since
        """
        record = run_now(recorder.read())
        step = record.step(recorder.task_id)
        if step is None or step.terms == self.own_terms(record).digest(record, self.version_in(record)):
            return
        run_now(
            recorder.end(
                StepState.FAILED,
                outcome="outdated",
                by=by,
                detail="something else was shown than would be deployed now",
            )
        )
        raise AirflowFailException(
            f"{by} approved what is not what would be deployed now: the configuration, the form or the version has "
            f"changed since the question. Nothing was deployed to {recorder.stage}. Put the configuration back and "
            f"clear this task; or start a run with {self._as_form(record, recorder.stage)} in the form: it asks anew."
        )

    async def stage_of(self, context: Context) -> str | None:
        """Return the stage that is asked for."""
        return self.stage

    def answerers(self, stage: str | None) -> Sequence[str]:
        """Return the ids of those who may answer, as they are configured now; nobody: whoever may act on the DAG."""
        return self.users

    def _people(self, context: Context, stage: str | None) -> list[str]:
        """Return the ids of those whose answers count."""
        who = requester_of(context) if self.not_requester else None
        return [one for one in self.answerers(stage) if one != who]

    def _as_form(self, record: PromotionRecord, stage: str | None) -> str:
        """Return the fields of the form by which a run asks for the same anew."""
        found = self.version_in(record)
        version = f"Version {found.id}" if found else "the version"
        first = f" and From stage {stage}" if stage and record.stages and stage != record.stages[0] else ""
        return f"{version}{first}"

    async def _recorder(self, context: Context) -> StepRecorder:
        stage = await self.stage_of(context)
        return StepRecorder(context, self.application, kind=self.kind, stage=stage, supersedable=self.supersedable)

    def _unanswered(self) -> dict[str, Any]:
        if self.defaults is None:
            return {"error": f"no answer within {self.response_timeout}", "error_type": "timeout"}
        from airflow.sdk.timezone import utcnow

        return {
            "chosen_options": list(self.defaults),
            "params_input": {},
            "responded_at": utcnow(),
            "responded_by_user": None,
            "timedout": True,
        }
