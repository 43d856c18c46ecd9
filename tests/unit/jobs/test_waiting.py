from __future__ import annotations

import logging
from typing import Any

import pytest

from nightshift.errors import AuthFailed, BadResponse, NotShown, RateLimited, Unreachable
from nightshift.jobs.state import JobState, JobStatus
from nightshift.jobs.waiting import EventKind, Phase, WaitPlan, Watch

T = 1_000_000.0


def watch(now: float = T, **changes: object) -> Watch:
    given: dict[str, Any] = {"job_id": "7", "started": T, "deadline": T + 3600, "seed": 5, **changes}
    return Watch(WaitPlan(**given), now)


def status(state: JobState, **more: object) -> JobStatus:
    return JobStatus(id="7", state=state, **more)  # type: ignore[arg-type]


def test_polls_are_quick_at_first_then_rarer_and_spread() -> None:
    gaps = []
    for age in (0, 4, 40, 120, 400, 3000):
        waiting = watch(T + age)
        waiting.see(status(JobState.RUNNING), T + age)
        gaps.append(waiting.due - T - age)
    for gap, nominal in zip(gaps, [2, 2, 10, 30, 60, 60], strict=True):
        assert nominal * 0.8 <= gap <= nominal * 1.2
    others = set()
    for seed in range(20):
        waiting = watch(seed=seed)
        waiting.see(status(JobState.RUNNING), T)
        others.add(waiting.due)
    assert len(others) == 20


def test_the_same_task_polls_at_the_same_times() -> None:
    assert watch().due == watch().due


@pytest.mark.parametrize("state", [JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELLED])
def test_an_end_is_an_end(state: JobState) -> None:
    waiting = watch()
    waiting.see(status(state), T + 9)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.ENDED
    assert waiting.event.seen.state is state


def test_failed_polls_are_no_verdict_until_the_deadline() -> None:
    waiting = watch()
    for second in range(0, 3600, 60):
        waiting.miss(Unreachable("down"), T + second)
        assert waiting.event is None
    waiting.miss(BadResponse("html"), T + 3600)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.TIMED_OUT
    assert "html" in waiting.event.error


def test_a_failed_poll_is_said_once_and_so_is_the_recovery() -> None:
    waiting = watch()
    first = waiting.miss(Unreachable("down"), T)
    assert len(first) == 1
    assert first[0].level == logging.WARNING
    assert "the job is not touched" in first[0].text
    assert waiting.miss(Unreachable("down"), T + 5) == []
    again = waiting.see(status(JobState.RUNNING), T + 10)
    assert [line.text for line in again] == [
        "Job 7: the vendor answers again.",
        "Job 7: submitted -> running after 10 s",
    ]
    assert waiting.see(status(JobState.RUNNING), T + 20) == []


def test_retry_after_is_a_floor() -> None:
    waiting = watch()
    waiting.miss(RateLimited("slow down", retry_after=90.0), T)
    assert waiting.due >= T + 90
    assert waiting.too_early(T + 89)
    assert not waiting.too_early(T + 90)
    waiting.see(status(JobState.RUNNING, retry_after=45.0), T + 100)
    assert waiting.due >= T + 145


@pytest.mark.parametrize("asked", [900.0, 1e9, 1e12, float("inf"), 1e300])
def test_however_long_the_vendor_wants_to_rest_it_is_asked_once_more_before_the_deadline(asked: float) -> None:
    """A job that ended meanwhile would otherwise be given up, and cancelled."""
    for told in (RateLimited("slow down", retry_after=asked), None):
        waiting = watch(deadline=T + 60)
        if told is None:
            waiting.see(status(JobState.RUNNING, retry_after=asked), T)
        else:
            waiting.miss(told, T)
        assert T + 50 <= waiting.due < T + 60
        assert not waiting.too_early(waiting.due)
        waiting.see(status(JobState.SUCCEEDED), waiting.due)
        assert waiting.event is not None
        assert waiting.event.kind is EventKind.ENDED


def test_an_hour_is_the_longest_rest() -> None:
    waiting = watch(deadline=T + 86400)
    waiting.miss(RateLimited("slow down", retry_after=80_000.0), T)
    assert waiting.due == T + 3600


def test_the_last_poll_falls_on_the_deadline_and_may_still_find_the_end() -> None:
    waiting = watch(T + 3599, started=T)
    waiting.see(status(JobState.RUNNING), T + 3599)
    assert waiting.due == T + 3600
    waiting.see(status(JobState.SUCCEEDED), T + 3600)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.ENDED


def test_refused_credentials_are_tolerated_for_a_while() -> None:
    waiting = watch(auth_grace=600.0)
    waiting.miss(AuthFailed("no"), T)
    waiting.miss(AuthFailed("no"), T + 599)
    assert waiting.event is None
    waiting.see(status(JobState.RUNNING), T + 599.5)
    waiting.miss(AuthFailed("no"), T + 700)
    assert waiting.event is None
    waiting.miss(AuthFailed("no"), T + 1300)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.REFUSED


def test_an_unknown_state_is_waited_on_and_named_once() -> None:
    waiting = watch()
    lines = waiting.see(status(JobState.UNKNOWN, vendor_state="PONDERING"), T + 2)
    assert "'PONDERING' is not known here" in lines[0].text
    assert lines[0].level == logging.WARNING
    assert waiting.see(status(JobState.UNKNOWN, vendor_state="PONDERING"), T + 4) == []
    assert waiting.event is None


def test_a_change_of_state_is_one_line_with_link_and_without_secrets() -> None:
    waiting = watch()
    seen = status(
        JobState.RUNNING, vendor_state="BUSY", url="https://acme.example/7?sig=abc", detail="token=hunter2 on host a"
    )
    (line,) = waiting.see(seen, T + 61)
    assert line.text.startswith("Job 7: submitted -> running (BUSY) after 61 s")
    assert "https://acme.example/7" in line.text
    assert "hunter2" not in line.text
    assert "abc" not in line.text


def test_a_job_that_is_gone_is_believed_only_after_a_while() -> None:
    waiting = watch()
    waiting.see(status(JobState.GONE), T)
    assert waiting.event is None
    waiting.see(status(JobState.RUNNING), T + 20)
    waiting.see(status(JobState.GONE), T + 40)
    assert waiting.event is None
    waiting.see(status(JobState.GONE), T + 75)
    assert waiting.event is not None
    assert waiting.event.seen.state is JobState.GONE


def test_a_wait_for_a_person_ends_the_phase_and_so_does_its_end() -> None:
    working = watch()
    working.see(status(JobState.WAITING, vendor_state="PENDING_APPROVAL"), T + 5)
    assert working.event is not None
    assert working.event.kind is EventKind.PARKED
    parked = watch(phase=Phase.PARKED)
    parked.see(status(JobState.WAITING), T + 5)
    parked.see(status(JobState.UNKNOWN, vendor_state="?"), T + 6)
    assert parked.event is None
    parked.see(status(JobState.QUEUED), T + 7)
    assert parked.event is not None
    assert parked.event.kind is EventKind.MOVED


def test_a_moved_wait_does_not_log_the_same_state_again() -> None:
    assert watch(last="running").see(status(JobState.RUNNING), T + 3) == []


def test_a_job_that_is_not_shown_is_asked_for_until_the_deadline_and_then_in_doubt() -> None:
    """A proxy's 404, however long it lasts, is no word on the job."""
    waiting = watch()
    for second in range(0, 3600, 60):
        waiting.miss(NotShown("a page"), T + second)
        assert waiting.event is None
    waiting.miss(Unreachable("down"), T + 3600)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.NOT_SHOWN


def test_a_job_that_is_shown_again_is_in_no_doubt() -> None:
    waiting = watch()
    waiting.miss(NotShown("a page"), T)
    waiting.see(status(JobState.RUNNING), T + 60)
    waiting.miss(Unreachable("down"), T + 3600)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.TIMED_OUT


def test_no_such_job_is_no_end_where_the_work_may_have_been_done() -> None:
    waiting = watch(gone_ends=False)
    for second in range(0, 3600, 60):
        waiting.see(status(JobState.GONE), T + second)
        assert waiting.event is None
    waiting.see(status(JobState.GONE), T + 3600)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.NOT_SHOWN


def test_a_job_first_gone_at_the_deadline_is_not_believed_to_be() -> None:
    waiting = watch(T + 3599)
    waiting.see(status(JobState.GONE), T + 3600)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.NOT_SHOWN


def test_gone_is_counted_anew_after_a_failed_poll() -> None:
    waiting = watch()
    waiting.see(status(JobState.GONE), T)
    waiting.miss(Unreachable("down"), T + 20)
    waiting.see(status(JobState.GONE), T + 40)
    assert waiting.event is None


@pytest.mark.parametrize("last", [AuthFailed("no"), Unreachable("down")])
def test_refused_credentials_are_told_as_such_near_the_deadline_too(last: Exception) -> None:
    waiting = watch(deadline=T + 60)
    waiting.miss(AuthFailed("no"), T + 50)
    waiting.miss(last, T + 60)
    assert waiting.event is not None
    assert waiting.event.kind is EventKind.REFUSED
