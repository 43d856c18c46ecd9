"""Every situation that :func:`nightshift.jobs.decision.decide` can be asked about: each record, each word of the
vendor, each list of jobs, each age and each kind of vendor. Judged by promises, not by a second way to decide."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from msgspec.structs import replace

from nightshift.jobs.decision import (
    Adopt,
    AskPerson,
    AwaitCancel,
    Decision,
    Finished,
    Look,
    Over,
    Situation,
    Submit,
    Unwanted,
    decide,
)
from nightshift.jobs.record import Ending, JobRecord, Resolution
from nightshift.jobs.state import ACTIVE, FAILED, SUCCEEDED, Intent, JobState, JobStatus, RunIdentity
from tests.simulation.exhausted.world import Broken

RUN = RunIdentity(dag_id="d", run_id="r", task_id="t")
INTENT = Intent(marker=RUN.marker(1), generation=1, payload_hash="h", at=100.0, attempt=1, run=RUN)
SETTLE = 30.0
STATES = tuple(JobState)
Decide = Callable[[Situation], Decision]


def _status(state: JobState, job_id: str) -> JobStatus:
    return JobStatus(id=job_id, state=state)


def records() -> Iterator[JobRecord | None]:
    """Give each record that an attempt can leave."""
    yield None
    yield JobRecord()
    yield JobRecord(unwanted=True, refused=True)
    yield JobRecord(unwanted=True, refused=True, intent=INTENT)
    for refused, lost, named, done in itertools.product((False, True), repeat=4):
        # What is done has an id: its result was fetched by it.
        for job_id in ("7",) if done else (None, "7"):
            yield JobRecord(intent=INTENT, id=job_id, refused=refused, lost=lost, named=named, done=done)
    for cancelled, ending in itertools.product((False, True), Ending):
        yield JobRecord(intent=INTENT, id="7", cancelled=cancelled, ending=ending)


def lists() -> Iterator[tuple[JobStatus, ...] | None]:
    """Give each list of jobs with the intent's marker: none asked for, none, one, two and three of any state."""
    yield None
    for count in range(4):
        for states in itertools.combinations_with_replacement(STATES, count):
            yield tuple(_status(state, str(7 + at)) for at, state in enumerate(states))


def words() -> Iterator[JobStatus | None]:
    """Give each word of the vendor on the recorded id."""
    yield None
    yield from (_status(state, "7") for state in STATES)


def resolutions() -> Iterator[Resolution | None]:
    """Give each word of a person."""
    yield from (None, Resolution(adopt="9"), Resolution(resubmit=True))


def situations() -> Iterator[Situation]:
    """Give every situation once. The list of jobs does not count where a record names one, and the other way round."""
    # What cannot be cancelled was not cancelled by us.
    cancels = ((False, False), (True, False), (True, True))
    flags = tuple(itertools.product((1, 2, 3), (False, True), (False, True), cancels, (False, True), ("h", "other")))
    for record in records():
        named = record is not None and record.id is not None
        for remote, found in [(one, None) for one in words()] if named else [(None, one) for one in lists()]:
            for attempt, cleared, can_find, (can_cancel, may_have_cancelled), failure_stands, payload in flags:
                if found is not None and (not can_find or (attempt == 1 and (record is None or record.intent is None))):
                    # A first attempt has asked for nothing that could be found.
                    continue
                if found is not None and len(found) > 1 and (failure_stands or may_have_cancelled is not can_cancel):
                    # Of several, no end is looked at.
                    continue
                for age, resolution in itertools.product((0.0, SETTLE - 0.5, SETTLE, 1e6), resolutions()):
                    yield Situation(
                        record=record,
                        payload_hash=payload,
                        attempt=attempt,
                        cleared=cleared,
                        remote=remote,
                        found=found,
                        age=age,
                        settle=SETTLE,
                        can_find=can_find,
                        can_cancel=can_cancel,
                        may_have_cancelled=may_have_cancelled,
                        failure_stands=failure_stands,
                        resolution=resolution,
                    )


def judge(seen: Situation, said: Decision) -> str:
    """Return the promise that a decision breaks; empty where it keeps all."""
    if seen.resolution is not None:
        wanted = Adopt if seen.resolution.adopt else Submit
        kept = isinstance(said, wanted) and (not isinstance(said, Adopt) or said.id == seen.resolution.adopt)
        return "" if kept else "a person's word is not heeded"
    record = seen.record
    known = {one.id: one for one in (*(seen.found or ()), *((seen.remote,) if seen.remote else ()))}
    alive = {one.id for one in known.values() if one.state in ACTIVE}
    through = {one.id for one in known.values() if one.state in SUCCEEDED}
    other = record is not None and record.intent is not None and record.intent.payload_hash != seen.payload_hash
    unwanted = record is not None and record.unwanted and not seen.cleared
    if unwanted is not isinstance(said, Unwanted):
        return "a person's word that none is wanted holds until a clear, and no longer"
    match said:
        case Submit():
            return _submitted(seen, alive, through, other=other)
        case Adopt():
            if said.id not in {*known, record.id if record else None}:
                return "a job is adopted that nobody named"
            if said.id in known and known[said.id].state not in ACTIVE:
                return "a job is adopted that has ended"
            if other and said.id in known:
                return "a job is adopted that is for something else"
            ours = seen.may_have_cancelled or (record is not None and record.cancelled)
            if ours and said.ending is Ending.VERDICT and (said.id not in known or seen.cleared):
                return "a cancellation that was meant for the attempt before would be taken for the verdict"
            if not ours and said.ending is not Ending.VERDICT:
                return "a job that somebody else has ended would be made again"
        case Finished():
            was_handed_over = record is not None and record.done and said.id == record.id
            if not was_handed_over and said.id not in through:
                return "success is said of a job that nobody saw succeed"
            if other or (was_handed_over and seen.cleared):
                return "an old result is given for a new question"
        case Over():
            if said.id not in known or known[said.id].state not in FAILED:
                return "failure is said of a job that nobody saw fail"
            if not seen.failure_stands or seen.cleared or other or (record is not None and record.cancelled):
                return "a failure is the answer, and another job is wanted"
        case AwaitCancel():
            if said.id not in alive:
                return "a job is waited for that nobody sees"
            if said.cancel and (not seen.can_cancel or not other):
                return "a job is cancelled that is the task's, or that cannot be"
        case Look():
            if not seen.can_find or not 0 <= said.after <= seen.settle:
                return "a list is asked for that there is not, or too late"
            if seen.found is not None and (seen.found or seen.age >= seen.settle):
                return "it looks for ever"
        case AskPerson():
            if not seen.can_find:
                return "" if record is not None and record.is_unanswered else "a person is asked without a doubt"
            # Whoever clears asks anew: what has succeeded before is no candidate then.
            if len(known) < 2 or not (alive if seen.cleared else alive | through) <= set(said.candidates):
                return "a person is asked, and not told of each job"
    return ""


def _submitted(seen: Situation, alive: set[str], through: set[str], *, other: bool) -> str:
    record = seen.record
    if alive and not _is_over(seen):
        return "a second job beside one that may still work"
    if record is None or record.intent is None:
        # What has succeeded is taken, unless a clear asks for it anew.
        return "" if seen.cleared or not through else "a job is made again that has succeeded"
    if record.refused or (record.done and record.id is not None):
        return "" if record.refused or seen.cleared or other else "a result that was handed over is made again"
    if record.id is not None:
        if seen.remote is None:
            return "a new job, and nobody knows how the old one stands"
        if seen.failure_stands and not seen.cleared and not other and not _was_ours(seen, record):
            return "what somebody has ended, or what has failed, is made again unasked"
        return "a job is made again that has succeeded" if through and not other else ""
    if not seen.can_find or seen.found is None:
        return "a new job on a guess"
    if not seen.found and seen.age < seen.settle:
        return "the first empty list is believed"
    if len(seen.found) > 1 and not (other and len(through) == 1):
        return "a new job beside several that somebody has to look at"
    return "a job is made again that has succeeded" if through and not other else ""


def _was_ours(seen: Situation, record: JobRecord) -> bool:
    """Say whether the end of a job was ours, or what was waited for to make it again."""
    meant = record.ending is Ending.AGAIN_IF_CANCELLED and seen.may_have_cancelled
    is_cancelled = seen.remote is not None and seen.remote.state is JobState.CANCELLED
    return record.cancelled or record.ending is Ending.AGAIN or (meant and is_cancelled)


def _is_over(seen: Situation) -> bool:
    """Say whether the vendor was not asked, or its word does not count: the record says enough."""
    record = seen.record
    return record is not None and record.intent is not None and (record.refused or record.done)


def run(decided: Decide = decide) -> int:
    """Ask about every situation, and return how many there are.

    :raises Broken: a promise was broken
    """
    count = 0
    for seen in situations():
        count += 1
        if broken := judge(seen, decided(seen)):
            raise Broken(f"{broken}: {seen} -> {decided(seen)}")
    return count


def _instead(change: Callable[[Situation, Decision], Decision]) -> Decide:
    return lambda seen: change(seen, decide(seen))


MUTANTS: dict[str, Decide] = {
    "the vendor's silence is read as gone": _instead(
        lambda seen, said: Submit("gone") if isinstance(said, Adopt) and not seen.remote and not seen.found else said
    ),
    "an unknown word is read as an end": _instead(
        lambda seen, said: (
            Submit("ended")
            if seen.resolution is None and seen.remote and seen.remote.state is JobState.UNKNOWN
            else said
        )
    ),
    "the first empty list is believed": _instead(
        lambda seen, said: Submit("none") if isinstance(said, Look) and seen.found == () else said
    ),
    "the newest of several is taken": _instead(
        lambda _seen, said: (
            Adopt(said.candidates[-1], "the newest") if isinstance(said, AskPerson) and said.candidates else said
        )
    ),
    "a blind vendor is asked again": _instead(
        lambda seen, said: Submit("a guess") if isinstance(said, AskPerson) and not seen.can_find else said
    ),
    "a clear does not ask anew": _instead(
        lambda seen, said: (
            Finished("7", "had succeeded")
            if seen.resolution is None and seen.record and seen.record.done and seen.record.id
            else said
        )
    ),
    "another payload is not noticed": lambda seen: decide(_same_payload(seen)),
    "what is cancelled by us is the verdict": _instead(
        lambda seen, said: Adopt(said.id, said.reason) if isinstance(said, Adopt) and seen.remote is None else said
    ),
    "a person's abort is taken for our own": lambda seen: decide(_changed(seen, may_have_cancelled=True)),
    "a retry makes a failure again": lambda seen: decide(_changed(seen, failure_stands=False)),
    "our own end is the verdict": lambda seen: decide(
        _changed(seen, record=_changed_record(seen.record, cancelled=False))
    ),
    "a healthy job is cancelled": _instead(
        lambda seen, said: (
            AwaitCancel(said.id, "in the way", cancel=True)
            if isinstance(said, Adopt) and seen.remote is not None
            else said
        )
    ),
    "what was lost counts as refused": _instead(
        lambda seen, said: Submit("refused") if seen.record and seen.record.lost and seen.resolution is None else said
    ),
    "a finished job is waited for": _instead(
        lambda _seen, said: Adopt(said.id, "wait") if isinstance(said, Finished) else said
    ),
    "a retry wants what a person has said is not wanted": lambda seen: decide(
        _changed(seen, record=_changed_record(seen.record, unwanted=False))
    ),
    "a person's word is overheard": lambda seen: decide(_without_word(seen)),
}
"""Decisions that are wrong on purpose."""


def _same_payload(seen: Situation) -> Situation:
    return _changed(seen, payload_hash="h")


def _without_word(seen: Situation) -> Situation:
    return _changed(seen, resolution=None)


def _changed(seen: Situation, **changes: object) -> Situation:
    return replace(seen, **changes)


def _changed_record(record: JobRecord | None, **changes: object) -> JobRecord | None:
    return None if record is None else record.changed(**changes)
