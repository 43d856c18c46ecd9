"""What happens in a story, in truth: what FlexDeploy did and for whom, what people said, what they were shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, PORTAL, TEST

STAGE = {DEV: "DEV", TEST: "TEST"}
STAGES = ("DEV", "TEST")
MADE = frozenset({"build_made", "deploy_made", "utility_run"})
OLD = 20000 + PORTAL
"""The version that the stand-in runs everywhere at the start."""


@dataclass(frozen=True)
class Made:
    """Work that FlexDeploy was asked for and took on.

    :param number: of its effect in the ledger, by which effects are ordered
    :param run: the run whose attempt asked for it
    :param at: when, seconds since the epoch
    """

    number: int
    request: int
    kind: str
    run: str
    stage: str
    version: int
    tickets: tuple[str, ...]
    force: bool
    at: float


@dataclass(frozen=True)
class Ended:
    """The end of such work."""

    number: int
    request: int
    status: str


@dataclass(frozen=True)
class Answer:
    """What a person answered to a question.

    :param after: number of the last effect at FlexDeploy before it
    :param version: what its run had built then
    :param tickets: what was configured when the question was asked
    """

    run: str
    task: str
    by: str
    option: str
    at: float
    after: int
    version: int | None
    tickets: tuple[str, ...]


@dataclass
class World:
    """All that is true, from the vendor's ledger and from the story itself.

    :param vendor: the stand-in
    """

    vendor: FlexDeployStandIn
    made: dict[int, Made] = field(default_factory=dict)
    ended: dict[int, Ended] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    started_by: dict[str, str | None] = field(default_factory=dict)
    """Run → the person who started it."""

    def __post_init__(self) -> None:
        self.seen = max((one.number for one in self.vendor.ledger.effects()), default=0)

    def look(self, run: str) -> list[Made]:
        """Take note of what FlexDeploy did since the last look; whatever is new was asked for by a run."""
        self.vendor.settle()
        new = []
        for effect in self.vendor.ledger.effects(since=self.seen):
            self.seen = effect.number
            if effect.kind in MADE:
                detail: Any = effect.detail
                one = Made(
                    number=effect.number,
                    request=int(effect.key),
                    kind=effect.kind,
                    run=run,
                    stage=STAGE[detail["environment"]],
                    version=detail["version"],
                    tickets=tuple(detail["tickets"] or ()),
                    force=detail["force"],
                    at=effect.at,
                )
                self.made[one.request] = one
                new.append(one)
            elif effect.kind == "request_ended":
                request = int(effect.key)
                self.ended[request] = Ended(effect.number, request, effect.detail["status"])
        return new

    # What follows from it.

    def builds(self, run: str | None = None) -> list[Made]:
        return [one for one in self._of("build_made") if run in (None, one.run)]

    def deploys(self) -> list[Made]:
        return self._of("deploy_made")

    def in_stage(self) -> list[Made]:
        """What changes a stage: deployments and utility runs."""
        return [one for one in self.made.values() if one.kind != "build_made"]

    def built_by(self, version: int) -> str | None:
        """Return the run that built a version."""
        return next((one.run for one in self.builds() if one.version == version), None)

    def newest_build(self, run: str) -> int | None:
        return max((one.version for one in self.builds(run)), default=None)

    def completed(self, one: Made, before: int | None = None) -> bool:
        """Whether something was done and ended well, before an effect where one is given."""
        end = self.ended.get(one.request)
        return end is not None and end.status == "COMPLETED" and (before is None or end.number < before)

    def ran_before(self, stage: str, number: int) -> int:
        """Return the version that ran in a stage when an effect came."""
        done = [one for one in self.deploys() if one.stage == stage and self.completed(one, number)]
        return max(done, key=lambda one: self.ended[one.request].number).version if done else OLD

    def _of(self, kind: str) -> list[Made]:
        return [one for one in self.made.values() if one.kind == kind]


def listed(violations: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(violations))
