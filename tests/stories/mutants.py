"""Each promise, broken on purpose: one decision of ours is turned round, and the stories have to find it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from nightshift.config.freezes import FreezeRules
from nightshift.http.timely import SendWindow
from nightshift.jobs import once
from nightshift.jobs.decision import AskPerson, Decision, Look, Situation, Submit, decide
from nightshift.promotion import approval_operator, gate, recorder, soak_operator
from nightshift.promotion.gate import Gate
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


@mutant("nobody looks for a hold", CLOSED)
def _not_held(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> tuple[()]:
        return ()

    patch.setattr(gate, "holds", nothing)


@mutant("a freeze ends before it begins", CLOSED)
def _not_frozen(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(FreezeRules, "of", lambda *_: ())


@mutant("the gate is looked at when a step begins, and not again before FlexDeploy is asked", CLOSED)
def _looked_once(patch: pytest.MonkeyPatch) -> None:
    async def go(*_: Any) -> None:
        return None

    patch.setattr(Gate, "let_go", go)


@mutant("one yes is enough", PEOPLE)
def _one_yes(patch: pytest.MonkeyPatch) -> None:
    _quorum(patch, at_least=1)


@mutant("the yes of who asked for it counts", PEOPLE)
def _own_yes(patch: pytest.MonkeyPatch) -> None:
    _quorum(patch, requester=None)


@mutant("an approval holds for whatever is configured by now", PEOPLE)
def _other_terms(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder, "other_terms", lambda *_: "")
    patch.setattr(approval_operator.PromotionApprovalOperator, "_refuse_other_terms", lambda *_: None)


def _quorum(patch: pytest.MonkeyPatch, **changes: Any) -> None:
    real = approval_operator.tally

    def counted(answers: Any, quorum: Any, terms: str) -> Any:
        return real(answers, dataclasses.replace(quorum, **changes), terms)

    patch.setattr(approval_operator, "tally", counted)


def _blind(patch: pytest.MonkeyPatch, to: str) -> None:
    real = recorder.unfinished

    def unfinished(*args: Any, **kwargs: Any) -> str:
        why = real(*args, **kwargs)
        return "" if to in why else why

    patch.setattr(recorder, "unfinished", unfinished)
