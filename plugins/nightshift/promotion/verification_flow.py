"""The tasks that verify and soak a stage, or verify what was brought back to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TaskGroup

from nightshift.config.verification import NEXT_NIGHT
from nightshift.flexdeploy.lookup import Named
from nightshift.promotion.deployed import Place
from nightshift.promotion.due import AGAIN, FIRST, SOAK
from nightshift.promotion.soak_operator import SoakOperator
from nightshift.promotion.verification_operators import NextNightOperator, ProbeOperator, UtilityVerificationOperator
from nightshift.promotion.vocabulary import StepKind

if TYPE_CHECKING:
    from nightshift.config.stages import Stage


class VerificationTasks:
    """Declares the checks of the stages of one application; their ids are those of :mod:`nightshift.promotion.due`.

    :param shared: what all tasks of the application have
    :param job: what all tasks have that FlexDeploy works for
    :param project: id or path of the project that is deployed
    """

    def __init__(self, shared: Mapping[str, Any], job: Mapping[str, Any], project: int | str) -> None:
        self._shared = dict(shared)
        self._job = dict(job)
        self._project = project

    def of_stage(self, stage: Stage, at: Mapping[str, Any]) -> list[BaseOperator]:
        """Declare the tasks of a stage, within its task group, and return them in their order.

        :param at: what the tasks of the stage have
        """
        tasks = self._group(FIRST, "What has to be seen after the deployment", stage, StepKind.VERIFICATION, at)
        if stage.soak is not None:
            soak = {name: value for name, value in at.items() if name != "supersedable"}
            tasks.append(
                SoakOperator(
                    task_id=SOAK, doc_md="Stay in the stage for a while, without a worker.", length=stage.soak, **soak
                )
            )
            tasks += self._group(AGAIN, "The same, after the soak", stage, StepKind.SECOND_VERIFICATION, at)
        return tasks

    def of_roll_backs(self, stages: Sequence[Stage]) -> list[list[BaseOperator]]:
        """Declare the checks of what is brought back, within the task group of roll-backs: a branch a stage."""
        if not (checked := [stage for stage in stages if stage.verify is not None]):
            return []
        with TaskGroup(FIRST, tooltip="The same checks, of what was brought back"):
            return [
                self._tasks(
                    stage, StepKind.ROLL_BACK_VERIFICATION, {**self._shared, "stage": stage.label}, f"{stage.label}_"
                )
                for stage in checked
            ]

    def _group(
        self, name: str, tooltip: str, stage: Stage, kind: StepKind, at: Mapping[str, Any]
    ) -> list[BaseOperator]:
        if stage.verify is None:
            return []
        with TaskGroup(name, tooltip=tooltip):
            return self._tasks(stage, kind, at, "")

    def _tasks(self, stage: Stage, kind: StepKind, at: Mapping[str, Any], prefix: str) -> list[BaseOperator]:
        verify = stage.verify
        if verify is None:
            return []
        environment: int | str = next(iter(stage.where.values()))
        named = Named(project=self._project, environment=environment)
        at = {**at, "kind": kind, "place": Place(self._job["conn_id"], named)}
        tasks: list[BaseOperator] = [
            ProbeOperator(task_id=prefix + probe.name, doc_md=f"Ask {probe.name} over HTTP.", probe=probe, **at)
            for probe in verify.probes
        ]
        tasks += [
            UtilityVerificationOperator(
                task_id=prefix + step.name,
                doc_md=f"Run {step.name}, which has to end well.",
                parameters={**step.what, **(step.where or stage.where), **step.parameters},
                **self._job,
                **at,
            )
            for step in verify.utilities
        ]
        if verify.next_night is not None:
            tasks.append(
                NextNightOperator(
                    task_id=prefix + NEXT_NIGHT,
                    doc_md="Wait for the reports of the first night that began after the deployment.",
                    next_night=verify.next_night,
                    **at,
                )
            )
        return tasks
