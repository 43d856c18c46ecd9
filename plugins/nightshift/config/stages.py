"""The models of one stage of a promotion: where it deploys, who approves, when, and what runs before and after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator, model_validator

from nightshift.config.reports import Section
from nightshift.config.scalars import Clock, Hours, Id, Pairs, Text, Word, Zone, is_switch, name_problem

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
TAKEN_STAGES = frozenset({"build", "begin", "close", "roll_back"})
"""Task ids of a promotion that no stage may take."""
TAKEN_STEPS = frozenset({"approve", "deploy", "window", "exago"})
"""Task ids of a stage that no utility step may take."""


def check_one(part: BaseModel, name: str, *, required: bool = True) -> None:
    """Refuse what is named by name and by id at once, or, where it is required, by neither.

    :param part: what has both fields
    :param name: the field with the name; ``<name>_id`` has the id
    :param required: whether one of them has to be there
    :raises ValueError: there are two, or none
    """
    given = [field for field in (name, f"{name}_id") if getattr(part, field) is not None]
    if len(given) == 2:
        raise ValueError(f"has {name} and {name}_id; keep one of them")
    if required and not given:
        raise ValueError(f"needs {name} or {name}_id")


def parameter(part: BaseModel, name: str) -> dict[str, Any]:
    """Return what names a thing, by name or by id, as a parameter of an operator; nothing where it is not named."""
    return {field: value for field in (name, f"{name}_id") if (value := getattr(part, field)) is not None}


def words(part: BaseModel, name: str) -> str:
    """Return a name or an id for people, such as ``TEST`` or ``environment 11002``."""
    return getattr(part, name) or f"{name} {getattr(part, f'{name}_id')}"


def check_once(what: str, names: Sequence[str]) -> None:
    """Refuse a name that is there twice.

    :raises ValueError: one is
    """
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{what} {twice[0]!r} is listed twice")


def once(what: str, name: Callable[[Any], str] = str) -> AfterValidator:
    """Return the validator of a list in which each name stands once.

    :param name: returns the name of one
    """

    def check(given: tuple[Any, ...]) -> tuple[Any, ...]:
        check_once(what, [name(one) for one in given])
        return given

    return AfterValidator(check)


def _project_path(given: str) -> str:
    parts = given.replace("\\", "/").removeprefix("/").split("/")
    if not all(part.strip() for part in parts):
        raise ValueError("is not the path of a project; give folders and name, such as Licensing/Portal/LicensePortal")
    return given


def _levels(path: str) -> tuple[str, ...]:
    return tuple(path.replace("\\", "/").removeprefix("/").removesuffix("/").split("/"))


def _folder_path(given: str) -> str:
    if not all(
        level.strip() and level not in (".", "..") and len(level) <= 255 and level.isprintable()
        for level in _levels(given)
    ):
        raise ValueError("is not the path of a folder; give for instance Sales/Daily")
    return given


Instances = Annotated[tuple[Id, ...], once("instance")]
ProjectPath = Annotated[Text, AfterValidator(_project_path)]
FolderPath = Annotated[Text, AfterValidator(_folder_path)]


class AtEnvironment(Section):
    """What is done in one environment, which has a code and an id."""

    environment: Text | None = None
    environment_id: Id | None = None

    @property
    def where(self) -> dict[str, Any]:
        """The environment as the operators' parameter: ``environment`` or ``environment_id``; nothing: it names
        none.
        """
        return parameter(self, "environment")


class OfProject(Section):
    """What is done with one project, which has a path and an id."""

    project: ProjectPath | None = None
    project_id: Id | None = None

    @property
    def what(self) -> dict[str, Any]:
        """The project as the operators' parameter: ``project`` or ``project_id``."""
        return parameter(self, "project")


class Approval(Section):
    """An approval by a person, in Airflow.

    :param users: names of the people who may approve, as they sign in to Airflow; nobody named: everybody who may act
        on the DAG
    :param hours: how long it waits for an answer, above 0 and up to a year
    :param on_timeout: what no answer means: ``reject`` ends the promotion as rejected, ``fail`` as failed, ``approve``
        goes on
    """

    users: Annotated[tuple[Text, ...], once("user")] = ()
    hours: Hours = 72
    on_timeout: Literal["reject", "fail", "approve"] = "reject"


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


class UtilityStep(AtEnvironment, OfProject):
    """A run of a utility project before or after the deployment of a stage (FlexDeploy reference, section 3.5).

    :param name: task id within the stage
    :param project: path of the utility project, folders and name; or ``project_id``
    :param project_id: its id
    :param environment: code of the environment that it runs in; default: the stage's
    :param environment_id: its id
    :param instance_ids: instances; default: those tied to the utility project
    :param inputs: workflow inputs, code → value
    :param flex_fields: FlexFields, code → value
    :param workflow_version: workflow version; default: the active one
    """

    name: Word
    instance_ids: Instances = ()
    inputs: Pairs = Field(default_factory=dict)
    flex_fields: Pairs = Field(default_factory=dict)
    workflow_version: Text | None = None

    @field_validator("name")
    @classmethod
    def _free(cls, given: str) -> str:
        if given in TAKEN_STEPS:
            raise ValueError("is the name of the stage's own task; give the step another name")
        return given

    @model_validator(mode="after")
    def _sound(self) -> UtilityStep:
        check_one(self, "project")
        check_one(self, "environment", required=False)
        return self

    @property
    def parameters(self) -> dict[str, Any]:
        """All else as parameters of the operator; what is not set is left out."""
        return only_set(
            instance_ids=list(self.instance_ids),
            inputs=dict(self.inputs),
            flex_fields=dict(self.flex_fields),
            workflow_version_override=self.workflow_version,
        )


def only_set(**given: Any) -> dict[str, Any]:
    """Return the parameters that say something: no empty list, no false switch, nothing that is ``None``."""
    return {name: value for name, value in given.items() if value}


class FolderPromotion(Section):
    """A promotion of a folder in Exago after the deployment: ``live`` to the archive, ``candidate`` to ``live``.

    :param connection: id of the Airflow connection
    :param live: path of the folder that users work with, levels split by ``/`` or a backslash
    :param candidate: path of the folder that takes its place
    :param archive: path of the folder that keeps the old ones, one a night
    :param allow_empty: promote a candidate with nothing in it
    """

    connection: Text = "exago_default"
    live: FolderPath
    candidate: FolderPath
    archive: FolderPath
    allow_empty: bool = False

    @model_validator(mode="after")
    def _apart(self) -> FolderPromotion:
        # The archive may hold the other two: what is moved goes into a folder of the night below it.
        for inner, outer in (
            ("live", "candidate"),
            ("candidate", "live"),
            ("archive", "live"),
            ("archive", "candidate"),
        ):
            one, other = _levels(getattr(self, inner)), _levels(getattr(self, outer))
            if one[: len(other)] == other:
                raise ValueError(f"{inner} and {outer} are one inside the other; choose folders apart from each other")
        return self


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
    exago: FolderPromotion | None = None

    @field_validator("approval", "window", "exago", mode="before")
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
        check_once("step", [step.name for step in (*self.before, *self.after)])
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
