"""What every route of the board answers, typed. The front end builds on these names and on nothing else.

All routes are under ``/nightshift/board`` (:data:`nightshift.board.MOUNT`), beside Airflow's own UI; the answers are
JSON:

=====================================================  ==============================
``GET  api/overview``                                  :class:`Overview`
``GET  api/nights?count=30&until=YYYY-MM-DD``          :class:`NightsGrid`
``GET  api/nights/{source}/{report}/{night}``          :class:`CellDetail`
``GET  api/promotions``                                :class:`Lanes`
``GET  api/promotions/{application}?before=<cursor>``  :class:`TimeLine`
``GET  api/figures?days=28``                           :class:`FiguresAnswer`
``GET  api/jobs``                                      :class:`JobsAnswer`
``GET  api/connections``                               :class:`ConnectionsAnswer`
``GET  api/incidents``                                 :class:`IncidentsAnswer`
``GET  api/holds``                                     :class:`HoldsAnswer`
``POST api/holds``                                     :class:`HoldRequest` → :class:`HoldsAnswer`
``POST api/holds/lift``                                :class:`LiftRequest` → :class:`HoldsAnswer`
``GET  static/{file}``                                 the ES module ``board.js`` and its files
``GET  /``                                             the page for hosts without Airflow's UI
=====================================================  ==============================

Every ``GET`` has an ``ETag`` and answers ``If-None-Match`` with 304. Every error is a :class:`Problem`: 401 not signed
in, 403 no permission, 404 no such thing or none that this person may see, 503 a part that is broken. A part that is
broken beside others that are not is a :class:`Trouble` in the answer. Every ``POST`` is JSON and carries the header
``X-Nightshift-Board: 1``, which no form of another site can send.

What may be pressed is a :class:`Press`: the calls to make, to Airflow's REST API or to ours, each with the path
relative to the base of the Airflow UI. They carry the person's own session; nothing is done in anybody else's name.

Moments are UTC, ISO 8601; nights are ``YYYY-MM-DD``; durations are seconds. Every text that comes from the lake, from a
vendor or from a person is data: show it as text, never as markup. A link is ``http``, ``https``, or a path relative to
the base of the Airflow UI.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from nightshift.jobs.state import JobState
from nightshift.nights.cells import CellState

__all__ = ["CellState", "JobState"]


class Answer(BaseModel):
    """What all models of the board have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class BoardPart(StrEnum):
    """A part of the board, which can be broken while the others are not."""

    NIGHTS = "nights"
    PROMOTIONS = "promotions"
    FIGURES = "figures"
    JOBS = "jobs"
    CONNECTIONS = "connections"
    INCIDENTS = "incidents"
    HOLDS = "holds"
    CONFIGURATION = "configuration"
    AIRFLOW = "airflow"


class Trouble(Answer):
    """A part that cannot be shown, or not as a whole.

    :param of: what it is about, where it is one thing of the part: ``<source>/<report>``, an application, a connection
    :param text: what is wrong and last what to do
    """

    part: BoardPart
    of: str = ""
    text: str


class Problem(Answer):
    """The body of every error.

    :param title: what it is, in a few words
    :param detail: what failed, and that nothing was lost
    :param advice: what to do
    """

    status: int
    title: str
    detail: str = ""
    advice: str = ""


class Link(Answer):
    """Something to open.

    :param href: ``http``, ``https``, or a path relative to the base of the Airflow UI
    """

    label: str
    href: str


class Ask(Answer):
    """What a person is asked before something is pressed.

    :param name: of the answer; the whole string ``${name}`` in a :class:`ApiCall` stands for it
    :param optional: may be left empty; then ``null`` is sent
    """

    name: str
    label: str
    kind: Literal["text", "moment", "choice"] = "text"
    choices: tuple[str, ...] = ()
    optional: bool = False


class ApiCall(Answer):
    """One request. A string of the body that is exactly ``${name}`` is replaced by the answer to the :class:`Ask` of
    that name.

    :param path: relative to the base of the Airflow UI, encoded
    """

    method: Literal["POST", "PUT", "PATCH"]
    path: str
    body: dict[str, Any] = Field(default_factory=dict)


class PressKind(StrEnum):
    """What can be pressed."""

    RUN = "run"
    BACKFILL = "backfill"
    CLEAR_PUBLISH = "clear_publish"
    FORCE = "force"
    HOLD = "hold"
    LIFT = "lift"
    REVOKE = "revoke"
    TEST = "test"
    ADOPT = "adopt"
    RESUBMIT = "resubmit"
    OVER = "over"
    LOOK = "look"
    CANCEL = "cancel"


class Press(Answer):
    """Something to press.

    :param says: what will happen, for the confirmation
    :param calls: made one after the other; the first that fails ends it
    :param allowed: whether this person may
    :param needs: the permission that it takes, in words
    :param danger: it ends or overwrites something
    """

    kind: PressKind
    label: str
    says: str
    calls: tuple[ApiCall, ...]
    asks: tuple[Ask, ...] = ()
    allowed: bool
    needs: str
    danger: bool = False


# -- Nights ----------------------------------------------------------------------------------------------------------


class CellNote(Answer):
    """What a cell of the grid has to say besides its state and rows; most have nothing.

    :param late_since: when the night was due and not there, or was due and came later
    :param running: a run of the night is under way now
    :param rebuilt: the night was published more than once by runs of its own
    :param added: columns that came new with this night
    :param widened: columns that got another type, in words
    :param text: why it failed or drifted, or what is unsound
    """

    late_since: AwareDatetime | None = None
    running: bool = False
    rebuilt: bool = False
    added: tuple[str, ...] = ()
    widened: tuple[str, ...] = ()
    text: str = ""


class ReportRow(Answer):
    """One report: a line of the heat map. All lists are as long as ``NightsGrid.nights``, and in its order.

    :param due: clock time by which a night is to be there, ``HH:MM`` in ``due_timezone``; empty: no such promise
    :param rows: rows of the night in the table; ``null``: not published
    :param shade: rows divided by the trailing median of the same weekday; ``null``: nothing to compare with
    :param notes: night → what else there is to say
    :param waited_for_by: applications that wait for it
    """

    source: str
    report: str
    dag_id: str
    due: str = ""
    due_timezone: str = ""
    states: tuple[CellState, ...]
    rows: tuple[int | None, ...]
    shade: tuple[float | None, ...]
    notes: dict[str, CellNote] = Field(default_factory=dict)
    waited_for_by: tuple[str, ...] = ()


class NightsGrid(Answer):
    """Reports by nights.

    :param nights: the columns, oldest first
    :param newest: the last night that is over in every zone of the sources; ``nights`` ends there unless ``until`` was
        asked for
    :param earlier: ``until`` of the page before this one; ``null``: there is nothing earlier
    :param timezones: source → zone whose midnight ends its night
    """

    now: AwareDatetime
    nights: tuple[str, ...]
    newest: str
    earlier: str | None = None
    timezones: dict[str, str] = Field(default_factory=dict)
    reports: tuple[ReportRow, ...] = ()
    troubles: tuple[Trouble, ...] = ()


class CheckLine(Answer):
    """A check, and what it saw."""

    name: str
    ok: bool
    detail: str = ""


class TableLine(Answer):
    """A table as it is now.

    :param version: its version; ``null``: there is no table
    :param nights: how many nights it has
    :param rows: of all nights
    """

    path: str
    version: int | None = None
    nights: int = 0
    rows: int = 0


class ExtractLine(Answer):
    """The extract in the landing that a night was published from.

    :param path: its folder under the lake
    :param bytes: as received, before compression
    """

    path: str
    pages: int | None = None
    rows: int | None = None
    bytes: int | None = None
    started: AwareDatetime | None = None
    finished: AwareDatetime | None = None
    attempt: int | None = None


class AttemptLine(Answer):
    """A run for the night in Airflow, and what its tasks for this report are at.

    :param state: Airflow's word for the run
    :param tasks: task id → Airflow's word for the task instance; empty: it has none
    :param seconds: from the run's start to its end, or to now
    """

    run_id: str
    run_type: str
    state: str
    started: AwareDatetime | None = None
    ended: AwareDatetime | None = None
    seconds: float | None = None
    tasks: dict[str, str] = Field(default_factory=dict)
    by: str = ""
    links: tuple[Link, ...] = ()


class CellDetail(Answer):
    """One night of one report.

    :param rows: in the table now; ``published_rows`` as they were committed
    :param bytes: size of its files in the table
    :param seconds: from the first request of the extract to its last page
    :param usual: trailing median of rows of the same weekday, and of how many nights
    :param version: version of the table that brought the night
    :param replaced: version of the table that had it before, where it was published again
    :param last_good: the newest night before this one that is published
    """

    source: str
    report: str
    night: str
    state: CellState
    note: CellNote = CellNote()
    rows: int | None = None
    published_rows: int | None = None
    bytes: int | None = None
    seconds: float | None = None
    usual: float | None = None
    usual_of: int = 0
    published: AwareDatetime | None = None
    version: int | None = None
    replaced: int | None = None
    due: AwareDatetime | None = None
    checks: tuple[CheckLine, ...] = ()
    checks_known: bool = True
    table: TableLine | None = None
    extract: ExtractLine | None = None
    attempts: tuple[AttemptLine, ...] = ()
    last_good: str | None = None
    depends: tuple[str, ...] = ()
    links: tuple[Link, ...] = ()
    presses: tuple[Press, ...] = ()
    troubles: tuple[Trouble, ...] = ()


# -- Promotions ------------------------------------------------------------------------------------------------------


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
    FREEZE = "freeze"
    HOLD = "hold"
    SOAK = "soak"
    VERIFICATION = "verification"
    VENDOR = "vendor"
    PERSON = "person"
    """A doubt that only a person can end."""


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


class Lane(Answer):
    """An application: its stages in order, and what is under way.

    :param after: reports that a night waits for, each ``<source>/<report>``
    :param missing: those that the newest night lacks
    :param doubts: work of which nobody knows how it ended, each with how a person ends it
    :param mistake: what is wrong with its configuration
    """

    application: str
    dag_id: str
    description: str = ""
    after: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    stages: tuple[LaneStage, ...] = ()
    under_way: tuple[PromotionLine, ...] = ()
    last: PromotionLine | None = None
    holds: tuple[HoldLine, ...] = ()
    freezes: tuple[FreezeLine, ...] = ()
    doubts: tuple[str, ...] = ()
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


# -- Jobs, connections, incidents, holds -----------------------------------------------------------------------------


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


class HoldRequest(Answer):
    """Stop the line.

    :param application: ``null``: of all applications
    :param until: ``null``: until somebody lifts it
    """

    application: str | None = None
    reason: str = Field(min_length=1, max_length=1000)
    until: AwareDatetime | None = None


class LiftRequest(Answer):
    """Let the line move again."""

    id: str = Field(min_length=1, max_length=200)
    reason: str = Field(min_length=1, max_length=1000)


# -- Revocations -----------------------------------------------------------------------------------------------------


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


# -- Overview --------------------------------------------------------------------------------------------------------


class NightTile(Answer):
    """The newest night at a glance: how many of its reports are in which state."""

    night: str
    reports: int
    states: dict[CellState, int]
    late_since: AwareDatetime | None = None


class PromotionTile(Answer):
    """Promotions at a glance.

    :param waiting: what those under way wait for, the oldest first
    """

    under_way: int
    waiting: tuple[WaitLine, ...] = ()
    failed: tuple[str, ...] = ()


class LineTile(Answer):
    """Whether the line moves: holds and freezes that are on, and the next freeze."""

    moving: bool
    holds: tuple[HoldLine, ...] = ()
    freezes: tuple[FreezeLine, ...] = ()


class Overview(Answer):
    """The first view. A tile that is ``null`` is broken, and a :class:`Trouble` says why, or is not for this person.

    :param refresh: seconds until the front end should ask again
    :param user: the person's name, as Airflow has it
    """

    now: AwareDatetime
    user: str
    version: str
    refresh: int = 20
    timezones: dict[str, str] = Field(default_factory=dict)
    night: NightTile | None = None
    promotions: PromotionTile | None = None
    line: LineTile | None = None
    figures: tuple[FigureLine, ...] | None = None
    jobs: int | None = None
    jobs_in_doubt: int = 0
    connections_failing: tuple[str, ...] | None = None
    incidents_open: int | None = None
    presses: tuple[Press, ...] = ()
    troubles: tuple[Trouble, ...] = ()
