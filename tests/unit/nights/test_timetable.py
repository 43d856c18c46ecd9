"""The schedule of the nights: each once, after its end, in every zone; a backfill and a person mean the same."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pendulum
import pytest
from airflow.configuration import conf
from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.sdk import DAG
from airflow.serialization.serialized_objects import DagSerialization
from airflow.timetables.base import DagRunInfo, TimeRestriction
from airflow.utils.types import DagRunType
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nightshift.local_time import end_of, last_night
from nightshift.nights.timetable import NightTimetable

ZONES = sorted(available_timezones())
DAY = timedelta(days=1)


def runs(timetable: Any, first: date, count: int) -> Iterator[DagRunInfo]:
    """The runs that the scheduler makes from the night ``first`` on, one after the other."""
    limits = TimeRestriction(earliest=pendulum.datetime(first.year, first.month, first.day), latest=None, catchup=True)
    info = None
    for _ in range(count):
        info = timetable.next_dagrun_info_v2(last_dagrun_info=info, restriction=limits)
        assert info is not None
        yield info


@settings(max_examples=60)
@given(st.sampled_from(ZONES), st.integers(1900, 2100))
@example("Africa/Cairo", 2026)
@example("America/Santiago", 2026)
@example("Asia/Beirut", 2026)
@example("America/Havana", 2026)
@example("Atlantic/Azores", 2026)
@example("Pacific/Apia", 2011)
@example("Pacific/Kwajalein", 1993)
@example("America/Toronto", 1919)
@example("America/St_Johns", 2005)
@example("America/Sao_Paulo", 2017)
@example("Asia/Amman", 2021)
def test_a_year_of_nights(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    seen = list(runs(NightTimetable(name), date(year, 1, 1), 400))
    first = date.fromisoformat(str(seen[0].partition_key))
    assert [info.partition_key for info in seen] == [(first + n * DAY).isoformat() for n in range(400)]
    for info in seen:
        night = date.fromisoformat(str(info.partition_key))
        over = datetime.combine(night + DAY, datetime.min.time(), zone).astimezone(UTC)
        assert over <= info.run_after < over + DAY
        assert info.run_after.astimezone(zone).date() > night
    dates = [info.partition_date for info in seen]
    assert dates == sorted(set(dates)), "two partitions with one date are one partition to Airflow"


@settings(max_examples=100)
@given(st.sampled_from(ZONES), st.dates(date(1900, 1, 1), date(2026, 1, 1)), st.integers(0, 40))
@example("Africa/Cairo", date(2025, 4, 20), 10)
@example("Pacific/Apia", date(2011, 12, 25), 10)
def test_schedule_backfill_and_a_key_given_by_hand_agree(name: str, first: date, days: int) -> None:
    timetable = NightTimetable(name)
    # What `airflow backfill` and the API hand over: midnights in UTC.
    bounds = [datetime(day.year, day.month, day.day, tzinfo=UTC) for day in (first, first + days * DAY)]
    filled = list(timetable.iter_partition_dagrun_infos(earliest=bounds[0], latest=bounds[1]))
    assert [info.partition_key for info in filled] == [(first + n * DAY).isoformat() for n in range(days + 1)]
    scheduled = {info.partition_key: info for info in runs(timetable, first - DAY, days + 4)}
    for info in filled:
        assert info == scheduled[info.partition_key]
        assert timetable.resolve_partition_date(info.partition_key) == info.partition_date
    assert timetable.localize_partition_datetime(bounds[0]) == filled[0].partition_date


def test_a_backfill_has_no_night_that_is_not_over() -> None:
    """Airflow's scheduler goes on after the latest night of all runs but manual ones: the night's own run would be
    lost.
    """
    timetable = NightTimetable("Asia/Tokyo")
    last = last_night(ZoneInfo("Asia/Tokyo"), datetime.now(UTC))
    now = datetime.now(UTC)
    keys = [
        i.partition_key for i in timetable.iter_partition_dagrun_infos(earliest=now - 3 * DAY, latest=now + 9 * DAY)
    ]
    assert keys[-1] == last.isoformat()


def test_part_of_a_day_at_the_begin_of_a_backfill_is_no_night() -> None:
    at = [datetime(2026, 3, 1, 0, 30, tzinfo=UTC), datetime(2026, 3, 3, 23, 59, tzinfo=UTC)]
    infos = NightTimetable("UTC").iter_partition_dagrun_infos(earliest=at[0], latest=at[1])
    assert [info.partition_key for info in infos] == ["2026-03-02", "2026-03-03"]


@pytest.mark.parametrize("name", ["UTC", "Africa/Cairo", "Pacific/Kiritimati"])
def test_without_catchup_only_last_night_is_made_up_for(name: str) -> None:
    timetable, zone = NightTimetable(name), ZoneInfo(name)
    limits = TimeRestriction(earliest=pendulum.datetime(2020, 1, 1, tz=name), latest=None, catchup=False)
    last = last_night(zone, datetime.now(UTC))
    new = timetable.next_dagrun_info_v2(last_dagrun_info=None, restriction=limits)
    assert new is not None
    assert new.partition_key == last.isoformat()
    assert new.run_after <= datetime.now(UTC)
    following = timetable.next_dagrun_info_v2(last_dagrun_info=new, restriction=limits)
    assert following is not None
    assert following.partition_key == (last + DAY).isoformat()
    assert following.run_after == end_of(last + DAY, zone)
    paused = DagRunInfo(pendulum.datetime(2026, 1, 3), None, pendulum.datetime(2026, 1, 2), "2026-01-02")
    assert timetable.next_dagrun_info_v2(last_dagrun_info=paused, restriction=limits) == new


def test_the_bounds_of_a_dag_are_nights() -> None:
    limits = TimeRestriction(
        pendulum.datetime(2026, 1, 1, tz="Asia/Tokyo"), pendulum.datetime(2026, 1, 2, tz="Asia/Tokyo"), True
    )
    timetable, info, keys = NightTimetable("Asia/Tokyo"), None, []
    while (info := timetable.next_dagrun_info_v2(last_dagrun_info=info, restriction=limits)) is not None:
        keys.append(info.partition_key)
    assert keys == ["2026-01-01", "2026-01-02"]


@pytest.mark.parametrize("key", ["20261121", "2026-1-5", "yesterday", "2026-11-21T00:00:00", "9999-12-31"])
def test_a_partition_key_that_is_no_night_is_refused_when_the_run_is_made(key: str) -> None:
    with pytest.raises(InvalidPartitionKeyError, match=r"Partition key: "):
        NightTimetable("UTC").resolve_partition_date(key)


def test_airflow_keeps_it_with_the_dag() -> None:
    dag = DAG("nightly", schedule=NightTimetable("Africa/Cairo"), start_date=pendulum.datetime(2026, 1, 1))
    kept = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).timetable
    assert kept == NightTimetable("Africa/Cairo")
    assert kept.partitioned
    assert (kept.summary, kept.periodic, kept.can_be_scheduled) == ("nightly, Africa/Cairo", True, True)


def test_a_zone_that_is_none_is_an_import_error_with_words() -> None:
    with pytest.raises(AirflowTimetableInvalid, match="There is no time zone 'Europe/Belrin'"):
        NightTimetable("Europe/Belrin").validate()


def test_ids_of_runs() -> None:
    timetable, at = NightTimetable("UTC"), pendulum.datetime(2026, 11, 22)
    ids = {
        kind: timetable.generate_run_id(run_type=kind, run_after=at, data_interval=None, partition_key="2026-11-21")
        for kind in (DagRunType.SCHEDULED, DagRunType.BACKFILL_JOB)
    }
    assert ids[DagRunType.SCHEDULED] == "2026-11-21__scheduled__2026-11-22T00:00:00+00:00"
    again = timetable.generate_run_id(
        run_type=DagRunType.BACKFILL_JOB, run_after=at, data_interval=None, partition_key="2026-11-21"
    )
    assert ids[DagRunType.BACKFILL_JOB].startswith("2026-11-21__backfill__")
    assert again != ids[DagRunType.BACKFILL_JOB], "a night may be filled again beside the run before"
    # Airflow takes an id by this pattern, and refuses one that begins as another kind of run.
    pattern = conf.get("scheduler", "allowed_run_id_pattern")
    assert all(re.match(pattern, one) for one in (*ids.values(), "2026-11-21__range__0a1b2c3d"))
    assert {DagRunType.from_run_id(one) for one in ids.values()} == {DagRunType.MANUAL}
    manual = timetable.generate_run_id(run_type=DagRunType.MANUAL, run_after=at, data_interval=None)
    assert manual == "manual__2026-11-22T00:00:00+00:00"


def test_it_costs_next_to_nothing_beside_airflow() -> None:
    code = (
        "import sys; from airflow.sdk import DAG; before = set(sys.modules); import nightshift.plugin; "
        "print([n for n in sorted(set(sys.modules) - before) if not n.startswith(('nightshift', 'airflow'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pydantic_settings", "fastapi", "aiohttp", "pyarrow", "deltalake", "croniter"} & set(
        eval(done.stdout.splitlines()[-1])
    )
