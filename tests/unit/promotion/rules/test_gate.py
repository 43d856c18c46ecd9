"""A step goes when no hold, no freeze and no closed window is in its way, and it is told when that is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nightshift.config.freezes import Freeze
from nightshift.config.stages import DeploymentWindow
from nightshift.promotion.rules.freeze import frozen_at
from nightshift.promotion.rules.gate import barrier, next_go
from nightshift.promotion.rules.hold import Hold
from nightshift.promotion.rules.window import is_open

T = datetime(2026, 12, 18, 22, 0, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NIGHTS = DeploymentWindow.model_validate({"timezone": "UTC", "opens": "22:00", "closes": "04:00"})


def freeze(since: datetime, until: datetime, name: str = "f", **more: Any) -> Freeze:
    given = {
        "name": name,
        "reason": "audit",
        "timezone": "UTC",
        "from": f"{since:%Y-%m-%d %H:%M}",
        "to": f"{until:%Y-%m-%d %H:%M}",
    }
    return Freeze.model_validate({**given, **more})


def hold(until: datetime | None) -> Hold:
    return Hold(id="h", application=None, by="ann", reason="outage", since=T, until=until)


FIRST, SECOND = freeze(T - HOUR, T + 2 * HOUR), freeze(T + HOUR, T + 3 * HOUR, "g")


@pytest.mark.parametrize(
    ("given", "until"),
    [
        ({"freezes": [FIRST]}, T + 2 * HOUR),
        ({"freezes": [FIRST, SECOND]}, T + 3 * HOUR),
        # A freeze that has not begun yet is in nobody's way, and is in that of who waits until then.
        ({"holds": [hold(T + 2 * HOUR)], "freezes": [SECOND]}, T + 3 * HOUR),
        ({"holds": [hold(T + HOUR)]}, T + HOUR),
        ({"holds": [hold(None)]}, None),
        ({"holds": [hold(None)], "freezes": [FIRST]}, None),
        # Frozen until after the window closes: the next one.
        ({"freezes": [freeze(T - HOUR, T + 7 * HOUR)], "window": NIGHTS}, T + DAY),
        ({"freezes": [FIRST], "window": NIGHTS}, T + 2 * HOUR),
        # One that is in force again in each window, for longer than anybody looks.
        ({"freezes": [freeze(T, T + HOUR, to=None, rrule="FREQ=DAILY", duration="8h"), FIRST], "window": NIGHTS}, None),
        ({"unknown": "promotions.yaml:1: freezes: mistake"}, None),
    ],
)
def test_a_no_of_any_wins_and_says_until_when(given: dict[str, Any], until: datetime | None) -> None:
    given = {
        **given,
        "freezes": [Freeze.model_validate(one) if isinstance(one, dict) else one for one in given.get("freezes", ())],
    }
    found = barrier(T, **given)
    assert found is not None
    assert found.until == until


@pytest.mark.parametrize("given", [{}, {"freezes": [SECOND]}, {"window": NIGHTS}, {"holds": [hold(T)]}])
def test_where_nothing_is_in_the_way_it_goes(given: dict[str, Any]) -> None:
    assert barrier(T, **given) is None


def test_an_override_opens_its_own_freeze_and_no_other() -> None:
    assert barrier(T, freezes=[FIRST], is_overridden=lambda one: one.freeze.name == "f") is None
    found = barrier(T, freezes=[FIRST, freeze(T, T + DAY, "g")], is_overridden=lambda one: one.freeze.name == "f")
    assert found is not None
    assert [one.freeze.name for one in found.frozen] == ["g"]
    # What was overridden counts no more for the moment that is told either.
    held = barrier(T, holds=[hold(T + HOUR)], freezes=[FIRST], is_overridden=lambda one: True)
    assert held is not None
    assert held.until == T + HOUR


def test_it_says_all_that_is_in_the_way() -> None:
    day = DeploymentWindow.model_validate({"timezone": "UTC", "opens": "06:00", "closes": "07:00"})
    found = barrier(T, holds=[hold(T + HOUR)], freezes=[FIRST], window=day)
    assert found is not None
    assert found.words == (
        "all applications held by ann since 2026-12-18 22:00 UTC, until 2026-12-18 23:00 UTC: outage (hold h); "
        "frozen until 2026-12-19 00:00 UTC (f: audit); the window opens 2026-12-19 06:00 UTC; "
        "may go 2026-12-19 06:00 UTC"
    )
    unknown = barrier(T, unknown="promotions.yaml:1: freezes:\nmistake")
    assert unknown is not None
    assert unknown.words == (
        "nobody knows what is frozen: promotions.yaml:1: freezes: mistake; nobody knows when it may go"
    )


@given(begins=st.integers(-48, 48), hours=st.integers(1, 96), held=st.integers(-5, 100), at=st.integers(0, 60 * 72))
def test_the_moment_that_is_told_is_the_first_at_which_all_let_it_go(
    begins: int, hours: int, held: int, at: int
) -> None:
    moment = T + timedelta(minutes=at)
    given = {"holds": [hold(T + held * HOUR)], "freezes": [freeze(T + begins * HOUR, T + (begins + hours) * HOUR)]}
    go = next_go(moment, window=NIGHTS, **given)
    assert go is not None
    assert barrier(go, window=NIGHTS, **given) is None
    step = timedelta(minutes=30)
    times = [moment + number * step for number in range((go - moment) // step)]
    for one in times:
        free = is_open(NIGHTS, one) and not frozen_at(given["freezes"], one) and T + held * HOUR <= one
        assert not free or one >= go
