"""SIGSTOP at each await between the intent, the request and the save, a second attempt in between, then SIGCONT: the
vendor's ledger shows one job that is alive, and it is the one that is waited for.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from include.standins import FaultKind
from tests.crash.jobs.attempt import (
    DiesBeforeAsking,
    FreezesBeforeAsking,
    FreezesInReady,
    FreezesInTheLook,
    FreezesWithTheAnswer,
    attempt,
    retry,
)
from tests.crash.workers import LONG, kill, killed, stands_still, start, thaw
from tests.unit.jobs.acme import Acme

SETTLED = 1.0
"""Seconds after which "none found" is believed of the vendor Acme: the window of a request and the list's lateness."""


def thawed(process: Any, folder: Path, number: int = 1) -> dict[str, Any]:
    """Let it go on to its end, and return what it came to."""
    thaw(process)
    return dict(json.loads((folder / f"attempt-{number}.json").read_text()))


def alive(vendor: Acme) -> list[str]:
    return [job.id for job in vendor.jobs.values() if job.cancels == 0]


@pytest.mark.parametrize(
    "options", [{"kind": FreezesInReady}, {"freeze_at": "before intent"}, {"freeze_at": "after intent"}]
)
def test_frozen_before_the_request_it_never_sends_it(vendor: Acme, tmp_path: Path, options: dict[str, Any]) -> None:
    first = start(attempt, vendor.url, tmp_path, 1, **options)
    stands_still(first)
    assert vendor.requests["submit"] == 0
    second = retry(vendor.url, tmp_path)
    assert second.result["job_id"] == "job-1"
    assert thawed(first, tmp_path)["state"] != "success"
    assert (vendor.requests["submit"], alive(vendor)) == (1, ["job-1"])


def test_frozen_where_nobody_looks_at_the_clock_any_more_its_job_is_cancelled(vendor: Acme, tmp_path: Path) -> None:
    """This adapter's own client sends late all the same; Airflow's refusal of the save tells that it was too late."""
    first = start(attempt, vendor.url, tmp_path, 1, kind=FreezesBeforeAsking)
    stands_still(first)
    assert retry(vendor.url, tmp_path).result["job_id"] == "job-1"
    assert thawed(first, tmp_path)["state"] != "success"
    assert (vendor.requests["submit"], alive(vendor)) == (2, ["job-1"])


def test_frozen_before_the_request_and_thawed_in_time_it_sends_it(vendor: Acme, tmp_path: Path) -> None:
    first = start(attempt, vendor.url, tmp_path, 1, freeze_at="after intent", look=5.0)
    stands_still(first)
    assert thawed(first, tmp_path)["result"]["job_id"] == "job-1"
    assert vendor.requests["submit"] == 1


def test_frozen_for_too_long_without_a_successor_it_gives_up_and_the_next_attempt_asks(
    vendor: Acme, tmp_path: Path
) -> None:
    first = start(attempt, vendor.url, tmp_path, 1, freeze_at="after intent")
    stands_still(first)
    time.sleep(0.7)  # the window is what is measured here
    said = thawed(first, tmp_path)
    assert said["state"] == "up_for_retry"
    assert "held up for more than the 0.6 s" in said["error"]
    assert "Nothing was asked for" in said["error"]
    assert vendor.requests["submit"] == 0
    assert retry(vendor.url, tmp_path).result["job_id"] == "job-1"


@pytest.mark.parametrize(
    "options", [{"kind": FreezesWithTheAnswer}, {"freeze_at": "before id"}, {"freeze_at": "after id"}]
)
def test_frozen_with_the_answer_the_successor_takes_the_job_and_it_is_left_alone(
    vendor: Acme, tmp_path: Path, options: dict[str, Any]
) -> None:
    first = start(attempt, vendor.url, tmp_path, 1, **options)
    stands_still(first)
    assert retry(vendor.url, tmp_path).result["job_id"] == "job-1"
    assert thawed(first, tmp_path)["state"] != "success"
    assert (vendor.requests["submit"], alive(vendor)) == (1, ["job-1"])


def test_frozen_with_the_answer_under_a_list_that_is_later_than_the_look_its_own_job_is_cancelled(
    vendor: Acme, tmp_path: Path
) -> None:
    """The successor cannot see the first job and makes its own; the thawed attempt learns that and cancels the
    first.
    """
    vendor.list_late = True
    first = start(attempt, vendor.url, tmp_path, 1, kind=FreezesWithTheAnswer)
    stands_still(first)
    second = retry(vendor.url, tmp_path)
    assert second.result["job_id"] == "job-2"
    vendor.list_all()
    assert thawed(first, tmp_path)["state"] != "success"
    assert alive(vendor) == ["job-2"]


def test_killed_with_the_answer_under_a_late_list_the_next_attempt_cancels_what_turned_up(
    vendor: Acme, tmp_path: Path
) -> None:
    """Nobody is left to learn of the first job but the task itself, whenever it runs again."""
    vendor.list_late = True
    vendor.fault("submit", FaultKind.HOLD_ANSWER)
    process = start(attempt, vendor.url, tmp_path, 1)
    vendor.submitted(LONG)
    kill(process)
    vendor.script = ("running",)
    second = start(attempt, vendor.url, tmp_path, 2, kind=FreezesWithTheAnswer)
    stands_still(second)
    kill(second)
    vendor.list_all()
    vendor.jobs["job-2"].states.extend(["running", "done"])
    assert retry(vendor.url, tmp_path, 3).result["job_id"] == "job-2"
    assert alive(vendor) == ["job-2"]


def test_frozen_in_its_look_it_finds_that_another_has_asked(vendor: Acme, tmp_path: Path) -> None:
    """The second attempt has seen nothing and stands still; the third asks; the second must not ask as well."""
    killed(start(attempt, vendor.url, tmp_path, 1, kind=DiesBeforeAsking))
    time.sleep(SETTLED)  # so that a look is believed at once
    second = start(attempt, vendor.url, tmp_path, 2, kind=FreezesInTheLook)
    stands_still(second)
    assert retry(vendor.url, tmp_path, 3).result["job_id"] == "job-1"
    assert thawed(second, tmp_path, 2)["state"] != "success"
    assert (vendor.requests["submit"], alive(vendor)) == (1, ["job-1"])
