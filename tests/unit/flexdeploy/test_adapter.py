"""One word for several workflow requests, and every word of the vendor."""

from __future__ import annotations

import pytest

from nightshift.errors import NotFound, Rejected
from nightshift.flexdeploy.adapter import state_of, status_of
from nightshift.flexdeploy.fields import ids_of, job_id_of
from nightshift.flexdeploy.model import Task, WorkflowRequest
from nightshift.flexdeploy.vocabulary import ACTIVE, ENDED, FAILED, SUCCEEDED, RequestState
from nightshift.jobs.state import JobState


def parts(*words: str | None) -> list[WorkflowRequest | None]:
    return [None if word is None else WorkflowRequest(id=str(n), status=word) for n, word in enumerate(words, 1)]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        (["COMPLETED"], JobState.SUCCEEDED),
        (["COMPLETED", "COMPLETED"], JobState.SUCCEEDED),
        (["COMPLETED", "FAILED"], JobState.FAILED),
        (["COMPLETED", "REJECTED"], JobState.FAILED),
        (["ABORTED", "COMPLETED"], JobState.CANCELLED),
        (["REJECTED", "FAILED"], JobState.FAILED),
        (["ABORTED"], JobState.CANCELLED),
        (["FAILED", "PENDING_APPROVAL"], JobState.WAITING),
        (["SCHEDULED", "SUBMITTED"], JobState.RUNNING),
        (["READY", "PENDING_APPROVAL"], JobState.QUEUED),
        (["INITIATED"], JobState.QUEUED),
        (["NEW_WORD", "PENDING_APPROVAL"], JobState.UNKNOWN),
        (["COMPLETED", "NEW_WORD"], JobState.UNKNOWN),
        ([None, "SUBMITTED"], JobState.RUNNING),
        ([""], JobState.QUEUED),
    ],
)
def test_several_requests_have_one_state(words: list[str | None], state: JobState) -> None:
    assert state_of(parts(*words)) is state


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("completed", RequestState.COMPLETED),
        ("Pending Approval", RequestState.PENDING_APPROVAL),
        (" READY ", RequestState.READY),
        ("Running", RequestState.UNKNOWN),
        ("Success", RequestState.UNKNOWN),
        ("", RequestState.UNKNOWN),
    ],
)
def test_a_word_is_read_whatever_its_letters(text: str, state: RequestState) -> None:
    assert RequestState.of(text) is state


def test_the_groups_hold_every_state_once() -> None:
    assert {RequestState.COMPLETED} == SUCCEEDED
    assert (frozenset(RequestState), frozenset(), frozenset()) == (ACTIVE | ENDED, ACTIVE & ENDED, SUCCEEDED & FAILED)


def test_a_request_that_is_missing_ends_nothing_while_others_work() -> None:
    named = dict(zip(("1", "2"), parts("SUBMITTED", None), strict=True))
    assert status_of("1,2", named, url="").vendor_state == "1 SUBMITTED, 2 not found"
    named = dict(zip(("1", "2"), parts("COMPLETED", None), strict=True))
    with pytest.raises(NotFound, match="workflow request 2 "):
        status_of("1,2", named, url="")


def test_a_version_is_told_where_it_is_one() -> None:
    one, two = (WorkflowRequest(id=n, status="COMPLETED", project_version_id=int(n)) for n in "12")
    assert status_of("1", {"1": one}, url="").attributes["project_version_id"] == 1
    assert status_of("1,2", {"1": one, "2": two}, url="").attributes["project_version_id"] is None


@pytest.mark.parametrize("given", [[12, "13"], "12,13", "12, 13", (12, 13, 12)])
def test_ids_are_joined_and_parted(given: object) -> None:
    assert job_id_of(given) == "12,13"
    assert ids_of("12,13") == ("12", "13")


@pytest.mark.parametrize("given", ["", [], "12,", "12;13", {"a": 1}, None])
def test_what_is_no_list_of_ids_is_refused(given: object) -> None:
    with pytest.raises(Rejected):
        job_id_of(given)


@pytest.mark.parametrize(
    ("status", "still"), [("PENDING", True), (None, True), ("APPROVED", False), ("REJECTED", False)]
)
def test_a_task_is_open_until_it_is_decided(status: str | None, still: bool) -> None:
    one = Task.of({"taskId": 1, "status": status})
    assert one is not None
    assert one.open is still
