"""kill -9 in the checks of a deployment and in its soak: one run of a utility at most, and nothing goes on
unverified.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy.planted import RESTART
from nightshift.errors import Ambiguous
from nightshift.promotion.due import tasks_due
from nightshift.promotion.record import Version
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord
from tests.crash.promotion.night import config
from tests.crash.promotion.scene import Scene, scene

UTILITY = {"project_id": RESTART, "inputs": {"SERVICE": "portal"}}
STAGES = [
    {"environment_id": 11001, "name": "DEV", "verify": {"utilities": [{"name": "smoke", **UTILITY}]}, "soak": "4h"},
    {"environment_id": 11002, "name": "TEST", "approval": {}, "before": [{"name": "stop", **UTILITY}]},
]
SMOKE, SOAK = "DEV.verify.smoke", "DEV.soak"


@pytest.fixture
def deployed(vendor: FlexDeployStandIn, version: Version, tmp_path: Path) -> Scene:
    """A version is in DEV, and nothing of it is verified."""
    more = json.dumps({"stages": STAGES})
    play = scene(vendor, tmp_path, "utility", version, more=more)
    play.airflow.write(play.airflow.record("r").changed(due=tasks_due(config(stages=STAGES))))
    play.step = SMOKE
    return play


@pytest.mark.parametrize("point", ["before_intent", "id_saved", "polling", "before_done", "done"])
def test_the_utility_runs_once_whenever_its_worker_is_killed(deployed: Scene, point: str) -> None:
    deployed.killed(point)
    assert deployed.retry().state == "success"
    step, record = deployed.state(), deployed.airflow.record("r")
    assert (step.state, step.kind, list(step.requests)) == (
        StepState.DONE,
        StepKind.VERIFICATION,
        deployed.judge.made(),
    )
    assert len(step.requests) == 1
    assert {(one.task, one.word, one.version) for one in record.verdicts} == {
        (SMOKE, VerdictWord.VERIFIED, deployed.version)
    }


def test_a_utility_of_which_nobody_can_tell_is_no_verdict(deployed: Scene) -> None:
    deployed.killed("answered")
    assert isinstance(deployed.retry().error, Ambiguous)
    [request] = deployed.judge.made()
    assert deployed.airflow.record("r").verdicts == ()
    refused = deployed.airflow.attempt("r", "TEST.stop")
    assert refused.state == "failed"
    assert f"Clear {SMOKE}" in str(refused.error)
    deployed.airflow.resolve("r", SMOKE, {"adopt": str(request)})
    assert deployed.retry().state == "success"
    assert (deployed.judge.made(), deployed.state().requests) == ([request], (request,))


def test_a_soak_ends_when_it_would_have_whenever_its_worker_is_killed(deployed: Scene) -> None:
    assert deployed.retry().state == "success"
    verified = deployed.state().ended
    assert verified is not None
    for point in ("before_step", "noted"):
        deployed.killed(point, step=SOAK)
    waits = deployed.airflow.attempt("r", SOAK, follow=False)
    assert waits.state == "deferred"
    step = deployed.airflow.record("r").step(SOAK)
    assert step is not None
    assert (step.state, step.until) == (StepState.STARTED, verified + timedelta(hours=4))
    refused = deployed.airflow.attempt("r", "TEST.stop")
    assert f"{SOAK} was marked in Airflow, and its record says started" in str(refused.error)
    _let_pass(deployed, timedelta(hours=5))
    deployed.killed("before_done", step=SOAK)
    assert deployed.airflow.attempt("r", SOAK).state == "success"
    assert "DEV.verify_again.smoke" in str(deployed.airflow.attempt("r", "TEST.stop").error)
    assert deployed.airflow.attempt("r", "DEV.verify_again.smoke").state == "success"
    assert deployed.airflow.attempt("r", "TEST.stop").state == "success"
    assert len(deployed.judge.made()) == 3


def _let_pass(play: Scene, gone: timedelta) -> None:
    record = play.airflow.record("r")
    steps = (one.changed(started=one.started - gone, ended=one.ended and one.ended - gone) for one in record.steps)
    play.airflow.write(record.changed(steps=tuple(steps)))
