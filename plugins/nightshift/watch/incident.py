"""An incident: what is wrong with a night, since when, why, what depends on it, what to press, and who was told."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, computed_field

from nightshift.fields import Day
from nightshift.notify.message import Event


class Recorded(BaseModel):
    """What is kept in the lake: a newer version may have written more of it."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class IncidentKind(StrEnum):
    """What is wrong with a night of a report, the lightest first."""

    LATE = "late"
    """It was due, and is being worked on."""
    STUCK = "stuck"
    """It was due, and waits: in a queue, for a slot of a pool, for a worker."""
    MISSING = "missing"
    """It was due, and nothing has begun."""
    EARLY = "early"
    """It was due, and was fetched before it was over and not since."""
    PAUSED = "paused"
    """It was due, and its DAG is paused."""
    FAILED = "failed"
    """A task of it has failed for good."""
    UNSOUND = "unsound"
    """A check does not hold: nothing was published, or somebody changed what was."""
    DRIFTED = "drifted"
    """The vendor's columns changed, and the configuration does not let that through."""


def gravity(kind: IncidentKind) -> int:
    """Return how grave something is, from 0."""
    return list(IncidentKind).index(kind)


class Family(StrEnum):
    """What an incident is about, whatever it is called from one look to the next."""

    ABSENT = "absent"
    """The night is not in the table, or not as a whole."""
    ALTERED = "altered"
    """The night is in the table, and is no longer what was published."""


class Outcome(StrEnum):
    """How an incident ended."""

    RESTORED = "restored"
    """The night is there, and sound."""
    EXPIRED = "expired"
    """It is too long ago to be watched; it never came."""
    DROPPED = "dropped"
    """Nobody waits for it any more: the configuration has changed."""
    DOUBLED = "doubled"
    """Another watcher has opened one for the same at the same moment; nobody is told of this one."""


class Member(Recorded):
    """One report of an incident.

    :param report: ``<source>/<report>``
    :param kind: what is wrong, or was
    :param cause: the likely cause; empty: nobody knows
    :param since: when it was due, or when it went wrong before that
    :param until: when it was right again; ``None``: it is not
    """

    report: str
    kind: IncidentKind
    cause: str = ""
    since: AwareDatetime
    until: AwareDatetime | None = None


class Subject(Recorded):
    """What an incident is of: a report, or a source where several of its reports have the same trouble.

    :param kind: ``report`` or ``source``
    :param name: ``<source>/<report>``, or ``<source>``
    """

    kind: Literal["report", "source"]
    name: str


class Dependents(Recorded):
    """What waits for the night.

    :param tables: tables that lack it, each ``<source>/<report>``
    :param promotions: applications of ``promotions.yaml`` that are promoted after it
    """

    tables: tuple[str, ...] = ()
    promotions: tuple[str, ...] = ()


class Update(Recorded):
    """One thing that became known of an incident.

    :param number: from 1; the messages of an incident are counted by it
    :param at: when
    :param event: what kind of message it is
    :param kind: what the incident was called then
    :param text: what is told, one line
    :param told: whether it is a message; what is not is only written down
    """

    number: int = Field(ge=1)
    at: AwareDatetime
    event: Event
    kind: IncidentKind
    text: str
    told: bool = True


class Notification(Recorded):
    """How a message reached a channel, or did not.

    :param update: number of the update
    :param channel: name of the channel
    :param attempts: how often it was tried
    :param sent: when it was taken; ``None``: it was not
    :param error: why the last attempt failed; no secrets
    :param given_up: nobody tries again
    """

    update: int
    channel: str
    attempts: int = 0
    sent: AwareDatetime | None = None
    error: str = ""
    given_up: bool = False


class Incident(Recorded):
    """What is wrong with a night, from when it was first seen to when it was right again.

    :param id: begins with the night; also the key by which receivers tell that two messages are of one incident
    :param family: what it is about
    :param subject: what it is of
    :param night: the night
    :param members: the reports that it concerns, also those that are right again
    :param depends: what waits for it
    :param press: what to do now, for a person
    :param dag_id: the DAG that brings the night home
    :param opened: when it was first seen
    :param closed: when it was seen to be over; ``None``: it is open
    :param outcome: how it ended
    :param updates: what became known, in order
    :param revision: from 1; each change is one more
    :param notified: who was told, as far as is known
    """

    id: str
    family: Family = Family.ABSENT
    subject: Subject
    night: Day
    members: tuple[Member, ...] = Field(min_length=1)
    depends: Dependents = Dependents()
    press: str = ""
    dag_id: str = ""
    opened: AwareDatetime
    closed: AwareDatetime | None = None
    outcome: Outcome | None = None
    updates: tuple[Update, ...] = ()
    revision: int = Field(default=1, ge=1)
    notified: tuple[Notification, ...] = ()

    @property
    def source(self) -> str:
        """The source that its reports are of."""
        return self.members[0].report.partition("/")[0]

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.closed is None

    @property
    def troubled(self) -> tuple[Member, ...]:
        """The reports that are not right again; all of them where it is over without."""
        return tuple(one for one in self.members if one.until is None)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def kind(self) -> IncidentKind:
        """The gravest of what is wrong, or was."""
        return max((one.kind for one in self.troubled or self.members), key=gravity)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def cause(self) -> str:
        """The likely causes, each once; empty: nobody knows."""
        return "; ".join(dict.fromkeys(one.cause for one in self.troubled or self.members if one.cause))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def since(self) -> AwareDatetime:
        """When the first of its reports was due, or went wrong."""
        return min(one.since for one in self.members)

    @computed_field  # type: ignore[prop-decorator]
    @property
    def until(self) -> AwareDatetime | None:
        """When the last of its reports was right again; ``None`` where one never was."""
        ends = [one.until for one in self.members]
        return None if any(end is None for end in ends) else max(end for end in ends if end is not None)
