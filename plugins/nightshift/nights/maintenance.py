"""The DAG ``nightshift_maintenance``: a task a source, which takes care of its tables and its landing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, BaseOperator, Context, Param
from airflow.sdk.definitions.retry_policy import RetryAction
from airflow.sdk.exceptions import AirflowException, AirflowFailException

from nightshift.config.reports import Maintenance, source_in_force
from nightshift.nights.place import lake_of_this_deployment
from nightshift.redaction import redact
from nightshift.retries import VendorRetryPolicy
from nightshift.sources import SOURCES

if TYPE_CHECKING:
    from nightshift.lake.store import Lake

DAG_ID = "nightshift_maintenance"
SCHEDULE = "0 12 * * 6"
"""Saturday noon, UTC: far from every night."""
DRY_RUN = "dry_run"


class MaintenanceOperator(BaseOperator):
    """Take care of the reports of a source: put the small files of a night together, delete what no version within its
    retention has, and extracts that another took the place of; see :mod:`nightshift.lake.maintenance`.

    It is safe beside a publish. What each report needed is told in the log and returned; a report that cannot be taken
    care of does not keep the others from it, and fails the task at the end: for good where nothing but a person helps,
    else so that it is tried again, which finds nothing to do where all was done.

    :param source: connection type of the source
    :param reports: its reports
    :param rules: what is kept, as JSON of :class:`nightshift.config.reports.Maintenance`
    :param dry_run: only say what would be done (templated)
    """

    template_fields = ("dry_run",)
    ui_color = "#e6e6f0"

    def __init__(
        self, *, source: str, reports: Sequence[str], rules: Mapping[str, Any], dry_run: Any = False, **kwargs: Any
    ) -> None:
        super().__init__(**{"retry_policy": VendorRetryPolicy(), **kwargs})
        self.source = source
        self.reports = list(reports)
        self.rules = dict(rules)
        self.dry_run = dry_run

    def execute(self, context: Context) -> dict[str, Any]:
        """Take care of each report; return what was done."""
        rules = Maintenance.model_validate(self.rules)
        dry_run = str(self.dry_run).lower() in ("true", "1", "yes")
        done: dict[str, dict[str, Any]] = {}
        failed: dict[str, Exception] = {}
        lake = lake_of_this_deployment()
        for report in self.reports:
            try:
                done[report] = take_care(lake, self.source, report, rules, dry_run=dry_run, say=self.log.info)
            except Exception as error:
                self.log.warning("%s/%s could not be taken care of", self.source, report, exc_info=error)
                failed[f"{self.source}/{report}"] = error
        what = f"{len(failed)} of {len(self.reports)} reports"
        try:
            self._incidents(lake, rules.keep_incidents, dry_run=dry_run)
        except Exception as error:
            self.log.warning("The incidents of %s could not be taken care of", self.source, exc_info=error)
            failed["incidents"] = error
            what += f" and the incidents of {self.source}"
        if failed:
            raise self._failure(what, failed, context)
        return done

    def _failure(self, what: str, failed: Mapping[str, Exception], context: Context) -> AirflowException:
        """Return the error of the task: one that is tried again, unless nothing would pass by itself."""
        told = "; ".join(f"{name}: {redact(str(error)) or type(error).__name__}" for name, error in failed.items())
        text = f"{what} could not be taken care of: {told[:2000]}. Nothing that is needed was deleted, and the others are done."
        try_number, policy = context["ti"].try_number, VendorRetryPolicy()
        decided = [policy.evaluate(error, try_number, self.retries, context) for error in failed.values()]
        if all(one.action is RetryAction.FAIL for one in decided):
            return AirflowFailException(f"{text} Put right what it says, then clear this task.")
        return AirflowException(
            f"{text} The task tries again by itself; if the last try ends like this, put right what it says, then "
            "clear it."
        )

    def _incidents(self, lake: Lake, keep: timedelta | None, *, dry_run: bool) -> None:
        if keep is None:
            return
        from nightshift.lake.maintenance import delete_old_incidents

        gone = delete_old_incidents(lake, self.source, keep, at=datetime.now(UTC), dry_run=dry_run)
        would = "would be " if dry_run else ""
        self.log.info("%s: %d incidents, %d bytes, %sdeleted", self.source, len(gone.names), gone.bytes, would)


def take_care(
    lake: Lake, source: str, report: str, rules: Maintenance, *, dry_run: bool, say: Callable[[str], object]
) -> dict[str, Any]:
    """Do all of it for one report, and tell what was done. Blocks.

    :param dry_run: only tell what would be deleted; nothing is put together
    """
    from nightshift.lake import maintenance
    from nightshift.lake.delta import NightTable
    from nightshift.lake.retention import hold_versions

    name, would = f"{source}/{report}", "would be " if dry_run else ""
    if not dry_run:
        # Before anything is put together: what that removes has to be kept as well.
        hold_versions(NightTable(lake, source, report), rules.keep_versions, say)
    compacted = maintenance.Compacted() if dry_run else maintenance.compact(lake, source, report, say)
    removed = maintenance.vacuum(lake, source, report, rules.keep_versions, dry_run=dry_run)
    say(f"{name}: {removed.objects} files of the table, {removed.bytes} bytes, {would}deleted")
    landing = maintenance.LandingRules(rules.keep_superseded, rules.keep_landing)
    tidied = maintenance.tidy_landing(lake, source, report, landing, at=datetime.now(UTC), dry_run=dry_run)
    say(f"{name}: {tidied.objects} objects of the landing, {tidied.bytes} bytes, {would}deleted")
    if not (dry_run or compacted.nights or compacted.given_up or removed.objects or tidied.objects):
        say(f"{name}: nothing was to be done")
    for extract in tidied.names:
        say(f"{name}: extract {extract} {would}deleted")
    return {
        "compacted": {"nights": list(compacted.nights), "files": [compacted.files_before, compacted.files_now]},
        "left": list(compacted.given_up),
        "table": {"files": removed.objects, "bytes": removed.bytes},
        "landing": {"objects": tidied.objects, "bytes": tidied.bytes, "extracts": list(tidied.names)},
    }


def maintenance_dag(*, doc_md: str | None) -> DAG | None:
    """Return the DAG; ``None`` where no source is configured.

    :param doc_md: what the UI says about the DAG
    """
    sections = {name: found for name in SOURCES if (found := source_in_force(name)) is not None}
    if not sections:
        return None
    with DAG(
        DAG_ID,
        schedule=SCHEDULE,
        start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
        catchup=False,
        max_active_runs=1,
        dagrun_timeout=timedelta(hours=12),
        default_args={
            "owner": "nightshift",
            "retries": 2,
            "retry_delay": timedelta(minutes=10),
            "retry_policy": VendorRetryPolicy(),
            "execution_timeout": timedelta(hours=10),
        },
        params={DRY_RUN: Param(False, type="boolean", description="Only say what would be deleted.")},
        tags=["nightshift", "maintenance"],
        doc_md=doc_md,
    ) as dag:
        for name, section in sections.items():
            MaintenanceOperator(
                task_id=name,
                doc_md=f"Tables and landing of {name}.",
                source=name,
                reports=list(section.groups),
                rules=section.maintenance.model_dump(mode="json"),
                dry_run=f"{{{{ params.{DRY_RUN} }}}}",
            )
    return dag
