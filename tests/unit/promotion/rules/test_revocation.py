from __future__ import annotations

from typing import Any

import pytest

from nightshift.promotion.record import Verdict
from nightshift.promotion.rules.revocation import Said, revocation
from nightshift.promotion.vocabulary import StepKind, VerdictWord
from tests.unit.promotion.records import MINUTE, NEW, OLD, T

GOOD, BAD, OVERTAKEN = VerdictWord.VERIFIED, VerdictWord.REFUTED, VerdictWord.OVERTAKEN
FIRST, SECOND, BACK = StepKind.VERIFICATION, StepKind.SECOND_VERIFICATION, StepKind.ROLL_BACK_VERIFICATION


def said(
    minute: int, word: VerdictWord, kind: StepKind = FIRST, *, run: str = "a", stage: str = "DEV", **more: Any
) -> Said:
    given = {"task": f"{stage}.verify.probe", "version": NEW, **more}
    return Said(run, Verdict(kind=kind, stage=stage, word=word, at=T + minute * MINUTE, **given))


@pytest.mark.parametrize(
    ("words", "revoked_at"),
    [
        ([], None),
        ([said(1, GOOD)], None),
        ([said(1, BAD)], None),
        ([said(1, BAD), said(2, GOOD)], None),
        ([said(1, OVERTAKEN), said(2, GOOD), said(3, OVERTAKEN)], None),
        # The second verification of a stage, whatever came before it in the record.
        ([said(1, GOOD), said(2, BAD, SECOND)], 2),
        ([said(2, BAD, SECOND)], 2),
        # The same check again, after it has held.
        ([said(1, GOOD), said(2, BAD)], 2),
        # Another stage of the same promotion, for the first time: it ends there, and may be cleared.
        ([said(1, GOOD), said(2, BAD, stage="TEST")], None),
        # A later promotion.
        ([said(1, GOOD), said(2, BAD, run="b", stage="TEST")], 2),
        ([said(1, GOOD), said(2, BAD, BACK, run="b")], 2),
        # An earlier one says nothing of what held later.
        ([said(2, GOOD), said(1, BAD, run="b", stage="TEST")], None),
        # A good word does not give it back.
        ([said(1, GOOD), said(2, BAD, SECOND), said(3, GOOD, SECOND), said(4, GOOD, run="b")], 2),
        ([said(4, BAD, SECOND), said(1, GOOD), said(2, BAD, SECOND)], 4),
        # The word of a person, also where nothing was ever verified.
        ([said(1, BAD, by="ann")], 1),
        # Another version.
        ([said(1, GOOD, version=OLD), said(2, BAD, SECOND, version=OLD)], None),
        ([said(1, GOOD, version=OLD), said(2, BAD, run="b")], None),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_what_held_and_fails_is_revoked(words: list[Said], revoked_at: int | None, turned: bool) -> None:
    found = revocation(reversed(words) if turned else words, NEW.id)
    assert (None if found is None else found.verdict.at) == (None if revoked_at is None else T + revoked_at * MINUTE)


@pytest.mark.parametrize(("pardoned", "revoked"), [(1, True), (2, False), (3, False)])
def test_a_person_pardons_what_was_said_before(pardoned: int, revoked: bool) -> None:
    words = [said(1, GOOD), said(2, BAD, SECOND)]
    assert (revocation(words, NEW.id, pardoned=T + pardoned * MINUTE) is not None) == revoked
    later = [*words, said(5, BAD, SECOND)]
    assert revocation(later, NEW.id, pardoned=T + pardoned * MINUTE) is not None


@pytest.mark.parametrize("turned", [False, True])
def test_turns_say_what_held_before_whatever_the_clocks_of_two_workers_say(turned: bool) -> None:
    words = [said(4, GOOD, about=(7, 2)), said(3, BAD, run="b", stage="TEST", about=(8, 2))]
    found = revocation(reversed(words) if turned else words, NEW.id)
    assert found is not None
    assert found.run_id == "b"
    earlier = [said(3, GOOD, about=(8, 2)), said(4, BAD, run="b", stage="TEST", about=(7, 2))]
    assert revocation(earlier, NEW.id) is None
    # What the release before saw held before.
    before = [said(4, GOOD), said(3, BAD, run="b", stage="TEST", about=(8, 2))]
    assert revocation(before, NEW.id) is not None


def test_the_run_that_was_started_with_a_pardon_has_none_for_what_it_finds_itself() -> None:
    words = [said(1, GOOD), said(2, BAD, run="b", about=(8, 2))]
    assert revocation(words, NEW.id, pardoned=T + 3 * MINUTE, by="c") is None
    assert revocation(words, NEW.id, pardoned=T + 3 * MINUTE, by="b") is not None


def test_what_was_said_since_a_pardon_counts_whatever_turn_it_is_about() -> None:
    words = [said(1, GOOD, about=(7, 2)), said(9, BAD, by="ann", about=(7, 2)), said(5, BAD, run="b", about=(8, 2))]
    found = revocation(words, NEW.id, pardoned=T + 6 * MINUTE)
    assert found is not None
    assert found.verdict.by == "ann"
