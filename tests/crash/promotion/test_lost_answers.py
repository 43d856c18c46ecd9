"""Lost and odd answers, and what people do at FlexDeploy meanwhile: nothing is asked for twice, nothing is lost in
silence.
"""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.standins import Fault, FaultKind
from include.standins.flexdeploy import FlexDeployStandIn, vendor_fault
from include.standins.flexdeploy.switches import Window
from nightshift.errors import Ambiguous, JobFailed, JobTimedOut
from nightshift.promotion.record import Version
from nightshift.promotion.vocabulary import StepState
from tests.crash.promotion.night import OLD
from tests.crash.promotion.scene import STARTS, STEPS, Scene, scene
from tests.crash.workers import until

LOST: dict[str, tuple[Fault, int]] = {
    "answer_lost": (Fault(kind=FaultKind.ACCEPT_THEN_DROP, method="POST", path=STARTS), 1),
    "request_lost": (Fault(kind=FaultKind.DROP_BEFORE, method="POST", path=STARTS), 0),
    "null_pointer": (vendor_fault("null_pointer", method="POST", path=STARTS), 0),
    "null_pointer_after": (vendor_fault("null_pointer_after", method="POST", path=STARTS), 1),
    "no_id": (vendor_fault("no_id"), 1),
    "html": (Fault(kind=FaultKind.HTML_200, method="POST", path=STARTS), 0),
    "truncated": (Fault(kind=FaultKind.TRUNCATED, method="POST", path=STARTS, at_bytes=20), 1),
}
"""What happens to the answer of a POST → whether the work was begun all the same."""


@pytest.mark.parametrize(
    ("kind", "lost"),
    [("deploy", lost) for lost in LOST]
    + [(kind, lost) for kind in STEPS if kind != "deploy" for lost in ("answer_lost", "null_pointer", "html")],
)
def test_a_lost_answer_is_asked_for_at_a_person(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, kind: str, lost: str
) -> None:
    fault, begun = LOST[lost]
    play = scene(vendor, tmp_path, kind, version)
    vendor.faults.add(fault)
    run = play.retry()
    assert (run.state, type(run.error)) == ("failed", Ambiguous), run.error
    assert play.state().outcome == "ambiguous"
    made = play.judge.made()
    assert len(made) == begun
    assert isinstance(play.retry().error, Ambiguous)
    assert play.judge.made() == made
    play.judge.promises("r", unknown=made)
    play.airflow.resolve("r", play.step, {"adopt": str(made[0])} if made else {"resubmit": True})
    assert play.retry().state == "success"
    made = play.judge.made()
    assert (len(made), list(play.state().requests)) == (1, made)


@pytest.mark.parametrize(
    "fault",
    [
        vendor_fault("odd_status", detail={"status": "ON_HOLD"}, times=2),
        vendor_fault("request_unseen", times=2),
        vendor_fault("null_pointer", method="GET", path="/workflowrequest/", times=2),
        Fault(kind=FaultKind.HTML_200, method="GET", path="/workflowrequest/", times=2),
    ],
    ids=["odd_status", "unseen", "null_pointer", "html"],
)
@pytest.mark.parametrize("killed", [False, True])
def test_odd_answers_to_polls_are_no_verdict(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, fault: Fault, killed: bool
) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    if killed:
        play.killed("id_saved")
    vendor.faults.add(fault)
    run = play.retry()
    assert run.state == "success", run.error
    assert len(play.judge.made()) == 1
    play.judge.promises("r")


def test_a_request_that_is_shown_late_is_not_made_again(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    vendor.turn(visible_after=1.0)
    play = scene(vendor, tmp_path, "deploy", version)
    play.killed("id_saved")
    run = play.retry()
    assert run.state == "success", run.error
    assert len(play.judge.made()) == 1


def people_end(play: Scene, how: str) -> Any:
    """Let a person at FlexDeploy end the request that is underway."""
    vendor, (request,) = play.vendor, play.judge.made()
    {"abort": vendor.abort, "reject": vendor.reject, "cancel": vendor.cancel_schedule}[how](request)


def closed_now() -> Window:
    at = datetime.now(UTC)
    return Window(opens=f"{at + timedelta(hours=5):%H:%M}", closes=f"{at + timedelta(hours=6):%H:%M}")


ENDS = {"abort": "aborted", "reject": "rejected", "cancel": "rejected"}


def hinder(vendor: FlexDeployStandIn, how: str) -> None:
    vendor.turn(
        deploy_seconds=20.0 if how == "abort" else 0.02,
        approvals={"DEV": 1} if how == "reject" else {},
        windows={"DEV": closed_now()} if how == "cancel" else {},
    )


@pytest.mark.parametrize("how", ENDS)
def test_what_people_end_at_flexdeploy_is_over(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, how: str
) -> None:
    hinder(vendor, how)
    play = scene(vendor, tmp_path, "deploy", version)
    ended = threading.Thread(target=lambda: (until(play.asked), people_end(play, how)))
    ended.start()
    run = play.retry()
    ended.join()
    assert (run.state, type(run.error)) == ("failed", JobFailed), run.error
    assert play.state().outcome == ENDS[how]
    assert len(play.judge.made()) == 1


@pytest.mark.parametrize("how", [*ENDS, "fail"])
@pytest.mark.parametrize("silent", [False, True])
def test_what_people_end_while_no_worker_looks_is_over(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, how: str, silent: bool
) -> None:
    """A crash must not make of a person's no, or of a failure, a second deployment."""
    hinder(vendor, how)
    play = scene(vendor, tmp_path, "deploy", version)
    if how == "fail":
        vendor.faults.add(vendor_fault("run_fails"))
    play.killed("noted")
    if how == "fail":
        until(lambda: vendor.state(play.judge.made()[0]) == "FAILED")
    elif not silent:
        people_end(play, how)
    else:
        vendor.faults.add(vendor_fault("null_pointer", method="GET", path="/workflowrequest/"))
        threading.Timer(0.3, lambda: people_end(play, how)).start()
    run = play.retry()
    assert (run.state, type(run.error)) == ("failed", JobFailed), run.error
    assert len(play.judge.made()) == 1
    assert play.state().outcome == ENDS.get(how, "failed")
    play.judge.promises("r")


def test_a_worker_that_was_told_to_stop_has_its_job_made_again(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    """What our own end of a worker has cancelled is nobody's no."""
    vendor.turn(approvals={"DEV": 1})
    play = scene(vendor, tmp_path, "deploy", version)
    process = play.worker()
    until(play.asked)
    process.terminate()
    process.join(20)
    (first,) = play.judge.made()
    assert vendor.state(first) == "REJECTED"
    vendor.turn(approvals={})
    run = play.retry()
    assert run.state == "success", run.error
    assert len(play.judge.made()) == 2


def test_no_way_back_is_offered_while_the_failed_deployment_goes_on(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path
) -> None:
    vendor.turn(deploy_seconds=20.0)
    play = scene(vendor, tmp_path, "deploy", version)
    while (run := play.retry(job_timeout=0.2)).state != "failed":
        assert isinstance(run.error, JobTimedOut), run.error
    offer = play.airflow.attempt("r", "roll_back.offer")
    assert offer.state == "failed"
    assert "Nothing is rolled back while it goes on" in str(offer.error)
    vendor.abort(play.judge.made()[0])
    offer = play.airflow.attempt("r", "roll_back.offer")
    assert offer.result["version"]["id"] == OLD.id, offer.error


RESTART = (
    Fault(kind=FaultKind.DROP_BEFORE, method="GET", path="/workflowrequest/", times=4),
    Fault(
        kind=FaultKind.STATUS, method="GET", path="/workflowrequest/", status=503, body="<html>Starting</html>", times=6
    ),
    Fault(
        kind=FaultKind.STATUS,
        method="GET",
        path="/workflowrequest/",
        status=404,
        body="<html>HTTP Status 404</html>",
        times=4,
    ),
    vendor_fault("request_unseen", times=2),
)
"""What an application server shows while it restarts: no connection, its page, a page of its own for a path that is not
deployed yet; then FlexDeploy without its data."""


@pytest.mark.parametrize("deferred", [False, True])
def test_a_restart_of_the_vendor_is_no_verdict(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, deferred: bool
) -> None:
    vendor.turn(deploy_seconds=0.3)
    play = scene(vendor, tmp_path, "deploy", version)
    for fault in RESTART:
        vendor.faults.add(fault)
    run = play.retry(look=0.0) if deferred else play.retry()
    assert run.state == "success", run.error
    assert len(play.judge.made()) == 1
    play.judge.promises("r")


@pytest.mark.parametrize("shown", ["page", "own_word"])
def test_what_is_not_shown_is_in_doubt_and_never_made_again_on_a_guess(
    vendor: FlexDeployStandIn, version: Version, tmp_path: Path, shown: str
) -> None:
    play = scene(vendor, tmp_path, "deploy", version)
    hidden = (
        vendor_fault("request_unseen", times=None)
        if shown == "own_word"
        else Fault(
            kind=FaultKind.STATUS,
            method="GET",
            path="/workflowrequest/",
            status=404,
            body="<html>404</html>",
            times=None,
        )
    )
    vendor.faults.add(hidden)
    run = play.retry(job_timeout=0.5)
    assert (run.state, type(run.error)) == ("failed", Ambiguous), run.error
    assert "nightshift_resolve" in str(run.error)
    assert (play.state().state, play.state().outcome) == (StepState.FAILED, "ambiguous")
    play.airflow.clear("r", play.step)
    assert isinstance(play.retry(job_timeout=0.5).error, Ambiguous)
    assert len(play.judge.made()) == 1
    vendor.faults.clear()
    play.airflow.clear("r", play.step)
    run = play.retry(job_timeout=5.0)
    assert run.state == "success", run.error
    assert len(play.judge.made()) == 1
    play.judge.promises("r")
