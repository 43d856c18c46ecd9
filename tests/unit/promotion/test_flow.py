"""A whole promotion, task by task in the order of its DAG, judged by FlexDeploy's ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from include.standins.flexdeploy import vendor_fault
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.play import ENDED, N1, N2, OLD_VERSION, REPORTS, RESTART_IT, Play, Run, stage

STAGES = (
    stage("DEV"),
    stage("TEST", approval={"users": ["ann"]}, before=[{**RESTART_IT, "name": "stop"}], after=[RESTART_IT]),
    stage("PROD", approval={}),
)
ORDER = ["DEV", "TEST", "PROD"]


class Scheduler:
    """What Airflow's scheduler does for one run: each task when those before it have ended, by its trigger rule.

    :param answers: task → what a person answers
    :param meanwhile: task → what happens once it has ended
    """

    def __init__(
        self, run: Run, answers: dict[str, str], meanwhile: dict[str, Callable[[], Any]] | None = None
    ) -> None:
        self.run = run
        self.answers = answers
        self.meanwhile = meanwhile or {}

    def play(self) -> Run:
        for task in self.run.play.dag.topological_sort():
            self._play(task)
            if (happens := self.meanwhile.get(task.task_id)) is not None:
                happens()
        states = self.run.states
        self.run.end("failed" if states["close"] in ("failed", "upstream_failed") else "success")
        return self.run

    def _play(self, task: Any) -> None:
        run, name = self.run, task.task_id
        before = [run.states[one] for one in task.upstream_task_ids]
        bad, skipped = {"failed", "upstream_failed"} & set(before), "skipped" in before
        match task.trigger_rule.value:
            case "all_done":
                pass
            case "none_failed" if not bad:
                pass
            case "all_success" if not bad and not skipped:
                pass
            case _:
                run.states[name] = "upstream_failed" if bad else "skipped"
                return
        if run.states.get(name) == "skipped":
            return
        run.do(name)
        if run.states[name] in ("awaiting_input", "deferred") and name in self.answers:
            run.answer(name, self.answers[name])
            self._skip_what_airflow_skips(name)
        while run.states[name] in ("up_for_retry",):
            run.do(name)
        assert run.states[name] in ENDED, (name, run.states[name])

    def _skip_what_airflow_skips(self, name: str) -> None:
        for method, path in self.run.apis[name].calls:
            if (method, path.rsplit("/", 1)[-1]) == ("PATCH", "skip-downstream"):
                for one in self.run.task(name).downstream_task_ids:
                    self.run.states[one] = "skipped"


def promotion(play_of: Callable[..., Play], **more: Any) -> Play:
    play = play_of(*STAGES, after=list(REPORTS), **more)
    play.publish(N1, N2)
    return play


def kept_its_promises(play: Play, *runs: Run) -> None:
    """No version twice to a stage, no stage out of order, nothing but what was built, by any promotion."""
    requests = {step.requests: (run, step) for run in runs for step in run.record.steps if step.requests}
    for run in runs:
        mine = {str(one) for ids, (owner, _) in requests.items() if owner is run for one in ids}
        made = [one for one in play.vendor.ledger.effects(kind="deploy_made") if one.key in mine]
        back = {str(one) for step in run.record.steps if step.task == "roll_back.deploy" for one in step.requests}
        forward = [(one.detail["environmentCode"], one.detail["version"]) for one in made if one.key not in back]
        assert [code for code, _ in forward] == ORDER[: len(forward)]
        assert {version for _, version in forward} <= {run.record.version and run.record.version.id}
        built = [one for one in play.vendor.ledger.effects(kind="build_made") if one.key in mine]
        assert {one.detail["version"] for one in built} in (set(), {run.record.version and run.record.version.id})
    told = {str(one) for ids in requests for one in ids}
    asked = {
        one.key
        for kind in ("build_made", "deploy_made", "utility_run")
        for one in play.vendor.ledger.effects(kind=kind)
    }
    assert told == asked, "a request that no record tells of"


def test_all_goes_well(play_of: Callable[..., Play]) -> None:
    play = promotion(play_of)
    run = Scheduler(play.start("r1", N1), {"TEST.approve": "Approve", "PROD.approve": "Approve"}).play()
    version = run.record.version
    assert version is not None
    assert (run.record.outcome, play.airflow["r1"]) == (PromotionOutcome.PROMOTED, "success")
    assert play.deployments() == [(code, version.id) for code in ORDER]
    assert [one["environmentCode"] for one in play.made("utility_run")] == ["TEST", "TEST"]
    assert [step.task for step in run.record.steps] == [
        "build",
        "DEV.deploy",
        "TEST.approve",
        "TEST.stop",
        "TEST.deploy",
        "TEST.restart",
        "PROD.approve",
        "PROD.deploy",
    ]
    assert {run.states[f"roll_back.{name}"] for name in ("offer", "approve", "deploy")} == {"skipped"}
    kept_its_promises(play, run)


@pytest.mark.parametrize(("at", "reached"), [("TEST", ["DEV"]), ("PROD", ["DEV", "TEST"])])
def test_a_person_rejects(play_of: Callable[..., Play], at: str, reached: list[str]) -> None:
    play = promotion(play_of)
    answers = {"TEST.approve": "Approve", "PROD.approve": "Approve", f"{at}.approve": "Reject"}
    run = Scheduler(play.start("r1", N1), answers).play()
    assert (run.record.outcome, play.airflow["r1"]) == (PromotionOutcome.REJECTED, "success")
    assert [code for code, _ in play.deployments()] == reached
    assert "PROD.approve" in run.apis or at == "TEST"
    assert at != "TEST" or not run.apis["PROD.approve"].questions
    kept_its_promises(play, run)


@pytest.mark.parametrize(
    ("answer", "outcome"), [("Approve", PromotionOutcome.ROLLED_BACK), ("Reject", PromotionOutcome.FAILED)]
)
def test_test_fails(play_of: Callable[..., Play], answer: str, outcome: PromotionOutcome) -> None:
    play = promotion(play_of)
    yes = {"TEST.approve": "Approve", "PROD.approve": "Approve"}
    first = Scheduler(play.start("r0", version_id=OLD_VERSION, by="ann"), yes).play()
    assert first.record.outcome is PromotionOutcome.PROMOTED
    play.vendor.faults.add(vendor_fault("run_fails", path="/deploy$", after=1))
    run = Scheduler(play.start("r1", N1), {**yes, "roll_back.approve": answer}).play()
    assert (run.record.outcome, play.airflow["r1"]) == (outcome, "failed")
    version = run.record.version
    assert version is not None
    forward = [("DEV", version.id), ("TEST", version.id)]
    assert play.deployments() == forward + ([("TEST", OLD_VERSION)] if answer == "Approve" else [])
    assert run.states["PROD.deploy"] == "upstream_failed"
    assert all(
        live.version == OLD_VERSION for live in play.vendor.runs_in("PROD") if live.project == play.config.project_id
    )
    kept_its_promises(play, first, run)


@pytest.mark.parametrize("point", ["build", "DEV.deploy", "TEST.deploy"])
def test_a_newer_night_comes_in_the_middle(play_of: Callable[..., Play], point: str) -> None:
    play = promotion(play_of, newer="supersede", build={"force": True})
    yes = {"TEST.approve": "Approve", "PROD.approve": "Approve"}
    newer = play.start("r2", N2)
    older = Scheduler(play.start("r1", N1), yes, {point: lambda: newer.do("begin")}).play()
    assert (older.record.outcome, older.record.superseded_by) == (PromotionOutcome.SUPERSEDED, "r2")
    assert older.states["PROD.deploy"] == "skipped"
    assert newer.states["begin"] == "deferred"
    done = newer.resume("begin", {"why": "its turn"})
    assert (done.state, done.error) == ("success", None)
    for task in play.dag.topological_sort():
        if task.task_id != "begin":
            Scheduler(newer, yes)._play(task)
    assert newer.record.outcome is PromotionOutcome.PROMOTED
    assert newer.record.version != older.record.version
    assert older.step("build").state is StepState.DONE
    kept_its_promises(play, older, newer)


def test_two_nights_one_after_the_other(play_of: Callable[..., Play]) -> None:
    play = promotion(play_of, build={"force": True})
    yes = {"TEST.approve": "Approve", "PROD.approve": "Approve"}
    newer = play.start("r2", N2)
    older = Scheduler(play.start("r1", N1), yes, {"build": lambda: newer.do("begin")}).play()
    assert older.record.outcome is PromotionOutcome.PROMOTED
    assert newer.resume("begin", {"why": "its turn"}).state == "success"
    assert {stage: ran and ran.version for stage, ran in newer.record.before.items()} == dict.fromkeys(
        ORDER, older.record.version
    )
    kept_its_promises(play, older, newer)
