from __future__ import annotations

import itertools
from typing import Any

import pytest

from nightshift.jobs.decision import Adopt, AskPerson, AwaitCancel, Finished, Look, Over, Situation, Submit, decide
from nightshift.jobs.record import Ending, JobRecord, Resolution
from nightshift.jobs.state import ACTIVE, FAILED, Intent, JobState, JobStatus, RunIdentity

RUN = RunIdentity(dag_id="d", run_id="r", task_id="t")
INTENT = Intent(marker=RUN.marker(1), generation=1, payload_hash="h", at=100.0, attempt=1, run=RUN)
IN_DOUBT = JobRecord(intent=INTENT)
MADE = JobRecord(intent=INTENT, id="7")
CANCELLED = JobRecord(intent=INTENT, id="7", cancelled=True)
WAITED_OUT = JobRecord(intent=INTENT, id="7", ending=Ending.AGAIN)
CLEARED = JobRecord(intent=INTENT, id="7", ending=Ending.AGAIN_IF_CANCELLED)
DONE = JobRecord(intent=INTENT, id="7", done=True)
REFUSED = JobRecord(intent=INTENT, refused=True)


def job(state: JobState, job_id: str = "7") -> JobStatus:
    return JobStatus(id=job_id, state=state)


RUNNING, SUCCESS, BROKEN, GONE = (
    job(state) for state in (JobState.RUNNING, JobState.SUCCEEDED, JobState.FAILED, JobState.GONE)
)
STOPPING, STOPPED = job(JobState.CANCELLING), job(JobState.CANCELLED)
STANDS = {"attempt": 2, "failure_stands": True}
NOT_OURS = {**STANDS, "may_have_cancelled": False}
OTHER = job(JobState.RUNNING, "8")

TABLE: list[tuple[str, dict[str, Any], Any]] = [
    ("first attempt", {"record": None}, Submit),
    ("first attempt, blind vendor", {"record": None, "can_find": False}, Submit),
    ("retry, store empty", {"record": None, "attempt": 2}, Look),
    ("retry, store empty, blind vendor", {"record": None, "attempt": 2, "can_find": False}, Submit),
    ("retry, store empty, none there", {"record": None, "attempt": 2, "found": ()}, Submit),
    ("retry, store empty, one there", {"record": None, "attempt": 2, "found": (RUNNING,)}, Adopt),
    ("retry, store empty, one done", {"record": None, "attempt": 2, "found": (SUCCESS,)}, Finished),
    ("retry, store empty, one broken", {"record": None, "attempt": 2, "found": (BROKEN,)}, Submit),
    ("retry, store empty, two there", {"record": None, "attempt": 2, "found": (RUNNING, OTHER)}, AskPerson),
    ("clear, store empty, one done", {"record": None, "attempt": 2, "cleared": True, "found": (SUCCESS,)}, Submit),
    ("retry, still active", {"record": MADE, "attempt": 2, "remote": RUNNING}, Adopt),
    ("retry, succeeded unseen", {"record": MADE, "attempt": 2, "remote": SUCCESS}, Finished),
    ("clear, succeeded unseen", {"record": MADE, "attempt": 2, "cleared": True, "remote": SUCCESS}, Finished),
    ("retry, failed", {"record": MADE, "attempt": 2, "remote": BROKEN}, Submit),
    ("retry, cancelled", {"record": MADE, "attempt": 2, "remote": STOPPED}, Submit),
    ("retry, gone", {"record": MADE, "attempt": 2, "remote": GONE}, Submit),
    ("retry, failed, and a failure stands", {"record": MADE, **STANDS, "remote": BROKEN}, Over),
    ("retry, cancelled, and a failure stands", {"record": MADE, **STANDS, "remote": STOPPED}, Over),
    ("clear, failed, and a failure stands", {"record": MADE, **STANDS, "cleared": True, "remote": BROKEN}, Submit),
    ("retry, failed, another payload", {"record": MADE, **STANDS, "payload_hash": "x", "remote": BROKEN}, Submit),
    ("retry, ended by us", {"record": CANCELLED, **NOT_OURS, "remote": BROKEN}, Submit),
    ("retry, the one that was in the way", {"record": WAITED_OUT, **NOT_OURS, "remote": BROKEN}, Submit),
    ("after a clear, cancelled", {"record": CLEARED, **STANDS, "remote": STOPPED}, Submit),
    ("after a clear, cancelled by somebody else", {"record": CLEARED, **NOT_OURS, "remote": STOPPED}, Over),
    ("after a clear, failed", {"record": CLEARED, **STANDS, "remote": BROKEN}, Over),
    ("retry, vendor silent", {"record": MADE, "attempt": 2, "remote": None}, Adopt),
    ("being cancelled", {"record": MADE, "attempt": 2, "remote": STOPPING}, AwaitCancel),
    ("clear after our success", {"record": DONE, "attempt": 2, "cleared": True}, Submit),
    ("retry after our success", {"record": DONE, "attempt": 2}, Finished),
    ("retry after our success, other payload", {"record": DONE, "attempt": 2, "payload_hash": "x"}, Submit),
    ("other payload, active", {"record": MADE, "attempt": 2, "payload_hash": "x", "remote": RUNNING}, AwaitCancel),
    ("other payload, succeeded", {"record": MADE, "attempt": 2, "payload_hash": "x", "remote": SUCCESS}, Submit),
    ("other payload, failed", {"record": MADE, "attempt": 2, "payload_hash": "x", "remote": BROKEN}, Submit),
    ("refused before", {"record": REFUSED, "attempt": 2}, Submit),
    ("in doubt", {"record": IN_DOUBT, "attempt": 2}, Look),
    ("in doubt, blind vendor", {"record": IN_DOUBT, "attempt": 2, "can_find": False}, AskPerson),
    ("in doubt and cleared, blind vendor", {"record": IN_DOUBT, "cleared": True, "can_find": False}, AskPerson),
    ("in doubt, none yet", {"record": IN_DOUBT, "attempt": 2, "found": (), "age": 5.0}, Look),
    ("in doubt, none for long", {"record": IN_DOUBT, "attempt": 2, "found": (), "age": 30.0}, Submit),
    ("in doubt, one running", {"record": IN_DOUBT, "attempt": 2, "found": (RUNNING,)}, Adopt),
    ("in doubt, one done", {"record": IN_DOUBT, "attempt": 2, "found": (SUCCESS,)}, Finished),
    ("in doubt, one broken", {"record": IN_DOUBT, "attempt": 2, "found": (BROKEN,)}, Submit),
    ("in doubt, one live of two", {"record": IN_DOUBT, "attempt": 2, "found": (STOPPED, OTHER)}, Adopt),
    ("in doubt, two live", {"record": IN_DOUBT, "attempt": 2, "found": (RUNNING, OTHER)}, AskPerson),
    ("in doubt, two dead", {"record": IN_DOUBT, "attempt": 2, "found": (STOPPED, BROKEN)}, AskPerson),
    ("told to adopt", {"record": IN_DOUBT, "can_find": False, "resolution": Resolution(adopt="9")}, Adopt),
    ("told to adopt, no record", {"record": None, "resolution": Resolution(adopt="9")}, Adopt),
    ("told to resubmit", {"record": IN_DOUBT, "can_find": False, "resolution": Resolution(resubmit=True)}, Submit),
    (
        "told to resubmit a live one",
        {"record": MADE, "remote": RUNNING, "resolution": Resolution(resubmit=True)},
        Submit,
    ),
]


@pytest.mark.parametrize(("situation", "verdict"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_each_situation_has_its_verdict(situation: dict[str, Any], verdict: type) -> None:
    decision = decide(Situation(**{"payload_hash": "h", **situation}))
    assert type(decision) is verdict
    assert decision.reason


def test_a_named_job_is_the_one_adopted() -> None:
    decision = decide(Situation(record=MADE, payload_hash="h", remote=RUNNING, resolution=Resolution(adopt="9")))
    assert decision == Adopt("9", decision.reason)


def test_a_clear_expects_the_cancellation_that_it_caused() -> None:
    after_clear = decide(Situation(record=MADE, payload_hash="h", remote=RUNNING, attempt=2, cleared=True))
    after_crash = decide(Situation(record=MADE, payload_hash="h", remote=RUNNING, attempt=2))
    assert isinstance(after_clear, Adopt)
    assert isinstance(after_crash, Adopt)
    assert after_clear.ending is Ending.AGAIN_IF_CANCELLED
    assert after_crash.ending is Ending.VERDICT


@pytest.mark.parametrize("remote", [RUNNING, None])
def test_a_cancellation_that_cannot_be_ours_is_the_answer(remote: JobStatus | None) -> None:
    given = {"payload_hash": "h", "remote": remote, "attempt": 2, "cleared": True, "may_have_cancelled": False}
    said = decide(Situation(record=MADE, **given))
    assert said == Adopt("7", said.reason, Ending.VERDICT)
    known = decide(Situation(record=CANCELLED, **given))
    assert known == Adopt("7", known.reason, Ending.AGAIN_IF_CANCELLED)


@pytest.mark.parametrize("can_cancel", [True, False])
def test_an_outdated_job_is_cancelled_only_where_the_vendor_can(can_cancel: bool) -> None:
    seen = Situation(record=MADE, payload_hash="x", remote=RUNNING, attempt=2, can_cancel=can_cancel)
    assert decide(seen) == AwaitCancel("7", "the task now asks for something else", cancel=can_cancel)


def test_a_late_list_is_asked_again_when_it_has_settled() -> None:
    decision = decide(Situation(record=IN_DOUBT, payload_hash="h", found=(), age=12.0, settle=30.0))
    assert isinstance(decision, Look)
    assert decision.after == 18.0


def test_several_candidates_are_named() -> None:
    decision = decide(Situation(record=IN_DOUBT, payload_hash="h", found=(RUNNING, OTHER)))
    assert isinstance(decision, AskPerson)
    assert decision.candidates == ("7", "8")


@pytest.mark.parametrize("state", list(JobState))
def test_a_retry_never_submits_beside_a_job_that_may_still_work(state: JobState) -> None:
    flags = itertools.product([True, False], repeat=3)
    for cleared, can_cancel, same in flags:
        seen = Situation(
            record=MADE,
            payload_hash="h" if same else "x",
            attempt=2,
            cleared=cleared,
            can_cancel=can_cancel,
            remote=job(state),
        )
        decision = decide(seen)
        if state in ACTIVE:
            assert isinstance(decision, Adopt | AwaitCancel)
        elif state in FAILED:
            assert isinstance(decision, Submit)


@pytest.mark.parametrize("age", [0.0, 29.9])
def test_nothing_is_sent_again_before_the_list_has_settled(age: float) -> None:
    for cleared, can_find in itertools.product([True, False], repeat=2):
        seen = Situation(
            record=IN_DOUBT, payload_hash="h", attempt=2, cleared=cleared, can_find=can_find, found=(), age=age
        )
        assert not isinstance(decide(seen), Submit)
