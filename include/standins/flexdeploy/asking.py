"""What a request names, looked up at the site: what is not there, not active or not allowed is refused."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from include.standins.flexdeploy.bodies import Body, Coded, Wrong, coded, read
from include.standins.flexdeploy.requests import Plan
from include.standins.flexdeploy.site import Environment, Instance, Project, Version, Workflow
from include.standins.routing import Refused, Request

if TYPE_CHECKING:
    from include.standins.flexdeploy.server import FlexDeployStandIn

B = TypeVar("B", bound=Body)
FAILURE = "The workflow ended with an error: step deployFiles returned exit code 1."


class Asking:
    """Lookups that answer by themselves where they find nothing.

    :param vendor: the stand-in
    """

    def __init__(self, vendor: FlexDeployStandIn) -> None:
        self._vendor = vendor

    def refused(self, status: int, text: str) -> Refused:
        """Return a refusal in the vendor's shape."""
        return Refused(self._vendor.error(status, text))

    def unfit(self, text: str) -> Refused:
        """Return the refusal of a reference that does not fit."""
        return self.refused(self._vendor.switches.bad_reference_status, text)

    def body(self, request: Request, shape: type[B]) -> B:
        """Return the body of a call.

        :raises Refused: 400, it is not one
        """
        try:
            return read(self.json(request), shape, self._vendor.switches.unknown_keys)
        except Wrong as error:
            raise self.refused(400, str(error)) from None

    def json(self, request: Request) -> Any:
        """Return the JSON of a call.

        :raises Refused: 400
        """
        try:
            return msgspec.json.decode(request.body)
        except msgspec.DecodeError:
            raise self.refused(400, "The request body is not JSON.") from None

    def number(self, text: str, what: str) -> int:
        """Return a number of the path or the query.

        :raises Refused: 400
        """
        try:
            return int(text)
        except ValueError:
            raise self.refused(400, f"{what} [{text}] is not a number.") from None

    def project(self, request: Request, missing: int = 404) -> Project:
        """Return the project of the path.

        :param missing: status where there is none
        :raises Refused: there is none
        """
        project_id = self.number(request.parts["id"], "projectId")
        return self.project_of(project_id, missing)

    def project_of(self, project_id: int, missing: int = 404) -> Project:
        """Return a project by id; parameters and errors as for :meth:`project`."""
        found = self._vendor.site.project(project_id)
        if found is None:
            raise self.refused(missing, f"Project [{project_id}] not found.")
        return found

    def flow(self, project: Project, workflow_id: int | None, what: str) -> Workflow:
        """Return the workflow that an active project has for a purpose.

        :raises Refused: 400, the project is not active or has none
        """
        found = self._vendor.site.workflow(workflow_id)
        if not project.active or found is None:
            raise self.refused(400, f"Project [{project.id}] is not active, or has no {what} workflow.")
        return found

    def environment(self, environment_id: int) -> Environment:
        """Return an environment.

        :raises Refused: it is not there or not active
        """
        found = self._vendor.site.environment(environment_id)
        if found is None or not found.active:
            raise self.unfit(f"Environment [{environment_id}] not found or not active.")
        return found

    def instances(
        self, environment: Environment, allowed: Sequence[int] | None, given: Sequence[int] | None
    ) -> tuple[Instance, ...]:
        """Return the instances to run on.

        :param allowed: those of the project, which are the default as far as the environment has them
        :param given: those that were asked for
        :raises Refused: one does not fit, or none is left
        """
        here = [
            one
            for one in allowed or ()
            if one in environment.instances and self._vendor.site.targets[environment.id, one].active
        ]
        wanted = list(dict.fromkeys(given)) if given else here
        strange = [one for one in wanted if one not in here]
        if strange or not wanted:
            what = f"Instance {strange}" if strange else "Any instance"
            raise self.unfit(f"{what} is not an instance of the project in environment [{environment.id}].")
        found = (self._vendor.site.instance(one) for one in wanted)
        return tuple(one for one in found if one)

    def override(self, workflow: Workflow, version: str | None) -> str | None:
        """Return a workflow version that was asked for.

        :raises Refused: the workflow has no such version
        """
        if version and version not in (name for name, _ in workflow.versions):
            raise self.unfit(f"Workflow [{workflow.name}] has no version [{version}].")
        return version or None

    def codes(
        self, workflow: Workflow, inputs: list[Coded] | None, flex_fields: list[Coded] | None
    ) -> tuple[tuple[dict[str, Any], ...], tuple[dict[str, Any], ...]]:
        """Return inputs and FlexFields.

        :raises Refused: 400, one is required and missing, or unknown
        """
        unknown = self._vendor.switches.unknown_codes
        try:
            return (
                coded(inputs, workflow.inputs, "input", unknown),
                coded(flex_fields, workflow.flex_fields, "FlexField", unknown),
            )
        except Wrong as error:
            raise self.refused(400, str(error)) from None

    def built(self, project: Project, version_id: int) -> Version:
        """Return a version that was built well.

        :raises Refused: it is not there, another project's, or not built
        """
        found = self._vendor.site.version(version_id)
        if found is None or found.project != project.id or not found.built:
            raise self.unfit(f"Project version [{version_id}] of project [{project.id}] not found, or not built.")
        return found

    def plan(self, request: Request, seconds: float, instances: int) -> Plan:
        """Return how the run is going to go, as faults have it.

        :param seconds: how long it takes where no fault says so
        :param instances: how many it runs on
        """
        if takes := request.fault("run_takes"):
            seconds = takes.seconds
        fails, aborted = request.fault("run_fails"), request.fault("run_aborted")
        return Plan(
            seconds=seconds,
            fails_after=min(int(fails.detail.get("after", 0)), instances - 1) if fails else None,
            message=str(fails.detail.get("message", FAILURE)) if fails else "",
            aborted_after=float(aborted.detail.get("after_seconds", seconds / 2)) if aborted else None,
        )
