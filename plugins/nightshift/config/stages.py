"""The models of one stage of a promotion: where it deploys, who approves, when, what runs before and after, and how it
is verified.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nightshift.config.in_force import AS_KEPT
from nightshift.config.reports import Section
from nightshift.config.scalars import (
    Clock,
    Duration,
    Hours,
    Pairs,
    Text,
    Word,
    Zone,
    between,
    duration_text,
    is_switch,
    name_problem,
)
from nightshift.config.steps import (
    HOUR,
    AtEnvironment,
    FolderPromotion,
    Instances,
    UtilityStep,
    check_one,
    once,
    only_set,
    within_a_run,
)
from nightshift.config.verification import Verification
from nightshift.fields import refuse_twice

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
OnFailure = Literal["offer", "roll_back", "stop"]
TAKEN_STAGES = frozenset({"build", "begin", "close", "roll_back"})
"""Task ids of a promotion that no stage may take."""
TAKEN_BY_CHECKS = frozenset({"verify", "soak", "verify_again"})
"""Task ids and groups of a stage with a verification or a soak, which no step of it may take."""
MOST_APPROVERS = 10
"""People that one approval may ask for."""


class Approval(Section):
    """An approval by people, in Airflow.

    :param users: names of the people who may approve, as they sign in to Airflow; nobody named: everybody who may act
        on the DAG
    :param at_least: how many different people have to approve, 1 to 10. Above 1, a no needs a reason: without one it
        stands in the way until whoever gave it says why, or changes it
    :param not_requester: the answer of whoever started the run, or its backfill, does not count; a run that a night
        started has nobody to leave out. A no needs a reason, as above
    :param remind: how often people are reminded while it waits, by the notifiers of the deployment, ``1m`` to ``30d``,
        and earlier than ``hours`` are over; default: never
    :param hours: how long it waits for answers, from a minute to less than the 60 days of a run
    :param on_timeout: what too few answers mean: ``reject`` ends the promotion as rejected, ``fail`` as failed,
        ``approve`` goes on
    """

    users: Annotated[tuple[Text, ...], once("user")] = ()
    at_least: int = Field(default=1, ge=1, le=MOST_APPROVERS)
    not_requester: bool = False
    remind: Annotated[Duration, between("1m", "30d")] | None = None
    hours: Annotated[Hours, within_a_run(HOUR)] = 72
    on_timeout: Literal["reject", "fail", "approve"] = "reject"

    @model_validator(mode="after")
    def _can_be_reached(self) -> Approval:
        if self.users and len(self.users) < self.at_least:
            raise ValueError(f"at_least asks for {self.at_least} people, and users names {len(self.users)}; name more")
        if self.on_timeout == "approve" and self.is_strict:
            raise ValueError("on_timeout: approve would go on with too few; use reject or fail")
        return self

    @model_validator(mode="after")
    def _reminds_in_time(self, info: ValidationInfo) -> Approval:
        if info.context != AS_KEPT and self.remind is not None and self.remind >= self.hours * HOUR:
            raise ValueError(
                f"remind: {duration_text(self.remind)} would never come: after hours: {self.hours:g} it is over; give "
                "a shorter one, or more hours"
            )
        return self

    @property
    def is_strict(self) -> bool:
        """Whether a yes of anybody alone is not enough, so that a no has to be explained as well."""
        return self.at_least > 1 or self.not_requester

    @property
    def words(self) -> str:
        """Who has to approve, for a plan."""
        whom = ", ".join(self.users) or ("a person" if self.at_least == 1 else "people")
        many = f"{self.at_least} of " if self.at_least > 1 else ""
        return f"{many}{whom}{', not by who asked for it' if self.not_requester else ''}"


class DeploymentWindow(Section):
    """When a stage may be deployed to, in local time. What has begun goes on when the window closes.

    :param timezone: zone that the times are of
    :param opens: ``HH:MM``. A time that a clock change leaves out opens at the next one there is; one that comes twice
        opens the first time
    :param closes: ``HH:MM``, on the next day where it is not after ``opens``; one that comes twice closes the second
        time
    :param days: days on which it opens; none named: all
    :param outside: wait for the window in Airflow, or hand FlexDeploy the next opening as the ``start_time`` of the
        deployment
    """

    timezone: Zone
    opens: Clock
    closes: Clock
    days: Annotated[tuple[Weekday, ...], once("day")] = ()
    outside: Literal["wait", "start_time"] = "wait"

    @model_validator(mode="after")
    def _has_a_length(self) -> DeploymentWindow:
        if self.opens == self.closes:
            raise ValueError(
                f"opens and closes are both {self.opens}; leave the window out for a stage that is open at any time"
            )
        return self

    @property
    def zone(self) -> ZoneInfo:
        """The time zone as an object."""
        return ZoneInfo(self.timezone)


class Stage(AtEnvironment):
    """One environment that a version is deployed to (FlexDeploy reference, section 3.4).

    :param environment: code of the environment; or ``environment_id``
    :param environment_id: its id
    :param name: name of the stage; default: the code of the environment, or ``env<id>``
    :param instance_ids: instances; default: all that the project is configured for
    :param approval: an approval before anything of this stage runs
    :param window: when it may be deployed to
    :param change_tickets: tickets of the change management system
    :param inputs: workflow inputs, code → value
    :param flex_fields: FlexFields, code → value
    :param force: deploy even what is there already
    :param exception_to_window: ask for an exception to FlexDeploy's own deployment window
    :param workflow_version: workflow version; default: the active one
    :param before: utility projects that run before the deployment, in this order
    :param after: utility projects that run after it, in this order
    :param verify: what has to be seen then, before anything goes on
    :param soak: how long the version stays in this stage after that, before it is verified once more and the next stage
        may ask; from ``1s`` to less than the 60 days of a run. Default: not at all
    :param on_failure: what follows where this stage fails; default: what the application says
    :param exago: a folder of Exago that is promoted in the end
    """

    name: Word | None = None
    instance_ids: Instances = ()
    approval: Approval | None = None
    window: DeploymentWindow | None = None
    change_tickets: tuple[Text, ...] = ()
    inputs: Pairs = Field(default_factory=dict)
    flex_fields: Pairs = Field(default_factory=dict)
    force: bool = False
    exception_to_window: bool = False
    workflow_version: Text | None = None
    before: tuple[UtilityStep, ...] = ()
    after: tuple[UtilityStep, ...] = ()
    verify: Verification | None = None
    soak: Annotated[Duration, within_a_run()] | None = None
    on_failure: OnFailure | None = None
    exago: FolderPromotion | None = None

    @field_validator("approval", "window", "verify", "soak", "on_failure", "exago", mode="before")
    @classmethod
    def _not_left_open(cls, given: Any, info: ValidationInfo) -> Any:
        # A context is there when a file is read: in it "approval:" with nothing behind would deploy unapproved.
        if info.field_name == "approval" and (is_switch(given) or (given is None and info.context is not None)):
            raise ValueError("write approval: {} for one by anybody who may, or leave it out for none")
        if given is None and info.context is not None:
            raise ValueError("has nothing in it; fill it, or leave it out")
        return given

    @model_validator(mode="after")
    def _sound(self) -> Stage:
        check_one(self, "environment")
        if problem := name_problem(self.label):
            raise ValueError(f"{self.label!r} cannot be a task id ({problem}); give the stage a name")
        if self.label in TAKEN_STAGES:
            raise ValueError(f"{self.label!r} is a task of the promotion itself; give the stage another name")
        names = [step.name for step in (*self.before, *self.after)]
        refuse_twice("step", names)
        if (self.verify or self.soak) and (taken := sorted(TAKEN_BY_CHECKS.intersection(names))):
            raise ValueError(f"step {taken[0]!r} has the name of what verifies or soaks the stage; give it another one")
        if self.before and self.window is not None and self.window.outside == "start_time":
            raise ValueError(
                "before does not go with window.outside: start_time: FlexDeploy waits with the deployment only, and "
                "the steps would run before the window; use outside: wait"
            )
        return self

    @property
    def label(self) -> str:
        """The name of the stage and of its task group."""
        return self.name or self.environment or f"env{self.environment_id}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What a deployment is asked for besides, as parameters of the operator; what is not set is left out."""
        return only_set(
            instance_ids=list(self.instance_ids),
            force_deploy=self.force,
            exception_to_window=self.exception_to_window,
            workflow_version_override=self.workflow_version,
            inputs=dict(self.inputs),
            flex_fields=dict(self.flex_fields),
            change_tickets=list(self.change_tickets),
        )
