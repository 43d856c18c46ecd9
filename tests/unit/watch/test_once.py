"""Whole looks: a configuration, a lake with real tables and landings, receivers on real sockets."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from include.standins.faults import Fault, FaultKind
from include.standins.webhooks import ROUTING_KEY, WebHooksStandIn
from nightshift.lake import objects
from nightshift.lake.landing import Landing
from nightshift.lake.store import Lake
from nightshift.nights.cells import FailureKind
from nightshift.watch.airflow import NightRun
from nightshift.watch.incident import IncidentKind, Outcome
from nightshift.watch.incidents import BESIDE, LEASE, Incidents, mean_time_to_restore, read
from nightshift.watch.memory import LastLook, Memory
from nightshift.watch.once import SILENT, WatchResult
from tests.unit.watch.looks import NIGHT, at
from tests.unit.watch.scene import KNOWN, Look, events, fail, publish


def test_a_night_that_is_missing_is_told_once_and_closed_when_it_is_there(
    look: Look, lake: Lake, pager: WebHooksStandIn
) -> None:
    assert look("05:59").exit_code == 0
    first = look("06:00", base_url="http://airflow.example.com/")
    assert (first.exit_code, first.sent) == (1, 1)
    for minute in (5, 10, 15):
        assert look(f"06:{minute:02}").sent == 0
    publish(lake, "flexnet/usage")
    assert look("06:20").sent == 0
    publish(lake, "flexnet/user")
    last = look("06:25")
    assert (last.exit_code, last.sent, last.open) == (0, 1, ())
    assert events(pager) == [
        ("trigger", f"flexnet: 2 reports, night {NIGHT}, are missing: nothing has begun"),
        ("resolve", f"flexnet: 2 reports, night {NIGHT}, are there"),
    ]
    assert pager.took("pagerduty")[0]["client_url"] == "http://airflow.example.com/dags/flexnet_reports"
    assert "Waiting for it: portal" in pager.took("pagerduty")[0]["payload"]["custom_details"]["text"]
    (incident,) = read(lake)
    assert incident.outcome is Outcome.RESTORED
    assert [(one.channel, one.update, one.sent is not None) for one in incident.notified] == [
        ("on_call", 1, True),
        ("on_call", incident.updates[-1].number, True),
    ]
    assert mean_time_to_restore([incident]) is not None
    # What a look has read the next one does not read again.
    assert f"{incident.id}/r{incident.revision:06d}.json".encode() in (objects.read(lake.objects(), BESIDE) or b"")


def test_many_watchers_at_once_make_one_incident_and_send_one_message(look: Look, lake: Lake, pager) -> None:
    look("05:00")
    with ThreadPoolExecutor(6) as threads:
        results = list(threads.map(lambda n: look("06:00", by="dag" if n % 2 else "command"), range(6)))
    assert sum(len(one.changed) for one in results) == 1
    assert sum(one.sent for one in results) == 1
    assert len(events(pager)) == 1
    assert len(read(lake)) == 1


def test_who_dies_between_sending_and_writing_is_followed_by_one_with_the_same_key(
    look: Look, lake: Lake, pager: WebHooksStandIn
) -> None:
    """At least once: PagerDuty takes both for one alert."""
    look("06:00")
    (sent,) = Path(lake.url.removeprefix("file://")).rglob("u*.sent.json")
    sent.unlink()
    assert look(at("06:00") + LEASE / 2).sent == 0
    assert look(at("06:00") + LEASE).sent == 1
    assert list(pager.alerts) == [read(lake)[0].id]
    assert len(events(pager)) == 2


def test_a_channel_that_fails_is_tried_again_and_told_on_the_incident(look: Look, lake: Lake, pager) -> None:
    pager.faults.add(Fault(kind=FaultKind.STATUS, status=403, times=None))
    failed = look("06:00")
    assert (failed.sent, failed.exit_code) == (0, 1)
    assert "on_call: PagerDuty" in failed.unsent[0]
    assert ROUTING_KEY not in str(failed)
    (incident,) = read(lake)
    assert (incident.notified[0].attempts, incident.notified[0].sent) == (1, None)
    assert "status 403" in incident.notified[0].error
    pager.faults.clear()
    assert look("06:00:30").sent == 0
    assert look("06:01").sent == 1


def test_a_channel_that_never_heard_of_it_is_told_how_it_stands_and_no_old_news(
    look: Look, lake, folder, pager
) -> None:
    (folder / "notify.yaml").write_text("{}\n")
    look("06:00")
    publish(lake, "flexnet/user")
    look("06:30")
    (folder / "notify.yaml").write_text("on_call: {to: pagerduty, connection: pagerduty_nights}\n")
    assert look("06:35").sent == 1
    assert [action for action, _ in events(pager)] == ["trigger"]
    publish(lake, "flexnet/usage")
    look("07:00")
    (folder / "notify.yaml").write_text("late: {to: pagerduty, connection: pagerduty_nights}\n")
    assert look("09:00").sent == 0


@pytest.mark.parametrize(
    ("kind", "text", "incident", "since"),
    [
        (FailureKind.DRIFT, "flexnet/usage: lost: SKU (string). Allow it", IncidentKind.DRIFTED, "04:05"),
        (FailureKind.CHECKS, "band: 3 rows, 50 to 200 expected", IncidentKind.UNSOUND, "04:05"),
        (FailureKind.VALUES, "page 1, row 2: 'x' is not int64", IncidentKind.FAILED, "04:05"),
    ],
)
def test_what_publish_has_refused_is_told_at_once(
    look: Look, lake: Lake, kind: FailureKind, text: str, incident: IncidentKind, since: str
) -> None:
    fail(lake, "flexnet/usage", kind, text, "04:05")
    result = look("04:10")
    assert [(one.kind, one.cause, one.since) for one in result.open] == [(incident, text, at(since))]


def test_what_may_pass_at_the_next_attempt_is_the_cause_once_it_is_late(look: Look, lake: Lake) -> None:
    fail(lake, "flexnet/usage", FailureKind.VENDOR, "FlexNet: 503", "05:30")
    assert look("05:59").open == ()
    for now, kind in (("06:00", IncidentKind.LATE), ("06:30", IncidentKind.FAILED)):
        causes = {one.subject.name: (one.kind, one.cause) for one in look(now).open}
        assert causes["flexnet/usage"] == (kind, "FlexNet: 503")


WITHOUT_DUE = "flexnet: {reports: [{name: usage}, {name: user, due: never}]}\n"


def test_a_report_without_due_that_fails_every_night_is_told(look: Look, lake: Lake, folder: Path, pager) -> None:
    (folder / "reports.yaml").write_text(WITHOUT_DUE)
    quiet = ["nobody waits for 2 reports (no due, or never): if one does not come, nobody is told"]
    fail(lake, "flexnet/usage", FailureKind.VENDOR, "FlexNet: 401", "04:05")
    before = look("05:00")
    assert (before.exit_code, before.lines(), before.unawaited) == (0, quiet, 2)
    told = look("05:05")
    assert [(one.kind, one.cause, one.since) for one in told.open] == [
        (IncidentKind.FAILED, "FlexNet: 401", at("04:05"))
    ]
    assert (told.exit_code, told.sent, told.lines()[-1]) == (1, 1, quiet[0])
    publish(lake, "flexnet/usage")
    assert look("07:00").lines() == quiet
    (folder / "reports.yaml").write_text(WITHOUT_DUE.replace("usage", "usage, due: '06:00', since: 2026-11-27"))
    assert look("07:05").lines() == ["all 1 nights of 1 reports are on time", quiet[0].replace("2", "1")]
    (folder / "reports.yaml").write_text("flexnet: {removed: true}\n")
    assert look("07:10").lines() == ["there is no report to wait for"]


def test_a_report_that_gets_a_due_has_failed_before_it_all_the_same(look: Look, lake: Lake, folder: Path) -> None:
    (folder / "reports.yaml").write_text(WITHOUT_DUE)
    fail(lake, "flexnet/usage", FailureKind.VENDOR, "FlexNet: 401", "04:05")
    (failed,) = look("2026-11-29T09:00").open
    (folder / "reports.yaml").write_text(WITHOUT_DUE.replace("usage", "usage, due: '06:00'"))
    assert [one.id for one in look("2026-11-29T09:05").open] == [failed.id]
    publish(lake, "flexnet/usage")
    assert look("2026-11-29T09:10").open == ()
    (over,) = (one for one in read(lake) if one.id == failed.id)
    assert over.outcome is Outcome.RESTORED


def test_what_is_landed_and_not_published_is_late_and_not_missing(look: Look, lake: Lake) -> None:
    folder = Landing(lake, "flexnet", "usage", NIGHT).extract("first")
    asyncio.run(folder.write(1, b'{"data": []}', 0))
    found = {one.subject.name: one for one in look("06:00").open}
    assert found["flexnet/usage"].kind is IncidentKind.LATE
    assert found["flexnet/usage"].cause == "some pages are landed, and its end is not"
    assert found["flexnet/user"].kind is IncidentKind.MISSING


def test_a_table_that_somebody_changed_is_told(look: Look, lake: Lake) -> None:
    import deltalake

    for report in ("flexnet/usage", "flexnet/user"):
        publish(lake, report)
    assert look("07:00").exit_code == 0
    deltalake.DeltaTable(lake.table_url("flexnet", "usage")).delete("id = '3'")
    (one,) = look("07:05").open
    assert (one.kind, one.family, one.cause) == (
        IncidentKind.UNSOUND,
        "altered",
        "12 rows were published, the table has 11 now",
    )
    publish(lake, "flexnet/usage", extract="second")
    assert look("07:10").exit_code == 0


class Told:
    """Airflow, as a test has it: what it tells of a DAG's night."""

    def __init__(self, run: NightRun | Exception | None) -> None:
        self.run, self.asked = run, 0

    def run_of(self, dag_id: str, night: str, timezone: str) -> NightRun | None:
        self.asked += 1
        if isinstance(self.run, Exception):
            raise self.run
        return self.run


def test_airflow_adds_the_likely_cause_and_is_asked_once_a_night(look: Look) -> None:
    airflow = Told(NightRun(paused=True))
    (one,) = look("06:00", airflow=airflow).open
    assert (one.kind, one.cause) == (IncidentKind.PAUSED, "the DAG flexnet_reports is paused")
    assert airflow.asked == 1
    assert look("05:00", airflow=(before := Told(None))).exit_code == 1
    assert before.asked == 0


@pytest.mark.parametrize("airflow", [Told(None), Told(RuntimeError("no answer"))])
def test_an_airflow_that_does_not_answer_changes_nothing(look: Look, airflow: Told) -> None:
    (one,) = look("06:00", airflow=airflow).open
    assert (one.kind, one.cause) == (IncidentKind.MISSING, "")


def last_look(lake: Lake) -> LastLook:
    last = asyncio.run(Memory(lake).read()).last
    assert last is not None
    return last


def test_a_table_that_cannot_be_read_opens_and_closes_nothing_and_is_named(
    look: Look, lake: Lake, folder: Path
) -> None:
    publish(lake, "flexnet/user")
    look("06:00")
    root = Path(lake.url.removeprefix("file://"))
    publish(lake, "flexnet/usage")
    for broken in (
        root / "nights" / "flexnet" / "usage.json",
        root / "tables/flexnet/usage/_delta_log/00000000000000000000.json",
    ):
        broken.write_text("{")
    result = look("06:30")
    assert [one.subject.name for one in result.open] == ["flexnet/usage"]
    assert [one.partition(":")[0] for one in result.blind] == ["flexnet/usage"]
    assert any(line.startswith("could not be looked at: flexnet/usage") for line in result.lines())
    assert [f"{one.of}: {one.why}" for one in last_look(lake).unseen] == list(result.blind)
    (folder / "reports.yaml").write_text(KNOWN.replace("usage", "user"))
    assert look("06:35").blind == last_look(lake).unseen == ()


def spoil(lake: Lake, name: str, old: str, new: str) -> None:
    """Change the newest revision of an incident as nobody does who knows of this release."""
    path = max((Path(lake.url.removeprefix("file://")) / "incidents" / name).glob("r*.json"))
    body = path.read_text()
    assert old in body
    path.write_text(body.replace(old, new))


def test_an_incident_that_cannot_be_read_is_named_and_its_trouble_told_by_another(
    look: Look, lake: Lake, pager: WebHooksStandIn
) -> None:
    publish(lake, "flexnet/user")
    (first,) = look("06:00").open
    spoil(lake, first.id, '"missing"', '"abducted"')
    blind = look("06:05")
    assert [one.id for one in blind.open] == [f"{first.id}.again-2"]
    assert (blind.exit_code, blind.sent) == (1, 1)
    (line,) = (one for one in blind.lines() if one.startswith("could not be looked at"))
    assert [one.of for one in last_look(lake).unseen] == [f"incidents/{first.id}"]
    assert line.startswith(f"could not be looked at: incidents/{first.id}: it cannot be read (")
    assert f"remove the folder incidents/{first.id}" in line
    publish(lake, "flexnet/usage")
    over = look("06:10")
    assert (over.open, over.exit_code, len(over.blind)) == ((), 2, 1)
    assert [action for action, _ in events(pager)] == ["trigger", "trigger", "resolve"]
    spoil(lake, first.id, '"abducted"', '"missing"')
    assert (look("06:15").exit_code, look("06:15").lines()) == (0, ["all 2 nights of 2 reports are on time"])


def test_what_is_wrong_and_told_by_no_incident_is_no_night_on_time(
    look: Look, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(self: Incidents, incident: Any) -> bool:
        return False

    publish(lake, "flexnet/user")
    with monkeypatch.context() as patched:
        patched.setattr(Incidents, "write", refused)
        found = look("06:00")
    assert (found.open, found.exit_code) == ((), 2)
    assert found.lines() == [
        f"flexnet/usage, night {NIGHT}, is missing: nothing has begun, and no incident tells of it: the next look "
        "opens one"
    ]
    assert [f"{one.of}: {one.why}" for one in last_look(lake).unseen] == [f"flexnet/usage: {found.lines()[0]}"]
    assert look("06:05").uncovered == ()


def test_the_command_tells_that_the_dag_stands_still(look: Look, lake: Lake) -> None:
    for report in ("flexnet/usage", "flexnet/user"):
        publish(lake, report)
    never = look("08:00", by="command")
    assert (never.is_dag_silent, never.exit_code) == (True, 0)
    assert "the DAG nightshift_watch has not looked yet" in never.lines()[0]
    look("08:05")
    assert look("08:10", by="command").is_dag_silent is False
    silent = look(at("08:05") + SILENT + timedelta(minutes=1), by="command")
    assert (silent.is_dag_silent, silent.exit_code) == (True, 2)
    assert "has not looked since 2026-11-28 08:05 UTC" in silent.lines()[0]


def test_after_weeks_without_a_look_what_is_open_is_closed(look: Look, lake: Lake) -> None:
    look("06:00")
    look("2027-03-01T06:00")
    first = read(lake)[0]
    assert (first.night, first.outcome) == (NIGHT, Outcome.EXPIRED)


def test_a_look_at_nights_on_time_writes_no_incident(look: Look, lake: Lake) -> None:
    for report in ("flexnet/usage", "flexnet/user"):
        publish(lake, report)
    result = look("07:00")
    assert result.lines() == ["all 2 nights of 2 reports are on time"]
    assert asyncio.run(Incidents(lake).read()).incidents == ()
    assert WatchResult.model_validate_json(result.model_dump_json()) == result
