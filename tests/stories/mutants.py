"""Each promise, broken on purpose: one decision of ours is turned round, and the stories have to find it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from nightshift.http.timely import SendWindow
from nightshift.jobs import once
from nightshift.jobs.decision import AskPerson, Decision, Look, Situation, Submit, decide
from nightshift.promotion import recorder, soak_operator
from nightshift.promotion.job_operators import PromotionBuildOperator, PromotionDeployOperator
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.rules import progress
from tests.stories import promises

MOST = 200
"""Stories within which a mutant has to be found."""


@dataclass(frozen=True)
class Mutant:
    """A decision that is turned round.

    :param name: what goes wrong, in words
    :param promise: the promise that it breaks
    :param switch_on: turns it round, for as long as the patch lasts
    """

    name: str
    promise: str
    switch_on: Callable[[pytest.MonkeyPatch], None]


MUTANTS: list[Mutant] = []
TWICE, ORDER, BUILT, CLOSED, VERIFIED, PEOPLE = promises.PROMISES


def mutant(name: str, promise: str) -> Callable[[Callable[[pytest.MonkeyPatch], None]], None]:
    def listed(switch_on: Callable[[pytest.MonkeyPatch], None]) -> None:
        MUTANTS.append(Mutant(name, promise, switch_on))

    return listed


@mutant("what may have been asked for is asked for again", TWICE)
def _asked_again(patch: pytest.MonkeyPatch) -> None:
    def guessed(seen: Situation) -> Decision:
        decision = decide(seen)
        return Submit("a guess") if isinstance(decision, AskPerson | Look) else decision

    patch.setattr(once, "decide", guessed)


@mutant("a request that was held up leaves all the same", TWICE)
def _leaves_late(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(SendWindow, "left", property(lambda _: 1e9))


@mutant("a task that was marked before it began counts as done", ORDER)
def _never_begun(patch: pytest.MonkeyPatch) -> None:
    _blind(patch, "before it had begun")


@mutant("a step that failed and was marked counts as done", ORDER)
def _failed_before(patch: pytest.MonkeyPatch) -> None:
    _blind(patch, "its record says")


@mutant("the newest version is deployed, not the pinned one", BUILT)
def _newest(patch: pytest.MonkeyPatch) -> None:
    newest: list[Version] = []
    built, pinned = PromotionBuildOperator.changes, PromotionDeployOperator.version_in

    def changes(self: Any, record: PromotionRecord, returned: Any) -> dict[str, Any]:
        found = built(self, record, returned)
        newest[:] = [found["version"]]
        return found

    patch.setattr(PromotionBuildOperator, "changes", changes)
    patch.setattr(PromotionDeployOperator, "version_in", lambda *given: (newest or [pinned(*given)])[0])


@mutant("an approval that was marked counts as given", BUILT)
def _marked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(progress, "_unapproved", lambda *_: "")


@mutant("a check that failed and was marked counts as passed", VERIFIED)
def _unverified(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder, "unverified_before", lambda *_, **__: "")
    _blind(patch, "its record says")


@mutant("the soak is over at once", VERIFIED)
def _no_soak(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(soak_operator, "soak_end", lambda record, stage, length, deployed: deployed)


@mutant("nobody asks whether a person found a version to be bad", VERIFIED)
def _not_reported(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any) -> None:
        return None

    patch.setattr(soak_operator, "reported_failure", lambda *_: None)
    patch.setattr(recorder, "revocation_of", nothing)


def _blind(patch: pytest.MonkeyPatch, to: str) -> None:
    real = recorder.unfinished

    def unfinished(*args: Any, **kwargs: Any) -> str:
        why = real(*args, **kwargs)
        return "" if to in why else why

    patch.setattr(recorder, "unfinished", unfinished)
