"""Each promise, broken on purpose: one decision of ours is turned round, and the stories have to find it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from include.standins.flexdeploy import FlexDeployStandIn
from nightshift.config.freezes import FreezeRules
from nightshift.http.timing import SendWindow
from nightshift.jobs import once
from nightshift.jobs.decision import AskPerson, Decision, Look, Situation, Submit, decide
from nightshift.jobs.record import RECORD_KEY
from nightshift.promotion import (
    approval_operator,
    begin_operator,
    closing_operators,
    gate,
    probe,
    recorder,
    soak_operator,
)
from nightshift.promotion.gate import Gate
from nightshift.promotion.job_operators import PromotionDeployOperator
from nightshift.promotion.job_step import PromotionJobOperator
from nightshift.promotion.record import PromotionRecord, Version
from nightshift.promotion.rules import progress, way_back
from nightshift.promotion.rules.people import Tally
from nightshift.promotion.vocabulary import PromotionOutcome
from tests.stories import promises

MOST = 300
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
TWICE, ORDER, BUILT, CLOSED, VERIFIED, PEOPLE, GREEN = promises.PROMISES


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


@mutant("a retry forgets what the attempt before it had asked for", TWICE)
def _forgotten(patch: pytest.MonkeyPatch) -> None:
    secure = PromotionJobOperator.secure_job

    async def forgetful(self: Any, context: Any, adapter: Any, store: Any) -> Any:
        context["task_state_store"].delete(RECORD_KEY)
        return await secure(self, context, adapter, store)

    patch.setattr(PromotionJobOperator, "secure_job", forgetful)


@mutant("a task that was marked before it began counts as done", ORDER)
def _never_begun(patch: pytest.MonkeyPatch) -> None:
    _blind(patch, "before it had begun")


@mutant("a step that failed and was marked counts as done", ORDER)
def _failed_before(patch: pytest.MonkeyPatch) -> None:
    _blind(patch, "its record says")


@mutant("whoever gives a version and a stage is believed", ORDER)
def _any_stage(patch: pytest.MonkeyPatch) -> None:
    async def fine(*_: Any) -> str:
        return ""

    patch.setattr(begin_operator.PromotionBeginOperator, "_out_of_order", fine)


@mutant("the newest version at FlexDeploy is deployed, not the pinned one", BUILT)
def _newest(patch: pytest.MonkeyPatch) -> None:
    vendors: list[FlexDeployStandIn] = []
    entered = FlexDeployStandIn.__enter__

    def enter(self: FlexDeployStandIn) -> FlexDeployStandIn:
        vendors[:] = [self]
        return entered(self)

    def newest(self: Any, record: PromotionRecord) -> Version:
        site, project = vendors[0].site, next(iter(self.parameters.values()))
        found = next(iter(site.versions_of(project)))
        return Version(id=found.id, name=found.name)

    patch.setattr(FlexDeployStandIn, "__enter__", enter)
    patch.setattr(PromotionDeployOperator, "version_in", newest)


@mutant("an approval that was marked counts as given", BUILT)
def _marked(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(progress, "_unapproved", lambda *_: "")


@mutant("an approval of an earlier version counts", BUILT)
def _earlier_version(patch: pytest.MonkeyPatch) -> None:
    real = progress._unapproved
    patch.setattr(progress, "_unapproved", lambda step, what, version=None: real(step, what))
    patch.setattr(recorder, "other_terms", lambda *_: "")


@mutant("a roll-back whose approval was marked counts as approved", BUILT)
def _marked_back(patch: pytest.MonkeyPatch) -> None:
    real = progress._unapproved
    patch.setattr(
        progress, "_unapproved", lambda step, what, *more: "" if what == "the roll-back" else real(step, what, *more)
    )


@mutant("what ran in another stage is brought back", BUILT)
def _other_stage(patch: pytest.MonkeyPatch) -> None:
    real = way_back._brought_back

    def brought_back(record: PromotionRecord, stage: str, *more: Any) -> Any:
        to, why = real(record, stage, *more)
        return to and next(found for label, found in record.before.items() if label != stage), why

    patch.setattr(way_back, "_brought_back", brought_back)


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


@mutant("a clear takes nothing back of what was verified before it", VERIFIED)
def _nothing_back(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(recorder, "begun_again", lambda record, *_: record)


@mutant("what a probe sees is not compared", VERIFIED)
def _blind_probe(patch: pytest.MonkeyPatch) -> None:
    ask = probe.ask

    async def fits(*given: Any) -> tuple[bool, int | None, str]:
        return (True, *(await ask(*given))[1:])

    patch.setattr(probe, "ask", fits)


@mutant("an emergency pardons what was found after it", VERIFIED)
def _pardoned(patch: pytest.MonkeyPatch) -> None:
    real = recorder.revocation_of

    async def revocation(records: Any, version: Any, record: PromotionRecord) -> Any:
        return None if record.form.get("emergency") else await real(records, version, record)

    patch.setattr(recorder, "revocation_of", revocation)


@mutant("nobody looks for a hold", CLOSED)
def _not_held(patch: pytest.MonkeyPatch) -> None:
    async def nothing(*_: Any, **__: Any) -> tuple[()]:
        return ()

    patch.setattr(gate, "holds", nothing)


@mutant("a hold of all applications holds none", CLOSED)
def _not_all(patch: pytest.MonkeyPatch) -> None:
    holds = gate.holds

    async def own(*given: Any, **more: Any) -> Any:
        return tuple(one for one in await holds(*given, **more) if one.application is not None)

    patch.setattr(gate, "holds", own)


@mutant("an override without a reason counts", CLOSED)
def _no_reason(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(gate, "reason_of", lambda _: "whatever")


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


@mutant("a person who says yes twice counts twice", PEOPLE)
def _twice_the_same(patch: pytest.MonkeyPatch) -> None:
    real = approval_operator.tally

    def counted(answers: Any, *more: Any) -> Tally:
        return real([one.changed(person=f"{one.person} {number}") for number, one in enumerate(answers)], *more)

    patch.setattr(approval_operator, "tally", counted)


@mutant("a no without a reason is no word at all", PEOPLE)
def _unheard(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Tally, "is_approved", property(lambda self: self.no is None and len(self.agreed) >= self.at_least))


@mutant("what was asked for is known to Airflow alone, which a clear may make forget it", TWICE)
def _known_to_airflow_alone(patch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Any, context: Any) -> None:
        return None

    patch.setattr(PromotionJobOperator, "_restore", nothing)


@mutant("whose tasks are all through is promoted, whatever its record says", GREEN)
def _all_through(patch: pytest.MonkeyPatch) -> None:
    real = closing_operators.outcome_of

    def through(record: PromotionRecord, failed: Any) -> tuple[PromotionOutcome, str]:
        outcome, why = real(record, failed)
        return (PromotionOutcome.PROMOTED if outcome in closing_operators.BAD_OUTCOMES and not failed else outcome), why

    patch.setattr(closing_operators, "outcome_of", through)


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
