"""Whether a night is published, told from Airflow's asset events."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator

from nightshift.promotion.after import PAGE, asset_of, missing, seen
from nightshift.promotion.record import ReportSeen
from tests.execution_api import FakeExecutionApi
from tests.unit.promotion.play import N1, N2, N3, published

REPORT = "tokenflex/usage"


class Looks(BaseOperator):
    """A task that tells what it sees of a night."""

    def __init__(self, *, night: str | None, **kwargs: Any) -> None:
        super().__init__(inlets=[asset_of(REPORT)], **kwargs)
        self.night = night

    def execute(self, context: Any) -> Any:
        [found] = seen(context["inlet_events"], [REPORT], self.night)
        return found.model_dump(mode="json")


def look(night: str | None, events: list[dict[str, Any]]) -> tuple[ReportSeen, int]:
    """Return what is seen, and how many pages were asked for."""
    api = FakeExecutionApi(asset_events={REPORT: events})
    with DAG("d", schedule=None):
        task = Looks(task_id="t", night=night)
    run = api.run(task)
    assert run.state == "success", run.error
    return ReportSeen.model_validate(run.result), sum(path.startswith("asset-events") for _, path in api.calls)


def test_a_night_that_was_never_published_is_missing() -> None:
    for events in ([], [published(N1), published(N3)]):
        found, pages = look(N2, events)
        assert (found, pages) == (ReportSeen(name=REPORT), 1)
        assert missing([found]) == [REPORT]


def test_a_night_is_found_with_its_numbers() -> None:
    found, _ = look(N2, [published(N1), published(N2), published(N3)])
    assert (found.night, found.rows, found.table_version, found.checks) == (N2, 12, 7, {"not_empty": "12 rows"})
    assert missing([found]) == []


def test_of_a_republished_night_the_newest_counts() -> None:
    late = published(N2, day=9)
    late["extra"] = {**late["extra"], "rows": 99}
    found, _ = look(N2, [late, published(N2, day=1), published(N2, day=5)])
    assert (found.rows, found.published) == (99, late["timestamp"])


def test_without_a_night_whatever_was_published_last() -> None:
    found, _ = look(None, [published(N1, day=30), published(N2), published(N3)])
    assert found.night == N1


def test_the_nights_that_a_look_back_publishes_again_hide_no_other() -> None:
    """Each evening publishes the night and the three before it, all within the same second."""
    events = []
    for evening in range(40):
        at = datetime(2026, 11, 21, 3, tzinfo=UTC) + timedelta(days=evening)
        for back in range(4):
            night = (at.date() - timedelta(days=1 + back)).isoformat()
            events.append({**published(night), "timestamp": at})
    for night, day in ((N2, 24), ("2026-12-01", 5)):
        found, _ = look(night, events)
        assert found.night == night
        assert found.published is not None
        assert found.published.day == day if night == N2 else found.published.date().isoformat() == "2026-12-05"


@pytest.mark.parametrize("later", [PAGE - 1, PAGE, PAGE + 1, 7 * PAGE + 3])
def test_a_night_is_found_behind_many_pages_of_newer_ones(later: int) -> None:
    first = datetime(2026, 11, 22, tzinfo=UTC)
    events = [{**published(N3), "timestamp": first + timedelta(minutes=5 * number)} for number in range(later)]
    events.append(published(N2))
    random.Random(1).shuffle(events)
    found, pages = look(N2, events)
    assert found.night == N2
    assert pages <= 2 + later // (PAGE - 1)


def test_what_was_published_before_the_night_is_not_looked_at() -> None:
    before = datetime.fromisoformat(N2).replace(tzinfo=UTC) - timedelta(days=1)
    events = [{**published(N1), "timestamp": before - timedelta(minutes=number)} for number in range(5 * PAGE)]
    found, pages = look(N2, events)
    assert (found.published, pages) == (None, 1)


def test_a_flood_of_one_moment_ends_the_search() -> None:
    events = [{**published(N3), "timestamp": datetime(2026, 11, 25, tzinfo=UTC)} for _ in range(3 * PAGE)]
    found, pages = look(N2, events)
    assert (found.published, pages) == (None, 2)


def test_an_event_without_a_partition_key_tells_its_night_in_its_extra() -> None:
    assert look(N2, [published(N2, partition_key=None)])[0].night == N2
    assert look(N2, [published(N2, partition_key=N1)])[0].night is None


def test_a_check_tells_whether_it_passed() -> None:
    event = published(N2)
    event["extra"]["checks"] = [
        {"name": "a", "ok": True},
        {"name": "b", "ok": False},
        {"name": "c", "ok": True, "detail": "x"},
    ]
    assert look(N2, [event])[0].checks == {"a": "passed", "b": "failed", "c": "x"}
