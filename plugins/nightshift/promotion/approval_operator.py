"""The approval of a stage, or of a roll-back, by a person in the Airflow UI."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput, TaskDeferred

from nightshift.promotion.give_way import GiveWayTrigger, WaitOver, Why
from nightshift.promotion.keeper import StepKeeper, run_now
from nightshift.promotion.record import Kind, Record, State, Version
from nightshift.promotion.summary import roll_back_summary, stage_summary
from nightshift.promotion.versions import running
from nightshift.retries import VendorRetryPolicy

if TYPE_CHECKING:
    from airflow.sdk import Context

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
    :param gives_way: end the wait when a newer night waits for its turn
    """

    kind: ClassVar[Kind] = Kind.APPROVAL
    template_fields: Sequence[str] = ()

    def __init__(
        self,
        *,
        application: str,
        stages: Sequence[str],
        stage: str | None = None,
        users: Sequence[str] = (),
        hours: float = 72,
        on_timeout: str = "reject",
        gives_way: bool = False,
        **kwargs: Any,
    ) -> None:
        defaults = {"reject": self.REJECT, "approve": self.APPROVE}.get(on_timeout)
        options: dict[str, Any] = {
            "subject": f"{application}: {stage or 'roll-back'}", "response_timeout": timedelta(hours=hours),
            "defaults": defaults, "assigned_users": [{"id": user, "name": user} for user in users] or None,
            "retry_policy": VendorRetryPolicy(),
        }  # fmt: skip
        super().__init__(**{**options, **kwargs})
        self.application = application
        self.stage = stage
        self.stages = list(stages)
        self.on_timeout = on_timeout
        self.gives_way = gives_way

    def execute(self, context: Context) -> None:
        """Ask, and wait without a worker."""
        record = run_now(self._begin(context))
        try:
            super().execute(context)
        except TaskAwaitingInput as parked:
            if not self.gives_way or record.night is None:
                raise
            # Airflow's own wait for an answer ends with the answer only; as a deferral the task can be answered all the
            # same, and a trigger can end it for a newer night.
            until = None if parked.timeout is None else time.time() + parked.timeout.total_seconds()
            raise TaskDeferred(
                trigger=GiveWayTrigger(self.application, record.night, until), method_name=parked.method_name
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
        told = self._tell(self._keeper(context), event)
        super().execute_complete(context, event)
        return told

    def _tell(self, keeper: StepKeeper, event: Mapping[str, Any]) -> dict[str, Any]:
        """Write the answer into the record and return it.

        :raises AirflowFailException: nobody answered, and that means that the promotion fails
        """
        if "error" in event:
            run_now(keeper.end(State.FAILED, outcome="timed_out", by=NOBODY))
            raise AirflowFailException(
                f"Nobody answered within {self.response_timeout}. Nothing was deployed to {self.stage}. Clear this task to ask again."
            )
        answer, by = event["chosen_options"][0], _name(event.get("responded_by_user")) or NOBODY
        run_now(keeper.end(State.DONE if answer == self.APPROVE else State.REJECTED, outcome=answer, by=by))
        self.log.info("%s by %s", answer, by)
        return {"answer": answer, "by": by}

    def summarize(self, context: Context, record: Record, now_running: Mapping[str, Any]) -> tuple[str, str]:
        """Return subject and body of the question."""
        return stage_summary(record, str(self.stage), now_running)

    def version_in(self, record: Record) -> Version | None:
        """Return the version that is approved."""
        return record.version

    async def _begin(self, context: Context) -> Record:
        keeper = self._keeper(context)
        await keeper.begin()
        record = await keeper.note(version=self.version_in(await keeper.read()))
        self.subject, self.body = self.summarize(context, record, await running(keeper.records, self.stages))
        return record

    def _keeper(self, context: Context) -> StepKeeper:
        return StepKeeper(context, self.application, kind=self.kind, stage=self.stage, gives_way=self.gives_way)

    def _unanswered(self) -> dict[str, Any]:
        if self.defaults is None:
            return {"error": f"no answer within {self.response_timeout}", "error_type": "timeout"}
        from airflow.sdk.timezone import utcnow

        return {
            "chosen_options": list(self.defaults), "params_input": {}, "responded_at": utcnow(),
            "responded_by_user": None, "timedout": True,
        }  # fmt: skip


class RollBackApprovalOperator(PromotionApprovalOperator):
    """Ask a person whether a failed stage is to run the version from before again.

    :param offer: what the offering task returned (templated)
    """

    kind = Kind.ROLL_BACK_APPROVAL
    template_fields = ("offer",)

    def __init__(self, *, offer: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.offer = offer

    def summarize(self, context: Context, record: Record, now_running: Mapping[str, Any]) -> tuple[str, str]:
        """Return subject and body of the question."""
        return roll_back_summary(record, self.offer, now_running)

    def version_in(self, record: Record) -> Version | None:
        """Return the version that is brought back."""
        return Version.model_validate(self.offer["version"])

    def _keeper(self, context: Context) -> StepKeeper:
        self.stage = self.offer["stage"]
        return super()._keeper(context)


def _name(user: Any) -> str | None:
    """Return the name of a user as Airflow tells it: an object or a mapping with ``name`` and ``id``."""
    if user is None:
        return None
    found = (
        user if isinstance(user, Mapping) else {"name": getattr(user, "name", None), "id": getattr(user, "id", None)}
    )
    return found.get("name") or found.get("id")
