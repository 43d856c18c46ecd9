"""Several workflow requests as one job: all of one answer are waited for, and one word is said about them together.

FlexDeploy reference, section 3.6: a partial deployment of several packages can return several workflow requests.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from nightshift.errors import NotFound
from nightshift.flexdeploy.fields import identifier
from nightshift.flexdeploy.model import WorkflowRequest
from nightshift.flexdeploy.vocabulary import ENDED, JOB_STATES, broken
from nightshift.jobs.state import ACTIVE, JobState, JobStatus

_ORDER = (JobState.RUNNING, JobState.QUEUED, JobState.UNKNOWN, JobState.WAITING)
"""Which of several active states stands for all: work goes on as long as one of them works."""
_ENDS = (JobState.FAILED, JobState.CANCELLED, JobState.SUCCEEDED)


def job_id_of(ids: Any) -> str:
    """Return the job that these workflow requests make up: their ids, joined by commas.

    :param ids: one id or several, as numbers or texts; or such a joined text
    :raises Rejected: one of them is no id, or there is none
    """
    listed = ids.split(",") if isinstance(ids, str) else ids
    listed = listed if isinstance(listed, Sequence) and not isinstance(listed, str) else [listed]
    found = dict.fromkeys(str(identifier("workflow_request_id", one)) for one in listed)
    if not found:
        raise broken("workflow_request_id", "names no workflow request")
    return ",".join(found)


def ids_of(job_id: str) -> tuple[str, ...]:
    """Return the ids of the workflow requests of a job, as :func:`job_id_of` joined them or a person wrote them.

    :raises Rejected: one of them is no id
    """
    return tuple(job_id_of(job_id).split(","))


def state_of(parts: Iterable[WorkflowRequest | None]) -> JobState:
    """Return the state of all together; a part that is not known (``None``) may still appear."""
    states = {JobState.UNKNOWN if part is None else JOB_STATES[part.state] for part in parts}
    if states & ACTIVE:
        return next(state for state in _ORDER if state in states)
    return next(state for state in _ENDS if state in states)


def status_of(job_id: str, parts: Mapping[str, WorkflowRequest | None], *, url: str, detail: str = "") -> JobStatus:
    """Return one observation of a job.

    :param parts: its workflow requests by id; ``None``: the vendor does not know that one (yet)
    :raises NotFound: one is missing and all others have ended
    """
    missing = [number for number, part in parts.items() if part is None]
    if missing and all(part.state in ENDED for part in parts.values() if part is not None):
        raise NotFound(f"workflow request {', '.join(missing)} is not there", detail="It is not known to the server.")
    told = {number: "not found" if part is None else part.status for number, part in parts.items()}
    words = "".join(told.values()) if len(told) == 1 else ", ".join(f"{one} {word}" for one, word in told.items())
    return JobStatus(
        id=job_id,
        state=state_of(parts.values()),
        vendor_state=words,
        detail=detail,
        url=url,
        attributes={
            "project_version_id": _same(part.project_version_id for part in parts.values() if part),
            "project_version_name": _same(part.project_version_name for part in parts.values() if part),
        },
    )


def _same(values: Iterable[Any]) -> Any:
    found = set(values)
    return found.pop() if len(found) == 1 else None
