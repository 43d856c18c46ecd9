"""A reminder that a question waits, by the channels that ``notify.yaml`` has for promotions."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from nightshift.jobs.state import TaskState
from nightshift.notify.message import Event, Message, Severity
from nightshift.notify.send import tell

if TYPE_CHECKING:
    from airflow.sdk import Context

log = logging.getLogger(__name__)

REMINDERS_KEY = "promotion_reminders"
"""Key of the task state store that counts the reminders of a question."""


def remind(
    context: Context,
    application: str,
    subject: str,
    *,
    answered: Sequence[str],
    users: Sequence[str],
    until: datetime | None,
    link: str | None,
) -> None:
    """Remind people of a question. Blocks, a minute at most; whom it does not reach, the log says.

    :param subject: that of the question
    :param answered: who has answered what so far, a line each
    :param users: who may answer; nobody named: whoever may act on the DAG
    :param until: until when it waits
    :param link: where it is answered
    """
    ti = context["ti"]
    kept = TaskState(context["task_state_store"], REMINDERS_KEY, int)
    lines = [f"Until {until:%Y-%m-%d %H:%M} UTC."] if until is not None else []
    lines += [f"Asked: {', '.join(users)}."] if users else []
    message = Message(
        key=f"{ti.dag_id}/{ti.run_id}/{ti.task_id}"[-255:],
        number=kept.save((kept.load_if_sound() or 0) + 1),
        topic="promotions",
        event=Event.UPDATED,
        title=f"{subject} waits for an answer",
        text="\n".join([*lines, *answered]),
        severity=Severity.WARNING,
        source=application,
        link=link,
    )
    for problem in tell(message):
        log.warning("Not everybody was reminded: %s", problem)
