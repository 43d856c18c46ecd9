"""The night after a deployment, as the lake tells of it: an event or a mark says nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from nightshift.local_time import begin_of
from nightshift.promotion.vocabulary import StepState, VerdictWord
from tests.published import publish_night
from tests.unit.promotion.play import Play, Run, stage

CHECK = "DEV.verify.next_night"
REPORTS = ["flexnet/entitlement", "tokenflex/usage"]
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def waiting(play_of: Callable[..., Play], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Run]:
    """Bring a version to DEV just before a night of Berlin began, so many days ago."""
    folder = tmp_path / "config"
    folder.mkdir()
    (folder / "reports.yaml").write_text(
        "flexnet: {timezone: Europe/Berlin, reports: [{name: entitlement}]}\n"
        'tokenflex: {contract: "110000917988", exports: [{name: usage, category: DESKTOP_PRODUCT, '
        "fields: [usageDate], metrics: [tokensConsumed]}]}\n"
    )
    monkeypatch.setenv("NIGHTSHIFT_CONFIG", str(folder))

    def of(days: int = 2, *, within: str = "5d", after: timedelta = -timedelta(minutes=5)) -> Run:
        verify = {"next_night": {"reports": REPORTS, "within": within}}
        run = play_of(stage("DEV", verify=verify), stage("TEST")).start("r1", run_type="manual")
        for name in ("begin", "build", "DEV.deploy"):
            assert run.do(name).state == "success", run.parked[name].error
        at = begin_of(first_of(days), BERLIN) + after
        step = run.step("DEV.deploy")
        run.play.put(run.record.with_step(step.changed(started=at, ended=at)))
        run.play.dag.get_task(CHECK).patience = 0.0
        return run

    return of


def first_of(days: int) -> date:
    return datetime.now(UTC).astimezone(BERLIN).date() - timedelta(days=days)


def publish(run: Run, night: date, *reports: str, rows: int = 12) -> None:
    for report in reports or REPORTS:
        publish_night(run.play.lake, report, night.isoformat(), rows=rows)


def moment(run: Run) -> datetime:
    found: datetime = run.apis[CHECK].trigger(run.parked[CHECK].message).moment
    return found


def test_it_holds_once_all_reports_are_there_for_a_night_that_began_after_the_deployment(
    waiting: Callable[..., Run],
) -> None:
    run, night = waiting(), first_of(2)
    publish(run, night - timedelta(days=1))
    assert run.do(CHECK).state == "deferred"
    publish(run, night, REPORTS[0])
    assert run.resume(CHECK, {"why": "an event says that it is there"}).state == "deferred"
    assert (run.record.verdicts, run.step(CHECK).state) == ((), StepState.STARTED)
    assert timedelta(minutes=9) < moment(run) - datetime.now(UTC) <= timedelta(minutes=10)
    publish(run, night, REPORTS[1])
    assert run.resume(CHECK, None).state == "success"
    [verdict] = run.record.verdicts
    assert (verdict.word, verdict.night) == (VerdictWord.VERIFIED, night.isoformat())
    assert verdict.tables == {"flexnet/entitlement": 2, "tokenflex/usage": 2}
    assert f"night {night} (Europe/Berlin, UTC): flexnet/entitlement 12 rows, version 2" in verdict.seen
    assert run.do("TEST.deploy").state == "success"


def test_the_night_in_which_it_was_deployed_is_none(waiting: Callable[..., Run]) -> None:
    run = waiting(after=timedelta(minutes=5))
    publish(run, first_of(2))
    assert run.do(CHECK).state == "deferred"
    publish(run, first_of(1))
    assert run.resume(CHECK, None).state in ("success", "deferred")
    assert all(one.night == first_of(1).isoformat() for one in run.record.verdicts)


def test_a_night_that_is_not_over_is_waited_for_until_it_is(waiting: Callable[..., Run]) -> None:
    run = waiting(0)
    assert run.do(CHECK).state == "deferred"
    assert moment(run) >= begin_of(first_of(-1), BERLIN)


def test_its_time_begins_when_the_night_can_be_there(waiting: Callable[..., Run]) -> None:
    """That night began almost a day after the deployment, and ended this midnight: ``within`` is not over yet."""
    run = waiting(2, within="1d", after=timedelta(minutes=5))
    assert run.do(CHECK).state == "deferred"
    publish(run, first_of(1))
    assert run.resume(CHECK, None).state == "success"
    assert [one.word for one in run.record.verdicts] == [VerdictWord.VERIFIED]


def test_past_its_time_it_does_not_hold(waiting: Callable[..., Run]) -> None:
    run = waiting(4, within="2d")
    publish(run, first_of(4), REPORTS[0])
    done = run.do(CHECK)
    assert done.state == "failed"
    [verdict] = run.record.verdicts
    assert verdict.word is VerdictWord.REFUTED
    assert "tokenflex/usage is not published for it" in verdict.seen
    assert "when it had to be there" in verdict.seen
    assert run.do("TEST.deploy").state == "failed"


def test_where_nobody_knows_when_a_night_begins_nothing_is_said_of_the_version(
    waiting: Callable[..., Run], tmp_path: Path
) -> None:
    run = waiting(4, within="2d")
    (tmp_path / "config" / "reports.yaml").write_text("flexnet: {reports: [{name: entitlement}]}\n")
    done = run.do(CHECK)
    assert (done.state, run.record.verdicts) == ("failed", ())
    assert "reports.yaml has no tokenflex any more" in str(done.error)


def test_where_the_lake_cannot_be_read_nothing_is_said_of_the_version(waiting: Callable[..., Run]) -> None:
    run = waiting(4, within="2d")
    publish(run, first_of(4))
    log = Path(run.play.lake.url.removeprefix("file://")) / "tables" / "flexnet" / "entitlement" / "_delta_log"
    for one in log.glob("*.json"):
        one.write_text("{")
    assert run.do(CHECK).state in ("failed", "up_for_retry")
    assert (run.record.verdicts, run.step(CHECK).state) == ((), StepState.FAILED)
