from __future__ import annotations

import pytest

from nightshift.jobs.cancel import superfluous
from nightshift.jobs.state import JobState, JobStatus


def job(name: str, state: JobState) -> JobStatus:
    return JobStatus(id=name, state=state)


KEPT = job("kept", JobState.RUNNING)


@pytest.mark.parametrize(
    ("found", "goes"),
    [
        ([], []),
        ([KEPT], []),
        ([KEPT, job("late", JobState.QUEUED)], ["late"]),
        ([job("late", JobState.RUNNING)], ["late"]),
        ([job("late", JobState.UNKNOWN)], ["late"]),
        ([job("late", JobState.WAITING)], ["late"]),
        ([job("late", JobState.SUCCEEDED), KEPT], ["late"]),
        ([job("late", JobState.FAILED)], []),
        ([job("late", JobState.CANCELLED)], []),
        ([job("late", JobState.GONE)], []),
        ([job("a", JobState.QUEUED), job("b", JobState.SUCCEEDED), job("c", JobState.FAILED)], ["a", "b"]),
    ],
)
def test_what_goes_is_everything_alive_but_the_job_that_is_waited_for(found: list[JobStatus], goes: list[str]) -> None:
    assert [one.id for one in superfluous(found, "kept")] == goes
