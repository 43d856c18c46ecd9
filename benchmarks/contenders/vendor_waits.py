"""Our waits, the same for every vendor: one ``VendorJobTrigger`` a job."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.contenders.triggerer import Loop
from benchmarks.jobs import WARM_UP
from nightshift.jobs.adapter import AdapterSpec
from nightshift.jobs.state import JobState
from nightshift.jobs.triggers import VendorJobTrigger
from nightshift.jobs.waiting import EventKind, JobEvent, WaitPlan

AGE = 8
"""Intervals for which a job has run before: enough for its polls to grow no rarer."""

PATIENCE = 12
"""Intervals after the end of its job after which a wait gives up."""

SOON = 0.1


def run(loop: Loop, spec: AdapterSpec, job_id: Callable[[int], str]) -> None:
    """Run all waits.

    :param spec: the vendor's adapter
    :param job_id: returns the vendor's id of the n-th job
    """
    interval = loop.settings["interval_s"]
    patience = PATIENCE * interval + loop.settings["jobs_s"]

    def make(number: int) -> VendorJobTrigger:
        now, every = time.time(), SOON if number == WARM_UP else interval
        started, deadline = now - AGE * every, now + patience
        plan = WaitPlan(job_id=job_id(number), started=started, deadline=deadline, first=every, cap=every, seed=number)
        return VendorJobTrigger.of(spec, plan, cancel_on_kill=True)

    loop.run(make, polls, lambda payload: JobEvent.from_event(payload).misses)


def polls(payload: Any) -> int:
    """Return the polls of a wait that ended with its job's success.

    :raises ValueError: it ended otherwise
    """
    event = JobEvent.from_event(payload)
    if event.kind is not EventKind.ENDED or event.seen.state is not JobState.SUCCEEDED:
        raise ValueError(f"a wait ended otherwise: {event}")
    return event.polls + event.misses
