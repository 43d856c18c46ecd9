"""Whether the verification of a version was revoked, so that it goes to no stage until a person says so with a reason.

A version loses its verification by a check that fails after one has held: the second verification of a stage, or any
check in a later promotion; or by the word of a person. Nothing but a person gives it back: in the field *Emergency* of
the form, whose reason every question shows. A check that fails before any has held revokes nothing: its promotion ends
there, and the check may be cleared.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from nightshift.promotion.record import StepKind, Verdict, VerdictWord


class Said(NamedTuple):
    """A verdict, and the run whose record has it."""

    run_id: str
    verdict: Verdict


def revocation(said: Iterable[Said], version_id: int, *, pardoned: datetime | None = None) -> Said | None:
    """Return the newest verdict that revokes a version; ``None``: it may go on.

    :param said: verdicts of all promotions of the application, in any order
    :param pardoned: when a person last said, with a reason, that it may go on all the same
    """
    held: list[Said] = []
    found: Said | None = None
    for one in sorted(said, key=lambda each: each.verdict.at):
        run_id, verdict = one
        if verdict.version.id != version_id:
            continue
        if verdict.word is VerdictWord.VERIFIED:
            held.append(one)
        elif verdict.word is VerdictWord.REFUTED and (
            verdict.by is not None
            or verdict.kind is StepKind.SECOND_VERIFICATION
            or any(each.run_id != run_id or each.verdict.stage == verdict.stage for each in held)
        ):
            found = one
    return None if found is None or (pardoned is not None and found.verdict.at <= pardoned) else found
