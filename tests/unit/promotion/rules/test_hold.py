"""Which holds stop an application, and until when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from nightshift.promotion.rules.hold import Hold, Lift, standing

T = datetime(2026, 11, 20, 22, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hold(name: str = "h", **more: Any) -> Hold:
    return Hold(**{"id": name, "application": "portal", "by": "ann", "reason": "audit", "since": T, **more})


@pytest.mark.parametrize(
    ("held", "application", "at", "stops"),
    [
        (hold(), "portal", T, True),
        (hold(), "billing", T, False),
        (hold(), None, T, True),
        (hold(application=None), "billing", T, True),
        (hold(until=T + HOUR), "portal", T + HOUR - timedelta(seconds=1), True),
        (hold(until=T + HOUR), "portal", T + HOUR, False),
        (hold(lifted=Lift(by="bob", reason="done", at=T)), "portal", T, False),
        # A clock behind that of the person who pressed stops all the same.
        (hold(), "portal", T - HOUR, True),
        (hold(application=None, damage="cannot be read"), "billing", T, True),
    ],
)
def test_a_hold_stops_its_application_until_its_end(
    held: Hold, application: str | None, at: datetime, stops: bool
) -> None:
    assert bool(standing([held], application, at)) is stops


def test_all_that_stand_are_named_the_oldest_first() -> None:
    late, early = hold("late", since=T + HOUR), hold("early")
    assert standing([late, early, hold("over", until=T)], "portal", T) == (early, late)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (hold(), "portal held by ann since 2026-11-20 22:00 UTC, until somebody lifts it: audit (hold h)"),
        (
            hold(application=None, until=T + HOUR),
            "all applications held by ann since 2026-11-20 22:00 UTC, until 2026-11-20 23:00 UTC: audit (hold h)",
        ),
        (
            hold(application=None, damage="claims/holds/h.json cannot be read"),
            "all applications held: claims/holds/h.json cannot be read. Look at it, then lift the hold h",
        ),
    ],
)
def test_it_says_who_why_and_until_when(held: Hold, words: str) -> None:
    assert held.words == words
