"""The figures of a release team, as tables of promotions whose figures can be counted by hand."""

from __future__ import annotations

import random
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from nightshift.lake.store import Lake
from nightshift.promotion.figures import (
    Figures,
    StageFigures,
    duration_words,
    figures_of,
    figures_of_timelines,
    read_figures,
)
from nightshift.promotion.index import TIMELINE, RecordSummary, keep_index, read_index
from nightshift.promotion.record import PromotionRecord, PromotionStep, Version
from nightshift.promotion.store import Records
from nightshift.promotion.timeline import FORMAT, Timeline, timeline_of
from nightshift.promotion.vocabulary import PromotionOutcome, StepState
from tests.unit.promotion.records import MINUTE, T, deploy, record, step
from tests.unit.promotion.shelf import Shelf

FAILED = StepState.FAILED
MONTH = T + timedelta(days=28)


def version(number: int) -> Version:
    return Version(id=number, name=f"v{number}")


def run(number: int, *steps: PromotionStep, **more: Any) -> PromotionRecord:
    at = T + min((one.started for one in steps), default=T).minute * MINUTE
    given = {"opened": at, "closed": T, "version": version(number), "stages": ("DEV", "TEST"), **more}
    return record(*steps, run_id=f"r{number}", **given)


def built(number: int, minute: int) -> PromotionStep:
    return step("build", minute, version=version(number))


def to_test(number: int, minute: int, state: StepState = StepState.DONE, **more: Any) -> PromotionStep:
    """A deployment to TEST that is through in the minute after ``minute``."""
    return deploy("TEST", version(number), minute, state, **more)


def back(number: int, minute: int) -> PromotionStep:
    return step("roll_back.deploy", minute, stage="TEST", version=version(number), requests=(1,))


def of_test(*records: PromotionRecord, until: Any = MONTH, since: Any = T) -> StageFigures:
    figures = figures_of(records, since=since, until=until)
    [one] = [one for one in figures.applications["portal"] if one.stage == "TEST"]
    [same] = [one for one in figures.together if one.stage == "TEST"]
    made_of: Any = {"lead_time": {"made_of"}, "time_to_restore": {"made_of"}, "failed_runs": True}
    assert same.model_dump(exclude=made_of) == one.model_dump(exclude=made_of)
    return one


def seconds(stage: StageFigures) -> list[tuple[str, float]]:
    return [(one.run_id, one.seconds / 60) for one in stage.time_to_restore.made_of]


def test_lead_time_is_from_the_start_of_the_build_to_the_end_of_the_first_good_deployment() -> None:
    found = of_test(
        run(1, built(1, 0), deploy("DEV", version(1), 1), to_test(1, 9)),
        run(2, built(2, 20), to_test(2, 21)),
        # The same version again, and one that nobody built: neither is a new change whose build is known.
        run(3, to_test(1, 40)),
        run(4, to_test(4, 45)),
        # It was deployed, and failed: it was delivered by the one after it.
        run(5, built(5, 50), to_test(5, 51), step("TEST.restart", 52, FAILED)),
        run(6, to_test(5, 57)),
    )
    times = [(one.run_id, one.version, one.seconds / 60) for one in found.lead_time.made_of]
    assert times == [("r1", "v1", 10), ("r6", "v5", 8), ("r2", "v2", 2)]
    assert (found.lead_time.n, found.lead_time.median, found.lead_time.p90) == (3, 480, 600)
    assert (found.deployments, found.per_week, found.without_lead_time) == (6, 1.5, 1)


def test_what_was_skipped_was_there_or_never_ran_is_no_deployment() -> None:
    dry = run(1, outcome=PromotionOutcome.DRY_RUN)
    skipped = run(2, to_test(2, 1, StepState.SKIPPED, requests=()))
    here = run(3, built(3, 2), to_test(3, 3, outcome="already_deployed", requests=()))
    refused = run(4, to_test(4, 5, FAILED, outcome="rejected"))
    good = run(5, built(5, 6), to_test(5, 7))
    found = of_test(dry, skipped, here, refused, good)
    assert (found.deployments, found.failed, found.failed_share, found.in_doubt) == (1, 0, 0.0, ())
    assert [one.run_id for one in found.lead_time.made_of] == ["r5"]


def test_failures_and_what_restored_them() -> None:
    found = of_test(
        run(1, to_test(1, 0)),
        # Failed at minute 3, rolled back at 8.
        run(2, to_test(2, 2, FAILED, outcome="failed"), back(1, 7)),
        # Failed twice, at 11 and 13: one outage, until minute 21.
        run(3, to_test(3, 10, FAILED, outcome="failed")),
        run(4, to_test(4, 11), step("TEST.restart", 12, FAILED)),
        run(5, to_test(5, 20)),
        run(6, to_test(6, 30, FAILED, outcome="aborted")),
        outage := run(7, to_test(7, 40, FAILED, outcome="failed")),
    )
    assert (found.deployments, found.failed, found.roll_backs) == (7, 5, 1)
    assert found.failed_runs == ("r2", "r3", "r4", "r6", "r7")
    assert found.failed_share == pytest.approx(5 / 7)
    assert seconds(found) == [("r5", 10), ("r2", 5)]
    [open_one] = found.not_restored
    assert (open_one.since, open_one.runs) == (T + 31 * MINUTE, ("r6", outage.run_id))


def test_a_version_that_failed_when_a_newer_one_ran_was_no_outage() -> None:
    late = run(1, to_test(1, 0), step("TEST.restart", 30, FAILED))
    found = of_test(late, run(2, to_test(2, 10)))
    assert (found.failed, found.failed_runs, found.time_to_restore.n, found.not_restored) == (1, ("r1",), 0, ())


def test_what_is_there_already_ends_an_outage_without_being_a_deployment() -> None:
    found = of_test(
        run(1, to_test(1, 0, FAILED, outcome="timed_out")), run(2, to_test(1, 9, outcome="already_deployed"))
    )
    assert (found.deployments, seconds(found)) == (1, [("r2", 9)])


def test_what_is_in_doubt_is_told_and_counts_as_nothing() -> None:
    lost = run(1, to_test(1, 0, FAILED, outcome="ambiguous", requests=()))
    found = of_test(lost, run(2, to_test(2, 9)))
    assert (found.deployments, found.failed, found.failed_share, found.in_doubt) == (1, 0, 0.0, ("r1",))
    assert (found.time_to_restore.n, found.not_restored) == (0, ())


def test_what_has_not_ended_is_counted_and_not_judged() -> None:
    found = of_test(run(1, to_test(1, 0), step("TEST.restart", 3, StepState.STARTED), closed=None))
    assert (found.deployments, found.failed, found.failed_share, found.lead_time.n) == (1, 0, None, 0)


def test_a_period_counts_what_ended_in_it_by_what_was_before_it() -> None:
    records = (
        run(1, built(1, 0), to_test(1, 1)),
        run(2, built(2, 3), to_test(2, 4, FAILED, outcome="failed")),
        run(3, built(3, 5), to_test(3, 14)),
        run(4, to_test(4, 30)),
    )
    found = of_test(*records, since=T + 10 * MINUTE, until=T + 20 * MINUTE)
    assert (found.deployments, found.failed) == (1, 0)
    assert [(one.run_id, one.seconds / 60) for one in found.lead_time.made_of] == [("r3", 10)]
    assert seconds(found) == [("r3", 10)]
    assert found.not_restored == ()
    assert of_test(*records, since=T, until=T + 10 * MINUTE).not_restored[0].runs == ("r2",)


@pytest.mark.parametrize(
    ("count", "median", "p90"), [(1, 1, 1), (2, 1.5, 2), (9, 5, 9), (10, 5.5, 9), (11, 6, 10), (20, 10.5, 18)]
)
def test_median_and_the_ninetieth_of_a_hundred(count: int, median: float, p90: float) -> None:
    records = [run(n, built(n, 10 * n), to_test(n, 10 * n + n - 1)) for n in range(1, count + 1)]
    random.Random(count).shuffle(records)
    spread = of_test(*records).lead_time
    assert (spread.n, spread.median, spread.p90) == (count, median * 60, p90 * 60)


def test_applications_are_measured_apart_and_together() -> None:
    one, other = run(1, built(1, 0), to_test(1, 1)), run(2, built(2, 0), to_test(2, 3))
    # The version ids of two projects have nothing to do with each other here; records of another project do not count.
    other = other.changed(application="billing", steps=(built(1, 0), to_test(1, 3)))
    figures = figures_of([one, other], since=T, until=MONTH)
    assert list(figures.applications) == ["billing", "portal"]
    assert [each.lead_time.median for (each,) in figures.applications.values()] == [240, 120]
    [both] = figures.together
    assert (both.deployments, both.lead_time.n, both.lead_time.median, both.lead_time.made_of) == (2, 2, 180, ())
    assert Figures.model_validate_json(figures.to_json()) == figures


def test_stages_are_in_the_order_in_which_they_are_deployed_to() -> None:
    figures = figures_of([run(1, deploy("DEV", version(1)), to_test(1, 2))], since=T, until=MONTH)
    assert [one.stage for one in figures.applications["portal"]] == ["DEV", "TEST"]
    figures = figures_of(
        [run(1, deploy("DEV", version(1)), to_test(1, 2)), run(2, to_test(2, 9))], since=T, until=MONTH
    )
    assert [one.stage for one in figures.applications["portal"]] == ["DEV", "TEST"]
    assert figures_of([], since=T, until=MONTH).together == ()
    with pytest.raises(ValueError, match="is not before"):
        figures_of([], since=T, until=T)


def test_the_figures_in_words() -> None:
    found = of_test(
        run(1, built(1, 0), to_test(1, 1)),
        run(2, to_test(2, 2, FAILED, outcome="failed")),
        run(3, to_test(3, 4, FAILED, outcome="ambiguous", requests=())),
    )
    assert found.words == (
        "TEST: 2 deployments, 0.5 a week; 1 failed (50%); lead time 2 min (p90 2 min, n 1); restored in unknown (n 0); "
        "in doubt: r3; not restored since 2026-11-20 22:03 UTC (portal)"
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (3605, "1 h"), (90000, "1 d 1 h"), (86460, "1 d")],
)
def test_a_duration_in_words(given: float, words: str) -> None:
    assert duration_words(given) == words


async def test_the_index_tells_the_same_as_the_records(tmp_path: Path) -> None:
    lake, draw = Lake.from_url(str(tmp_path)), random.Random(7)
    records = [_any(number, draw) for number in range(120)]
    for one in records:
        await Records(lake, one.application).write(one)
    expected = figures_of(records, since=T, until=MONTH)
    assert await read_figures(lake, ["billing", "portal"], since=T, until=MONTH) == expected
    assert await read_figures(lake, ["portal", "billing"], since=T, until=MONTH) == expected, "by the index alone"
    assert sum(one.deployments for one in expected.together) > 50
    assert expected.together[1].time_to_restore.n > 3


async def test_an_application_with_a_record_that_cannot_be_read_has_no_figures(shelf: Shelf) -> None:
    for number in (1, 2):
        await shelf.put(run(number, to_test(number, number)), minute=number)
    shelf.damage("r1")
    for as_kept in (False, True, True):
        figures = await read_figures(shelf.lake, ["portal"], since=T, until=MONTH, as_kept=as_kept)
        assert (figures.applications, figures.together) == ({}, ())
        assert "portal/r1.json is not the record of a promotion" in figures.unknown["portal"]


async def test_what_is_kept_is_read_alone_and_is_as_new_as_the_index(shelf: Shelf) -> None:
    async def kept() -> int:
        figures = await read_figures(shelf.lake, ["portal"], since=T, until=MONTH, as_kept=True)
        return figures.together[0].deployments

    await shelf.put(run(1, to_test(1, 1)), minute=1)
    assert await kept() == 1
    await shelf.put(run(2, to_test(2, 2)), minute=2)
    assert await kept() == 1
    await read_index(shelf.records)
    assert await kept() == 2
    (shelf.folder / TIMELINE).write_bytes(b'{"format":%d}' % (FORMAT + 1))
    assert await kept() == 2
    (shelf.folder / "r2.json").unlink()
    await keep_index(shelf.records)
    assert await kept() == 1


def _any(number: int, draw: random.Random) -> PromotionRecord:
    at = number * 10
    state = draw.choice([StepState.DONE, StepState.DONE, FAILED, StepState.STARTED])
    steps = [
        built(number, at),
        deploy("DEV", version(number), at + 1),
        to_test(number, at + 2, state, outcome="failed"),
    ]
    if draw.random() < 0.3:
        steps.append(back(max(number - 1, 0), at + 5))
    return run(number, *steps, application=draw.choice(["portal", "billing"]), opened=T + at * MINUTE)


def test_fifty_applications_of_a_thousand_promotions_are_small_to_read() -> None:
    made = [RecordSummary.of(run(n, built(n, 10 * n), to_test(n, 10 * n + 1)), "") for n in range(1000)]
    text = timeline_of(made).to_json()
    assert len(text) < 120_000
    timeline = Timeline.from_json(text)
    assert timeline == timeline_of(made)
    month = {"since": T, "until": T + timedelta(hours=10)}
    figures = figures_of_timelines(dict.fromkeys(map(str, range(50)), timeline), **month)
    assert figures.together[0].deployments == 50 * 60


def test_a_period_goes_over_months_and_an_outage_too() -> None:
    """T is the 20th of November, 22:00 UTC; the month ends 14,520 minutes later."""
    end = 14_520
    records = (
        run(1, built(1, end - 30), to_test(1, end - 21)),
        run(2, built(2, end - 20), to_test(2, end - 11, FAILED, outcome="failed")),
        run(3, built(3, end - 5), to_test(3, end + 4)),
        run(4, to_test(4, end + 60_000)),
    )
    found = of_test(*records, until=T + timedelta(days=90))
    assert (found.deployments, found.failed, seconds(found)) == (4, 1, [("r3", 15)])
    assert [(one.run_id, one.seconds / 60) for one in found.lead_time.made_of] == [("r1", 10), ("r3", 10)]
    december = of_test(*records, since=T + timedelta(days=10, hours=2), until=T + timedelta(days=20))
    assert (december.deployments, december.failed, seconds(december)) == (1, 0, [("r3", 15)])
    assert of_test(*records, until=T + timedelta(days=10, hours=2)).not_restored[0].runs == ("r2",)
