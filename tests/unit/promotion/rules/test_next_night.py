from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from nightshift.promotion.record import ReportSeen
from nightshift.promotion.rules.next_night import first_night, judged, last_look, next_look, nights_over

ZONE = {name: ZoneInfo(name) for name in ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Africa/Cairo")}


@pytest.mark.parametrize(
    ("deployed", "zones", "night"),
    [
        ("2026-11-28T10:00:00+00:00", ["UTC"], "2026-11-29"),
        ("2026-11-28T00:00:00+00:00", ["UTC"], "2026-11-28"),
        ("2026-11-28T00:00:01+00:00", ["UTC"], "2026-11-29"),
        ("2026-11-28T22:59:59+00:00", ["Europe/Berlin"], "2026-11-29"),
        ("2026-11-28T23:00:01+00:00", ["Europe/Berlin"], "2026-11-30"),
        ("2026-11-29T03:00:00+00:00", ["America/New_York"], "2026-11-29"),
        ("2026-11-29T03:00:00+00:00", ["UTC", "America/New_York"], "2026-11-30"),
        # Cairo's clocks leave out the midnight that begins 24 April 2026: the day begins with the change, at 22:00 UTC.
        ("2026-04-23T22:00:00+00:00", ["Africa/Cairo"], "2026-04-24"),
        ("2026-04-23T22:00:01+00:00", ["Africa/Cairo"], "2026-04-25"),
    ],
)
def test_it_is_the_first_that_began_after_the_deployment_in_every_zone(
    deployed: str, zones: list[str], night: str
) -> None:
    assert first_night(datetime.fromisoformat(deployed), [ZONE[one] for one in zones]).isoformat() == night


@pytest.mark.parametrize(
    ("at", "zones", "nights"),
    [
        ("2026-11-29T23:59:00+00:00", ["UTC"], []),
        ("2026-11-30T00:00:00+00:00", ["UTC"], [29]),
        ("2026-11-30T00:00:00+00:00", ["UTC", "America/New_York"], []),
        ("2026-12-01T05:00:00+00:00", ["UTC", "America/New_York"], [29, 30]),
    ],
)
def test_only_nights_that_are_over_are_looked_at(at: str, zones: list[str], nights: list[int]) -> None:
    found = nights_over(date(2026, 11, 29), [ZONE[one] for one in zones], datetime.fromisoformat(at))
    assert found == [date(2026, 11, day) for day in nights]


def report(name: str, *, published: bool = True, failed: tuple[str, ...] = ()) -> ReportSeen:
    at = datetime(2026, 11, 30, 6, tzinfo=UTC) if published else None
    return ReportSeen(
        name=name, published=at, rows=12, table_version=3, checks=dict.fromkeys(failed, "no rows"), failed=failed
    )


@pytest.mark.parametrize(
    ("lake", "night", "words"),
    [
        ({}, None, ""),
        ({29: [report("flexnet/a"), report("tokenflex/b")]}, 29, "flexnet/a 12 rows, version 3, tokenflex/b 12 rows"),
        (
            {29: [report("flexnet/a"), report("tokenflex/b", published=False)]},
            None,
            "tokenflex/b is not published for it",
        ),
        ({29: [report("flexnet/a", failed=("rows",))]}, None, "flexnet/a is not sound (rows: no rows)"),
        ({29: [report("flexnet/a", published=False)], 30: [report("flexnet/a")]}, 30, "night 2026-11-30 (UTC)"),
        # Half of one night and half of another are no night.
        (
            {
                29: [report("flexnet/a"), report("b/b", published=False)],
                30: [report("flexnet/a", published=False), report("b/b")],
            },
            None,
            "night 2026-11-29 (UTC): b/b is not published for it; night 2026-11-30 (UTC): flexnet/a is not published",
        ),
    ],
)
def test_all_reports_are_there_and_sound_for_one_and_the_same_night(
    lake: dict[int, list[ReportSeen]], night: int | None, words: str
) -> None:
    nights = [date(2026, 11, day) for day in lake]
    found, seen, reports = judged(nights, lambda one: lake[int(one[-2:])], {"flexnet/a": ZONE["UTC"]})
    assert found == (None if night is None else date(2026, 11, night))
    assert words in seen
    assert list(reports) == ([] if night is None else lake[night])


def test_nobody_looks_before_the_night_is_over_and_once_more_at_the_end() -> None:
    first, every = date(2026, 11, 29), timedelta(minutes=10)
    over, last = datetime(2026, 11, 30, tzinfo=UTC), datetime(2026, 12, 1, 10, tzinfo=UTC)
    zones = [ZONE["UTC"]]
    assert next_look(first, zones, over - timedelta(hours=30), every, last) == over
    assert next_look(first, zones, over + every, every, last) == over + 2 * every
    assert next_look(first, zones, last - timedelta(minutes=1), every, last) == last


@pytest.mark.parametrize("hour", range(24))
@pytest.mark.parametrize("settles", [0, 4, 24])
def test_whenever_something_is_deployed_its_first_night_can_be_there_in_time(hour: int, settles: int) -> None:
    berlin, day = ZONE["Europe/Berlin"], timedelta(days=1)
    first = first_night(datetime(2026, 11, 17, hour, 30, tzinfo=berlin), [berlin])
    fetched = datetime(2026, 11, 19, tzinfo=berlin) + timedelta(hours=settles)
    assert last_look(first, [(berlin, timedelta(hours=settles))], day) == fetched + day


def test_the_time_of_all_reports_is_that_of_the_one_that_can_be_there_last() -> None:
    settled = [(ZONE["UTC"], timedelta(hours=6)), (ZONE["America/New_York"], timedelta(hours=2))]
    assert last_look(date(2026, 11, 29), settled, timedelta(days=2)) == datetime(2026, 12, 2, 7, tzinfo=UTC)
