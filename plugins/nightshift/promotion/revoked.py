"""What all records say of a version's verification, and the word of a person that it is bad."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nightshift.errors import Rejected
from nightshift.promotion.due import SOAK
from nightshift.promotion.index import read_index
from nightshift.promotion.record import PromotionRecord, Verdict, Version, now
from nightshift.promotion.rules.progress import deployed
from nightshift.promotion.rules.revocation import Said, revocation
from nightshift.promotion.vocabulary import StepKind, StepState, VerdictWord

if TYPE_CHECKING:
    from nightshift.config.promotions import Application
    from nightshift.promotion.store import Records

LONGEST = 1000
"""Characters of a reason at most."""


class VersionRevoked(Rejected):
    """The verification of a version was revoked, and nobody has said since that it may go on."""


class RunsAnother(ValueError):
    """A stage runs another version by now than the one that a person found to be bad."""


async def revocation_of(records: Records, version: Version | None, record: PromotionRecord) -> Said | None:
    """Return the verdict by which a version goes to no stage, as the records themselves have it; ``None``: it may.

    :param record: of the promotion that asks, as it is now; its *Emergency* pardons what was said before it
    :raises Damaged: a record that may tell otherwise cannot be read
    """
    if version is None:
        return None
    about = {
        one.run_id: {word for number, word in one.verdicts if number == version.id}
        for one in (await read_index(records)).whole()
        # Another server gives its own versions the same ids.
        if one.run_id != record.run_id and not (one.server and record.server and one.server != record.server)
    }
    said = [Said(record.run_id, verdict) for verdict in record.verdicts]
    refuted = {one.verdict.word for one in said if one.verdict.version.id == version.id}.union(*about.values())
    if VerdictWord.REFUTED not in refuted:
        return None
    for run_id in (run_id for run_id, words in about.items() if words):
        other = await records.read(run_id)
        said += [Said(run_id, verdict) for verdict in other.verdicts] if other is not None else []
    pardoned = record.opened if record.form.get("emergency") else None
    return revocation(said, version.id, pardoned=pardoned, by=record.run_id)


async def revoked_before(records: Records, record: PromotionRecord, version: Version) -> str:
    """Return why a version that a promotion would bring back was revoked; empty: it was not.

    Nobody has pardoned the version from before: the emergency of this promotion is of its own version.

    :raises Damaged: a record that may tell otherwise cannot be read
    """
    said = await revocation_of(records, version, record.changed(form={}))
    return "" if said is None else words_of(said, version)


def words_of(said: Said, version: Version) -> str:
    """Return why a version goes nowhere, for people."""
    return f"the verification of {version} was revoked: {said.verdict.words} (run {said.run_id})"


def what_follows(record: PromotionRecord, stage: str, application: Application | None) -> str:
    """Return what follows in a stage whose version a person finds to be bad, in words.

    Only a soak that is underway ends with it, and on_failure follows. Later nothing is brought back by itself: what ran
    there before may be weeks old, and nobody has approved that it comes back now.

    :param record: of the promotion that brought the version
    :param application: as it is configured; ``None``: that cannot be read
    """
    on_failure = application.on_failure_at(stage) if application is not None else None
    soak = record.step(f"{stage}.{SOAK}")
    if record.closed is None and soak is not None and soak.state is StepState.STARTED:
        return f"Its soak in {stage} ends, and {_FOLLOWS.get(on_failure or '', 'on_failure of the stage follows')}."
    went_on = "it goes on no further" if record.closed is None else "its promotion has ended"
    return (
        f"{stage} goes on running it: {went_on}, and nothing is brought back by itself. To bring another version "
        f"there, trigger {record.dag_id} with Version and From stage {stage}."
    )


_FOLLOWS = {
    "offer": "a person is asked whether the version from before is brought back",
    "roll_back": "the version from before is brought back at once, or asked for where nobody has approved that",
    "stop": "the stage stays as it is",
}


async def report(records: Records, run_id: str, stage: str, version: Version, *, by: str, why: str) -> Verdict:
    """Write down that a person found what a promotion, or its roll-back, brought to a stage to be bad, also hours or
    weeks later.

    A soak that is underway ends with it, and the version goes to no stage any more.

    :param version: the one that the person was shown
    :param by: the person, as Airflow or the machine knows them
    :raises RunsAnother: the promotion has brought another version there since
    :raises ValueError: nobody, no reason or one of more than :data:`LONGEST` characters, or this promotion brought
        nothing to that stage
    :raises Contended: others write the same record again and again
    """
    by, why = by.strip(), " ".join(why.split())
    if not by or not why or len(why) > LONGEST:
        raise ValueError(f"a failure is reported by somebody who says why, in at most {LONGEST} characters")

    def refuted(record: PromotionRecord | None) -> PromotionRecord:
        there = None if record is None else deployed(record).get(stage)
        if record is None or there is None:
            raise ValueError(f"run {run_id} has brought nothing to {stage}")
        if there.version.id != version.id:
            raise RunsAnother(f"{stage} runs {there.version} by now, and not {version}")
        verdict = Verdict(
            task=stage,
            kind=StepKind.VERIFICATION,
            stage=stage,
            version=there.version,
            word=VerdictWord.REFUTED,
            # The clock of this machine may be behind that of the worker that deployed.
            at=max(now(), there.since),
            seen=why,
            by=by,
            about=there.order,
        )
        return record.changed(verdicts=(*record.verdicts, verdict))

    return (await records.change(run_id, refuted)).verdicts[-1]
