"""# Token Flex exports

Every night the configured usage exports of Autodesk Token Flex come home: **request** asks for the export, once;
**wait** waits for it without a worker; **download** lands the CSV file as received; **publish** replaces the night, and
each night of the look-back, in the Delta table `tables/tokenflex/<export>` and emits the asset events of these nights.

* *Trigger* opens a form: a night or a range, which exports, force.
* *Backfill*: `airflow backfill create --dag-id tokenflex_exports --from-date 2026-09-01 --to-date 2026-11-10`. At most 50
  exports are pending at the vendor: a pool with `include_deferred` keeps to it; a full queue is waited for.
* What is fetched is configured in `reports.yaml`, section `tokenflex`; the connection is of the type *Autodesk Token
  Flex*, and a person grants access once under Admin, *Token Flex sign-in*.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import TaskGroup

from nightshift.config.tokenflex import TokenFlex, UsageExport
from nightshift.nights.flow import night_task, nightly_dag
from nightshift.nights.night import NightOperator
from nightshift.nights.ready import waiting_for
from nightshift.sources import source_in_force
from nightshift.tokenflex.landing_operators import TokenFlexDownloadExportOperator, TokenFlexPublishExportOperator
from nightshift.tokenflex.operators import TokenFlexDeleteExportOperator, TokenFlexRequestExportOperator
from nightshift.tokenflex.sensors import TokenFlexExportSensor


def export_group(source: TokenFlex, export: UsageExport, night: NightOperator) -> None:
    """Declare the tasks of one export. What is further on its way goes first, so that a backfill does not pile up half-done nights."""
    at_vendor: dict[str, Any] = {
        "contract": export.contract or source.contract, "tokenflex_conn_id": source.connection, "pool": source.pool,
    }  # fmt: skip
    asked: dict[str, Any] = {"look_back": export.look_back, "fields": export.fields, "metrics": export.metrics}
    the_night, force = night.output["night"], night.output["force"]
    spec = export.publish_spec(source.timezone).model_dump(mode="json")
    with TaskGroup(export.name, tooltip=f"Export {export.name}"):
        request = TokenFlexRequestExportOperator(
            task_id="request", doc_md="Ask for the export, once; wait where the vendor's queue is full.", night=the_night, categories=export.category, where=export.where,
            conditions=[one.model_dump() for one in export.conditions], date_field=export.date_field, file_name=export.name,
            other_names=export.other_names, skip_rules=export.skip_rules, queue_timeout=timedelta(hours=source.queue_hours), delete_replaced=export.delete_after,
            priority_weight=1, weight_rule="absolute", **asked, **at_vendor,
        )  # fmt: skip
        wait = TokenFlexExportSensor(
            task_id="wait", doc_md="Wait until the file is ready; the vendor tries a failed export again.", request_key=request.output["request_key"],
            requested_by=request.task_id, vendor_retries=source.vendor_retries, timeout=timedelta(hours=source.export_hours).total_seconds(), poll_cap=source.poll_seconds,
            priority_weight=2, weight_rule="absolute", **at_vendor,
        )  # fmt: skip
        download = TokenFlexDownloadExportOperator(
            task_id="download", doc_md="Fetch the file to the landing.", report=export.name, night=the_night, timezone=source.timezone, force=force,
            request_key=request.output["request_key"], where=request.output["where"], csv=export.csv.model_dump(mode="json"),
            priority_weight=3, weight_rule="absolute", **asked, **at_vendor,
        )  # fmt: skip
        publish = TokenFlexPublishExportOperator(
            task_id="publish",
            doc_md="Check the nights and replace them in the table, in one atomic commit.",
            extract=download.output,
            spec=spec,
            report=export.name,
            look_back=export.look_back,
            force=force,
            waiting=waiting_for("tokenflex", export.name),
        )
        night >> request >> wait >> download >> publish
        if export.delete_after:
            publish >> TokenFlexDeleteExportOperator(
                task_id="delete",
                doc_md="Delete the export and its file at the vendor.",
                request_key=request.output["request_key"],
                **at_vendor,
            )


if (source := source_in_force("tokenflex", TokenFlex)) is not None:
    names = [export.name for export in source.exports]
    with nightly_dag(
        "tokenflex_exports",
        source,
        names,
        kind="tokenflex",
        doc_md=__doc__,
        # The pool is for what is pending at the vendor; the other tasks would take its slots.
        pool="default_pool",
        max_active_runs=16,
        # An export may wait for the vendor's queue for a day before it is made.
        run_limit=timedelta(hours=72),
        task_limit=timedelta(hours=6),
    ):
        the_night = night_task(source, names)
        for one in source.exports:
            export_group(source, one, the_night)
