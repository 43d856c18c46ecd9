"""The three promises, judged by what FlexDeploy's ledger has, never by what our code says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any

from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, PORTAL, TEST
from nightshift.promotion.vocabulary import StepKind, StepState
from tests.crash.promotion.night import Airflow

MADE = frozenset({"build_made", "deploy_made", "utility_run"})
STAGE = {DEV: "DEV", TEST: "TEST"}


class Judge:
    """What FlexDeploy did from now on.

    :param vendor: the stand-in
    :param airflow: whose records are compared
    """

    def __init__(self, vendor: FlexDeployStandIn, airflow: Airflow) -> None:
        self.vendor = vendor
        self.airflow = airflow
        self.since = max((one.number for one in vendor.ledger.effects()), default=0)

    def effects(self) -> list[Any]:
        self.vendor.settle()
        return self.vendor.ledger.effects(since=self.since)

    def made(self) -> list[int]:
        """Ids of all workflow requests that were made, oldest first."""
        return [int(one.key) for one in self.vendor.ledger.effects(since=self.since) if one.kind in MADE]

    def deploys(self) -> list[tuple[str, int]]:
        return [
            (STAGE[one.detail["environment"]], one.detail["version"])
            for one in self.effects()
            if one.kind == "deploy_made"
        ]

    def promises(
        self,
        *runs: str,
        unknown: Collection[int] = (),
        built: Collection[int] = (),
        before: Collection[tuple[str, int]] = (),
    ) -> None:
        """Hold the promises against the ledger.

        :param runs: the promotions
        :param unknown: requests that a task has said in words that nobody can tell
        :param built: versions that these promotions built, where one of them built more than one
        :param before: deployments, stage and version, that were done before the ledger was looked at
        """
        records = [self.airflow.record(run) for run in runs]
        twice = {pair for pair, count in Counter(self.deploys()).items() if count > 1}
        assert not twice, f"deployed twice: {twice}"
        meant = {record.version.id for record in records if record.version is not None} | set(built)
        back = {
            record.before[stage].version.id for record in records for stage in record.before if record.before[stage]
        }  # type: ignore[union-attr]
        strange = {version for _, version in self.deploys()} - meant - back
        assert not strange, f"never built or approved: {strange}"
        self._in_order(meant, set(before))
        known = {number for record in records for step in record.steps for number in step.requests}
        orphans = set(self.made()) - known - set(unknown)
        assert not orphans, f"orphaned: {orphans}"

    def _in_order(self, meant: Collection[int], there: set[tuple[str, int]]) -> None:
        for one in self.effects():
            if one.kind == "deploy_made" and one.detail["version"] in meant and one.detail["environment"] == TEST:
                pair = ("DEV", one.detail["version"])
                assert pair in there, f"TEST before DEV: {one.detail['version']}"
            if one.kind == "request_ended" and one.detail["type"] == "DEPLOY" and one.detail["status"] == "COMPLETED":
                there.add((STAGE[one.detail["environment"]], one.detail["version"]))

    def tells_what_runs(self, run: str) -> None:
        """Hold what the record says was deployed against what FlexDeploy runs."""
        for step in self.airflow.record(run).steps:
            if step.kind is StepKind.DEPLOY and step.state is StepState.DONE and step.version is not None:
                live = {one.version for one in self.vendor.runs_in(str(step.stage)) if one.project == PORTAL}
                assert live == {step.version.id}, (step.task, live)
