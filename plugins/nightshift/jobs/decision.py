"""What a fresh attempt does about a job that an earlier one may have made.

Pure: it gets everything that is known and calls nothing, so that each situation a crash can leave is one line of a
test. The caller carries the verdict out, and asks again with what it learned.
"""

from __future__ import annotations

import msgspec

from nightshift.jobs.record import Ending, JobRecord, Resolution
from nightshift.jobs.state import ACTIVE, SUCCEEDED, JobState, JobStatus


class Submit(msgspec.Struct, frozen=True):
    """Ask the vendor for a new job."""

    reason: str


class Adopt(msgspec.Struct, frozen=True):
    """Take this job as the task's, and wait for it."""

    id: str
    reason: str
    ending: Ending = Ending.VERDICT


class Finished(msgspec.Struct, frozen=True):
    """Take this job as the task's; it has succeeded: fetch its result."""

    id: str
    reason: str


class Over(msgspec.Struct, frozen=True):
    """Take this job as the task's; it has ended, and not well: that is the answer, until somebody asks for another."""

    id: str
    reason: str


class AwaitCancel(msgspec.Struct, frozen=True):
    """Wait until this job, which is in the way, has ended; then decide again. ``cancel``: have the vendor end it."""

    id: str
    reason: str
    cancel: bool


class Look(msgspec.Struct, frozen=True):
    """Ask the vendor for jobs with the intent's marker, not sooner than in ``after`` seconds, and decide again."""

    reason: str
    after: float = 0.0


class AskPerson(msgspec.Struct, frozen=True):
    """Nobody but a person can tell: stop, and say so."""

    reason: str
    candidates: tuple[str, ...] = ()


class Unwanted(msgspec.Struct, frozen=True):
    """A person has said that no job is wanted: that is the answer, until the task is cleared."""

    reason: str


Decision = Submit | Adopt | Finished | Over | AwaitCancel | Look | AskPerson | Unwanted


class Situation(msgspec.Struct, frozen=True, kw_only=True):
    """All that is known when an attempt starts.

    :param record: what earlier attempts left.
    :param payload_hash: of what this attempt wants.
    :param attempt: Airflow's try number.
    :param cleared: a person cleared the task since the record was written.
    :param remote: the vendor's word on the recorded id; None if it was not asked.
    :param found: jobs with the intent's marker; None if the vendor was not asked.
    :param age: seconds since the intent was written.
    :param settle: seconds since the intent after which "none found" is believed: no request of it can leave any more,
        and the vendor's list is not late any more.
    :param can_find: the vendor can be asked for a marker.
    :param can_cancel: the vendor can be asked to end a job.
    :param may_have_cancelled: a job that ended as cancelled may have been ended by an attempt of this task.
    :param failure_stands: a job that ended without success is the answer also of a retry; only a clear makes it again.
    :param resolution: a person's word.
    """

    record: JobRecord | None
    payload_hash: str
    attempt: int = 1
    cleared: bool = False
    remote: JobStatus | None = None
    found: tuple[JobStatus, ...] | None = None
    age: float = 0.0
    settle: float = 30.0
    can_find: bool = True
    can_cancel: bool = True
    may_have_cancelled: bool = True
    failure_stands: bool = False
    resolution: Resolution | None = None


def decide(seen: Situation) -> Decision:
    """Decide what to do about the task's job.

    A retry goes on with the job there is, or makes a new one where that has failed and a failure does not stand; a
    clear of a task that had handed over its result makes the job again; what a vendor may or may not have taken is
    looked up, and where it cannot be, a person is asked. It never answers ``Submit`` while an earlier request may still
    turn into a job.
    """
    if seen.resolution is not None:
        if seen.resolution.adopt:
            return Adopt(seen.resolution.adopt, "a person named it")
        return Submit("a person asked for a new one")
    record = seen.record
    if record is not None and record.unwanted and not seen.cleared:
        return Unwanted("a person has said that none is wanted, and nobody has cleared the task since")
    if record is None or record.intent is None:
        return _without_record(seen)
    if record.done and record.id is not None:
        return _after_done(seen, record, record.id)
    if record.refused:
        return Submit("the vendor had not taken the request before")
    if record.id is not None:
        return _with_job(seen, record.id, seen.remote)
    return _in_doubt(seen)


def _without_record(seen: Situation) -> Decision:
    # An intent is stored before every request, so no record means no request. The store can be emptied by hand,
    # though, and where it costs one question to be sure, a later attempt asks it.
    if seen.attempt == 1 or not seen.can_find:
        return Submit("this task has asked for no job yet")
    if seen.found is None:
        return Look("a later attempt with an empty state store")
    wanted = ACTIVE if seen.cleared else ACTIVE | SUCCEEDED
    live = [job for job in seen.found if job.state in wanted]
    if not live:
        return Submit("no job of this task is at the vendor")
    if len(live) > 1:
        return _several(live)
    return _with_job(seen, live[0].id, live[0])


def _after_done(seen: Situation, record: JobRecord, job_id: str) -> Decision:
    if seen.cleared:
        return Submit("the task was cleared after its job had succeeded")
    if record.intent is not None and record.intent.payload_hash != seen.payload_hash:
        return Submit("the task asks for something else than the job that had succeeded")
    # Airflow starts a further attempt on its own only if it never heard of our success: the result was fetched, the
    # worker died before it could report. The same job is still the answer.
    return Finished(job_id, "the attempt before died after its job had succeeded")


def _with_job(seen: Situation, job_id: str, remote: JobStatus | None) -> Decision:
    if remote is None:
        # If a kill of the attempt before has cancelled it, this is heard of only later.
        ending = Ending.AGAIN_IF_CANCELLED if _may_be_ours(seen) else Ending.VERDICT
        return Adopt(job_id, "made by an earlier attempt, how it stands is not known yet", ending)
    intent = seen.record.intent if seen.record is not None else None
    other_payload = intent is not None and intent.payload_hash != seen.payload_hash
    if remote.state is JobState.CANCELLING:
        return AwaitCancel(job_id, "it is being cancelled", cancel=False)
    if remote.state in ACTIVE:
        if other_payload:
            return AwaitCancel(job_id, "the task now asks for something else", cancel=seen.can_cancel)
        # A clear cancels through the trigger or the worker, maybe after this attempt has started.
        ending = Ending.AGAIN_IF_CANCELLED if seen.cleared and _may_be_ours(seen) else Ending.VERDICT
        return Adopt(job_id, "made by an earlier attempt and still active", ending)
    if remote.state in SUCCEEDED and not other_payload:
        return Finished(job_id, "made by an earlier attempt that did not see its success")
    if remote.state in SUCCEEDED:
        return Submit("the task now asks for something else")
    if seen.failure_stands and not seen.cleared and not other_payload and not _was_meant(seen, remote.state):
        return Over(job_id, f"it ended as {remote.label()}, and nobody has asked for another")
    return Submit(f"the job of the attempt before ended as {remote.label()}")


def _may_be_ours(seen: Situation) -> bool:
    return seen.may_have_cancelled or (seen.record is not None and seen.record.cancelled)


def _was_meant(seen: Situation, state: JobState) -> bool:
    """Tell whether the end of a job is the one that this task has waited for, to make it anew."""
    record = seen.record
    if record is None:
        return False
    if record.cancelled or record.ending is Ending.AGAIN:
        return True
    return record.ending is Ending.AGAIN_IF_CANCELLED and seen.may_have_cancelled and state is JobState.CANCELLED


def _in_doubt(seen: Situation) -> Decision:
    if not seen.can_find:
        return AskPerson(
            "an earlier attempt asked for a job, its answer was lost, and this vendor cannot be asked for it"
        )
    if seen.found is None:
        return Look("an earlier attempt asked for a job and its answer was lost")
    if len(seen.found) == 1:
        return _with_job(seen, seen.found[0].id, seen.found[0])
    if seen.found:
        live = [job for job in seen.found if job.state in ACTIVE | SUCCEEDED]
        return _with_job(seen, live[0].id, live[0]) if len(live) == 1 else _several(seen.found)
    if seen.age < seen.settle:
        return Look("the vendor's list may be late", after=seen.settle - seen.age)
    return Submit("the request of an earlier attempt never became a job")


def _several(jobs: list[JobStatus] | tuple[JobStatus, ...]) -> AskPerson:
    return AskPerson("the vendor has several jobs with this task's marker", tuple(job.id for job in jobs))
