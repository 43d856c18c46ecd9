"""Whether a workflow request that a person named is the one that a task asked for: compared with FlexDeploy's own answer.

Pure. What FlexDeploy does not tell counts as a difference: a green task stands for a deployment that was seen. FlexDeploy
reference, sections 3.6 and 3.8: a request names project, version, environment and stream, but not whether it is a build or
a deployment; its executions do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from nightshift.flexdeploy.model import Execution, WorkflowRequest
from nightshift.flexdeploy.request import WORK_OF, BuildRequest, DeployRequest, ExecuteRequest, JobRequest
from nightshift.flexdeploy.vocabulary import ENDED, WAITING, RequestState, Work

CLOCK_SKEW = 300.0
"""Seconds by which FlexDeploy's clock and ours may differ."""
_KINDS: Mapping[Work, tuple[str, ...]] = {
    Work.BUILD: ("BUILD",),
    Work.DEPLOY: ("DEPLOY",),
    Work.EXECUTE: ("UTIL", "EXECUT"),
}
"""What the ``workflowType`` of an execution has in it; only ``DEPLOY`` is published."""
_WORDS: Mapping[Work, str] = {Work.BUILD: "build", Work.DEPLOY: "deployment", Work.EXECUTE: "utility run"}
_NEVER_A_BUILD = WAITING | {RequestState.REJECTED}


def differences(
    found: WorkflowRequest, ran: Sequence[Execution], request: JobRequest, project: int, since: float
) -> Iterator[str]:
    """Yield in what a workflow request differs from what was asked for.

    :param found: the request, as FlexDeploy shows it
    :param ran: its executions
    :param request: what the task asks for
    :param project: of which project
    :param since: seconds since the epoch at which the task asked
    """
    yield from _differs("project", found.project_id, project)
    yield from _differs("environment", found.environment_id, request.environment_id)
    if isinstance(request, BuildRequest):
        yield from _differs("stream", found.stream_id, request.stream_id)
    if isinstance(request, DeployRequest):
        yield from _version(found, request)
    yield from _kind(found, ran, WORK_OF[type(request)])
    yield from _instances(ran, request)
    moments = [at for at in (_moment(found.created), *(_moment(one.started) for one in ran)) if at is not None]
    if moments and min(moments) < since - CLOCK_SKEW:
        began, asked = (datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds") for at in (min(moments), since))
        yield f"it began at {began}, and this task asked at {asked}"


def _differs(what: str, told: int | None, wanted: int | None) -> Iterator[str]:
    if wanted is not None and told != wanted:
        yield f"its {what} is {'not told' if told is None else told}, not {wanted}"


def _version(found: WorkflowRequest, request: DeployRequest) -> Iterator[str]:
    if not request.package_details:
        yield from _differs("version", found.project_version_id, request.project_version_id)
        return
    one = next((one for one in request.package_details if one.package_name == found.package_name), None)
    if one is None:
        yield f"its package is {found.package_name or 'not told'}, which this task does not deploy"
    else:
        yield from _differs("version", found.project_version_id, one.project_version_id)


def _kind(found: WorkflowRequest, ran: Sequence[Execution], work: Work) -> Iterator[str]:
    kinds = {one.kind.upper() for one in ran if one.kind}
    if strange := sorted(kind for kind in kinds if not any(word in kind for word in _KINDS[work])):
        yield f"it is a {' and a '.join(one.lower() for one in strange)}, not a {_WORDS[work]}"
    elif not kinds and found.state in ENDED and (work is Work.BUILD or found.state is not RequestState.REJECTED):
        # Before its end that may still come, and it is looked at again then; what is rejected never ran.
        yield f"FlexDeploy lists no execution of it that tells whether it is a {_WORDS[work]}"
    elif work is Work.BUILD and found.state in _NEVER_A_BUILD:
        yield f"it is {found.status}, which no build ever is"


def _instances(ran: Sequence[Execution], request: JobRequest) -> Iterator[str]:
    if not isinstance(request, DeployRequest | ExecuteRequest) or not request.instance_ids:
        return
    wanted = {str(one) for one in request.instance_ids}
    if strange := sorted({one.instance_id for one in ran if one.instance_id} - wanted):
        yield f"it runs on instance {', '.join(strange)}, not on {', '.join(sorted(wanted))}"


def _moment(text: str | None) -> float | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.timestamp() if at.tzinfo is not None else None
