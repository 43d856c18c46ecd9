"""What goes on beside: jobs at the vendors, connections, sign-ins, incidents, holds."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, Field

from nightshift.board.models.answers import Answer, Link, Press, Trouble
from nightshift.board.models.promotions import HoldLine
from nightshift.jobs.state import JobState


class JobLine(Answer):
    """A job that waits at a vendor, or of which only a person can say how it stands.

    :param job_id: the vendor's id; empty: the answer to the request was lost
    :param state: our word for what the vendor said last
    :param vendor_state: the vendor's word
    :param asked: when the vendor was asked for it
    :param seen: when the vendor was last asked about it, as far as the task has written it down
    :param interval: seconds between two looks
    :param next_look: the next look, at the latest
    :param deadline: when the wait ends
    :param doubt: why only a person can tell; empty: nobody is asked
    """

    vendor: str
    connection: str
    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1
    subject: str
    """The report and night, or the application and stage, that it is for."""
    job_id: str = ""
    state: JobState
    vendor_state: str = ""
    text: str = ""
    asked: AwareDatetime | None = None
    waiting_seconds: float | None = None
    seen: AwareDatetime | None = None
    interval: float | None = None
    next_look: AwareDatetime | None = None
    deadline: AwareDatetime | None = None
    attempt: int = 1
    doubt: str = ""
    links: tuple[Link, ...] = ()
    presses: tuple[Press, ...] = ()


class JobsAnswer(Answer):
    """All jobs of DAGs that the person may read; those in doubt first, then the oldest."""

    now: AwareDatetime
    jobs: tuple[JobLine, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class ConnectionState(StrEnum):
    """How it stands with a connection, from what the tasks saw."""

    GOOD = "good"
    FAILING = "failing"
    UNSEEN = "unseen"
    """No task has used it since this was first written down."""
    MISSING = "missing"
    """There is no connection of this id."""


class Seen(Answer):
    """What a task saw of a connection.

    :param text: of an error: what it was and what to do; never a secret
    """

    at: AwareDatetime
    dag_id: str = ""
    run_id: str = ""
    task_id: str = ""
    kind: str = ""
    text: str = ""
    links: tuple[Link, ...] = ()


class SignInState(StrEnum):
    """How it stands with a three-legged sign-in."""

    GRANTED = "granted"
    ENDS_SOON = "ends_soon"
    ENDED = "ended"
    NEVER = "never"
    UNREADABLE = "unreadable"
    NOT_NEEDED = "not_needed"


class SignInLine(Answer):
    """A person's consent at Autodesk.

    :param ends: when it ends unless a token is renewed before
    """

    state: SignInState
    granted_by: str = ""
    granted: AwareDatetime | None = None
    renewed: AwareDatetime | None = None
    ends: AwareDatetime | None = None
    link: Link


class ConnectionLine(Answer):
    """A connection that the configuration names."""

    connection: str
    vendor: str
    type: str
    state: ConnectionState
    last_good: Seen | None = None
    last_error: Seen | None = None
    sign_in: SignInLine | None = None
    used_by: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    presses: tuple[Press, ...] = ()


class ConnectionsAnswer(Answer):
    """The connections that the person may see."""

    now: AwareDatetime
    connections: tuple[ConnectionLine, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class IncidentLine(Answer):
    """An incident: what, since when, why, what depends on it, what to press.

    :param kind: ``late``, ``missing``, ``failed`` …, in the watch's words
    :param subject: ``<source>/<report>``, or an application
    :param closed: ``null``: it is open
    """

    id: str
    kind: str
    subject: str
    night: str | None = None
    title: str
    cause: str = ""
    advice: str = ""
    since: AwareDatetime
    updated: AwareDatetime | None = None
    closed: AwareDatetime | None = None
    depends: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()


class IncidentsAnswer(Answer):
    """Incidents, open ones first, then the newest.

    :param mean_seconds_to_restore: of those closed in the last 90 days; ``null``: none was
    :param watched: when the watch last looked; ``null``: never
    """

    now: AwareDatetime
    incidents: tuple[IncidentLine, ...] = ()
    mean_seconds_to_restore: float | None = None
    watched: AwareDatetime | None = None
    troubles: tuple[Trouble, ...] = ()


class HoldsAnswer(Answer):
    """The holds that are on, and what may be pressed."""

    now: AwareDatetime
    holds: tuple[HoldLine, ...] = ()
    presses: tuple[Press, ...] = ()
    troubles: tuple[Trouble, ...] = ()


def _in_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        raise ValueError("is no moment that UTC has; leave it out to hold until somebody lifts it") from None


class HoldRequest(Answer):
    """Stop the line.

    :param application: ``null``: of all applications
    :param until: ``null``: until somebody lifts it
    """

    application: str | None = None
    reason: str = Field(min_length=1, max_length=1000)
    until: Annotated[AwareDatetime, AfterValidator(_in_utc)] | None = None


class LiftRequest(Answer):
    """Let the line move again."""

    id: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=1000)
