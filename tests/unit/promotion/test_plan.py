"""What promotions.yaml names at FlexDeploy is looked up by `begin`: a slip is told before anything is built."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins.faults import Fault
from include.standins.flexdeploy.planted import DEV, PORTAL, TEST
from include.standins.flexdeploy.switches import ErrorBody
from tests.unit.promotion.play import N1, RESTART_IT, Play, stage

SLIPS: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    "environment": ({"environment": "TESTT"}, {}, "TEST: there is no environment 'TESTT'"),
    "letter case": ({"environment": "test"}, {}, "TEST: there is no environment 'test'; what is like it: 'TEST'"),
    "environment id": ({"environment_id": 11999}, {}, "TEST: there is no environment 11999; there are DEV (11001)"),
    "instance": ({"instance_ids": [66666]}, {}, "TEST: instance 66666 is none of the project"),
    "stream": ({}, {"stream": "mian"}, "build: there is no stream of project 10101 'mian'"),
    "stream id": ({}, {"stream_id": 999}, "build: project 10101 has no stream 999; it has "),
    "project": ({}, {"project": "Licensing/Portal/LicensePortl"}, "'Licensing/Portal/LicensePortl'"),
    "project id": ({}, {"project_id": 99999}, "build: there is no project 99999"),
    "build environment": (
        {},
        {"build": {"environment_id": None, "environment": "DVE"}},
        "build: there is no environment 'DVE'",
    ),
}


def slipped(play_of: Callable[..., Play], slip: str) -> Play:
    at_test, everywhere, _ = SLIPS[slip]
    where = {} if {"environment", "environment_id"} & at_test.keys() else {"environment_id": TEST}
    given = dict(everywhere)
    if "project" in given:
        given["project_id"] = None
    if "stream" in given:
        given["stream_id"] = None
    return play_of(stage("DEV"), {"name": "TEST", **where, **at_test}, **given)


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_is_told_before_anything_is_built(play_of: Callable[..., Play], slip: str) -> None:
    play = slipped(play_of, slip)
    done = play.start("r1", N1).do("begin")
    assert done.state == "failed"
    assert SLIPS[slip][2] in str(done.error)
    assert "Nothing was built" in str(done.error)
    assert play.asked() == 0


def test_a_slip_in_a_utility_step_is_told_with_its_name(play_of: Callable[..., Play]) -> None:
    play = play_of(stage("DEV", before=[{**RESTART_IT, "name": "stop", "environment": "NOWHERE"}]))
    done = play.start("r1", N1).do("begin")
    assert "DEV.stop: there is no environment 'NOWHERE'" in str(done.error)


def test_a_dry_run_tells_it_too(play_of: Callable[..., Play]) -> None:
    done = slipped(play_of, "environment id").start("r1", N1, dry_run=True).do("begin")
    assert "there is no environment 11999" in str(done.error)


def test_only_the_stages_that_it_goes_through_are_looked_up(play_of: Callable[..., Play]) -> None:
    done = slipped(play_of, "environment id").start("r1", N1, to_stage="DEV").do("begin")
    assert done.state == "success", done.error


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_server_that_does_not_tell_is_no_mistake(play: Play, status: int) -> None:
    """An old one without these pages, a user who may not see them, one that is down."""
    play.vendor.turn(error_body=ErrorBody.HTML)
    fault = Fault(
        kind="status", method="GET", path="/topology/|/project/", status=status, body="<html></html>", times=None
    )
    play.vendor.faults.add(fault)
    done = play.start("r1", N1).do("begin")
    assert done.state == "success", done.error


def test_what_is_right_is_found(play: Play) -> None:
    done = play.start("r1", N1).do("begin")
    assert done.state == "success", (done.error, DEV, PORTAL)


def test_what_verifies_and_soaks_a_stage_is_planned_and_its_utilities_are_looked_up(
    play_of: Callable[..., Play],
) -> None:
    verify = {"probes": [{"url": "https://portal.example.com/health"}], "utilities": [{**RESTART_IT, "name": "smoke"}]}
    run = play_of(stage("DEV", verify=verify, soak="4h"), stage("TEST", soak="1d")).start("r1", N1)
    assert run.do("begin").state == "success"
    assert "DEV: deploy what is built, verify by probe, smoke, soak 4h, verify again" in run.record.plan
    assert "TEST: deploy what is built, soak 1d" in run.record.plan
    assert run.record.due["DEV"] == (
        "DEV.verify.probe",
        "DEV.verify.smoke",
        "DEV.soak",
        "DEV.verify_again.probe",
        "DEV.verify_again.smoke",
    )
    assert run.record.due["TEST"] == ("TEST.soak",)
    lost = {"utilities": [{**RESTART_IT, "name": "smoke", "environment": "NOWHERE"}]}
    play = play_of(stage("DEV", verify=lost))
    done = play.start("r2", N1).do("begin")
    assert "DEV.smoke: there is no environment 'NOWHERE'" in str(done.error)
    assert play.asked() == 0
