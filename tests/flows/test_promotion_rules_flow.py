"""All rules of a promotion once, through a real Airflow and by different people: hold, verification, soak, a quorum
without the requester, a freeze that is overridden, a version that turns bad later, its way back by rule, and that it
goes nowhere any more. Judged by FlexDeploy's ledger.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from include.local.rest import Api, ApiError
from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, TEST
from nightshift.lake.store import Lake
from nightshift.promotion.figures import read_figures
from nightshift.promotion.holds import hold, lift
from nightshift.promotion.record import PromotionRecord, now
from nightshift.promotion.vocabulary import PromotionOutcome, VerdictWord
from tests.flows.conftest import until

pytestmark = pytest.mark.airflow
TOOLBOX = 10107
DAG = "promote_bank"
SOAK = 8.0


@pytest.fixture
def vendor(api: Api, flexdeploy: FlexDeployStandIn) -> Iterator[FlexDeployStandIn]:
    flexdeploy.ledger.clear()
    api.unpause(DAG)
    yield flexdeploy
    flexdeploy.turn(bad_versions=[])
    api.call("PATCH", f"/api/v2/dags/{DAG}", {"is_paused": True})


class Bank:
    """The application, as people and FlexDeploy see it."""

    def __init__(self, api: Api, vendor: FlexDeployStandIn, lake: Path) -> None:
        self.api, self.vendor = api, vendor
        self.lake = Lake.from_url(str(lake))
        self.folder = lake / "promotions" / "bank"

    def record(self, run_id: str) -> PromotionRecord | None:
        path = self.folder / f"{run_id}.json"
        return PromotionRecord.from_json(path.read_bytes(), str(path)) if path.exists() else None

    def step(self, run_id: str, task: str) -> Any:
        record = self.record(run_id)
        return None if record is None else record.step(task)

    def done(self, kind: str) -> list[Any]:
        return [one for one in self.vendor.ledger.effects(kind=kind) if one.detail["project"] == TOOLBOX]

    def deployed(self) -> list[tuple[Any, Any]]:
        return [(one.detail["environment"], one.detail["version"]) for one in self.done("deploy_made")]

    def question(self, run_id: str, task: str) -> dict[str, Any]:
        def asked() -> dict[str, Any] | None:
            found = self.api.questions(DAG, run_id)
            return next((one for one in found if one["task_instance"]["task_id"] == task), None)

        question = until(asked, f"{task} of {run_id} asks", 120)
        # Airflow 3.3.2 loses an answer that comes before it has noticed that the worker is gone.
        time.sleep(4)
        assert question is not None
        return question

    def ended(self, run_id: str) -> str:
        return str(self.api.wait(DAG, run_id)["state"])


@pytest.fixture
def bank(api: Api, vendor: FlexDeployStandIn, lake_folder: Path) -> Bank:
    return Bank(api, vendor, lake_folder)


def test_every_rule_once_by_different_people(bank: Bank, api_of: Callable[[str], Api]) -> None:
    began = now()
    version = _held_verified_soaked_and_approved_by_two(bank, api_of)
    bad = _turns_bad_in_its_soak_and_is_brought_back(bank, version)
    _goes_nowhere_any_more(bank, bad)
    figures = asyncio.run(read_figures(bank.lake, ["bank"], since=began, until=now().replace(year=now().year + 1)))
    dev, test = figures.applications["bank"]
    assert (dev.stage, dev.deployments, dev.failed, dev.roll_backs) == ("DEV", 2, 1, 1)
    assert (dev.time_to_restore.n, dev.not_restored) == (1, ())
    assert (test.stage, test.deployments, test.failed, test.lead_time.n) == ("TEST", 1, 0, 1)


def _held_verified_soaked_and_approved_by_two(bank: Bank, api_of: Callable[[str], Api]) -> int:
    """Return the version that goes through both stages."""
    stop = asyncio.run(hold(bank.lake, application="bank", by="ben", reason="a fire", until=None))
    run_id = api_of("ann").trigger(DAG)
    until(lambda: "a fire" in getattr(bank.step(run_id, "build"), "detail", ""), "the build waits for the hold")
    assert (bank.done("build_made"), bank.deployed()) == ([], [])
    asyncio.run(lift(bank.lake, stop.id, by="ben", reason="it is out"))

    question = bank.question(run_id, "TEST.approve")
    [made], [built] = bank.done("deploy_made"), bank.done("build_made")
    version = int(built.detail["version"])
    probes = [one for one in bank.done("probe_answered") if one.number > made.number]
    assert [one.detail["version"] for one in probes] == [version] * len(probes)
    assert probes[-1].at - made.at >= SOAK, "verified once more after the soak"
    assert {one["id"] for one in question["assigned_users"]} == {"ben", "cid"}, "not by who asked for it"
    with pytest.raises(ApiError) as refused:
        api_of("ann").answer(DAG, run_id, "TEST.approve", "Approve")
    assert refused.value.status == 403
    api_of("ben").answer(DAG, run_id, "TEST.approve", "Approve", reason="")
    until(lambda: len(getattr(bank.step(run_id, "TEST.approve"), "answers", ())) == 1, "one answer is in the record")
    bank.question(run_id, "TEST.approve")
    assert bank.deployed() == [(DEV, version)]
    api_of("cid").answer(DAG, run_id, "TEST.approve", "Approve", reason="")

    question = bank.question(run_id, "TEST.deploy")
    assert "audit" in question["body"]
    assert bank.deployed() == [(DEV, version)]
    api_of("cid").answer(DAG, run_id, "TEST.deploy", "Override the freeze", reason="the auditors asked for it")
    assert bank.ended(run_id) == "success"
    assert bank.deployed() == [(DEV, version), (TEST, version)]
    record = bank.record(run_id)
    assert record is not None
    assert (record.outcome, record.by) == (PromotionOutcome.PROMOTED, "ann")
    assert [(one.freeze, one.person) for one in record.overrides] == [("audit", "cid")]
    return version


def _turns_bad_in_its_soak_and_is_brought_back(bank: Bank, before: int) -> int:
    """Return the version that turned bad."""
    run_id = bank.api.trigger(DAG)
    until(lambda: bank.step(run_id, "DEV.soak"), "the version soaks")
    version = int(bank.done("build_made")[-1].detail["version"])
    bank.vendor.turn(bad_versions=[version])
    assert bank.ended(run_id) == "failed"
    assert bank.deployed()[2:] == [(DEV, version), (DEV, before)]
    assert {one.version for one in bank.vendor.runs_in("DEV") if one.project == TOOLBOX} == {before}
    record = bank.record(run_id)
    assert record is not None
    assert record.outcome is PromotionOutcome.ROLLED_BACK
    words = [one.word for one in record.verdicts]
    assert words == [VerdictWord.VERIFIED, VerdictWord.REFUTED, VerdictWord.VERIFIED], (
        "the way back is verified as well"
    )
    return version


def _goes_nowhere_any_more(bank: Bank, version: int) -> None:
    bank.vendor.turn(bad_versions=[])
    deployed = bank.deployed()
    run_id = bank.api.trigger(DAG, conf={"version_id": version})
    assert bank.ended(run_id) == "failed"
    assert "was revoked" in bank.api.log(DAG, run_id, "begin")
    assert bank.deployed() == deployed
