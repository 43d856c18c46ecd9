"""How people are asked through Airflow, and what Airflow tells of who answered, and of who asked for the run (human in
the loop).

Airflow keeps one question a task, its first, through every retry and clear, and one answer to it at a time: a task that
asks again takes the answer away and shows the same text. So whoever asks compares what is shown with what it asks. Who
answered is what Airflow's auth manager said of the request that answered, and nothing that anybody typed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from nightshift.promotion.form import LONGEST

if TYPE_CHECKING:
    from airflow.sdk import Context

REASON = "reason"
"""The one field of the form beside a question."""
BY_PERSON = frozenset({"manual", "backfill"})
"""Types of runs that a person has started."""


class Responder(NamedTuple):
    """Who answered: the id and the name at Airflow's auth manager."""

    id: str
    name: str


def is_answer(event: Any) -> bool:
    """Whether an event is an answer to a question, and not the event of a trigger."""
    return isinstance(event, Mapping) and "chosen_options" in event


def person_of(event: Any) -> Responder | None:
    """Return who answered; ``None``: nobody did, in time."""
    user = event.get("responded_by_user") if isinstance(event, Mapping) else None
    if user is None:
        return None
    found = (
        user if isinstance(user, Mapping) else {"name": getattr(user, "name", None), "id": getattr(user, "id", None)}
    )
    person, name = found.get("id"), found.get("name")
    return Responder(str(person or name), str(name or person)) if person or name else None


def reason_of(event: Mapping[str, Any]) -> str:
    """Return the reason that was given with an answer; empty where there is none."""
    given = (event.get("params_input") or {}).get(REASON)
    return given.strip()[:LONGEST] if isinstance(given, str) else ""


def answered_at(event: Mapping[str, Any]) -> datetime | None:
    """Return when an answer was given; ``None``: Airflow does not tell."""
    given = event.get("responded_at")
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError:
            return None
    return given if isinstance(given, datetime) and given.tzinfo is not None else None


def reason_form(*, needed: bool) -> dict[str, Param]:
    """Return the form beside a question.

    :param needed: whether Airflow takes an answer with a reason only
    """
    if needed:
        return {REASON: Param("", type="string", minLength=1, maxLength=LONGEST, title="Reason")}
    about = "Why; needed with a no."
    return {REASON: Param(None, type=["null", "string"], maxLength=LONGEST, title="Reason", description=about)}


def shown_question(
    context: Context,
    *,
    subject: str,
    body: str | None,
    options: Sequence[str],
    users: Sequence[Mapping[str, str]],
    form: Mapping[str, Any],
    defaults: Sequence[str] | None = None,
) -> Any:
    """Ask, and return what Airflow shows: it may be what the task asked before. The answer to that is taken away.

    :param users: id and name of each who may answer; nobody: whoever may act on the DAG
    :param form: field → its declaration, as Airflow serializes it
    """
    # Airflow's client comes with it, which the parsing of DAGs does not pay for.
    from airflow.sdk.api.datamodels._generated import HITLUser
    from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
    from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

    question = CreateHITLDetailPayload(
        ti_id=context["ti"].id,
        options=list(options),
        subject=subject,
        body=body,
        defaults=None if defaults is None else list(defaults),
        multiple=False,
        params=dict(form),
        assigned_users=[HITLUser(id=one["id"], name=one["name"]) for one in users],
    )
    return SUPERVISOR_COMMS.send(question)


def serialized(form: Mapping[str, Param]) -> dict[str, Any]:
    """Return a form as Airflow takes it with a question."""
    fields = ParamsDict(dict(form))
    return {name: fields.get_param(name).serialize() for name in fields}


def assigned(users: Sequence[str]) -> list[dict[str, str]] | None:
    """Return people as Airflow's operator takes them; ``None``: whoever may act on the DAG."""
    return [{"id": user, "name": user} for user in users] or None


def requester_of(context: Context) -> str | None:
    """Return who started the run, or its backfill, as Airflow tells; ``None``: nobody did."""
    run = context["dag_run"]
    name = getattr(run, "triggering_user_name", None) if run.run_type in BY_PERSON else None
    return name or None
