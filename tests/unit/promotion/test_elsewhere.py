"""What is behind a stage's name when FlexDeploy is asked is what was behind it when the promotion began: else nothing
is deployed, run or brought back, judged by FlexDeploy's ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from include.standins.flexdeploy import Changes, FlexDeployStandIn, FlexDeploySwitches
from include.standins.flexdeploy.planted import DEV, PROD, TEST
from tests.unit.promotion.conftest import QUICK_SITE
from tests.unit.promotion.play import N1, N2, OLD_VERSION, RESTART_IT, Play, Run, stage
from tests.unit.promotion.test_roll_back import BROKEN

BY_NAME = ({"environment": "DEV"}, {"environment": "TEST", "on_failure": "roll_back"})
"""Stages that FlexDeploy's own codes name."""


@pytest.fixture
def other() -> Iterator[FlexDeployStandIn]:
    """Return another FlexDeploy, which counts as the first one does."""
    with FlexDeployStandIn(switches=FlexDeploySwitches(**QUICK_SITE)) as vendor:
        yield vendor


@pytest.fixture(autouse=True)
def _always_something_new(vendor: FlexDeployStandIn) -> None:
    vendor.turn(changes=Changes.ALWAYS)


def led_to(play: Play, vendor: FlexDeployStandIn) -> None:
    """Let the connection lead to a FlexDeploy."""
    play.connections["flexdeploy_default"] = {**play.connections["flexdeploy_default"], "host": vendor.url}


def before_test(play: Play, run: Run, *more: str) -> Run:
    for name in ("begin", "build", "DEV.deploy", *more):
        assert run.do(name).state in ("success", "skipped"), run.parked[name].error
    return run


def given(play: Play, **more: Any) -> Run:
    """Start a run with the version that runs everywhere, from TEST on."""
    conf = {"version_id": OLD_VERSION, "from_stage": "TEST", "emergency": "it has to", **more}
    return play.start("given", by="bob", **conf)


def test_a_version_that_was_given_goes_to_no_other_server_than_it_began_with(
    play_of: Callable[..., Play], other: FlexDeployStandIn
) -> None:
    play = play_of()
    run = before_test(play, given(play, related_tickets=[]))
    led_to(play, other)
    done = run.do("TEST.deploy")
    assert done.state == "failed"
    told = str(done.error)
    assert "TEST leads elsewhere by now: this promotion began with FlexDeploy at 127.0.0.1" in told
    assert "clear the task `begin` with all that follows" in told
    assert [one for one in other.ledger.requests() if one.method == "POST"] == []
    led_to(play, play.vendor)
    run.clear("TEST.deploy")
    assert run.do("TEST.deploy").state in ("success", "skipped")
    assert other.ledger.effects(kind="deploy_made") == []


@pytest.mark.parametrize("how", ["built", "given"])
def test_nothing_goes_to_another_environment_of_the_same_name(play_of: Callable[..., Play], how: str) -> None:
    play = play_of(*BY_NAME)
    run = before_test(play, play.start("r1", N1) if how == "built" else given(play))
    made = len(play.deployments())
    play.vendor.swap_codes("TEST", "PROD")
    done = run.do("TEST.deploy")
    assert done.state == "failed"
    assert f"this promotion began with environment TEST ({TEST}), not environment TEST ({PROD})" in str(done.error)
    assert len(play.deployments()) == made
    # Whoever begins anew has it planned and asked for what it is by now.
    names = ("begin", "build", "DEV.deploy", "TEST.deploy")
    run.clear(*names)
    run.begin = play.new_dag().get_task("begin")
    assert [run.do(name).state for name in names][-1] in ("success", "skipped")
    target = run.step("TEST.deploy").target
    assert target is not None
    assert target.environment_id == PROD


def test_nor_is_a_utility_run_there(play_of: Callable[..., Play]) -> None:
    play = play_of({"environment": "DEV"}, {"environment": "TEST", "before": [RESTART_IT]})
    run = before_test(play, play.start("r1", N1))
    play.vendor.swap_codes("TEST", "PROD")
    done = run.do("TEST.restart")
    assert done.state == "failed"
    assert f"began with environment TEST ({TEST}), not environment TEST ({PROD})" in str(done.error)
    assert play.made("utility_run") == []


def test_nor_by_another_server(play_of: Callable[..., Play], other: FlexDeployStandIn) -> None:
    play = play_of(stage("DEV"), stage("TEST", before=[{**RESTART_IT, "environment_id": DEV}]))
    run = before_test(play, play.start("r1", N1))
    led_to(play, other)
    assert "began with FlexDeploy at" in str(run.do("TEST.restart").error)
    assert other.ledger.effects(kind="utility_run") == []
    led_to(play, play.vendor)
    run.clear("TEST.restart")
    assert run.do("TEST.restart").state == "success"


def test_nothing_is_brought_back_to_another_environment_of_the_same_name(play_of: Callable[..., Play]) -> None:
    play = play_of(*BY_NAME)
    first = before_test(play, play.start("r1", N1), "TEST.deploy")
    assert first.do("close").state == "success"
    run = before_test(play, play.start("r2", N2))
    play.vendor.faults.add(BROKEN)
    assert run.do("TEST.deploy").state == "failed"
    for name in ("roll_back.offer", "roll_back.approve"):
        assert run.do(name).state == "success"
    made = len(play.deployments())
    play.vendor.swap_codes("TEST", "PROD")
    done = run.do("roll_back.deploy")
    assert done.state == "failed"
    assert f"environment TEST ({TEST}), not environment TEST ({PROD})" in str(done.error)
    assert len(play.deployments()) == made
