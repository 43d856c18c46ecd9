"""The nights that have to be there, by the configuration and the clock alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from nightshift.config.reports import sources_in_force
from nightshift.watch.expected import (
    LOOK_BACK,
    expected_nights,
    first_night,
    first_watched,
    nights_told,
    watched_reports,
)
from tests.unit.watch.looks import at, report


def test_only_nights_that_are_over_have_to_be_there() -> None:
    found = expected_nights([report("flexnet/a", since="2026-11-26")], {}, at("2026-11-28T23:59"))
    assert [one.night for one in found] == ["2026-11-26", "2026-11-27"]
    assert [one.due for one in found] == [at("2026-11-27T06:00"), at("2026-11-28T06:00")]


def test_of_each_zone_its_own() -> None:
    reports = [
        report("flexnet/a", since="2026-11-01", timezone="Pacific/Auckland"),
        report("exago/tree", since="2026-11-01", timezone="America/Los_Angeles"),
    ]
    last = {one.of.report: one.night for one in expected_nights(reports, {}, at("2026-11-28T07:00"))}
    assert last == {"flexnet/a": "2026-11-27", "exago/tree": "2026-11-26"}


def test_no_more_nights_than_are_looked_back() -> None:
    found = expected_nights([report("flexnet/a", since="2020-01-01")], {}, at("2026-11-28T07:00"))
    assert len(found) == LOOK_BACK
    assert found[0].night == first_watched([report("flexnet/a")], at("2026-11-28T07:00"))


@pytest.mark.parametrize(("is_known", "first"), [(True, "2026-11-27"), (False, "2026-11-28")])
def test_a_report_that_is_new_is_not_late_with_nights_from_before(is_known: bool, first: str) -> None:
    now = at("2026-11-28T09:00")
    assert first_night(report("flexnet/a"), now, is_known=is_known) == first
    nights = expected_nights([report("flexnet/a")], {"flexnet/a": first}, at("2026-11-29T00:00"))
    assert [one.night for one in nights][-1] == "2026-11-28"
    assert nights[0].night == first


def test_what_the_configuration_says_counts_more_than_what_was_seen() -> None:
    nights = expected_nights(
        [report("flexnet/a", since="2026-11-25")], {"flexnet/a": "2026-11-27"}, at("2026-11-28T09:00")
    )
    assert nights[0].night == "2026-11-25"


def test_of_a_night_from_before_a_report_was_waited_for_what_is_known_counts() -> None:
    told = [("flexnet/a", night) for night in ("2026-11-13", "2026-11-14", "2026-11-27", "2026-11-28")]
    known = [report("flexnet/a"), report("flexnet/b")]
    found = nights_told(known, [*told, ("flexnet/c", "2026-11-27")], at("2026-11-28T09:00"))
    assert [(one.of.report, one.night, one.due) for one in found] == [
        ("flexnet/a", "2026-11-14", None),
        ("flexnet/a", "2026-11-27", None),
    ]
    (late,) = nights_told([report("flexnet/a", since="2026-11-20")], told, at("2026-11-28T09:00"))
    assert late.night == "2026-11-27"


def test_the_reports_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "reports.yaml").write_text(
        "flexnet: {due: '06:00', timezone: Europe/Berlin, pool: p, reports: [{name: a}, {name: b, due: never}]}\n"
        "exago: {}\n"
    )
    found = {one.report: one for one in watched_reports(sources_in_force(tmp_path).sources)}
    assert list(found) == ["flexnet/a", "flexnet/b", "exago/tree", "exago/tree_changes"]
    assert (str(found["flexnet/a"].due), found["flexnet/a"].pool) == ("06:00 Europe/Berlin", "p")
    assert found["flexnet/b"].due is None
    assert (found["exago/tree_changes"].dag_id, found["exago/tree_changes"].group) == ("exago_catalog", "tree.changes")
