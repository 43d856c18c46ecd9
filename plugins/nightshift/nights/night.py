"""The night of a run: the first task of every flow decides it, waits until it is settled, and chooses the reports.

A run for a night has that night as its partition key. A person may instead fill in the form: one night, or a range, for
which a run of its own is started for each night.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from airflow.sdk import BaseBranchOperator, Context, Param
from airflow.sdk.exceptions import AirflowFailException

from nightshift.fields import night_of
from nightshift.local_time import end_of, last_night

MAX_RANGE = 400
FORM = ("night", "until", "reports", "force")


def night_form(reports: Sequence[str]) -> dict[str, Param]:
    """Return the form of a flow in the Airflow UI.

    :param reports: names of the reports that a person may choose from
    """
    return {
        "night": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Night",
            description="The day whose data is brought home. Empty: the run's partition key, else the last night "
            "before the run's date. In a backfill leave it empty: its dates are the nights.",
        ),
        "until": Param(
            None,
            type=["null", "string"],
            format="date",
            title="Until",
            description="Last night of a range: a run of its own is started for each night from Night to here.",
        ),
        "reports": Param(
            None,
            type=["null", "array"],
            items={"type": "string", "enum": list(reports)},
            examples=list(reports),
            uniqueItems=True,
            title="Reports",
            description="Only these reports. Empty: all.",
        ),
        "force": Param(
            False,
            type=["null", "boolean"],
            title="Force",
            description="Ask the vendor for a night beyond its horizon, or for one that is not over yet, and publish "
            "again what is published unchanged, or older than what the table has.",
        ),
    }


def asked_nights(
    partition_key: str | None,
    params: Mapping[str, Any],
    *,
    zone: ZoneInfo,
    now: datetime,
    asked: datetime | None = None,
) -> list[str]:
    """Return the nights that a run is asked for, in order; one, or all of a range.

    :param partition_key: the run's partition key, ``YYYY-MM-DD``
    :param params: the form
    :param zone: zone of the vendor's server time
    :param now: the present
    :param asked: the moment that the run is for: without key and form it brings home the last night before it, also
        when it is cleared days later; default: the present
    :raises ValueError: the form contradicts itself or the key, or a night is not over; says what to do
    """
    given, last = params.get("night") or None, params.get("until") or None
    if last is not None and given is None and partition_key is None:
        raise ValueError(f"The form says Until {last} but no Night; give the first night of the range as well.")
    key = night_of(partition_key) if partition_key is not None else None
    first = night_of(given) if given is not None else key or last_night(zone, min(asked or now, now))
    until = night_of(last) if last is not None else first
    if key is not None and (first, until) != (key, key):
        form = f"{first}" if until == first else f"{first} to {until}"
        raise ValueError(
            f"The run is for the night {key}, which is its partition key (of the schedule, a backfill, or as a person "
            f"gave it), but the form asks for {form}. Leave Night and Until empty in a backfill or with a partition "
            "key; for a range trigger the DAG without a partition key."
        )
    if until < first:
        raise ValueError(f"Until ({until}) is before Night ({first}); give them the other way round.")
    if (count := (until - first).days + 1) > MAX_RANGE:
        raise ValueError(f"{first} to {until} are {count} nights; ask for at most {MAX_RANGE} at a time.")
    if until > (over := last_night(zone, now)) and not params.get("force"):
        raise ValueError(
            f"The night {until} is not over in {zone.key}; the last one that is: {over}. With Force it is fetched as "
            "far as it goes."
        )
    return [(first + timedelta(days=n)).isoformat() for n in range(count)]


def unknown_keys(conf: Mapping[str, Any] | None, known: Sequence[str] = FORM) -> list[str]:
    """Return the keys of a run's conf that no field of the form has: Airflow itself lets typos pass."""
    return sorted(set(conf or {}) - set(known))


class NightOperator(BaseBranchOperator):
    """Decide the night, wait until its data is settled, and go on with the chosen reports.

    Pushes the night as XCom ``night`` and whether the run is forced as XCom ``force``. A scheduled run that comes
    before the vendor's warehouse has settled is deferred until then and holds no worker. For a range it starts one run
    a night (with the night as partition key), as many at a time as leave a place for the scheduled run, waits for them
    deferred, and fails when one of them failed.

    :param timezone: zone of the vendor's server time, for instance ``Europe/Berlin``
    :param settle_hours: hours after the end of a night before it is fetched
    :param branches: report → id of the task or task group that brings it home
    :param pool_of_reports: pool that the tasks after this one wait for
    """

    ui_color = "#dfe7f5"

    def __init__(
        self,
        *,
        timezone: str,
        settle_hours: float,
        branches: Mapping[str, str],
        pool_of_reports: str = "default_pool",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_of_reports = pool_of_reports
        self.timezone = timezone
        self.settle_hours = settle_hours
        self.branches = dict(branches)

    def execute(self, context: Context) -> Any:
        """Decide; see the class."""
        run = context["dag_run"]
        if unknown := unknown_keys(run.conf):
            raise AirflowFailException(
                f"Unknown field in the run's conf: {', '.join(unknown)}. Valid: {', '.join(FORM)}."
            )
        nights = self._nights(context)
        if len(nights) > 1:
            self._start_runs(context, nights)
        self._await_settled(context, nights[0])
        return self._go_on(context, nights[0])

    def settled(self, context: Context, event: Any = None) -> Any:
        """Go on after the wait."""
        return self.execute(context)

    def runs_ended(self, context: Context, event: Any = None) -> Any:
        """Start the next nights of a range where some have ended; tell how they ended where all have.

        :param event: run id → state, of all nights that were started
        """
        from nightshift.nights.runs import FINAL_STATES

        states, nights = dict[str, str](event or {}), self._nights(context)
        if len(states) < len(nights) or not FINAL_STATES.issuperset(states.values()):
            self._start_runs(context, nights, states)
        if failed := sorted(run for run, state in states.items() if state != "success"):
            raise AirflowFailException(
                f"{len(failed)} of {len(states)} nights failed: {', '.join(failed)}. Look at these runs; the other "
                "nights are published."
            )
        self.log.info("All %d nights are published", len(states))
        return self.do_branch(context, [])

    def _nights(self, context: Context) -> list[str]:
        run = context["dag_run"]
        try:
            return asked_nights(
                run.partition_key,
                context["params"],
                zone=ZoneInfo(self.timezone),
                now=datetime.now(UTC),
                asked=run.logical_date or run.run_after,
            )
        except ValueError as error:
            raise AirflowFailException(str(error)) from None

    def _go_on(self, context: Context, night: str) -> Any:
        chosen = context["params"].get("reports") or list(self.branches)
        if strange := sorted(set(chosen) - set(self.branches)):
            raise AirflowFailException(
                f"Not a configured report: {', '.join(strange)}. Valid: {', '.join(self.branches)}."
            )
        context["ti"].xcom_push("night", night)
        context["ti"].xcom_push("force", bool(context["params"].get("force")))
        self.log.info("Night %s: %s", night, ", ".join(chosen))
        if self.pool_of_reports != "default_pool":
            # Airflow tells no task which pools there are; its scheduler warns in its own log alone.
            self.log.info(
                "What follows waits for a slot of the pool %s, for ever where there is no such pool: Admin, Pools, or "
                "`airflow pools set %s 50 reports --include-deferred`",
                self.pool_of_reports,
                self.pool_of_reports,
            )
        return self.do_branch(context, [self.branches[name] for name in chosen])

    def _await_settled(self, context: Context, night: str) -> None:
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        moment = end_of(night_of(night), ZoneInfo(self.timezone)) + timedelta(hours=self.settle_hours)
        if context["dag_run"].run_type == "scheduled" and datetime.now(UTC) < moment - timedelta(seconds=10):
            self.log.info("Night %s is settled at %s; waiting until then without a worker", night, moment.isoformat())
            self.defer(trigger=DateTimeTrigger(moment=moment), method_name="settled")

    def _start_runs(self, context: Context, nights: Sequence[str], states: Mapping[str, str] | None = None) -> None:
        """Start as many nights of a range as leave a place for the next scheduled run, and wait until one has ended.

        Queued runs count as active for Airflow: it makes no scheduled run while there are as many as may run at once.

        :param states: run id → state, of those that were started before
        """
        from nightshift.nights.runs import FINAL_STATES, NightRunsTrigger

        mark = hashlib.sha256(context["dag_run"].run_id.encode()).hexdigest()[:8]
        run_ids = [f"{night}__range__{mark}" for night in nights]
        known = dict(states or {})
        most = context["dag"].max_active_runs
        active = context["ti"].get_dr_count(dag_id=self.dag_id, states=["queued", "running"])
        room = most - 1 - active
        if room < 1 and not known and not context["ti"].get_dr_count(dag_id=self.dag_id, run_ids=run_ids):
            raise AirflowFailException(
                f"{active} runs of {self.dag_id} are queued or running, this one among them, and {most} run at once: "
                f"there is no place for the nights from {nights[0]} to {nights[-1]}, while this run takes one to wait "
                "for them. Nothing was started. Clear this task when the others have ended; or ask for these nights "
                "with a backfill, whose runs Airflow counts apart."
            )
        ended = sum(state in FINAL_STATES for state in known.values())
        # One goes on in any case, so that a range ends whatever others do meanwhile.
        more = max(room, 1 if ended == len(known) else 0)
        for night, run_id in list(zip(nights, run_ids, strict=True))[len(known) :][:more]:
            self._start_run(context, night, run_id, len(known))
            known[run_id] = "queued"
        self.log.info("Started %d of %d runs, %s to %s", len(known), len(nights), nights[0], nights[-1])
        enough = len(known) if len(known) == len(nights) else ended + 1
        self.defer(trigger=NightRunsTrigger(self.dag_id, known, enough=enough), method_name="runs_ended")

    def _start_run(self, context: Context, night: str, run_id: str, started: int) -> None:
        from airflow.sdk.execution_time.comms import ErrorResponse, TriggerDagRun
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        # Airflow 3.3.2 drops the partition key of a run that a task starts; the form carries the night as well.
        form = {"reports": context["params"].get("reports"), "force": bool(context["params"].get("force"))}
        answer = SUPERVISOR_COMMS.send(
            TriggerDagRun(
                dag_id=self.dag_id,
                run_id=run_id,
                conf={"night": night, **form},
                partition_key=night,
                note=f"Night {night} of the range that {context['dag_run'].run_id} asked for",
            )
        )
        if isinstance(answer, ErrorResponse) and "ALREADY_EXISTS" not in str(answer.error).upper():
            raise AirflowFailException(
                f"The run for night {night} could not be started: {answer.error}. {started} nights of the range were; "
                "clear this task to go on."
            )
