"""The approval of a stage, or of a roll-back, by a person in the Airflow UI."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput, TaskDeferred

from nightshift.nights.place import lake_of_this_deployment
from nightshift.promotion.index import doubts_at, running
from nightshift.promotion.question import roll_back_summary, stage_summary, terms_line
from nightshift.promotion.record import PromotionRecord, StepKind, StepState, Version
from nightshift.promotion.recorder import StepRecorder, run_now
from nightshift.promotion.rules.progress import in_doubt
from nightshift.promotion.store import Records
from nightshift.promotion.terms import Terms
from nightshift.promotion.triggers import SupersedeTrigger, WaitOver, Why
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

    from nightshift.promotion.question import Doubts

NOBODY = "nobody in time"


class PromotionApprovalOperator(ApprovalOperator):
    """Ask a person whether the version may go to a stage, with all that they need to decide.

    Approve: the stage is deployed. Reject: the promotion ends here, and what it brought to the stages before stays.

    :param application: name of the application
    :param stage: label of the stage
    :param stages: labels of all stages
    :param users: ids of the Airflow users who may answer; empty: everybody who may answer for the DAG
    :param hours: how long an answer is waited for
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
            "defaults": defaults,
            "assigned_users": _assigned(users),
            "retry_policy": VendorRetryPolicy(),
        }
        super().__init__(**{**options, **kwargs})
        self.application = application
        self.stage = stage
        self.stages = list(stages)
        self.at_least = at_least
        self.not_requester = not_requester
        self.remind = remind
        self.on_timeout = on_timeout
        self.supersedable = supersedable
        self.terms = terms

    def execute(self, context: Context) -> None:
        """Ask, and wait without a worker.

        :raises AirflowFailException: Airflow would show another question than this one
        """
        recorder, record = run_now(self._begin(context))
        self._refuse_another_question(context, recorder, record)
        try:
            super().execute(context)
        except TaskAwaitingInput as parked:
            if not self.supersedable or record.night is None:
                raise
            # Airflow's own wait for an answer ends with the answer only; as a deferral the task can be answered all the
            # same, and a trigger can end it for a newer night.
            until = None if parked.timeout is None else time.time() + parked.timeout.total_seconds()
            raise TaskDeferred(
                trigger=SupersedeTrigger(self.application, record.night, until), method_name=parked.method_name
            ) from None

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with the answer, or with what no answer means."""
        if (over := WaitOver.of(event)) is not None:
            if over.why is Why.NEWER_NIGHT:
                return self.execute(context)
            event = self._unanswered()
        if event.get("timedout") and self.on_timeout == "fail":
            event = self._unanswered()
        # Before anything else: on a rejection Airflow's operator skips what follows by an exception.
        answer = self._record_answer(run_now(self._recorder(context)), event)
        super().execute_complete(context, event)
        return answer

    def _record_answer(self, recorder: StepRecorder, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write the answer into the record and return it.

        :raises AirflowFailException: nobody answered, and that means that the promotion fails
        """
        if "error" in event:
            run_now(recorder.end(StepState.FAILED, outcome="timed_out", by=NOBODY))
            raise AirflowFailException(
                f"Nobody answered within {self.response_timeout}. Nothing was deployed to {recorder.stage}. Clear this "
                "task to ask again."
            )
        answer, by = event["chosen_options"][0], _name(event.get("responded_by_user")) or NOBODY
        if answer == self.APPROVE:
            self._refuse_other_terms(recorder, by)
        run_now(recorder.end(StepState.DONE if answer == self.APPROVE else StepState.REJECTED, outcome=answer, by=by))
        self.log.info("%s by %s", answer, by)
        return {"answer": answer, "by": by}

    def summarize(self, record: PromotionRecord, now_running: Mapping[str, Any], doubts: Doubts) -> tuple[str, str]:
        """Return subject and body of the question."""
        return stage_summary(record, str(self.stage), now_running, self.own_terms(record), doubts)

    def version_in(self, record: PromotionRecord) -> Version | None:
        """Return the version that is approved."""
        return record.version

    def own_terms(self, record: PromotionRecord) -> Terms:
        """Return what an answer allows."""
        return self.terms or Terms(str(self.stage), {})

    async def _begin(self, context: Context) -> tuple[StepRecorder, PromotionRecord]:
        recorder = await self._recorder(context)
        record = await recorder.begin()
        version = self.version_in(record)
        record = await recorder.note(version=version, terms=self.own_terms(record).digest(record, version))
        now_running = await running(recorder.records, self.stages)
        others = await doubts_at(recorder.records, but=record.run_id)
        doubts = {**others, **{one.stage: one for one in in_doubt(record) if one.stage}}
        # Airflow's operator takes its question from these; all else of it is what it was when its DAG was parsed.
        self.subject, self.body = self.summarize(record, now_running, doubts)
        self.assigned_users = self.answerers(recorder.stage)
        return recorder, record

    def _refuse_another_question(self, context: Context, recorder: StepRecorder, record: PromotionRecord) -> None:
        """Make sure that Airflow shows this question: it keeps the text of the first one through every clear of its
        task.

        :raises AirflowFailException: it shows another one; nothing is asked
        """
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        shown: Any = SUPERVISOR_COMMS.send(self._question(context))
        digest = self.own_terms(record).digest(record, self.version_in(record))
        assigned = {one["id"] for one in self.assigned_users or ()}
        here = {getattr(one, "id", None) for one in shown.assigned_users or ()}
        if terms_line(digest) in (shown.body or "") and assigned == here:
            return
        run_now(recorder.end(StepState.FAILED, outcome="not_asked", detail="Airflow would show the question of before"))
        raise AirflowFailException(
            "Nobody was asked and nothing was deployed: this task asked before, and Airflow keeps that question, "
            f"which is for something else than {self.version_in(record)} as it would be deployed now. Start a run with "
            f"{_as_form(record, recorder.stage)} in the form: it asks anew."
        )

    def _question(self, context: Context) -> CreateHITLDetailPayload:
        # Airflow's client comes with it, which the parsing of DAGs does not pay for.
        from airflow.sdk.api.datamodels._generated import HITLUser
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload

        users = [HITLUser(id=one["id"], name=one["name"]) for one in self.assigned_users or ()]
        return CreateHITLDetailPayload(
            ti_id=context["ti"].id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            defaults=self.defaults,
            multiple=self.multiple,
            params=self.serialized_params,
            assigned_users=users,
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
            f"clear this task; or start a run with {_as_form(record, recorder.stage)} in the form: it asks anew."
        )

    async def stage_of(self, context: Context) -> str | None:
        """Return the stage that is asked for."""
        return self.stage

    def answerers(self, stage: str | None) -> Any:
        """Return who may answer, as Airflow's operator takes it."""
        return self.assigned_users

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


class RollBackApprovalOperator(PromotionApprovalOperator):
    """Ask a person whether a failed stage is to run the version from before again: what the record offers.

    Those who may approve the stage answer; where it names nobody, those that ``roll_back`` names.

    :param ways: stage → what an answer allows
    :param approvers: stage → ids of the users who may approve it
    """

    kind = StepKind.ROLL_BACK_APPROVAL

    def __init__(self, *, ways: Mapping[str, Terms], approvers: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ways = ways
        self.approvers = approvers

    def summarize(self, record: PromotionRecord, now_running: Mapping[str, Any], doubts: Doubts) -> tuple[str, str]:
        """Return subject and body of the question."""
        if record.offer is None:
            raise LookupError("the record offers no way back, so there is nothing to ask for")
        return roll_back_summary(record, record.offer, now_running, self.own_terms(record), doubts)

    def version_in(self, record: PromotionRecord) -> Version | None:
        """Return the version that is brought back."""
        return None if record.offer is None else record.offer.version

    def own_terms(self, record: PromotionRecord) -> Terms:
        """Return what an answer allows."""
        label = record.offer.stage if record.offer else ""
        return self.ways.get(label) or Terms(label, {})

    async def stage_of(self, context: Context) -> str | None:
        """Return the stage that is offered."""
        record = await Records(lake_of_this_deployment(), self.application).read(context["ti"].run_id)
        return record.offer.stage if record is not None and record.offer is not None else None

    def answerers(self, stage: str | None) -> Any:
        """Return those who may approve the stage."""
        return _assigned(self.approvers.get(stage or "", ())) or self.assigned_users


def _assigned(users: Sequence[str]) -> list[dict[str, str]] | None:
    return [{"id": user, "name": user} for user in users] or None


def _as_form(record: PromotionRecord, stage: str | None) -> str:
    """Return the fields of the form by which a run goes on from here."""
    version = f"Version {record.version.id}" if record.version else "the version"
    first = f" and From stage {stage}" if stage and record.stages and stage != record.stages[0] else ""
    return f"{version}{first}"


def _name(user: Any) -> str | None:
    """Return the name of a user as Airflow tells it: an object or a mapping with ``name`` and ``id``."""
    if user is None:
        return None
    found = (
        user if isinstance(user, Mapping) else {"name": getattr(user, "name", None), "id": getattr(user, "id", None)}
    )
    return found.get("name") or found.get("id")
