"""The record of a promotion: who did what, when, with which ids and links; one object a run, written step by step."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import UTC, datetime
from typing import Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, field_validator

from nightshift.flexdeploy.vocabulary import in_one_word
from nightshift.lake.errors import Damaged
from nightshift.promotion.target import Target
from nightshift.promotion.vocabulary import ENDED_BADLY, JOBS, PromotionOutcome, StepKind, StepState, VerdictWord


def now() -> datetime:
    """Return the present, UTC, to the second, as records tell it."""
    return datetime.now(UTC).replace(microsecond=0)


Order = tuple[int, int]
"""Place of a step among all of its application: the number of the turn in which it began, and how many of its record
had begun by then, each time anew. Turns never overlap, so it tells what came first, whatever clocks say.
"""


def place(order: Order | None, at: datetime) -> tuple[bool, Order, datetime]:
    """Return by what steps of one application are ordered: their turns. What the release before did, which kept none,
    came before, and is ordered by time.
    """
    return order is not None, order or (0, 0), at


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    def changed(self, **changes: Any) -> Self:
        """Return a copy with some fields replaced.

        :raises TypeError: there is no such field
        """
        if unknown := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"{type(self).__name__} has no {', '.join(sorted(unknown))}")
        return self.model_copy(update=changes)


class Version(_Model):
    """A version of the project.

    :param id: FlexDeploy's ``projectVersionId``
    :param name: its name, where FlexDeploy tells it
    """

    id: int
    name: str | None = None

    def __str__(self) -> str:
        return f"{self.name} (id {self.id})" if self.name else f"id {self.id}"


class Running(_Model):
    """What runs in a stage, as the records tell.

    :param order: of the step that brought it
    :param target: where it was brought, of which project; ``None``: the release before brought it
    """

    version: Version
    since: AwareDatetime
    run_id: str
    order: Order | None = None
    target: Target | None = None


class ReportSeen(_Model):
    """A report that the promotion depends on, as the lake told it when the promotion began.

    :param name: ``<source>/<report>``
    :param published: when it was published; ``None``: it was not
    :param table_version: version of the Delta table that brought them
    :param checks: name of each check → what it saw
    """

    name: str
    night: str | None = None
    published: AwareDatetime | None = None
    rows: int | None = None
    table_version: int | None = None
    checks: dict[str, str] = Field(default_factory=dict)
    failed: tuple[str, ...] = ()


class RecordedResolution(_Model):
    """A person's word on work of which nobody could tell whether FlexDeploy did it.

    :param word: a workflow request was named, asked for again, or told to be over
    :param by: who said so, as given
    :param why: what was seen, as given
    """

    word: Literal["adopt", "resubmit", "over"]
    by: str = ""
    why: str = ""
    at: AwareDatetime


class RecordedAnswer(_Model):
    """A person's answer to a question, as Airflow tells who gave it.

    :param person: id of the person at Airflow's auth manager
    :param name: name of the person there
    :param terms: digest of what was shown
    """

    person: str
    name: str
    word: Literal["yes", "no"]
    reason: str = ""
    at: AwareDatetime
    terms: str


class FreezeOverride(_Model):
    """A person's word that a stage is not frozen for this promotion.

    :param freeze: name of the freeze
    :param since: when it began: the next time it comes, it is another one
    :param terms: digest of what was shown: the override is of nothing else
    """

    freeze: str
    since: AwareDatetime
    stage: str
    person: str
    name: str
    reason: str
    at: AwareDatetime
    terms: str


class PromotionStep(_Model):
    """A step, as far as it is.

    :param stage: the stage, of the steps that belong to one
    :param outcome: the vendor's or the approver's word: ``built``, ``no_changes``, ``already_deployed``, ``Approve`` …
    :param terms: digest of all that was shown with a question (:mod:`nightshift.promotion.terms`), of approvals
    :param shown: since when Airflow shows this very question, of approvals
    :param asked: since when FlexDeploy may have been asked for work whose answer is not known; ``None``: nothing is
        open
    :param start_time: when FlexDeploy was asked to begin, of deployments that are scheduled there
    :param tried: workflow requests of attempts before this one that did not end well
    :param brought: what it had brought to its stage before it was begun again, which runs there until it has ended well
    :param answers: what people said so far, of approvals; each counts for the terms that it names only
    :param cleared: Airflow's ``max_tries`` when it was asked: a clear raises it, and asks anew
    :param until: until when it waits, as far as is known: for answers, or for what stands in its way
    :param order: its place among all steps of the application; ``None``: the release before began it
    :param target: of what FlexDeploy was asked for it; ``None``: it was not, or by the release before
    """

    task: str
    kind: StepKind
    stage: str | None = None
    state: StepState = StepState.STARTED
    started: AwareDatetime
    ended: AwareDatetime | None = None
    attempt: int = 1
    outcome: str | None = None
    by: str | None = None
    version: Version | None = None
    terms: str | None = None
    shown: AwareDatetime | None = None
    requests: tuple[int, ...] = ()
    asked: AwareDatetime | None = None
    said: RecordedResolution | None = None
    url: str | None = None
    start_time: str | None = None
    tried: tuple[int, ...] = ()
    brought: Running | None = None
    answers: tuple[RecordedAnswer, ...] = ()
    cleared: int = 0
    until: AwareDatetime | None = None
    order: Order | None = None
    target: Target | None = None
    detail: str = ""

    @field_validator("outcome")
    @classmethod
    def _in_one_word(cls, outcome: str | None) -> str | None:
        """Read the outcome of a job of several workflow requests, of which the release before kept one for each."""
        return None if outcome is None else in_one_word(outcome)

    def end(self, state: StepState, **more: Any) -> PromotionStep:
        """Return the step, ended now."""
        return self.changed(state=state, ended=now(), **more)

    @property
    def place(self) -> tuple[bool, Order, datetime]:
        """By what it is ordered: where it began."""
        return place(self.order, self.started)

    @property
    def has_ended_badly(self) -> bool:
        """Whether FlexDeploy has said how all that it was asked for ended: there is nothing more to ask."""
        return self.state is StepState.FAILED and self.asked is None and self.outcome in ENDED_BADLY

    @property
    def never_ran(self) -> bool:
        """Whether FlexDeploy has rejected all that it was asked for before it ran, by this attempt and those before."""
        return self.has_ended_badly and self.outcome == "rejected" and {*self.tried} <= {*self.requests}

    @property
    def is_in_flight(self) -> bool:
        """Whether its work may still go on at FlexDeploy, as far as the record tells; that of a step that failed by a
        time-out may, too.
        """
        is_open = self.state in (StepState.STARTED, StepState.FAILED) and not self.has_ended_badly
        return self.kind in JOBS and is_open and bool(self.requests)

    @property
    def words(self) -> str:
        """The step in one line."""
        which = f" {self.version}" if self.version else ""
        whom = f" by {self.by}" if self.by else ""
        why = f": {self.detail}" if self.detail else ""
        return f"{self.task}{which} {self.outcome or self.state}{whom}{why}"


class Verdict(_Model):
    """What one check of a deployment said; never changed and never taken away, whatever is cleared.

    :param task: the task that checked; of what a person reported, the stage alone
    :param seen: what was seen, in one line, without secrets
    :param tries: how many tries it took, of a probe
    :param status: HTTP status of the last answer, of a probe
    :param night: the night that was looked at, of a check of the next night
    :param tables: report → version of its table, of a check of the next night
    :param by: who reported it, of a person's word
    :param at: when; never before the end of the deployment that it is about
    :param about: order of that deployment
    """

    task: str
    kind: StepKind
    stage: str
    version: Version
    word: VerdictWord
    at: AwareDatetime
    seen: str = ""
    tries: int | None = None
    status: int | None = None
    night: str | None = None
    tables: dict[str, int] = Field(default_factory=dict)
    by: str | None = None
    about: Order | None = None

    @property
    def words(self) -> str:
        """The verdict in one line."""
        whom = f" by {self.by}" if self.by else ""
        return f"{self.task} {self.word}{whom} {self.at:%Y-%m-%d %H:%M} UTC: {self.seen}"


class Offer(_Model):
    """The way back that a failed promotion offers: what is asked for and brought back is this, and nothing else.

    :param rule: ``offer``: a person is asked; ``roll_back``: the configuration says that it is brought back
    :param by: who approved that rule with the stage, where anybody was asked
    :param revoked: why the version was revoked, as it is shown to whoever is asked; empty: it was not
    """

    stage: str
    version: Version
    why: str
    rule: Literal["offer", "roll_back"] = "offer"
    by: str | None = None
    revoked: str = ""


class Origin:
    """The content of its object that a record was made of. No part of what it says: records are equal whatever it is.

    :param tag: what the store calls that content; ``None``: there was no object
    """

    def __init__(self, tag: dict[str, str] | None = None) -> None:
        self.tag = tag

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Origin)

    __hash__ = None  # type: ignore[assignment]  # as Python does where there is an __eq__, and linters want it said


class PromotionRecord(_Model):
    """All that one promotion did.

    It remembers through all changes which content of its object it was made of, and is written in the place of that
    alone (:class:`nightshift.promotion.store.Records`).

    :param application: its name in ``promotions.yaml``
    :param night: the night that is promoted; ``None`` for a person's run without one
    :param by: who asked for it; ``None``: the nights themselves
    :param turn: number of its turn; ``None`` while it waits
    :param targets: stage, or ``build`` → what was configured when it began; empty: the release before began it
    :param before: stage → what ran there when it began
    :param elsewhere: stage → what the records tell of it last, where all is of other targets, in words
    :param doubted: stage → the order of the deployment by which another promotion had left it in doubt when it began:
        FlexDeploy is told to deploy there even what it takes to be there
    :param stages: labels of the stages that it goes through, in order
    :param due: stage → ids of the tasks that have to verify and soak it before anything goes on, in order
    :param verdicts: what all checks of its deployments said, in the order of time
    :param version: the version that it builds or was given; pinned, no stage gets another
    :param overrides: the freezes that people have overridden for it
    :param steps: its steps, in the order in which they first began
    """

    format: Literal[1] = 1
    application: str
    dag_id: str
    run_id: str
    night: str | None = None
    by: str | None = None
    form: dict[str, Any] = Field(default_factory=dict)
    opened: AwareDatetime
    turn: int | None = None
    closed: AwareDatetime | None = None
    outcome: PromotionOutcome | None = None
    reason: str = ""
    reports: tuple[ReportSeen, ...] = ()
    targets: dict[str, Target] = Field(default_factory=dict)
    before: dict[str, Running | None] = Field(default_factory=dict)
    elsewhere: dict[str, str] = Field(default_factory=dict)
    doubted: dict[str, Order] = Field(default_factory=dict)
    stages: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
    due: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    verdicts: tuple[Verdict, ...] = ()
    version: Version | None = None
    superseded_by: str | None = None
    offer: Offer | None = None
    overrides: tuple[FreezeOverride, ...] = ()
    steps: tuple[PromotionStep, ...] = ()
    _origin: Origin = PrivateAttr(default_factory=Origin)

    @property
    def origin(self) -> dict[str, str] | None:
        """What the store calls the content that this was made of; ``None``: there was none."""
        return self._origin.tag

    def of(self, tag: dict[str, str] | None) -> Self:
        """Return the record as it was made of another content of its object.

        :param tag: what the store calls that; ``None``: there is none
        """
        found = self.model_copy()
        found._origin = Origin(tag)
        return found

    @property
    def server(self) -> str:
        """Address of the FlexDeploy whose ids it has; empty: it does not tell."""
        kept = (*self.targets.values(), *(step.target for step in self.steps if step.target is not None))
        return next((one.server for one in kept if one.server), "")

    def step(self, task: str) -> PromotionStep | None:
        """Return the step of a task, if it has begun."""
        return next((step for step in self.steps if step.task == task), None)

    def steps_of(self, kinds: Collection[StepKind], tasks: Collection[str] | None = None) -> Iterable[PromotionStep]:
        """Return the steps of some kinds, of some tasks only where they are given."""
        return (step for step in self.steps if step.kind in kinds and (tasks is None or step.task in tasks))

    def next_order(self) -> Order:
        """Return the order of the step that begins next."""
        return self.turn or 0, 1 + max((step.order[1] for step in self.steps if step.order is not None), default=0)

    def with_step(self, step: PromotionStep) -> PromotionRecord:
        """Return the record with a step in the place of the one before of the same task, or at the end."""
        if self.step(step.task) is None:
            return self.changed(steps=(*self.steps, step))
        return self.changed(steps=tuple(step if one.task == step.task else one for one in self.steps))

    def close(self, outcome: PromotionOutcome, reason: str = "") -> PromotionRecord:
        """Return the record, closed now."""
        return self.changed(closed=now(), outcome=outcome, reason=reason)

    def to_json(self) -> bytes:
        """Return the record as the text of its object."""
        return self.model_dump_json(indent=1).encode()

    @classmethod
    def from_json(cls, text: bytes, where: str, tag: dict[str, str] | None = None) -> PromotionRecord:
        """Read a record.

        :param where: the object it came from, for the message
        :param tag: what the store calls its content
        :raises Damaged: not a record, or of a format that is not known
        """
        try:
            return cls.model_validate_json(text).of(tag)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise Damaged(
                f"{where} is not the record of a promotion: {'.'.join(map(str, first['loc']))}: {first['msg']}. "
                "Nothing was built or deployed on its word. Restore the object, or move it away and tell by hand what "
                "runs in each stage."
            ) from None
