"""What happens in a story, in truth: what FlexDeploy did and for whom, what people said, what they were shown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from include.standins.flexdeploy import FlexDeployStandIn
from include.standins.flexdeploy.planted import DEV, PROD, TEST

STAGE = {DEV: "DEV", TEST: "TEST", PROD: "PROD"}
MADE = frozenset({"build_made", "deploy_made", "utility_run"})
SOMEBODY = "somebody"
"""Who works in FlexDeploy itself, and is no run of ours."""


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
    :param version: what its run was about then
    :param tickets: what was configured when the question was asked
    :param turn: of the story's words, by which what people do is ordered
    """

    run: str
    task: str
    by: str
    option: str
    at: float
    after: int
    version: int | None
    tickets: tuple[str, ...]
    turn: int


@dataclass(frozen=True)
class Cleared:
    """A task that a person cleared.

    :param after: number of the last effect at FlexDeploy before it
    :param turn: of the story's words, by which what people do is ordered
    """

    run: str
    task: str
    after: int
    turn: int


@dataclass(frozen=True)
class Claimed:
    """A run that has ended green, as a promotion: its version runs in these stages.

    :param after: number of the last effect at FlexDeploy before it
    """

    run: str
    version: int | None
    stages: tuple[str, ...]
    after: int


@dataclass(frozen=True)
class Probed:
    """What an application answered to a request to it."""

    number: int
    stage: str
    version: int
    good: bool
    at: float


@dataclass(frozen=True)
class Reported:
    """A person's word that a version is bad.

    :param after: number of the last effect before it
    """

    version: int
    stage: str
    after: int
    at: float


@dataclass(frozen=True)
class Given:
    """The version that a person gave a run in the form.

    :param at: when it was started
    :param emergency: the reason why its first stage takes it although it may not have been in the one before
    """

    version: int
    from_stage: str
    at: float
    emergency: str = ""


@dataclass
class Closed:
    """A time in which nothing may change: a hold, or a freeze.

    :param stages: the stages that it concerns
    :param after: number of the last effect before it was told; ``0``: it was known all along
    :param since: seconds since the epoch, when it began
    :param until: when it ended, as far as it has
    :param hold_id: names the hold; empty: it is a freeze
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
class Rule:
    """What a stage takes.

    :param asks: the stage whose approval it takes; ``None``: nobody is asked
    :param at_least: people who have to approve
    :param verified: it has a probe, which has to be good before anything goes on
    :param soak: seconds that a version has to stay in it
    :param back_by_rule: the version from before is brought back without a question
    """

    asks: str | None = None
    at_least: int = 1
    not_requester: bool = False
    verified: bool = False
    soak: float = 0.0
    back_by_rule: bool = False


class Ledger:
    """The vendor's ledger, read once, for the applications of a story."""

    def __init__(self, vendor: FlexDeployStandIn) -> None:
        self.vendor = vendor
        self.worlds: list[World] = []
        self.seen = max((one.number for one in vendor.ledger.effects()), default=0)

    def look(self, asked: World, run: str, *, given_up: bool = False) -> list[Made]:
        """Take note of what FlexDeploy did since the last look; whatever is new was asked for by a run.

        :param asked: of its application
        :param given_up: by an attempt that has a successor: what its probes see is no verdict
        """
        self.vendor.settle()
        new = []
        for effect in self.vendor.ledger.effects(since=self.seen):
            self.seen = effect.number
            detail: Any = effect.detail
            if effect.kind in MADE:
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
                asked.made[one.request] = one
                new.append(one)
            elif effect.kind == "request_ended":
                request = int(effect.key)
                for world in self.worlds:
                    if request in world.made:
                        world.ended[request] = Ended(effect.number, request, detail["status"], effect.at)
            elif effect.kind == "probe_answered" and not given_up:
                good = detail["status"] == 200
                asked.probed.append(Probed(effect.number, effect.key, detail["version"], good, effect.at))
        return new


@dataclass
class World:
    """All that is true of one application, from the vendor's ledger and from the story itself.

    :param ledger: the vendor's
    :param old: the version that runs everywhere at the start
    :param rules: what each stage takes, in order
    """

    ledger: Ledger
    old: int
    rules: Mapping[str, Rule]
    probed: list[Probed] = field(default_factory=list)
    closed: list[Closed] = field(default_factory=list)
    overridden: list[tuple[str, str, int]] = field(default_factory=list)
    """Run, task and number of the last effect before a freeze was overridden for them."""
    reported: list[Reported] = field(default_factory=list)
    made: dict[int, Made] = field(default_factory=dict)
    ended: dict[int, Ended] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    cleared: list[Cleared] = field(default_factory=list)
    claimed: list[Claimed] = field(default_factory=list)
    started_by: dict[str, str | None] = field(default_factory=dict)
    """Run → the person who started it."""
    given: dict[str, Given] = field(default_factory=dict)
    """Run → the version that its form has."""

    def __post_init__(self) -> None:
        self.ledger.worlds.append(self)

    @property
    def seen(self) -> int:
        """Number of the last effect that was looked at."""
        return self.ledger.seen

    # What follows from it.

    def before(self, stage: str) -> str | None:
        """Return the stage before one."""
        labels = list(self.rules)
        return labels[labels.index(stage) - 1] if stage != labels[0] else None

    def builds(self, run: str | None = None) -> list[Made]:
        return self._of("build_made", lambda one: run in (None, one.run))

    def deploys(self, stage: str | None = None) -> list[Made]:
        return self._of("deploy_made", lambda one: stage in (None, one.stage))

    def in_stage(self) -> list[Made]:
        """What changes a stage: deployments and utility runs."""
        return [one for one in self.made.values() if one.kind != "build_made"]

    def version_of(self, run: str, before: int | None = None) -> int | None:
        """Return the version that a run is about: what its form has, or what it built last, before an effect where one
        is given.
        """
        if run in self.given:
            return self.given[run].version
        built = (one.version for one in self.builds(run) if before is None or one.number < before)
        return max(built, default=None)

    def is_own(self, one: Made) -> bool:
        """Whether a run deployed what it built itself, or what its form has."""
        if one.run in self.given:
            return self.given[one.run].version == one.version
        return any(build.version == one.version for build in self.builds(one.run))

    def completed(self, one: Made, before: int | None = None) -> bool:
        """Whether something was done and ended well, before an effect where one is given."""
        end = self.ended.get(one.request)
        return end is not None and end.status == "COMPLETED" and (before is None or end.number < before)

    def ran_before(self, stage: str, number: int) -> int:
        """Return the version that ran in a stage when an effect came."""
        done = [one for one in self.deploys(stage) if self.completed(one, number)]
        return max(done, key=lambda one: self.ended[one.request].number).version if done else self.old

    def _of(self, kind: str, fits: Callable[[Made], bool]) -> list[Made]:
        return [one for one in self.made.values() if one.kind == kind and fits(one)]
