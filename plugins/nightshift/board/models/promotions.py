"""The promotions: lanes, time lines, freezes, and the figures of the release team."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime, Field

from nightshift.board.models.answers import Answer, Link, Press, Trouble


class StageState(StrEnum):
    """How it stands with a stage."""

    NEVER = "never"
    """Nothing was ever deployed there by a promotion."""
    DEPLOYED = "deployed"
    VERIFYING = "verifying"
    VERIFIED = "verified"
    VERIFICATION_FAILED = "verification_failed"
    SOAKING = "soaking"
    DEPLOYING = "deploying"
    IN_DOUBT = "in_doubt"
    """Nobody knows how the newest deployment ended."""
    FAILED = "failed"
    ROLLED_BACK = "rolled_back"


class WaitFor(StrEnum):
    """What a promotion that is under way waits for."""

    TURN = "turn"
    APPROVAL = "approval"
    WINDOW = "window"
    SOAK = "soak"
    VERIFICATION = "verification"
    VENDOR = "vendor"


class WaitLine(Answer):
    """What waits, and for what.

    :param text: in words
    :param whom: people who may answer; empty: anybody with the permission
    :param until: when it goes on, or when the question ends
    :param link: where to answer, or what to look at
    """

    kind: WaitFor
    text: str
    whom: tuple[str, ...] = ()
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    link: Link | None = None


class VersionShown(Answer):
    """A version of a project.

    :param id: FlexDeploy's ``projectVersionId``
    """

    id: int
    name: str = ""


class LaneStage(Answer):
    """A stage of an application.

    :param version: what runs there, by the records; ``null``: never deployed
    :param night: of the promotion that brought it; ``null``: of a person's run without one
    :param behind: how many versions newer ones the stage before it has had since
    :param waiting: what the version that comes next waits for here
    :param coming: the version that comes next
    :param revoke: says that what runs here is bad; ``null``: that is known already, or nothing runs here
    """

    label: str
    state: StageState
    version: VersionShown | None = None
    since: AwareDatetime | None = None
    night: str | None = None
    run_id: str | None = None
    approved_by: str = ""
    text: str = ""
    soaks_until: AwareDatetime | None = None
    behind: int = 0
    coming: VersionShown | None = None
    waiting: WaitLine | None = None
    revoke: Press | None = None
    links: tuple[Link, ...] = ()


class StepLine(Answer):
    """A step of a promotion, in the words of its record."""

    task: str
    kind: str
    stage: str | None = None
    state: str
    started: AwareDatetime
    ended: AwareDatetime | None = None
    attempt: int = 1
    outcome: str = ""
    by: str = ""
    version: VersionShown | None = None
    text: str = ""
    links: tuple[Link, ...] = ()


class PromotionLine(Answer):
    """A promotion: an entry of the time line.

    :param outcome: in the words of the record; ``null``: it is under way
    :param by: who asked for it; empty: the nights themselves
    """

    application: str
    run_id: str
    night: str | None = None
    by: str = ""
    opened: AwareDatetime
    closed: AwareDatetime | None = None
    outcome: str | None = None
    reason: str = ""
    version: VersionShown | None = None
    superseded_by: str | None = None
    waiting: WaitLine | None = None
    steps: tuple[StepLine, ...] = ()
    links: tuple[Link, ...] = ()


class HoldLine(Answer):
    """A stop of the line.

    :param application: the application; ``null``: all of them
    :param until: when it ends by itself; ``null``: when somebody lifts it
    """

    id: str
    application: str | None = None
    by: str
    reason: str
    since: AwareDatetime
    until: AwareDatetime | None = None
    lift: Press | None = None


class FreezeLine(Answer):
    """A freeze of the calendar that is on, or comes next."""

    name: str
    begins: AwareDatetime
    ends: AwareDatetime
    on: bool
    text: str = ""


class DoubtLine(Answer):
    """Work of which nobody knows how it ended.

    :param text: what it is, and how a person ends it
    :param settle: says that it is over
    """

    text: str
    settle: Press


class Lane(Answer):
    """An application: its stages in order, and what is under way.

    :param after: reports that a night waits for, each ``<source>/<report>``
    :param doubts: work of which nobody knows how it ended
    :param mistake: what is wrong with its configuration
    """

    application: str
    dag_id: str
    description: str = ""
    after: tuple[str, ...] = ()
    stages: tuple[LaneStage, ...] = ()
    under_way: tuple[PromotionLine, ...] = ()
    last: PromotionLine | None = None
    holds: tuple[HoldLine, ...] = ()
    freezes: tuple[FreezeLine, ...] = ()
    doubts: tuple[DoubtLine, ...] = ()
    mistake: str = ""
    links: tuple[Link, ...] = ()
    presses: tuple[Press, ...] = ()


class Lanes(Answer):
    """All applications whose DAG the person may read.

    :param holds: those of all applications
    :param freezes: those that are on, or come next
    :param presses: the hold of all applications
    """

    now: AwareDatetime
    lanes: tuple[Lane, ...] = ()
    holds: tuple[HoldLine, ...] = ()
    freezes: tuple[FreezeLine, ...] = ()
    presses: tuple[Press, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class TimeLine(Answer):
    """The promotions of one application, newest first.

    :param before: cursor of the next page; ``null``: these are the oldest
    """

    now: AwareDatetime
    lane: Lane
    promotions: tuple[PromotionLine, ...] = ()
    before: str | None = None
    troubles: tuple[Trouble, ...] = ()


class FigureLine(Answer):
    """One figure of the release team, and what it is made of.

    :param stage: the stage that it is of; the stages of that name of all applications together
    :param value: ``null``: nothing to make it of
    :param unit: ``count``, ``ratio`` (0 to 1), or ``seconds``
    :param text: value and unit in words
    :param made_of: the promotions, or incidents, that it is made of
    """

    key: str
    stage: str = ""
    label: str
    value: float | None = None
    unit: Literal["count", "ratio", "seconds"]
    text: str = ""
    made_of: tuple[Link, ...] = ()


class FiguresAnswer(Answer):
    """The figures of a span of days."""

    now: AwareDatetime
    days: int
    since: AwareDatetime
    figures: tuple[FigureLine, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class RevokeRequest(Answer):
    """Say that what runs in a stage is bad.

    :param run_id: the promotion that brought it, and ``version_id`` what it brought: what the person saw
    """

    application: str = Field(min_length=1, max_length=200)
    stage: str = Field(min_length=1, max_length=200)
    run_id: str = Field(min_length=1, max_length=500)
    version_id: int
    reason: str = Field(min_length=1, max_length=1000)


class Revoked(Answer):
    """What was revoked, and what follows."""

    message: str


class SettleRequest(Answer):
    """Say that what a promotion left in doubt is over at FlexDeploy.

    :param task: the task in doubt, such as ``TEST.deploy``
    """

    application: str = Field(min_length=1, max_length=200)
    run_id: str = Field(min_length=1, max_length=500)
    task: str = Field(min_length=1, max_length=500)
    reason: str = Field(min_length=1, max_length=1000)


class Settled(Answer):
    """What is over, and what follows."""

    message: str
