"""Freezes are right or refused, and a mistake in them opens no gate."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nightshift.config.promotions import PromotionsInForce, promotions_in_force, read_applications

PORTAL = """\
portal:
  project: A/B
  stream: main
  build: {environment: DEV}
  stages: [{environment: DEV}, {environment: PROD}]
billing:
  project: A/C
  stream: main
  build: {environment: DEV}
  stages: [{environment: DEV}, {environment: LIVE}]
"""
YEAR_END = "{name: year end, reason: audit, timezone: Europe/Berlin, from: 2026-12-18 18:00, to: 2027-01-03}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NIGHTSHIFT_KEPT", str(tmp_path / "kept"))
    (tmp_path / "reports.yaml").write_text("{}")
    return tmp_path


def read(folder: Path, freezes: str, rest: str = PORTAL) -> PromotionsInForce:
    (folder / "promotions.yaml").write_text(f"{rest}{freezes}\n")
    return promotions_in_force(folder)


def test_a_file_without_freezes_stays_as_it_is(folder: Path) -> None:
    found = read(folder, "")
    assert (found.freezes.freezes, found.freezes.unknown, found.mistakes) == ((), "", [])


def test_a_freeze_is_of_whom_it_names(folder: Path) -> None:
    found = read(
        folder,
        f"freezes:\n- {YEAR_END}\n- {{name: quarter, reason: r, timezone: UTC, from: 2026-03-31, "
        "rrule: FREQ=YEARLY;BYMONTH=3, duration: 2d, applications: [portal], stages: [PROD]}",
    )
    assert found.mistakes == []
    assert list(found.applications) == ["portal", "billing"]
    assert [one.name for one in found.freezes.of("portal", "PROD")] == ["year end", "quarter"]
    assert [one.name for one in found.freezes.of("portal", "DEV")] == ["year end"]
    assert [one.name for one in found.freezes.of("billing", "PROD")] == ["year end"]
    assert list(read_applications(folder)) == ["portal", "billing"]


@pytest.mark.parametrize(
    ("given", "begins", "ends"),
    [
        ("from: 2026-12-18, to: 2026-12-18", "2026-12-18T00:00", "2026-12-19T00:00"),
        ("from: 2026-12-18 18:00, to: 2026-12-19T06:00", "2026-12-18T18:00", "2026-12-19T06:00"),
        ("from: 2026-12-18 18:00:00, to: '2026-12-19'", "2026-12-18T18:00", "2026-12-20T00:00"),
    ],
)
def test_a_day_alone_is_all_of_it(folder: Path, given: str, begins: str, ends: str) -> None:
    [one] = read(folder, f"freezes: [{{name: f, reason: r, timezone: UTC, {given}}}]").freezes.freezes
    assert (one.begins, one.ends) == (begins, ends)


def changed(**more: Any) -> str:
    whole = {"name": "f", "reason": "r", "timezone": "UTC", "from": "2026-12-18", "to": "2026-12-19", **more}
    return "freezes: [{" + ", ".join(f"{key}: {value}" for key, value in whole.items() if value is not None) + "}]"


RULE = {"to": None, "duration": "1d"}


@pytest.mark.parametrize(
    ("freezes", "problem"),
    [
        (
            changed(stages="[PRD]"),
            "11: freezes[0].stages[0]: 'PRD' is not a stage of what it concerns; did you mean 'PROD'?",
        ),
        (changed(applications="[portal]", stages="[LIVE]"), "'LIVE' is not a stage of what it concerns"),
        (changed(applications="[porta]"), "'porta' is not an application of this file; did you mean 'portal'?"),
        (changed(to="2026-12-17"), "to is not after from"),
        (changed(to=None), "needs to, or rrule and duration"),
        (changed(duration="1d"), "needs to, or rrule and duration"),
        (changed(rrule="FREQ=YEARLY"), "with rrule it needs duration, and no to"),
        (changed(reason=None), "freezes[0].reason: is missing; add it"),
        (changed(reason='" "'), "is blank"),
        (changed(timezone="Europe/Berln"), "did you mean 'Europe/Berlin'?"),
        (changed(**{"from": "18.12.2026"}), "must be a day or a time of it in the zone of the freeze"),
        (changed(**{"from": "2026-12-18T18:00+01:00"}), "must be a day or a time of it in the zone of the freeze"),
        (changed(to="20261231"), "such as 2026-12-18 or 2026-12-18 18:00 (found 20261231)"),
        (changed(to="2026-W52"), "such as 2026-12-18 or 2026-12-18 18:00 (found '2026-W52')"),
        (changed(to="2026W521"), "must be a day or a time of it in the zone of the freeze"),
        (changed(to="2026-12-19T18"), "must be a day or a time of it in the zone of the freeze"),
        (changed(to="2026-12-19 18:00:30"), "must be a day or a time of it in the zone of the freeze"),
        (changed(to="2026-02-30"), "must be a day or a time of it in the zone of the freeze"),
        (
            changed(timezone="Europe/Berlin", to="2026-03-29 02:50", **{"from": "2026-03-29 02:10"}),
            "the clocks of Europe/Berlin leave out all of it; give a time that there is",
        ),
        (changed(to="9999-12-31"), "must be from the year 2000 to 2099"),
        (changed(form="2026-12-18"), "unknown field; did you mean 'from'?"),
        (changed(begins="2026-12-18"), "unknown field"),
        (changed(**RULE, rrule="FREQ=YEARLI"), "FREQ=YEARLI is not valid; did you mean 'YEARLY'?"),
        (changed(**RULE, rrule="FREQ=HOURLY"), "FREQ=HOURLY is not valid"),
        (changed(**RULE, rrule="FREQ=DAILY;BYHOUR=9"), "'BYHOUR' is no part of a rule of days"),
        (changed(**RULE, rrule="every year"), "'EVERY YEAR' is no part of a rule"),
        (changed(**RULE, rrule="FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30"), "rrule never comes"),
        (changed(**RULE, rrule="FREQ=YEARLY;BYMONTH=13"), "BYMONTH=13 is not valid"),
        (changed(**RULE, rrule="FREQ=YEARLY;BYMONTHDAY=0"), "BYMONTHDAY=0 is not valid"),
        (changed(**RULE, rrule="FREQ=YEARLY;BYDAY=60MO"), "is not a rule"),
        (changed(**RULE, rrule="FREQ=YEARLY;UNTIL=20261301"), "UNTIL=20261301 is no day of the calendar"),
        (changed(**RULE, rrule="FREQ=DAILY"), "for more than a year on end; give from and to"),
        (f"freezes:\n- {YEAR_END}\n- {YEAR_END}", "freeze 'year end' is listed twice"),
        ("freezes:", "is the list of freezes: '- ' before each, or [] for none"),
        ("freezes: {project: A/B, stream: main}", "an application cannot be called freezes, give it another name"),
        ("freezes: [portal]", "freezes[0]: must be names with their values"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_closes_the_gate(folder: Path, freezes: str, problem: str) -> None:
    found = read(folder, freezes)
    assert problem in "\n".join(found.mistakes)
    assert f"promotions.yaml:{1 + PORTAL.count(chr(10))}" in found.mistakes[0]
    assert found.freezes.freezes == ()
    assert problem in found.freezes.unknown
    assert list(found.applications) == ["portal", "billing"]


@pytest.mark.parametrize("mistake", [changed(stages="[PRD]"), "freezes: [{", "freezes: []]", "freezes: {}"])
def test_while_there_is_a_mistake_what_was_in_force_stays(folder: Path, mistake: str) -> None:
    read(folder, f"freezes: [{YEAR_END}]")
    found = read(folder, mistake)
    assert [one.name for one in found.freezes.freezes] == ["year end"]
    assert "Until this is put right, freezes goes on as it was before." in "\n".join(found.mistakes)


def test_what_is_gone_still_counts_until_somebody_says_that_nothing_is_frozen(folder: Path) -> None:
    read(folder, f"freezes: [{YEAR_END}]")
    found = read(folder, "")
    assert [one.name for one in found.freezes.freezes] == ["year end"]
    assert "is no longer here, and what it said still counts" in found.mistakes[0]
    assert read(folder, "freezes: []").freezes.freezes == ()
    found = read(folder, "")
    assert (found.freezes.freezes, found.freezes.unknown, found.mistakes) == ((), "", [])


def test_a_file_that_cannot_be_read_changes_nothing(folder: Path) -> None:
    read(folder, f"freezes: [{YEAR_END}]")
    (folder / "promotions.yaml").write_bytes(b"\xff\xfe")
    found = promotions_in_force(folder)
    assert [one.name for one in found.freezes.freezes] == ["year end"]


def test_a_copy_that_cannot_be_read_closes_the_gate(folder: Path) -> None:
    read(folder, f"freezes: [{YEAR_END}]")
    [kept] = (folder / "kept").rglob("freezes.yaml")
    kept.write_text("freezes: [{")
    assert "what it said before cannot be read" in read(folder, "").freezes.unknown
