"""The models of ``promotions.yaml``: which applications are built and deployed after which reports, stage by stage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from nightshift.config.document import ConfigError
from nightshift.config.freezes import FREEZES, FreezeRules, Freezes, freezes_of
from nightshift.config.in_force import AS_KEPT, Rules
from nightshift.config.reading import PROMOTIONS, open_file, read_sections
from nightshift.config.reports import KnownReports, ReportName, Section, reports_known
from nightshift.config.scalars import Days, Hours, Id, Pairs, Text, Value, is_switch, name_problem
from nightshift.config.stages import Approval, OnFailure, Stage
from nightshift.config.steps import (
    HOUR,
    AtEnvironment,
    OfProject,
    check_one,
    once,
    only_set,
    parameter,
    within_a_run,
    words,
)
from nightshift.fields import refuse_twice
from nightshift.local_time import DAY

PROMOTE = "promote_"
"""What the id of an application's DAG begins with."""


def promotion_dag_of(application: str) -> str:
    """Return the id of an application's DAG."""
    return f"{PROMOTE}{application}"


class ProjectFile(Section):
    """A file of a partial build.

    :param path: its fully qualified path
    :param revision: revision, a number; default: the latest
    """

    path: Text
    revision: Id | None = None

    def as_sent(self) -> dict[str, Any]:
        """Return the file as the build operator takes it."""
        return {"path": self.path, **only_set(scmRevision=self.revision)}


class Build(AtEnvironment):
    """How a version is built (FlexDeploy reference, section 3.3).

    :param environment: code of the environment that builds; or ``environment_id``
    :param environment_id: its id
    :param force: build even without changes
    :param inputs: workflow inputs, code → value
    :param flex_fields: FlexFields, code → value
    :param related_tickets: tickets of the issue tracker
    :param workflow_version: workflow version; default: the active one
    :param package_name: package of a partial build
    :param project_files: files of a partial build; together with ``package_name`` FlexDeploy *changes* that package
    :param unchanged: what follows where FlexDeploy says that nothing has changed: ``stop``, or go on with the version
        that the records of this application say was built last, of the same project, stream and server
    """

    force: bool = False
    inputs: Pairs = Field(default_factory=dict)
    flex_fields: Pairs = Field(default_factory=dict)
    related_tickets: tuple[Text, ...] = ()
    workflow_version: Text | None = None
    package_name: Text | None = None
    project_files: tuple[ProjectFile, ...] = ()
    unchanged: Literal["stop", "last_built"] = "stop"

    @model_validator(mode="after")
    def _sound(self) -> Build:
        check_one(self, "environment")
        refuse_twice("file", [file.path for file in self.project_files])
        return self

    @property
    def label(self) -> str:
        """The environment for people: its code, or ``environment 11001``."""
        return words(self, "environment")

    @property
    def parameters(self) -> dict[str, Any]:
        """All else as parameters of the operator; what is not set is left out."""
        return only_set(
            force_build=self.force,
            inputs=dict(self.inputs),
            flex_fields=dict(self.flex_fields),
            related_tickets=list(self.related_tickets),
            workflow_version_override=self.workflow_version,
            package_name=self.package_name,
            project_files=[file.as_sent() for file in self.project_files],
        )


class Package(Section):
    """A package of a partial project that is deployed, in the version that was built.

    :param name: its name
    :param priority: 0 or more; without it packages go in the order of the list
    """

    name: Text
    priority: int | None = Field(default=None, ge=0)

    def detail(self, project_version_id: Any) -> dict[str, Any]:
        """Return the package as the deploy operator takes it.

        :param project_version_id: id of the version that was built, or a template of it
        """
        more = {} if self.priority is None else {"priority": self.priority}
        return {"packageName": self.name, **more, "projectVersionId": project_version_id}


class RollBack(Section):
    """The offer, when a stage fails, to deploy the version from before again.

    :param approval: the approval before it; waits 24 hours where it does not say otherwise. Where the approval of the
        stage that failed names users, those answer, and not the ones that are named here
    """

    approval: Approval = Approval(hours=24)

    @field_validator("approval", mode="before")
    @classmethod
    def _a_day(cls, given: Any) -> Any:
        return {"hours": 24, **given} if isinstance(given, Mapping) else given


class Application(OfProject):
    """One application: one DAG, ``promote_<application>``.

    :param connection: id of the Airflow connection to FlexDeploy
    :param project: path of the project, folders and name, such as ``Licensing/Portal/LicensePortal``; or ``project_id``
    :param project_id: its id
    :param stream: name of the stream that is built, which FlexDeploy does not choose by itself; or ``stream_id``
    :param stream_id: its id
    :param build: how a version is built
    :param packages: packages that are deployed, for a partial project
    :param stages: where the version is deployed, one after the other; at least one
    :param after: reports that a night must have before it is promoted, each ``<source>/<report>``; none: only a person
        starts a promotion
    :param newer: what a newer night does to a promotion that is still underway: ``wait`` for it, or ``supersede`` it
    :param republished: what becomes of a night whose reports are published again: ``skip``, or ``promote`` it once more
    :param older: what becomes of a night that is complete after a newer one was promoted: ``promote`` it (what is built
        then is newer all the same), or ``skip`` it
    :param on_failure: what follows where a stage fails after its deployment began, also hours later: ``offer`` asks
        whether to deploy the version from before again, ``roll_back`` does it by itself, ``stop`` leaves the stage as
        it is. Default: ``offer``, or ``stop`` where ``roll_back`` is ``null``. A stage may say otherwise
    :param roll_back: who is asked by an offer; ``null``: nobody, and nothing is rolled back
    :param retries: how often Airflow tries a task again, 1 to 20; an attempt that Airflow lost goes on with its job
    :param deploy_hours: working time of one build, deployment or utility run, from a minute to less than the 60 days of
        a run
    :param waiting_days: how long each may wait for FlexDeploy's own approvals and schedules, from a minute to less than
        the 60 days of a run
    :param description: what the application is, for the page of its DAG
    """

    connection: Text = "flexdeploy_default"
    stream: Text | None = None
    stream_id: Id | None = None
    build: Build
    packages: Annotated[tuple[Package, ...], once("package", lambda one: one.name)] = ()
    stages: tuple[Stage, ...] = Field(min_length=1)
    after: Annotated[tuple[ReportName, ...], once("report")] = ()
    newer: Literal["wait", "supersede"] = "wait"
    republished: Literal["skip", "promote"] = "skip"
    older: Literal["skip", "promote"] = "promote"
    on_failure: OnFailure | None = None
    roll_back: RollBack | None = RollBack()
    retries: int = Field(default=2, ge=1, le=20)
    deploy_hours: Annotated[Hours, within_a_run(HOUR)] = 6
    waiting_days: Annotated[Days, within_a_run(DAY)] = 7
    description: Value = ""

    @field_validator("roll_back", mode="before")
    @classmethod
    def _no_switch(cls, given: Any) -> Any:
        if is_switch(given):
            raise ValueError("write roll_back: null for no offer to roll back, or leave it out for one")
        return given

    @field_validator("stages")
    @classmethod
    def _stages_once(cls, given: tuple[Stage, ...]) -> tuple[Stage, ...]:
        refuse_twice("stage", [stage.label for stage in given])
        refuse_twice("environment", [str(value) for stage in given for value in stage.where.values()])
        return given

    @model_validator(mode="after")
    def _sound(self) -> Application:
        check_one(self, "project")
        check_one(self, "stream")
        return self

    @model_validator(mode="after")
    def _one_way_to_fail(self) -> Application:
        if self.roll_back is None:
            for where, said in (("", self.on_failure), *((f" of {one.label}", one.on_failure) for one in self.stages)):
                if said not in (None, "stop"):
                    raise ValueError(
                        f"on_failure{where}: {said} contradicts roll_back: null, by which nothing is rolled back; "
                        "leave one of the two out"
                    )
        return self

    @model_validator(mode="after")
    def _contradicts_nothing(self, info: ValidationInfo) -> Application:
        if info.context == AS_KEPT:
            return self
        names: dict[str, str] = {}
        for stage in self.stages:
            if (other := names.setdefault(stage.label.casefold(), stage.label)) != stage.label:
                raise ValueError(
                    f"the stages {other} and {stage.label} are told apart by their capitals alone; give one of them "
                    "another name"
                )
        if self.roll_back is None:
            return self
        back = [stage for stage in self.stages if self.on_failure_of(stage) != "stop"]
        if not back and self.roll_back.model_fields_set:
            raise ValueError(
                "roll_back asks nobody: by on_failure: stop every stage stays as it is; leave one of the two out"
            )
        for stage in back:
            users, needed = self.users_back(stage), self.roll_back.approval.at_least
            if users and len(users) < needed:
                raise ValueError(
                    f"roll_back.approval.at_least asks for {needed} people, and the approval of {stage.label} names "
                    f"{len(users)}, who answer for its roll-back as well; name more there, or ask for fewer"
                )
        return self

    def on_failure_of(self, stage: Stage) -> OnFailure:
        """Return what follows where a stage fails."""
        return stage.on_failure or self.on_failure or ("stop" if self.roll_back is None else "offer")

    def on_failure_at(self, label: str) -> OnFailure | None:
        """Return what follows where a stage fails, by its label; ``None``: there is no such stage."""
        return next((self.on_failure_of(stage) for stage in self.stages if stage.label == label), None)

    def users_back(self, stage: Stage) -> tuple[str, ...]:
        """Return who may approve that a stage is rolled back; nobody named: everybody who may act on the DAG."""
        own = stage.approval.users if stage.approval is not None else ()
        return own or (self.roll_back.approval.users if self.roll_back is not None else ())

    @property
    def named(self) -> str:
        """The project for people: its path, or ``project 10101``."""
        return words(self, "project")

    @property
    def on_stream(self) -> dict[str, Any]:
        """The stream as the build operator's parameter: ``stream`` or ``stream_id``."""
        return parameter(self, "stream")


def read_applications(folder: Path | None = None) -> dict[str, Application | ConfigError]:
    """Read ``promotions.yaml`` as it stands: the applications by their names; one with a mistake is its error.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :return: nothing where there is no such file
    :raises ConfigError: the file cannot be read, or is not YAML
    """
    context = KnownReports(reports_known(folder))
    return read_sections(
        Application, file=PROMOTIONS, folder=folder, name_problem=name_problem, context=context, but=FREEZES
    )


def reports_awaited(folder: Path | None = None) -> tuple[dict[str, tuple[str, ...]], str]:
    """Return application → the reports that it waits for, of those that count; and what hides others, if anything does.

    Where an application never was without a mistake, what it says of its reports counts all the same.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    """
    file = open_file(PROMOTIONS, folder=folder)
    context = KnownReports(reports_known(folder))
    found: dict[str, tuple[str, ...]] = {}
    hidden = list(file.mistakes) if not file.names else []
    for name in file.names:
        if name == FREEZES:
            continue
        problem = name_problem(name)
        application = file.section(name, Application, context=context, problem=problem)
        section = None if application else file.raw(name)
        if application is not None:
            found[name] = application.after
        elif section is None and file.document is not None:
            hidden += file.document.mistakes.get(name, [])
        elif not problem and isinstance(section, Mapping) and isinstance(after := section.get("after"), list):
            found[name] = tuple(dict.fromkeys(str(one) for one in after if isinstance(one, str)))
    return found, "\n".join(hidden)


@dataclass(frozen=True)
class PromotionsInForce:
    """What counts of ``promotions.yaml``.

    :param mistakes: what is wrong with the file
    :param unreadable: those of them that are of the file as a whole
    :param names: all applications, in the order of the file, also those of which nothing counts
    :param wrong: application, or ``freezes`` → what is wrong with it, whether something counts of it or nothing does
    """

    applications: Mapping[str, Application]
    freezes: FreezeRules
    mistakes: list[str] = field(default_factory=list)
    unreadable: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    wrong: Mapping[str, str] = field(default_factory=dict)


def promotions_in_force(
    folder: Path | None = None,
    *,
    rules: Rules[Application] | None = None,
    freeze_rules: Rules[Freezes] | None = None,
    with_gone: bool = False,
) -> PromotionsInForce:
    """Return what counts: each application and the freezes, as they stand in ``promotions.yaml``, or as they stood
    before a mistake.

    :param folder: the configuration folder; default :func:`nightshift.settings.config_folder`
    :param rules: says what is wrong with an application that fits its model
    :param freeze_rules: the same, of the freezes
    :param with_gone: applications that are no longer in the file as well, as they were
    """
    file = open_file(PROMOTIONS, folder=folder)
    context = KnownReports(reports_known(folder))
    found: dict[str, Application] = {}
    unreadable = tuple(file.mistakes)
    wrong = {name: file.mistake_gone(name) for name in file.gone if name != FREEZES}
    gone = list(wrong.values())
    for name in [*file.names, *(file.gone if with_gone else ())]:
        if name == FREEZES:
            continue
        before = len(file.mistakes)
        application = file.section(
            name, Application, context=context, problem=name_problem(name), rules=rules, counts_gone=with_gone
        )
        if application is not None:
            found[name] = application
        elif file.document is None:
            wrong[name] = f"{file.path}: {name}: what it said before cannot be read"
        if mistakes := file.mistakes[before:]:
            wrong[name] = "\n".join(mistakes)
    names = tuple(name for name in dict.fromkeys([*file.names, *file.gone]) if name in found or name in wrong)
    labels = {name: [stage.label for stage in one.stages] for name, one in found.items()}
    before = len(file.mistakes)
    freezes = freezes_of(file, labels, freeze_rules)
    if mistakes := file.mistakes[before:]:
        wrong[FREEZES] = "\n".join(mistakes)
    return PromotionsInForce(found, freezes, [*file.mistakes, *gone], unreadable, names, wrong)


def applications_in_force(*, with_gone: bool = False) -> Mapping[str, Application]:
    """Return the applications that count; see :func:`promotions_in_force`."""
    return promotions_in_force(with_gone=with_gone).applications
