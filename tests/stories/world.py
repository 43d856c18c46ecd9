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
    at: float


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


@dataclass(frozen=True)
class Probed:
    """What an application answered to a request to it."""

    number: int
    stage: str
    version: int
    good: bool
    at: float


@dataclass
class Closed:
    """A time in which nothing may change: a hold, or a freeze.

    :param stages: the stages that it concerns
    :param after: number of the last effect before it was told; ``0``: it was known all along
    :param since: seconds since the epoch, when it began
    :param until: when it ended, as far as it has
    """

    words: str
    stages: tuple[str, ...]
    after: int
    since: float
    until: float | None = None
    lifted: int | None = None
    """Number of the last effect before it was lifted."""
    hold_id: str = ""


@dataclass(frozen=True)
class Rules:
    """What is configured for all promotions of a story.

    :param at_least: people who have to approve TEST
    :param verified: DEV has a probe
    :param soak: seconds that a version has to stay in DEV
    :param rolled_back_by_rule: stages where the version from before is brought back without a question
    """

    at_least: int = 1
    not_requester: bool = False
    verified: bool = False
    soak: float = 0.0
    rolled_back_by_rule: tuple[str, ...] = ()


@dataclass
class World:
    """All that is true, from the vendor's ledger and from the story itself.

    :param vendor: the stand-in
    :param rules: what is configured
    """

    vendor: FlexDeployStandIn
    rules: Rules = Rules()
    probed: list[Probed] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    overridden: list[tuple[str, str, int]] = field(default_factory=list)
    """Run, stage and number of the last effect before a freeze was overridden for them."""
    reported: list[tuple[int, str, int, float]] = field(default_factory=list)
    """Version and stage that a person found to be bad, number of the last effect before, and when."""
    made: dict[int, Made] = field(default_factory=dict)
    ended: dict[int, Ended] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    cleared: list[tuple[str, str, int]] = field(default_factory=list)
    """Run, task and number of the last effect before a person cleared it."""
    started_by: dict[str, str | None] = field(default_factory=dict)
    """Run → the person who started it."""

    def __post_init__(self) -> None:
        self.seen = max((one.number for one in self.vendor.ledger.effects()), default=0)

    def look(self, run: str, *, given_up: bool = False) -> list[Made]:
        """Take note of what FlexDeploy did since the last look; whatever is new was asked for by a run.

        :param given_up: by an attempt that has a successor: what its probes see is no verdict
        """
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
                self.ended[request] = Ended(effect.number, request, effect.detail["status"], effect.at)
            elif effect.kind == "probe_answered" and not given_up:
                good = effect.detail["status"] == 200
                self.probed.append(Probed(effect.number, effect.key, effect.detail["version"], good, effect.at))
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

    def newest_build(self, run: str, before: int | None = None) -> int | None:
        """Return the version that a run built last, before an effect where one is given."""
        built = (one.version for one in self.builds(run) if before is None or one.number < before)
        return max(built, default=None)

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
