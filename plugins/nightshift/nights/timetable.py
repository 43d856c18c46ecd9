"""The schedule of every nightly DAG: each night once, at the moment that ends it.

Airflow's ``CronPartitionTimetable("0 0 * * *", run_offset=-1)`` derives the night from the midnight: where a clock
change leaves a midnight out (Cairo, Santiago, Beirut, Havana, the Azores) one night gets no run and the next one two,
the first of them before its end. Here the nights are counted and the moments follow.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pendulum
from airflow.exceptions import AirflowTimetableInvalid, InvalidPartitionKeyError
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction, Timetable

from nightshift.fields import night_of
from nightshift.local_time import DAY, begin_of, end_of, last_night


class NightTimetable(Timetable):
    """A run a night, with the night (``YYYY-MM-DD``) as partition key, from the end of the night on.

    Schedule, backfill and a run that a person makes with a partition key agree on a night's key and on its partition
    date, which is the moment that the night begins; by this date Airflow tells whether a night has its run already.

    A backfill has no run for a night that is not over: Airflow goes on after the latest night that a scheduled or a
    backfill run had, so that such a run would take the place of the scheduled one.

    :param timezone: zone of the vendor's server time, for instance ``Europe/Berlin``
    """

    partitioned = True
    run_ordering: Sequence[str] = ("run_after",)

    def __init__(self, timezone: str) -> None:
        self.timezone = timezone
        self.description = f"Each night, at the moment that ends it in {timezone}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, NightTimetable) and self.timezone == other.timezone

    def __hash__(self) -> int:
        return hash((type(self), self.timezone))

    @property
    def zone(self) -> ZoneInfo:
        """The zone as an object."""
        return ZoneInfo(self.timezone)

    @property
    def summary(self) -> str:
        """What lists of DAGs show as the schedule."""
        return f"nightly, {self.timezone}"

    def validate(self) -> None:
        """Check the zone.

        :raises AirflowTimetableInvalid: there is no such zone
        """
        try:
            self.zone  # noqa: B018
        except (ZoneInfoNotFoundError, ValueError):
            raise AirflowTimetableInvalid(f"There is no time zone {self.timezone!r}.") from None

    def serialize(self) -> dict[str, Any]:
        """Return the timetable as JSON."""
        return {"timezone": self.timezone}

    @classmethod
    def deserialize(cls, data: dict[str, Any]) -> Self:
        """Return the timetable that :meth:`serialize` described."""
        return cls(data["timezone"])

    def next_dagrun_info_v2(
        self, *, last_dagrun_info: DagRunInfo | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        """Return the run after the last one. Without ``catchup`` nights that were missed are left to a backfill, but
        for last night.
        """
        nights = []
        if last_dagrun_info is not None:
            nights.append(self._night_of_run(last_dagrun_info) + DAY)
        if restriction.earliest is not None:
            nights.append(self._first_from(restriction.earliest))
        if not nights or not restriction.catchup:
            nights.append(last_night(self.zone, datetime.now(UTC)))
        night = max(nights)
        if restriction.latest is not None and begin_of(night, self.zone) > restriction.latest:
            return None
        return self._run(night)

    def iter_partition_dagrun_infos(self, *, earliest: datetime, latest: datetime) -> Iterator[DagRunInfo]:
        """Yield the nights of a backfill, in order; a bound counts by its wall clock, whatever its zone, and both
        are inclusive.
        """
        night = earliest.date() + (DAY if earliest.time() > time.min else timedelta(0))
        last = min(latest.date(), last_night(self.zone, datetime.now(UTC)))
        while night <= last:
            yield self._run(night)
            night += DAY

    def localize_partition_datetime(self, dt: datetime) -> pendulum.DateTime:
        """Return the moment that a wall clock's reading means in the zone; midnight is the begin of its night."""
        if dt.time() == time.min:
            return self._date_of(dt.date())
        return pendulum.instance(dt.replace(tzinfo=self.zone).astimezone(UTC))

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """Return the interval of a run that a person gave a logical date."""
        return DataInterval.exact(run_after)

    def generate_run_id(
        self, *, run_type: Any, run_after: pendulum.DateTime, data_interval: DataInterval | None, **extra: Any
    ) -> str:
        """Return an id that begins with the night where it is known; a night may be backfilled more than once.

        Airflow's own views show a run by its id and by the moment it runs after, which is of the day after the night.
        """
        key = extra.get("partition_key")
        at = datetime.now(UTC) if run_type == "backfill" else run_after
        own = str(run_type.generate_run_id(suffix=at.isoformat()))
        return f"{key}__{own}" if key else own

    def _decode_partition_date(self, partition_key: str) -> datetime:
        try:
            return self._date_of(night_of(partition_key))
        except (ValueError, OverflowError) as error:
            raise InvalidPartitionKeyError(f"Partition key: {error}") from None

    def _run(self, night: date) -> DagRunInfo:
        return DagRunInfo(
            run_after=pendulum.instance(end_of(night, self.zone)),
            data_interval=None,
            partition_date=self._date_of(night),
            partition_key=night.isoformat(),
        )

    def _date_of(self, night: date) -> pendulum.DateTime:
        begins = begin_of(night, self.zone)
        if end_of(night, self.zone) <= begins:
            # A day that the zone left out has no length; Airflow takes runs with one date for one partition.
            begins -= timedelta(seconds=1)
        return pendulum.instance(begins)

    def _night_of_run(self, run: DagRunInfo) -> date:
        try:
            return night_of(run.partition_key or "")
        except ValueError:
            return last_night(self.zone, run.run_after)

    def _first_from(self, earliest: datetime) -> date:
        night = earliest.astimezone(self.zone).date()
        return night if begin_of(night, self.zone) >= earliest else night + DAY
