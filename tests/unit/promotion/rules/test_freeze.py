"""A freeze is in force from its begin up to its end, as local clocks have it, and a person may override it once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from nightshift.config.freezes import Freeze
from nightshift.promotion.record import FreezeOverride
from nightshift.promotion.rules.freeze import FreezeNow, frozen_at, overridden, spans


def freeze(**more: Any) -> Freeze:
    whole = {
        "name": "f",
        "reason": "audit",
        "timezone": "Europe/Berlin",
        "from": "2026-12-18 18:00",
        "to": "2027-01-04 06:00",
    }
    return Freeze.model_validate({key: value for key, value in {**whole, **more}.items() if value is not None})


def rule(rrule: str, begins: str, duration: str, **more: Any) -> Freeze:
    return freeze(rrule=rrule, duration=duration, to=None, **{"from": begins}, **more)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("frozen", "at", "is_in_force"),
    [
        # Berlin is an hour ahead of UTC in winter.
        (freeze(), "2026-12-18 16:59:59", False),
        (freeze(), "2026-12-18 17:00", True),
        (freeze(), "2027-01-04 04:59:59", True),
        (freeze(), "2027-01-04 05:00", False),
        (freeze(**{"from": "2026-12-18", "to": "2026-12-18"}), "2026-12-18 22:59:59", True),
        (freeze(**{"from": "2026-12-18", "to": "2026-12-18"}), "2026-12-18 23:00", False),
        (rule("FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1", "2026-01-01 12:00", "2d"), "2026-04-01 09:59", True),
        (rule("FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1", "2026-01-01 12:00", "2d"), "2026-04-02 10:00", False),
        (rule("FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1", "2026-05-01 12:00", "2d"), "2026-03-31 20:00", False),
        (rule("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=18;COUNT=1", "2026-01-01", "20d"), "2027-12-20 00:00", False),
        (rule("FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=18", "2026-01-01", "300d"), "2027-09-01 00:00", True),
        # The clocks go forward at 2:00 on the 29th: a day of the calendar is 23 hours long.
        (rule("FREQ=WEEKLY;BYDAY=SA", "2026-03-28 12:00", "1d"), "2026-03-29 09:59:59", True),
        (rule("FREQ=WEEKLY;BYDAY=SA", "2026-03-28 12:00", "1d"), "2026-03-29 10:00", False),
        (rule("FREQ=WEEKLY;BYDAY=SA", "2026-03-28 12:00", "23h"), "2026-03-29 09:59:59", True),
        (rule("FREQ=WEEKLY;BYDAY=SA", "2026-03-28 12:00", "23h"), "2026-03-29 10:00", False),
        # 2:30 is left out: it begins with the change.
        (rule("FREQ=DAILY;COUNT=1", "2026-03-29 02:30", "1h"), "2026-03-29 00:59:59", False),
        (rule("FREQ=DAILY;COUNT=1", "2026-03-29 02:30", "1h"), "2026-03-29 01:00", True),
        # 2:30 comes twice on the 25th of October: it begins the first time, and ends the second.
        (freeze(**{"from": "2026-10-25 02:30", "to": "2026-10-25 04:00"}), "2026-10-25 00:30", True),
        (freeze(**{"from": "2026-10-25 01:00", "to": "2026-10-25 02:30"}), "2026-10-25 01:29:59", True),
        (freeze(**{"from": "2026-10-25 01:00", "to": "2026-10-25 02:30"}), "2026-10-25 01:30", False),
    ],
)
def test_it_is_in_force_as_the_local_clock_has_it(frozen: Freeze, at: str, is_in_force: bool) -> None:
    assert bool(frozen_at([frozen], utc(at))) is is_in_force


def test_it_says_since_when_until_when_and_why() -> None:
    [now] = frozen_at([freeze(name="year end")], utc("2026-12-24"))
    assert (now.since, now.until) == (utc("2026-12-18 17:00"), utc("2027-01-04 05:00"))
    assert now.words == "frozen until 2027-01-04 05:00 UTC (year end: audit)"


def test_what_touches_is_one() -> None:
    daily = rule("FREQ=DAILY;COUNT=3", "2026-06-01 12:00", "1d")
    assert spans([daily], utc("2026-06-02"), utc("2026-06-02")) == [(utc("2026-06-01 10:00"), utc("2026-06-04 10:00"))]


NOW = FreezeNow(freeze(override=["eve", "7"]), utc("2026-12-18 17:00"), utc("2027-01-04 05:00"))


@pytest.mark.parametrize(
    ("given", "holds"),
    [
        ({}, True),
        ({"person": "7", "name": "Eve"}, True),
        # Somebody who is named no more, another time of the same freeze, another stage, other parameters.
        ({"person": "bob", "name": "bob"}, False),
        ({"since": utc("2025-12-18 17:00")}, False),
        ({"freeze": "g"}, False),
        ({"stage": "PROD"}, False),
        ({"terms": "b"}, False),
    ],
)
def test_an_override_is_of_this_time_this_stage_and_these_parameters(given: dict[str, Any], holds: bool) -> None:
    whole = {"freeze": "f", "since": NOW.since, "stage": "TEST", "person": "eve", "name": "eve", "reason": "outage"}
    override = FreezeOverride.model_validate({**whole, "at": NOW.since, "terms": "a", **given})
    assert overridden(NOW, [override], stage="TEST", terms="a") is holds
