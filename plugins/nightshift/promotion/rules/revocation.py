"""Whether the verification of a version was revoked, so that it goes to no stage until a person says so with a reason.

A version loses its verification by a check that fails after one has held: the second verification of a stage, or any
check in a later promotion; or by the word of a person. Nothing but a person gives it back: in the field *Emergency* of
the form, whose reason every question shows. A check that fails before any has held revokes nothing: its promotion ends
there, and the check may be cleared.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from nightshift.promotion.record import Order, Verdict, place
from nightshift.promotion.vocabulary import StepKind, VerdictWord

_NO_TIME = datetime.min.replace(tzinfo=UTC)


class Said(NamedTuple):
    """A verdict, and the run whose record has it."""

    run_id: str
    verdict: Verdict


def revocation(
    said: Iterable[Said], version_id: int, *, pardoned: datetime | None = None, by: str | None = None
) -> Said | None:
    """Return the newest verdict that revokes a version; ``None``: it may go on.

    :param said: verdicts of all promotions of the application, those of one record in their order
    :param pardoned: when a person last said, with a reason, that it may go on all the same
    :param by: the run that was started with that word: what its own record tells was found since
    """
    held: list[Said] = []
    found: list[Said] = []
    for one in sorted(said, key=_place):
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
            found.append(one)
    stands = [one for one in found if pardoned is None or one.run_id == by or one.verdict.at > pardoned]
    return max(stands, key=lambda one: one.verdict.at, default=None)


def _place(said: Said) -> tuple[bool, Order, datetime]:
    """Return by what verdicts are ordered: by the deployments that they are about; those of one, as they are told."""
    about = said.verdict.about
    return place(about, said.verdict.at if about is None else _NO_TIME)
