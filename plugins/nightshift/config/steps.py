"""What a stage is made of: environments and projects by name or id, runs of utility projects, folders of Exago; and how
long a step may take.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationInfo, field_validator, model_validator

from nightshift.config.in_force import AS_KEPT
from nightshift.config.reports import Section
from nightshift.config.scalars import Id, Pairs, Text, Word
from nightshift.fields import refuse_twice

TAKEN_STEPS = frozenset({"approve", "deploy", "window", "exago"})
"""Task ids of a stage that no utility step may take."""
RUN_LIMIT = timedelta(days=60)
"""Approvals, windows and FlexDeploy's own approvals can each last days; then Airflow ends the run, whatever waits."""
SHORTEST = timedelta(minutes=1)
HOUR = timedelta(hours=1)


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


def once(what: str, name: Callable[[Any], str] = str) -> AfterValidator:
    """Return the validator of a list in which each name stands once.

    :param name: returns the name of one
    """

    def check(given: tuple[Any, ...]) -> tuple[Any, ...]:
        refuse_twice(what, map(name, given))
        return given

    return AfterValidator(check)


def within_a_run(unit: timedelta | None = None) -> AfterValidator:
    """Return the validator of a length of time that has to be over before the run is.

    What was kept of an earlier configuration stays as it is: what runs of it goes on.

    :param unit: what the number is of, at least :data:`SHORTEST` of it in all; ``None``: it is a length already
    """

    def check(given: Any, info: ValidationInfo) -> Any:
        if info.context == AS_KEPT:
            return given
        length = given if unit is None else given * unit
        if length >= RUN_LIMIT:
            raise ValueError(f"a run ends after {RUN_LIMIT.days} days, whatever waits in it; give less than that")
        if unit is not None and length < SHORTEST:
            raise ValueError("is less than a minute, in which nothing is done and nobody can answer; give more")
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
